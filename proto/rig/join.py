"""Join strings: one line by which a client finds a rig, knows its certificate and gets a token.

    rig://HOST:PORT[,HOST:PORT…]/FINGERPRINT/CODE/CHECK

FINGERPRINT is the SHA-256 of the certificate (DER), hexadecimal; CODE the one-use pairing code; CHECK the
first 8 digits of the SHA-256 of all that stands before `/CHECK`. People copy such lines by hand, out of chats
and from pictures: the check tells a line that was cut or altered from one that was used or is too old.
"""

import base64
import hashlib
import re
import secrets
from typing import Final, NamedTuple

from rig import sockets
from rig.errors import BadRequest, Newer

SCHEME: Final = "rig://"
MAX_ADDRESSES: Final = 16
MAX_CHARACTERS: Final = 2048

_NEWER_SCHEME: Final = re.compile(r"rig\d+://")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[a-z2-7]{26}")
_CODE_BYTES: Final = 16
_CHECK_DIGITS: Final = 8
_PARTS: Final = 4

_AGAIN: Final = "copy all of it, from `rig://` to its end, or ask for another: `rigd pair`"


class Join(NamedTuple):
    """What a join string says."""

    addresses: tuple[str, ...]
    """`host:port` each, to be tried in this order; IPv6 in brackets."""
    fingerprint: str
    """SHA-256 of the certificate's DER, 64 hexadecimal digits."""
    code: str
    """One-use code, 26 characters."""

    def text(self) -> str:
        """Return the join string. Raises BadRequest for addresses that are none."""
        _check_addresses(self.addresses)
        body = f"{SCHEME}{','.join(self.addresses)}/{self.fingerprint}/{self.code}"
        return f"{body}/{_check(body)}"


def make_code() -> str:
    """Return a random code of 128 bits in the alphabet of join strings."""
    return base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().rstrip("=").lower()


def read_join(text: str) -> Join:
    """Return what a join string says. Raises BadRequest for one that was cut or altered, or is none; Newer
    for one that a newer version made.
    """
    text = text.strip()
    if _NEWER_SCHEME.match(text):
        raise _newer()
    if not text.startswith(SCHEME):
        raise BadRequest("that is no join string, or its beginning is missing", hint=_AGAIN)
    if len(text) > MAX_CHARACTERS:
        raise BadRequest(
            f"a join string has at most {MAX_CHARACTERS} characters, this one has {len(text)}", hint=_AGAIN
        )
    body, _, check = text.rpartition("/")
    parts = text.removeprefix(SCHEME).split("/")
    if check != _check(body):
        _refuse(parts)
    if len(parts) != _PARTS or not _FINGERPRINT.fullmatch(parts[1]) or not _CODE.fullmatch(parts[2]):
        raise _newer()
    found = Join(tuple(parts[0].split(",")), parts[1], parts[2])
    _check_addresses(found.addresses)
    return found


def _check(body: str) -> str:
    return hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()[:_CHECK_DIGITS]


def _refuse(parts: list[str]) -> None:
    """Raise what fits a string whose check does not."""
    if len(parts) < _PARTS or len(parts[-1]) < _CHECK_DIGITS:
        raise BadRequest("the join string was cut: its end is missing", hint=_AGAIN)
    raise BadRequest("the join string was altered: its check does not fit", hint=_AGAIN)


def _newer() -> Newer:
    return Newer("the join string is of a newer version", hint="upgrade this program, or pair with an older")


def _check_addresses(addresses: tuple[str, ...]) -> None:
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise BadRequest(
            f"a join string has 1 to {MAX_ADDRESSES} addresses, this one has {len(addresses)}",
            limit=MAX_ADDRESSES,
        )
    for address in addresses:
        if address.startswith("unix:") or "," in address or "/" in address:
            raise BadRequest(f"{address!r} is no address of a network", hint="host:port", address=address)
        sockets.check(address)
