"""`rig connect`: pair with a rig on another machine."""

import sys
from typing import Final

import click

from rigclient.cli.commands import shell
from rigclient.cli.commands.rigs import plain, valid
from rigclient.cli.terminal.plain import say

_MOST_CHARACTERS: Final = 4096
"""More than any join string has; what a pipe brings may have no end."""


@click.command()
@click.argument("join", metavar="JOIN")
@click.option("--name", default="", metavar="NAME", help="What to call it; default: what it calls itself.")
@shell.as_json
def connect(join: str, name: str, as_json: bool) -> None:
    """Pair with the rig of a join string, as `rigd pair` prints it.

    The string holds for ten minutes and once. What it brings, the rig's certificate and a token, is kept in
    $XDG_CONFIG_HOME/rig/rigs, for you alone. A rig that is paired already gets a new token.

    With - it is asked for, or read from a pipe: other users of this machine see command lines.

    \b
    Example:
      rig connect 'rig://192.0.2.7:7341/9f86...0f00/k5w2...a4de/8a1c03f2'
      rig connect 'rig://...' --name pitwall
    """
    from rigclient.pairing import pair

    found = pair(_asked() if join == "-" else join, name)
    if as_json:
        click.echo(shell.json_text(plain(found)))
        return
    say(f"paired as {found.name}: {found.addresses[0]}, user {found.user}, {valid(found.expire_ns)}")
    say(f"scopes: {', '.join(found.scopes)}")
    say(f"try: rig --rig {found.name} status")


def _asked() -> str:
    """Return the join string that somebody types or pipes."""
    if sys.stdin.isatty():
        return str(click.prompt("join string", hide_input=True, err=True))
    return sys.stdin.readline(_MOST_CHARACTERS)
