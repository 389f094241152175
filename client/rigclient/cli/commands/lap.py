"""`rig lap`: everything about one lap on one page."""

import math
from collections.abc import Iterator
from typing import Any, Final

import click
import numpy as np
from rich.console import RenderableType
from rich.filesize import decimal as size
from rich.table import Table as Grid

from rig.v1 import lap_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.gaps import gap_text
from rigclient.cli.commands.garage.about import AboutLap, about
from rigclient.cli.commands.laps import SECTORS, flags
from rigclient.cli.commands.messages import numbers
from rigclient.cli.commands.records import details, kind_words
from rigclient.cli.terminal import braille, gauges
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import CYAN, DIM, GOOD, PURPLE, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.palette import SECTORS as SECTOR_STYLES
from rigclient.cli.terminal.text import Text
from riglap.lap import Array, Lap
from riglap.times import lap_time

_MAIN: Final = (
    "speed",
    "engine_rpm",
    "gear",
    "throttle",
    "brake",
    "steering",
    "fuel",
    "engine_water_temp",
    "engine_oil_temp",
    "brake_temp",
    "tyre_temp",
    "tyre_pressure",
    "tyre_tread",
)
"""Channels in the table, where the lap has them."""

_TRACE_ROWS: Final = 8
_WIDEST_TRACE: Final = 160
_STEP_KMH: Final = 50.0
_MOST_EVENTS: Final = 12
_MOST_GAPS: Final = 3
_OF_THIS_LAP: Final = ("car", "lap_index")
"""What all events of a lap have in common."""


@click.command("lap")
@click.argument("name")
@shell.as_json
@click.pass_obj
def lap_command(address: str, name: str, as_json: bool) -> None:
    """Show a lap: facts, speed over the distance, channels, events.

    NAME is a lap of the newest session such as car012-0003 or the end of that, `best` for its best valid
    lap, either after a part of a session's name and a slash, or a whole name. car012-running is the lap
    that car 12 is driving now.

    \b
    Example:
      rig lap best
      rig lap 20261120-1345/car012-0003 --json | jq .channels.speed
    """
    with connect(address) as rig:
        full = rig.find_lap(name)
        with shell.progress(full.rpartition("/")[2]) as progress:
            lap = rig.lap(full, progress=progress)
        info = rig.lap_info(full).message
        said = about(rig, full)
    if as_json:
        click.echo(shell.json_text(plain(lap, info) | said.plain()))
        return
    console = shell.console()
    for part in report(lap, info, console.width, said):
        console.print(part)


def plain(lap: Lap, info: lap_pb2.Lap) -> dict[str, Any]:
    """Return a lap for machines: the messages, and what every column went through. `info` is what the rig

    `info` is what the rig knows of the lap now: its file cannot know its own size or that it was pinned.
    """
    return {
        "lap": numbers(info),
        "session": numbers(lap.session.message),
        "gaps": [numbers(gap) for gap in lap.gaps],
        "events": [numbers(event) for event in lap.events],
        "channels": {name: _spread(lap, name) for name in lap.channels},
    }


def _spread(lap: Lap, name: str) -> dict[str, float | None]:
    """Return least, mean and greatest; null where the channel is not available."""
    found = _range(lap[name]) if lap.available(name) else (None, None, None)
    return dict(zip(("min", "mean", "max"), found, strict=True))


def report(lap: Lap, info: lap_pb2.Lap, width: int, said: AboutLap) -> Iterator[RenderableType]:
    """Yield what people read of a lap, in `width` cells; `info` as in `plain`, `said` by people."""
    yield _head(info)
    yield _times(info)
    yield _facts(lap, info, said)
    yield Text()
    if "speed" in lap and "distance" in lap:
        yield from _trace(lap, min(width, _WIDEST_TRACE))
        yield Text()
    yield _ranges(lap)
    yield from _events(lap)


def _head(info: lap_pb2.Lap) -> Text:
    words = ((info.name.rpartition("/")[2], TITLE), (info.driver, STRONG), (info.vehicle_class, TEXT))
    return Text("  ").join(Text(word, style) for word, style in words if word)


def _times(info: lap_pb2.Lap) -> Text:
    """Return times and place, 1:32.375 S1 30.125 S2 31.250 S3 31.000 P4, and what is special."""
    parts = [Text(lap_time(info.lap_time) or "no time", PURPLE if info.valid else DIM)]
    for number, (name, style) in enumerate(zip(SECTORS, SECTOR_STYLES, strict=True), start=1):
        if info.HasField(name):  # type: ignore[arg-type]
            parts.append(Text.assemble((f"S{number} ", style), (f"{getattr(info, name):.3f}", TEXT)))
    if info.place:
        parts.append(Text(f"P{info.place}", STRONG))
    return Text("  ").join([*parts, Text("valid", GOOD) if info.valid else Text(), flags(info)])


def _facts(lap: Lap, info: lap_pb2.Lap, said: AboutLap) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    for name, value in (*_fact_lines(lap, info), *said.lines(), *_losses(lap, info)):
        grid.add_row(Text(name, TITLE), value)
    return grid


def _fact_lines(lap: Lap, info: lap_pb2.Lap) -> Iterator[tuple[str, RenderableType]]:
    yield "car", ", ".join(word for word in (info.vehicle, info.team) if word)
    yield "track", f"{lap.session.track_name}, {info.start_time:.3f} s into the session"
    if info.kind != lap_pb2.LAP_KIND_EXCERPT:
        yield "lap", f"{info.number + 1} of the car" + (f", stint {info.stint}" if info.stint else "")
    if info.ai_takeover or info.undriven:
        yield "driven", _driven(info)
    if info.front_compound or info.rear_compound:
        yield "tyres", f"{info.front_compound} front, {info.rear_compound} rear"
    for visit in info.pit_visits:
        yield "pit", _visit(visit)
    if info.user:
        yield "user", info.user
    if info.former_drivers:
        yield "before", ", ".join(info.former_drivers)
    yield "kept", f"{len(lap)} samples, {len(lap.scoring)} scoring updates" + _file_size(info)


def _driven(info: lap_pb2.Lap) -> str:
    words = ["the game's own driver (AI) had the wheel"] * info.ai_takeover
    words += ["nobody had the wheel"] * info.undriven
    return f"{' and '.join(words)} for some or all of it: in no best and no statistic"


def _file_size(info: lap_pb2.Lap) -> str:
    return f", {size(info.bytes)}" if info.bytes else ""


def _losses(lap: Lap, info: lap_pb2.Lap) -> Iterator[tuple[str, Text]]:
    """Yield what is missing or broken."""
    for gap in lap.gaps[:_MOST_GAPS]:
        yield "gap", Text(gap_text(gap), YELLOW)
    if len(lap.gaps) > _MOST_GAPS:
        more = lap.gaps[_MOST_GAPS:]
        missing = sum(gap.count for gap in more)
        yield "", Text(f"{len(more)} more gaps, {missing} records known to be missing in them", YELLOW)
    if info.torn_samples:
        torn = f"{info.torn_samples} samples out of frames that the game held open, see the channel `whole`"
        yield "torn", Text(torn, YELLOW)
    if info.damage:
        yield "newer" if info.newer else "damage", Text(info.damage, YELLOW if info.newer else RED)


def _visit(visit: lap_pb2.PitVisit) -> str:
    words = [f"in at {visit.enter_time:.1f} s"]
    words += [f"stopped at {visit.stop_time:.1f} s"] if visit.HasField("stop_time") else []
    words += [f"out at {visit.exit_time:.1f} s"] if visit.HasField("exit_time") else []
    return ", ".join(words)


def _trace(lap: Lap, width: int) -> Iterator[Line]:
    """Yield speed over the distance, and below it the sectors."""
    begin, end = _stretch(lap)
    kmh = lap.over_distance("speed", np.linspace(begin, end, 2 * width)) * 3.6
    known = kmh[np.isfinite(kmh)]
    if not len(known):
        return
    low = math.floor(float(known.min()) / _STEP_KMH) * _STEP_KMH
    high = max(math.ceil(float(known.max()) / _STEP_KMH) * _STEP_KMH, low + _STEP_KMH)
    metres = f"{begin:.0f} to {end:.0f} m" if _is_excerpt(lap) else f"{end:.0f} m"
    yield Line("speed ", TITLE).put(f"{low:.0f} to {high:.0f} km/h over {metres}", DIM)
    for row in braille.cells(braille.curve((kmh - low) / (high - low), _TRACE_ROWS)):
        yield Line(braille.text(row), CYAN)
    if not _is_excerpt(lap):
        yield gauges.lap(1.0, width, _splits(lap, end))


def _is_excerpt(lap: Lap) -> bool:
    return lap.info.kind == "excerpt"


def _stretch(lap: Lap) -> tuple[float, float]:
    """Return metres from the line where the trace begins and ends: of an excerpt what its samples span."""
    known = lap.distance[np.isfinite(lap.distance)]
    if _is_excerpt(lap) and len(known):
        return float(known.min()), float(known.max())
    return 0.0, lap.info.track_length or float(known.max(initial=1.0))


def _splits(lap: Lap, length: float) -> tuple[float, float]:
    """Return ends of sectors 1 and 2 as shares of the lap; where they are not known the first is all of
    it.
    """
    info = lap.info
    if info.sector1 is None or info.sector2 is None:
        return 1.0, 1.0
    first, second = (
        np.interp([info.sector1, info.sector1 + info.sector2], lap.lap_time, lap.distance) / length
    )
    return float(first), float(second)


def _ranges(lap: Lap) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in ("channel", "unit", "min", "mean", "max"):
        grid.add_column(name, justify="left" if name in ("channel", "unit") else "right", no_wrap=True)
    for name in (name for name in _MAIN if name in lap):
        if not lap.available(name):
            grid.add_row(Text(name, STRONG), lap.unit(name), "", Text("not available", DIM))
            continue
        for part in lap.by_wheel(name):
            grid.add_row(Text(part.name, STRONG), part.unit, *map(_number, _range(part.values)))
    return grid


def _range(values: Array) -> tuple[float | None, float | None, float | None]:
    """Return least, mean and greatest of all that is there."""
    there = values[np.isfinite(values)].astype(np.float64)
    return (float(there.min()), float(there.mean()), float(there.max())) if len(there) else (None, None, None)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3):.6g}"


def _events(lap: Lap) -> Iterator[RenderableType]:
    if not lap.events:
        return
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    grid.add_column("clock, s", justify="right", no_wrap=True)
    grid.add_column("event", no_wrap=True)
    grid.add_column("what")
    for event in lap.events[:_MOST_EVENTS]:
        clock = Text(f"{event.session_time:.3f}", DIM)
        grid.add_row(clock, Text(kind_words(event), STRONG), Text(details(event, _OF_THIS_LAP), TEXT))
    yield Text()
    yield grid
    if len(lap.events) > _MOST_EVENTS:
        yield Text(f"and {len(lap.events) - _MOST_EVENTS} more; --json has them all", DIM)
