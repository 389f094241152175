"""`rig watch`: the race, live."""

import sys
from typing import Any

import click

from rigclient.cli.commands import shell
from rigclient.cli.terminal.plain import json_text, say
from rigclient.cli.terminal.text import Console
from rigclient.cli.watch import live


@click.command()
@click.option("--for", "for_s", type=click.FloatRange(min=0), metavar="SECONDS", help="End after so long.")
@click.option(
    "--car", type=int, metavar="ID", help="Slot id of the car in the cockpit; default: the player's."
)
@click.option("--coach", is_flag=True, help="After every lap of that car: three to five tips, none twice.")
@click.option("--no-screen", is_flag=True, help="One line a second instead of the live view.")
@shell.as_json
@click.pass_obj
def watch(
    address: str, for_s: float | None, car: int | None, coach: bool, no_screen: bool, as_json: bool
) -> None:
    """Watch the race live: leaderboard, cockpit, tyres.

    With --coach every lap that was archived is held against the one that `rig coach` would choose; with
    --json a line each on standard output.

    Press q to leave, j and k for other cars, ? for all keys.

    \b
    Example:
      rig watch
      rig watch --coach
      rig watch --car 7 --for 60 --no-screen
    """
    console = Console(stderr=True) if as_json else shell.console()
    summary = live.watch(
        address, for_s, car, not no_screen, console, coach=coach, say_plain=_line if as_json else None
    )
    if as_json:
        click.echo(json_text(summary.plain()))
    else:
        say(summary.text())


def _line(plain: dict[str, Any]) -> None:
    """Print what was said of a lap, on a line of its own, at once."""
    click.echo(json_text(plain))
    sys.stdout.flush()
