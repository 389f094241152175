"""`rig mark`, `rig marks`, `rig pin`, `rig unpin`, `rig delete`: what is kept, and what is not."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import click
from rich.filesize import decimal as size
from rich.table import Table as Grid

from rig.v1 import lap_pb2, laps_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.laps import flags
from rigclient.cli.commands.moments import FORMS, moment
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text

_STATUS: Final = {
    laps_pb2.MOMENT_STATUS_PENDING: ("pending", YELLOW),
    laps_pb2.MOMENT_STATUS_KEPT: ("kept", GOOD),
    laps_pb2.MOMENT_STATUS_LOST: ("lost", RED),
    laps_pb2.MOMENT_STATUS_REFUSED: ("refused", RED),
}


@click.command()
@click.option(
    "--before",
    "before_s",
    metavar="SECONDS",
    type=click.FloatRange(0, 600),
    default=20.0,
    show_default=True,
    help="Kept before the moment, at most 600.",
)
@click.option(
    "--after",
    "after_s",
    metavar="SECONDS",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    help="Kept after it, at most 600.",
)
@click.option("--at", callback=moment, metavar="WHEN", help=f"{FORMS}; default: now.")
@click.option("--car", "cars", metavar="ID,ID", default="", callback=shell.slots, help="Default: all cars.")
@click.option("--note", default="", help="What there was to see.")
@shell.as_json
@click.pass_obj
def mark(address: str, /, as_json: bool, **options: Any) -> None:
    """Keep the seconds around a moment, whatever lap they lie in.

    \b
    Example:
      rig mark --before 20 --after 10 --note 'contact in turn 4'
    """
    with connect(address) as rig:
        waits = not rig.status().HasField("archiver")
        made = rig.mark(**options)
    if waits:
        shell.warn("no archiver runs; the mark waits for one: start `rigd archive`")
    if as_json:
        shell.show_json(made)
        return
    when = datetime.fromtimestamp(made.time_ns / 1e9).astimezone()
    say(f"{made.name}: {made.before_s:g} s before and {made.after_s:g} s after {when:%H:%M:%S}")


@click.command()
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="0: all.")
@shell.as_json
@click.pass_obj
def marks(address: str, limit: int, as_json: bool) -> None:
    """List moments that were marked, newest first.

    \b
    Example:
      rig marks --json | jq '.[0].laps'
    """
    with connect(address) as rig:
        kept, more = shell.first(rig.marks(), limit)
        archiver = rig.status().archiver
    if as_json:
        shell.show_json(kept)
        return
    console = shell.console()
    console.print(_table(kept) if kept else Text("nothing was marked yet; see `rig mark`", DIM))
    if archiver.marks_limit_bytes:
        taken = f"{size(archiver.marks_bytes)} of {size(archiver.marks_limit_bytes)} taken"
        console.print(Text(f"{taken}, room for {size(archiver.marks_room_bytes)}", DIM))
    if more:
        console.print(shell.more(len(kept), "marks"))


def _table(kept: list[laps_pb2.Moment]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in ("mark", "when", "seconds", "state", "laps", "note"):
        grid.add_column(name, justify="right" if name == "laps" else "left", no_wrap=name != "note")
    for one in kept:
        when = datetime.fromtimestamp(one.time_ns / 1e9).astimezone()
        grid.add_row(
            Text(one.name.removeprefix("marks/"), STRONG),
            f"{when:%d %b %H:%M:%S}",
            f"-{one.before_s:g} +{one.after_s:g}",
            Text(*_STATUS.get(one.status, ("unknown", DIM))),
            str(len(one.laps)),
            Text("; ".join(filter(None, (one.note, one.detail))), TEXT),
        )
    return grid


@click.command()
@click.argument("names", nargs=-1, required=True)
@shell.as_json
@click.pass_obj
def pin(address: str, names: tuple[str, ...], as_json: bool) -> None:
    """Keep laps whatever else has to go.

    \b
    Example:
      rig pin best car012-0003
    """
    _change(address, names, as_json, Rig.pin)


@click.command()
@click.argument("names", nargs=-1, required=True)
@shell.as_json
@click.pass_obj
def unpin(address: str, names: tuple[str, ...], as_json: bool) -> None:
    """Let laps that were pinned go like any other.

    \b
    Example:
      rig unpin car012-0003
    """
    _change(address, names, as_json, Rig.unpin)


def _change(address: str, names: tuple[str, ...], as_json: bool, change: Callable[[Rig, str], Any]) -> None:
    changed: list[lap_pb2.Lap] = []
    with connect(address) as rig:
        found = rig.find_laps(names)
        try:
            for name in found:
                changed.append(change(rig, name))
                if not as_json:
                    _print_kept(changed[-1])
        finally:  # what was done is shown, also when the next one fails
            if as_json:
                shell.show_json(changed)


def _print_kept(lap: lap_pb2.Lap) -> None:
    shell.console().print(Text.assemble((lap.name, STRONG), "  ", flags(lap)), soft_wrap=True)


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete laps for good.

    \b
    Example:
      rig delete car012-0003 --yes
    """
    deleted: list[str] = []
    with connect(address) as rig:
        found = rig.find_laps(names)
        try:
            for name in found:
                if yes or shell.confirmed(f"delete {name} for good?"):
                    rig.delete_lap(name)
                    deleted.append(name)
                    if not as_json:
                        say(f"{name} is deleted")
        finally:
            if as_json:
                click.echo(shell.json_text(deleted))
