"""`rig`: the rig for people. Every read command has `--json`."""

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from rig import sockets
from rig.errors import BadRequest
from rigclient import requests
from rigclient.blocking import connect
from rigclient.cli import watch
from rigclient.cli.commands import (
    export,
    lap,
    laps,
    losses,
    mark,
    plot,
    questions,
    records,
    registry,
    report,
    sessions,
    shell,
    sync,
    tail,
    verify,
    warehouse,
)
from rigclient.cli.commands.bookmark import Bookmark, cursor_of
from rigclient.cli.terminal import streams
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.text import Console, say

_STARTS: Final = ("now", "earliest", "running_lap")


@click.group(
    cls=shell.Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--rig",
    "address",
    metavar="RIG",
    envvar="RIG_ADDRESS",
    default="",
    show_default="the one that answers on this machine",
    show_envvar=True,
    help="Name of a rig on this machine, host:port, or unix:PATH of a socket.",
)
@click.version_option(package_name="rigd", prog_name="rig")
@click.pass_context
def rig(ctx: click.Context, address: str) -> None:
    """Look at a sim rig: its state, its live telemetry, its sessions and laps.

    \b
    Example:
      rig watch
      rig --rig demo watch
    """
    ctx.obj = address
    with contextlib.suppress(BadRequest):  # of several, `connect` says so, where a rig is needed at all
        ctx.obj = sockets.resolve(address)


@rig.command()
@shell.as_json
@click.pass_obj
def status(address: str, as_json: bool) -> None:
    """Show how the rig is: game, recorder, ring, and everyone who reads.

    \b
    Example:
      rig status
      rig status --json | jq .recorder.physics_rate_hz
    """
    with connect(address) as connection:
        answer = connection.status()
    if as_json:
        shell.show_json(answer)
    else:
        shell.console().print(report.report(address, answer))


@rig.command()
@click.argument("pattern", default="")
@click.option("--stream", type=click.Choice(["physics", "scoring"]), help="Only channels of this stream.")
@shell.as_json
@click.pass_obj
def channels(address: str, pattern: str, stream: str | None, as_json: bool) -> None:
    """List the channels whose name, or whose field in the game, holds PATTERN.

    \b
    Example:
      rig channels temp
      rig channels 'tyre_*' --stream physics
    """
    found = registry.registry(address).matching(pattern, stream)
    if as_json:
        click.echo(shell.json_text(found.plain()))
        return
    if not found.entries:
        raise BadRequest(f"no channel matches {pattern!r}", hint="`rig channels` lists them all")
    console = shell.console()
    console.print(found.table(console.width))
    console.print(f"{len(found.entries)} channels, from {found.origin}", style="dim", highlight=False)


def _cars(_ctx: click.Context, _param: click.Parameter, value: str) -> requests.Cars:
    if value in ("all", "player"):
        return value  # type: ignore[return-value]
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not all, player, or slot ids such as 3,7") from None


def _start(_ctx: click.Context, _param: click.Parameter, value: str) -> requests.Start:
    if value in _STARTS:
        return value  # type: ignore[return-value]
    return cursor_of(value)


@rig.command("tail")
@click.option(
    "--channels",
    metavar="A,B",
    default="",
    callback=shell.names,
    help="Channels, or all; see `rig channels`.",
)
@click.option(
    "--cars", default="player", show_default=True, callback=_cars, help="all, player, or slot ids: 3,7."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="HZ",
    help="At most so many records a second of the session clock.",
)
@click.option(
    "--stream",
    type=click.Choice(["physics", "scoring", "events"]),
    default="physics",
    show_default=True,
    help="What to follow.",
)
@click.option(
    "--start",
    default="now",
    show_default=True,
    callback=_start,
    help="now, earliest, running_lap, or a cursor.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many records.")
@click.option(
    "--cursor-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on where this file says, and keep it up to date.",
)
@shell.as_json
@click.pass_obj
def tail_command(address: str, /, cursor_file: Path | None, as_json: bool, **wishes: Any) -> None:
    """Follow a stream, one line per record and car. What is missing is said where it is missing.

    \b
    Example:
      rig tail --channels speed,gear --rate 10
      rig tail --stream events --json --cursor-file seen.cursor
    """
    wishes["max_rate_hz"] = wishes.pop("rate")
    wish = tail.Wish(**wishes)
    shown = tail.channels_of(wish)
    form: records.Form = records.Json(shown) if as_json else records.Columns(shown)
    show = _show_plain if as_json else _show_colours(shell.console())
    bookmark = Bookmark(cursor_file) if cursor_file else None
    with connect(address) as connection:
        tail.follow(connection, wish, form, show, bookmark)


def _show_plain(lines: Iterable[Line]) -> None:
    for line in lines:
        sys.stdout.write(line.text + "\n")
    sys.stdout.flush()


def _show_colours(console: Console) -> Any:
    def show(lines: Iterable[Line]) -> None:
        for line in lines:
            console.print(line, end="", soft_wrap=True)
        console.file.flush()

    return show


@rig.command("watch")
@click.option("--for", "for_s", type=click.FloatRange(min=0), metavar="SECONDS", help="End after so long.")
@click.option(
    "--car", type=int, metavar="ID", help="Slot id of the car in the cockpit; default: the player's."
)
@click.option("--no-screen", is_flag=True, help="One line a second instead of the live view.")
@shell.as_json
@click.pass_obj
def watch_command(address: str, for_s: float | None, car: int | None, no_screen: bool, as_json: bool) -> None:
    """Watch the race live: leaderboard, cockpit, tyres. Press q to leave, j and k for other cars.

    \b
    Example:
      rig watch
      rig watch --car 7 --for 60 --no-screen
    """
    console = Console(stderr=True) if as_json else shell.console()
    summary = watch.watch(address, for_s, car, not no_screen, console)
    if as_json:
        click.echo(shell.json_text(summary.plain()))
    else:
        say(summary.text())


for _command in (
    sessions.sessions,
    laps.laps,
    losses.gaps,
    lap.lap_command,
    export.export,
    plot.plot,
    mark.mark,
    mark.marks,
    mark.pin,
    mark.unpin,
    mark.delete,
    sync.sync,
    warehouse.warehouse,
    verify.verify,
):
    rig.add_command(_command)
questions.add_to(warehouse.warehouse)


def main() -> None:
    """The `rig` command."""
    streams.run(rig)


if __name__ == "__main__":
    main()
