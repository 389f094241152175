"""What the connector's errors mean: one of the tree in one sentence, with the setting to change.

Versions 4 and 5 agree on the numbers that come from the server, and differ in those of their own.
"""

import re
from typing import Any, Final, NamedTuple

from rig.errors import (
    BadRequest,
    DatabaseMissing,
    Denied,
    FileMissing,
    NotFound,
    Raced,
    RigError,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    Unreachable,
    WrongKey,
    WrongPassword,
)
from rigclient.warehouse.snowflake.login import Login

_NUMBERED: Final = re.compile(r"^(?:(\d{6})(?: \(\w+\))?: )+")
_PREAMBLE: Final = re.compile(
    r"^(?:Failed to connect to DB: \S+\. |Failed to login: Login error: |SQL [a-z ]+ error:)|, code: \d+$"
)
_IDS: Final = re.compile(r" \((?:request_id|sfqid)=[^)]*\)$")
_OF_DATABASE: Final = re.compile(r"\b(?:database|schema) '", re.IGNORECASE)


_SELDOM: Final = ("host", "port")
"""Options that are only worth a word when somebody has set them."""


class ServerError(NamedTuple):
    """What an error means."""

    kind: type[RigError]
    text: str = "{name}: {said}"
    check: tuple[str, ...] = ()
    """Options whose settings somebody has to look at."""
    hint: str = ""

    def error(self, login: Login, said: str = "") -> RigError:
        """Return the error of the tree, for this login and what the server `said`."""
        named = {"role": "the user's default role", **login.options, "name": login.name, "said": said}
        looked_at = [option for option in self.check if option not in _SELDOM or option in login.sources]
        looks = ", ".join(login.source(option) for option in looked_at)
        hint = "; ".join(part for part in (looks and f"check {looks}", self.hint.format(**named)) if part)
        return self.kind(self.text.format(**named), hint=hint)


_KEY_HINT: Final = "DESC USER shows the fingerprint of the key it wants; or this machine's clock is off"

NO_ANSWER: Final = ServerError(Unreachable, "{name} does not answer: {said}", ("account", "host", "port"))
NO_DATABASE: Final = ServerError(
    DatabaseMissing,
    "{account} has no {database}.{schema}, or does not show it to {role}",
    ("database", "schema", "role"),
)
_EXPIRED: Final = ServerError(TokenExpired, check=("proof",), hint="it has to be renewed")
_NO_ACCOUNT: Final = ServerError(Unreachable, "there is no account {account}: {said}", ("account",))
_AGAIN: Final = ServerError(Unavailable)
_ENDED: Final = ServerError(Unavailable, "{name}: the session has ended", hint="the next try logs in again")

_HTTP: Final = 290000
"""Plus the status of HTTP."""

_AT_LOGIN: Final = {
    390100: ServerError(
        WrongPassword, "{account} does not let {user} in with this password", ("user", "proof")
    ),
    390144: ServerError(
        WrongKey, "{account} does not let {user} in with this private key", ("user", "proof"), _KEY_HINT
    ),
    390189: ServerError(Denied, check=("role",)),
    390201: NO_DATABASE,
    390303: ServerError(Unauthenticated, check=("proof",)),
    **dict.fromkeys((390110, 390114, 390195, 390318), _EXPIRED),
    **dict.fromkeys((_HTTP + 403, _HTTP + 404), _NO_ACCOUNT),
}
_REFUSALS: Final = {
    606: ServerError(BadRequest, check=("warehouse",)),
    625: ServerError(Raced),
    2003: ServerError(NotFound, hint="`rig warehouse init` makes the tables"),
    2043: ServerError(NotFound, hint="`rig warehouse init` makes the tables"),
    3001: ServerError(Denied, check=("role",), hint="{role} needs that right"),
    90105: NO_DATABASE,
    90106: NO_DATABASE,
    253006: ServerError(FileMissing),
    # Internal errors of the server, cancelled statements, uploads that failed.
    **dict.fromkeys((603, 604, 253002, 253003), _AGAIN),
    # Sessions that are over: thrown out, or idle for hours.
    **dict.fromkeys((390103, 390104, 390111, 390112, 390114, 390115), _ENDED),
    # Of connector 4: login and requests given up.
    **dict.fromkeys((250001, 250003, 250005, 251011, 251012), NO_ANSWER),
    # Of connector 5: input or output, and a time that is up.
    **dict.fromkeys((4, 14), NO_ANSWER),
}
_REST: Final = ServerError(RigError)
_REST_AT_LOGIN: Final = ServerError(Unauthenticated, check=("user", "proof"))


def refusal(error: Any, *, entering: bool = False) -> ServerError:
    """Return what an error of the connector means; `entering`: it was raised by a login."""
    number = _number(error)
    if entering and number in _AT_LOGIN:
        return _AT_LOGIN[number]
    if number in (2003, 2043) and _OF_DATABASE.search(said(error)):
        return NO_DATABASE
    if number in _REFUSALS:
        return _REFUSALS[number]
    if number // 1000 * 1000 == _HTTP:
        return NO_ANSWER
    return _REST_AT_LOGIN if entering else _REST


def _number(error: Any) -> int:
    """Return the error's number, from its words: they say it better than `errno`, to which connector 4 adds
    290000 twice for some of HTTP.
    """
    found = _NUMBERED.match(str(error.msg or ""))
    return int(found[1]) if found else abs(int(error.errno or 0))


def said(error: Any) -> str:
    """Return what the server said, on one line, without numbers."""
    text = _NUMBERED.sub("", _IDS.sub("", str(error.raw_msg or error)))
    return " ".join(_PREAMBLE.sub("", text).split())


def over(found: ServerError) -> bool:
    """Return whether the connection is of no more use."""
    return found in (NO_ANSWER, _ENDED)
