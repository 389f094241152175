"""`rig laps`: the laps of a session, or of all, as a table of times."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import click
from rich.style import Style
from rich.table import Table as Grid

from rig.errors import RigError
from rig.v1 import lap_pb2, laps_pb2, rig_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.moments import FORMS, moment
from rigclient.cli.commands.sessions import WIDE_FROM
from rigclient.cli.terminal.palette import BLUE, CYAN, DIM, GOOD, PURPLE, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Text
from rigclient.queries import ALL, KEPT_LATER, words
from riglap.names import session_id
from riglap.times import gap, lap_time

SECTORS: Final = ("sector1", "sector2", "sector3")

_LEFT: Final = ("lap", "driver", "user", "class", "vehicle", "track", "flags")
_CUT: Final = ("class", "vehicle", "track", "driver", "user")
"""Columns that give way, of equally wide ones the first."""
_LEAST_CELLS: Final = 4
_MADE_ROOM: Final = (rig_pb2.LAP_LOSS_RETENTION, rig_pb2.LAP_LOSS_FORCED)
_HALF_MS: Final = 5e-4
"""Times are shown to the millisecond."""

Bests = Mapping[tuple[str, str, str], float]
"""Best times by track, class and what they are the time of."""

_filters = (
    click.option("--track", metavar="PART", help="Part of the track's name."),
    click.option("--car", "cars", metavar="ID,ID", default="", callback=shell.slots, help="Slot ids."),
    click.option("--class", "vehicle_class", metavar="PART", help="Part of the class."),
    click.option("--driver", metavar="PART", help="Part of the driver's name."),
    click.option("--user", metavar="USER", help="Only laps of this user, by the whole name."),
    click.option("--valid", is_flag=True, default=None, help="Only laps that count."),
    click.option("--pinned", is_flag=True, default=None, help="Only pinned laps."),
    click.option("--synced/--unsynced", default=None, help="Only laps that the warehouse has, or has not."),
    click.option("--since", callback=moment, metavar="WHEN", help=f"Began since: {FORMS}."),
)


def _filtered(command: Any) -> Any:
    for option in reversed(_filters):
        command = option(command)
    return command


@click.command("laps")
@click.argument("session", default="")
@_filtered
@click.option("--all", "everything", is_flag=True, help="Pieces of laps and excerpts around marks as well.")
@click.option("--tag", metavar="WORD", default="", help="Only those with this tag, or of sessions with it.")
@click.option("--best-of", type=click.Choice(list(words(laps_pb2.BestOf))), help="Only the best of each.")
@click.option(
    "--order-by",
    metavar="FIELDS",
    help="start_time, lap_time, car, number, driver, place, sector1 to sector3, each with ' desc' if wanted;"
    " default: newest first, with --best-of fastest first.",
)
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@shell.as_json
@click.pass_obj
def laps(
    address: str,
    /,
    session: str,
    everything: bool,
    tag: str,
    best_of: str | None,
    order_by: str | None,
    limit: int,
    as_json: bool,
    **filters: Any,
) -> None:
    """List the laps of a session, or of all.

    SESSION is a part of its name, - for all sessions; default: the newest.

    The lap that a car is driving now is not listed; `rig lap car012-running` shows it.

    \b
    Example:
      rig laps --best-of driver
      rig laps - --track meander --class GT3 --valid --order-by lap_time --limit 10
    """
    if tag and best_of:
        raise click.UsageError("--best-of looks at all laps: give it or --tag")
    asked = bool(best_of or tag) or filters["synced"] is not None or any(filters.values())
    filters |= {} if everything else {"complete": True, "kind": "lap"}
    order_by = order_by or ("lap_time" if best_of else "start_time desc")
    with connect(address) as rig:
        parent = rig.find_session(session)
        found = rig.laps(parent, best_of=best_of or "", order_by=order_by, **filters)  # type: ignore[arg-type]
        tagged = _tagged(rig, tag)
        kept, more = shell.first((lap.message for lap in found if tagged(lap.name)), limit)
        bests: Bests = {} if as_json else _bests(rig, parent, filters)
        evicted = 0 if kept or as_json else _evicted(rig, parent)
    if as_json:
        shell.show_json(kept)
        return
    console = shell.console()
    if parent != ALL:
        console.print(Text(parent.removeprefix("sessions/"), TITLE))
    console.print(
        table(kept, bests, console.width, parent == ALL) if kept else _nothing(asked, everything, evicted)
    )
    if more:
        console.print(shell.more(len(kept), "laps"))


def _tagged(rig: Rig, tag: str) -> Callable[[str], bool]:
    """Return whether a lap or its session has a tag, by the lap's name; without a tag all have it. Raises
    NotFound for a tag that nothing has.
    """
    if not tag:
        return lambda _: True
    from rigclient.cli.commands.garage.tag import tagged

    targets = tagged(rig, tag)
    return lambda name: name in targets or name.partition("/laps/")[0] in targets


def _bests(rig: Rig, parent: str, filters: dict[str, Any]) -> Bests:
    """Return the best time of each class on each track, also when it is not among the laps shown."""
    by: Literal["track", "class"] = "track" if parent == ALL else "class"
    laps = [lap.message for lap in rig.laps(parent, best_of=by, **filters)]
    return {_key(lap, "lap_time"): lap.lap_time for lap in laps}


def _key(lap: lap_pb2.Lap, name: str) -> tuple[str, str, str]:
    return lap.track_name, lap.vehicle_class, name


def _evicted(rig: Rig, parent: str) -> int:
    """Return how many laps had to make room."""
    if parent == ALL:
        return rig.status().archiver.evicted_ever
    try:
        losses = rig.losses(parent)
    except RigError:
        return 0  # there is no account of it, or a damaged one, which `rig losses` tells
    return sum(lap.loss in _MADE_ROOM for lap in losses.laps)


def _nothing(asked: bool, everything: bool, evicted: int) -> Text:
    """Return why no lap is shown: it had to make room, nothing is as asked for, or there is nothing yet."""
    if evicted:
        what = "no lap is like that" if asked else "no lap is left"
        return Text(f"{what}; {evicted} were deleted to make room, see `rig status`", DIM)
    found = "no lap is like that" if asked else "no lap" if everything else "no complete lap"
    hint = "--all looks at pieces of laps as well" if not everything else "" if asked else KEPT_LATER
    return Text("; ".join(filter(None, (found, hint))), DIM)


def table(kept: Sequence[lap_pb2.Lap], bests: Bests, width: int, several: bool) -> Grid:
    """Return a table, a row per lap, in `width` cells. Laps of several sessions have the end of their
    session's name first.
    """
    wide = width >= WIDE_FROM
    best = {**bests, **_best_sectors(kept)}
    users = any(lap.user for lap in kept)
    rows = [dict(_cells(lap, best, wide, several, users)) for lap in kept]
    between = 2 if wide else 1
    grid = Grid(box=None, pad_edge=False, padding=(0, between, 0, 0), header_style=TITLE)
    for name, cells in _widths(rows, width - between * len(rows[0])).items():
        justify: Any = "left" if name in _LEFT else "right"
        grid.add_column(name, justify=justify, no_wrap=name != "flags", overflow="ellipsis", width=cells)
    for row in rows:
        grid.add_row(*row.values())
    return grid


def _widths(rows: Sequence[dict[str, Text]], room: int) -> dict[str, int]:
    """Return cells of every column. Where there is no room long names give way: a cut time is another
    time.
    """
    widths = {name: max(len(name), *(row[name].cell_len for row in rows)) for name in rows[0]}
    if sum(widths.values()) > room:  # flags stand below each other
        widths["flags"] = max(len(word) for row in rows for word in ("flags", *row["flags"].plain.split()))
    while sum(widths.values()) > room:
        longest = max((name for name in _CUT if name in widths), key=lambda name: widths[name])
        if widths[longest] <= _LEAST_CELLS:
            break
        widths[longest] -= 1
    return widths


def _best_sectors(kept: Sequence[lap_pb2.Lap]) -> Bests:
    """Return the best sector times of valid laps, among those shown."""
    best: dict[tuple[str, str, str], float] = {}
    for lap in kept:
        for name in SECTORS:
            if lap.valid and lap.HasField(name):
                key = _key(lap, name)
                best[key] = min(getattr(lap, name), best.get(key, math.inf))
    return best


def _cells(
    lap: lap_pb2.Lap, best: Bests, wide: bool, several: bool, users: bool
) -> Iterator[tuple[str, Text]]:
    yield "lap", _short(lap, several)
    yield "driver", Text(lap.driver, TEXT)
    if users:
        yield "user", Text(lap.user, TEXT)
    if wide:
        yield "vehicle", Text(lap.vehicle, DIM)
    if wide and several:
        yield "track", Text(lap.track_name, DIM)
    yield "class", Text(lap.vehicle_class, DIM)
    yield "time", _time(lap, "lap_time", best, lap_time)
    for number, name in enumerate(SECTORS, start=1):
        yield f"S{number}", _time(lap, name, best, "{:.3f}".format)
    yield "delta", Text(_delta(lap, best.get(_key(lap, "lap_time"))), TEXT)
    yield "flags", flags(lap)


def _short(lap: lap_pb2.Lap, several: bool) -> Text:
    """Return a short name: car012-0003, of an excerpt its end, and of several sessions 5f3a-2/ before
    it.

    `rig lap` takes all of these.
    """
    session, _, name = lap.name.removeprefix("sessions/").partition("/laps/")
    if lap.kind == lap_pb2.LAP_KIND_EXCERPT:
        name = "-".join(name.rsplit("-", 2)[-2:])
    return Text.assemble((f"{session_id(session)}/" if several else "", DIM), (name, STRONG))


def _time(lap: lap_pb2.Lap, name: Any, best: Bests, spell: Callable[[float], str]) -> Text:
    if not lap.HasField(name):
        return Text("-", DIM)
    seconds = getattr(lap, name)
    fastest = lap.valid and seconds <= best.get(_key(lap, name), 0.0) + _HALF_MS
    style: Style = PURPLE if fastest else TEXT if lap.valid else DIM
    return Text(spell(seconds), style)


def _delta(lap: lap_pb2.Lap, best: float | None) -> str:
    if best is None or not lap.HasField("lap_time"):
        return ""
    away = lap.lap_time - best
    return gap(away) if abs(away) > _HALF_MS else ""


def flags(lap: lap_pb2.Lap) -> Text:
    """Return what is special about a lap, in words."""
    flagged = (
        (lap.player, "player", GOOD),
        (lap.running, "running", GOOD),
        (lap.kind == lap_pb2.LAP_KIND_EXCERPT, "excerpt", BLUE),
        (lap.kind == lap_pb2.LAP_KIND_LAP and not (lap.complete or lap.running), "piece", DIM),
        (lap.complete and not lap.valid, "invalid", RED),
        (lap.ai_takeover, "AI", RED),
        (lap.undriven, "undriven", RED),
        (lap.out_lap, "out", CYAN),
        (lap.in_lap, "in", CYAN),
        (lap.pinned, "pinned", YELLOW),
        (lap.newer, "newer", YELLOW),
        (bool(lap.damage) and not lap.newer, "damaged", RED),
    )
    return Text(" ").join(Text(word, style) for holds, word, style in flagged if holds)
