"""`rig seat`: who is in the seat, and so whose the laps are."""

from datetime import datetime

import click

from rig.v1 import access_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.terminal.plain import say


@click.command("seat")
@click.argument("user", required=False)
@click.option("--nobody", is_flag=True, help="Free the seat.")
@shell.as_json
@click.pass_obj
def seat(address: str, user: str | None, nobody: bool, as_json: bool) -> None:
    """Show who is in the seat, or put somebody into it.

    Laps that the rig's own car begins from then on are theirs. It lasts until the seat is given to another
    user, or until the driver in the game changes to one whose user the rig knows.

    \b
    Example:
      rig seat birch
      rig seat --nobody
    """
    if nobody and user is not None:
        raise click.UsageError("give a USER or --nobody")
    if user == "":
        raise click.UsageError("USER is empty; --nobody frees the seat")
    with connect(address) as rig:
        if nobody or user is not None:
            rig.take_seat(user or "")
        now = rig.seat()
    if as_json:
        shell.show_json(now)
    else:
        say(_told(now))


def _told(now: access_pb2.GetSeatResponse) -> str:
    if not now.user:
        return "nobody is in the seat; laps of the rig's car are nobody's"
    since = datetime.fromtimestamp(now.since_time_ns / 1e9).astimezone()
    why = ", by the name of the driver in the game" if now.by_driver else ""
    return f"{now.user} is in the seat since {since:%d %b %H:%M:%S}{why}"
