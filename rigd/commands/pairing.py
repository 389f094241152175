"""`rigd pairing`: join strings that nobody has used yet."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from rigclient.cli.terminal.group import Group
from rigd.commands import options

if TYPE_CHECKING:
    from rich.table import Table

    from rig.v1.access_pb2 import Pairing

_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group(cls=Group)
def pairing() -> None:
    """List and cancel join strings that nobody has used yet.

    \b
    Example:
      rigd pairing list
    """


@pairing.command("list")
@options.asked
@_json
def list_pairings(instance: str, as_json: bool) -> None:
    """List join strings that wait to be used, the oldest first; not the strings themselves.

    \b
    Example:
      rigd pairing list
    """
    from rigclient.blocking import connect
    from rigclient.cli.commands import shell

    with connect(instance) as rig:
        found = rig.pairings()
    if as_json:
        shell.show_json(found)
    elif found:
        shell.console().print(_table(found))
    else:
        click.echo("no join string waits to be used; `rigd pair` makes one")


@pairing.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@options.asked
@_json
def cancel(ids: tuple[str, ...], instance: str, as_json: bool) -> None:
    """End join strings that nobody has used. Tokens are ended with `rigd token revoke`.

    \b
    Example:
      rigd pairing cancel 3f9c0a7712de
    """
    from rigclient.blocking import connect
    from rigclient.cli.commands import shell

    with connect(instance) as rig:
        for one in dict.fromkeys(ids):
            rig.cancel_pairing(one)
            if not as_json:
                click.echo(f"{one} is cancelled")
    if as_json:
        click.echo(shell.json_text(list(dict.fromkeys(ids))))


def _table(found: list["Pairing"]) -> "Table":
    from rich.table import Table

    from rigclient.cli.terminal.palette import STRONG, TEXT, TITLE
    from rigclient.cli.terminal.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in ("pairing", "device", "user", "scopes", "until"):
        table.add_column(name, no_wrap=name != "scopes", overflow="fold")
    for one in found:
        until = datetime.fromtimestamp(one.expire_time_ns / 1e9).astimezone()
        words = (one.name, one.user, ", ".join(one.scopes), f"{until:%H:%M:%S}")
        table.add_row(Text(one.id, STRONG), *(Text(word, TEXT) for word in words))
    return table
