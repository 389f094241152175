"""`rigd pair`, `rigd token`: who may read this rig from elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import click
from click.core import ParameterSource

from rigclient.cli.terminal.group import Group
from rigd.auth.caller import Scope
from rigd.commands import options
from rigd.config.settings import data_home

if TYPE_CHECKING:
    from rich.table import Table

    from rig.v1.access_pb2 import Token

_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_LONGEST_S: Final = 100 * 365 * 86_400
_MINUTE_S: Final = 60
_NEVER: Final = "never"
_SECOND_NS: Final = 1_000_000_000

_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


class Lifetime(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """How long something is valid: 12h, 30d, 2w, 1y."""

    name = "time"

    def __init__(self, *, endless: bool = False) -> None:
        self._endless = endless

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds, a minute at least; 0 for never, where that can be."""
        if isinstance(value, int):
            return value
        if value == _NEVER and self._endless:
            return 0
        number, unit = value[:-1], value[-1:]
        if unit not in _UNITS_S or not (number.isascii() and number.isdigit() and len(number) < 10):
            forms = "12h, 30d, 2w or 1y" + (" or never" if self._endless else "")
            self.fail(f"{value!r} is no time; write {forms}", param, ctx)
        seconds = int(number) * _UNITS_S[unit]
        if not _MINUTE_S <= seconds <= _LONGEST_S:
            self.fail(f"{value} is too {'short' if seconds < _MINUTE_S else 'long'}: 1m to 100y", param, ctx)
        return seconds


def _scopes(ctx: click.Context, param: click.Parameter, values: Iterable[str]) -> list[str]:
    """The scopes of an option that takes them separated by commas."""
    found = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in found:
        if name not in set(Scope):
            known = ", ".join(Scope)
            raise click.BadParameter(f"{name!r} is no scope; there are {known}", ctx, param)
    if not found:
        raise click.BadParameter("name at least one", ctx, param)
    return list(dict.fromkeys(found))


@click.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    callback=_scopes,
    metavar="SCOPE,...",
    help=f"What it may do: {', '.join(Scope)}.",
)
@click.option("--user", default="", metavar="USER", help="Whose laps it may read.  [default: NAME]")
@click.option(
    "--for",
    "lifetime_s",
    type=Lifetime(),
    default="1y",
    show_default=True,
    metavar="TIME",
    help="How long its token is valid: 12h, 30d, 2w, 1y.",
)
@options.asked
@click.option("--qr/--no-qr", default=None, help="Draw the join string as well.  [default: on a terminal]")
@_json
def pair(
    name: str,
    scopes: list[str],
    user: str,
    lifetime_s: int,
    instance: str,
    qr: bool | None,
    as_json: bool,
) -> None:
    """Let a device read this rig: print the join string for `rig connect` there.

    NAME is the device, as `rigd token list` shows it. The string is good for ten minutes, and once: whoever
    has it until then can take the token. `rigd pairing cancel` ends one that nobody has used.

    \b
    live      streams of the rig's own car, while USER is in the seat
    live:all  streams of every car
    laps      laps of USER, and of the other cars in USER's sessions
    laps:all  every lap
    catalog   what people enter: cars, setups, notes
    admin     all of it, and tokens

    \b
    Example:
      rigd pair pitwall --scope live:all,laps:all
      rigd pair birch-laptop --scope live,laps --user birch --for 30d
    """
    from rigclient.blocking import connect
    from rigclient.cli.commands.messages import numbers
    from rigclient.cli.terminal.plain import json_text, say

    with connect(instance) as rig:
        made = rig.create_pairing(name, scopes, user, lifetime_s)
    if as_json:
        click.echo(json_text(numbers(made)))
        return
    click.echo(made.join)
    if qr or (qr is None and sys.stdout.isatty()):
        _draw(made.join)
    until = f"{_local(made.expire_time_ns):%H:%M}"
    say(f"good once, until {until}; on the other machine: rig connect 'rig://...', all of it", err=True)


def _draw(text: str) -> None:
    """Draw a text as a QR code, where standard output has the signs for it."""
    import segno

    if (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8":
        click.echo()
        segno.make(text, error="l", micro=False).terminal(sys.stdout, border=2, compact=True)


@click.group(cls=Group)
def token() -> None:
    """List, revoke and extend the tokens of this rig.

    \b
    Example:
      rigd token list
    """


_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_DATA",
    default=data_home,
    show_default="$XDG_DATA_HOME/rigd",
    help="Folder of a rig whose server does not run.",
)


class Tokens(Protocol):
    """The tokens of a rig: through its server, or in its folder."""

    def tokens(self) -> Iterator["Token"]:
        """Yield them, newest first."""

    def revoke_token(self, token: str) -> "Token":
        """End one."""

    def extend_token(self, token: str, lifetime_s: int) -> "Token":
        """Move the expiry of one; 0: never."""


@contextlib.contextmanager
def _tokens(instance: str, data: Path) -> Iterator[Tokens]:
    """The tokens of the rig that answers; where none does, or --data says which, those in the folder. Only
    a server that runs ends streams, so it is asked first. Raises Busy where it runs and cannot be reached.
    """
    from rig.errors import Unavailable
    from rig.regular import shown
    from rigclient.blocking import connect

    source = click.get_current_context().get_parameter_source("data")
    if instance or source is not ParameterSource.COMMANDLINE:
        with connect(instance) as rig:
            try:
                rig.caller()
            except Unavailable:
                if instance:
                    raise
                click.echo(f"no rig answers here; in {shown(data)}:", err=True)
            else:
                yield rig
                return
    yield _Offline(data)


class _Offline:
    """The tokens in a folder that no server has."""

    def __init__(self, data: Path) -> None:
        from rigd.auth.tokens import TokenStore

        self._store = TokenStore(data)

    def tokens(self) -> Iterator["Token"]:
        """Yield them, newest first."""
        return map(_message, self._store.all())

    def revoke_token(self, token: str) -> "Token":
        """End one. Raises NotFound, Busy."""
        return _message(self._store.revoke(token))

    def extend_token(self, token: str, lifetime_s: int) -> "Token":
        """Move the expiry of one; 0: never. Raises NotFound, Busy."""
        return _message(self._store.extend(token, lifetime_s))


def _message(token: Any) -> "Token":
    from rig.v1.access_pb2 import Token

    return Token(
        id=token.id,
        name=token.name,
        user=token.user,
        scopes=token.scopes,
        created_time_ns=token.created_ns,
        expire_time_ns=token.expire_ns,
        last_use_time_ns=token.last_use_ns,
        revoked_time_ns=token.revoked_ns,
    )


@token.command("list")
@options.asked
@_data
@_json
def list_tokens(instance: str, data: Path, as_json: bool) -> None:
    """List who may read this rig, newest first. Secrets are not among it: the rig does not know them.

    \b
    Example:
      rigd token list
      rigd token list --json | jq -r '.[] | select(.user == "birch").id'
    """
    with _tokens(instance, data) as store:
        found = list(store.tokens())
    if as_json:
        _print(found)
    elif found:
        _show(_table(found))
    else:
        click.echo("no token was made yet; see `rigd pair`")


@token.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@options.asked
@_data
@_json
def revoke(ids: tuple[str, ...], instance: str, data: Path, as_json: bool) -> None:
    """End tokens for good, and the streams that are open with them.

    \b
    Example:
      rigd token revoke 3f9c0a7712de
    """
    _change(ids, instance, data, as_json, lambda store, one: store.revoke_token(one))


@token.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--for",
    "lifetime_s",
    type=Lifetime(endless=True),
    required=True,
    metavar="TIME",
    help="From now: 12h, 30d, 2w, 1y, or never, for no end.",
)
@options.asked
@_data
@_json
def extend(ids: tuple[str, ...], lifetime_s: int, instance: str, data: Path, as_json: bool) -> None:
    """Move the end of tokens. One that was revoked stays so.

    \b
    Example:
      rigd token extend 3f9c0a7712de --for 30d
    """
    _change(ids, instance, data, as_json, lambda store, one: store.extend_token(one, lifetime_s))


def _change(ids: tuple[str, ...], instance: str, data: Path, as_json: bool, change: Any) -> None:
    """Change tokens; what was done is told, also when the next one fails."""
    changed: list[Token] = []
    with _tokens(instance, data) as store:
        try:
            changed.extend(change(store, one) for one in dict.fromkeys(ids))
        finally:
            if as_json:
                _print(changed)
            elif changed:
                _show(_table(changed))


def _print(tokens: list["Token"]) -> None:
    from rigclient.cli.commands import shell

    shell.show_json(tokens)


def _show(table: "Table") -> None:
    from rigclient.cli.commands import shell

    shell.console().print(table)


def _table(tokens: list["Token"]) -> "Table":
    from rich.table import Table

    from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, TITLE
    from rigclient.cli.terminal.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in ("token", "device", "user", "scopes", "made", "last used", "state"):
        table.add_column(name, no_wrap=name != "scopes", overflow="fold")
    for one in tokens:
        table.add_row(
            Text(one.id, STRONG),
            Text(one.name, TEXT),
            Text(one.user, TEXT),
            Text(", ".join(one.scopes), TEXT),
            Text(_when(one.created_time_ns), DIM),
            Text(_when(one.last_use_time_ns), DIM),
            Text(*_state(one)),
        )
    return table


def _state(one: "Token") -> tuple[str, Any]:
    from rigclient.cli.terminal.palette import GOOD, RED, YELLOW

    if one.revoked_time_ns:
        return f"revoked {_when(one.revoked_time_ns)}", RED
    if not one.expire_time_ns:
        return "never expires", GOOD
    if one.expire_time_ns <= time.time_ns():
        return f"expired {_when(one.expire_time_ns)}", YELLOW
    return f"until {_when(one.expire_time_ns)}", GOOD


def _when(time_ns: int) -> str:
    return f"{_local(time_ns):%d %b %Y %H:%M}" if time_ns else "never"


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / _SECOND_NS).astimezone()
