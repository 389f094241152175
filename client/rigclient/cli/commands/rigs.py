"""`rig rigs`, `rig forget`: the rigs that have a name here."""

import time
from datetime import datetime
from typing import Any

import click
from rich.table import Table as Grid

from rig import sockets
from rig.errors import RigError
from rigclient import paired
from rigclient.cli.commands import shell
from rigclient.cli.terminal.palette import DIM, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text


@click.command()
@shell.as_json
def rigs(as_json: bool) -> None:
    """List the rigs of this machine, and those it is paired with.

    Nobody is asked: a rig that is off is listed as well. Of two rigs with one name `--rig` means that of this
    machine.

    \b
    Example:
      rig rigs
      rig rigs --json | jq -r '.[].name'
    """
    local, known = sockets.living(), paired.load_all()
    if as_json:
        listed = [{"name": name, "kind": "local", "addresses": [where]} for name, where in local.items()]
        click.echo(shell.json_text(listed + [plain(one, name) for name, one in known.items()]))
        return
    if not local and not known:
        shell.console().print(Text("no rig runs here, and none is paired; see `rig connect`", DIM))
        return
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in ("name", "where", "user", "scopes", "token"):
        grid.add_column(name, no_wrap=name != "where", overflow="fold")
    for name, where in local.items():
        grid.add_row(Text(name, STRONG), Text(where, TEXT), "", Text("all: on this machine", DIM), "")
    for name, one in known.items():
        grid.add_row(Text(name, STRONG), *_cells(one))
    shell.console().print(grid)


def _cells(one: paired.PairedRig | RigError) -> tuple[Text, ...]:
    if isinstance(one, RigError):
        return (Text(str(one), RED),)
    over = 0 < one.expire_ns <= time.time_ns()
    return (
        Text(", ".join(one.addresses), TEXT),
        Text(one.user, TEXT),
        Text(", ".join(one.scopes), TEXT),
        Text(valid(one.expire_ns), YELLOW if over else DIM),
    )


@click.command()
@click.argument("name", metavar="NAME")
@shell.as_json
def forget(name: str, as_json: bool) -> None:
    """Forget a paired rig.

    Its token stays valid on the rig, until it expires or is revoked there.

    \b
    Example:
      rig forget pitwall
    """
    found = paired.forget(name)
    if as_json:
        click.echo(shell.json_text({"name": name, "token_id": found.token_id if found else None}))
        return
    say(f"{name} is forgotten")
    which = found.token_id if found else "ID"
    say(f"its token is still valid there; on the rig: rigd token revoke {which}")


def plain(one: paired.PairedRig | RigError, name: str = "") -> dict[str, Any]:
    """Return a paired rig for machines: all but its secret."""
    if isinstance(one, RigError):
        return {"name": name, "kind": "paired", "error": str(one)}
    return {
        "name": one.name,
        "kind": "paired",
        "rig": one.rig,
        "addresses": list(one.addresses),
        "user": one.user,
        "scopes": list(one.scopes),
        "expire_time_ns": one.expire_ns,
        "token_id": one.token_id,
        "pins": list(one.pins),
    }


def valid(expire_ns: int) -> str:
    """Return until when a token is valid, in words; 0: for ever."""
    if not expire_ns:
        return "never expires"
    when = f"{datetime.fromtimestamp(expire_ns / 1e9).astimezone():%d %b %Y %H:%M}"
    return f"valid until {when}" if expire_ns > time.time_ns() else f"expired {when}"
