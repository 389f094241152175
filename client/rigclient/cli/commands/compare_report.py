"""What `rig compare` shows people: laps, the time between them along the line, parts of the track."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import RenderableType
from rich.style import Style

from rigclient.cli.commands.questions.selection import split, table
from rigclient.cli.terminal import braille
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import BLUE, CYAN, DIM, GOOD, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Text
from riglap.names import short_names
from riglap.plot.panels import titled
from riglap.times import gap, lap_time

if TYPE_CHECKING:
    from riglap.circuits.circuit import Circuit
    from riglap.compare import Comparison, Segment
    from riglap.cornering import CornerPass

_TRACE_ROWS: Final = 6
_WIDEST: Final = 120
_HALF_MS: Final = 5e-4


def report(found: "Comparison", minis: bool, width: int, about: str = "") -> Iterator[RenderableType]:
    """Return it for people, in `width` cells."""
    yield from head(found, width, about)
    for at, trace in enumerate(found.others):
        yield Text()
        if len(found.others) > 1:
            yield Text(_letter(at + 1), _style(at + 1)).append(f"  {trace.title}", TEXT)
        yield from _trace(found, at, min(width, _WIDEST))
        yield Text()
        yield from _sectors(found, at, width)
        yield from _minis(found, at, width) if minis else _parts(found, at, width)
    for note in found.notes:
        yield Text(note, YELLOW)


def head(found: "Comparison", width: int, about: str = "") -> Iterator[RenderableType]:
    """Return track and laps, and what the reference is where it was chosen."""
    first = next(trace.aligned.lap for trace in found.traces if trace.aligned)
    circuit = found.circuit
    told = (
        "no positions: by scaled distance" if circuit is None else "corners as this line shows them, not kept"
    )
    told = f"circuit {circuit.name}" if circuit and circuit.version else told
    yield Text.assemble((first.info.track_name, TITLE), (f"  {told}", DIM))
    yield table(
        (("", "left"), ("lap", "left"), ("driver", "left"), ("time", "right"), ("", "right")),
        _rows(found),
        width,
    )
    if about:
        yield Text(f"a is the {about.removeprefix('the ')}", DIM)


def _rows(found: "Comparison") -> Iterator[Sequence[Text]]:
    laps = [trace.aligned.lap.info if trace.aligned else None for trace in found.traces]
    names = iter(short_names([lap.name for lap in laps if lap]))
    for at, (trace, lap) in enumerate(zip(found.traces, laps, strict=True)):
        lost = trace.lap_time - found.reference.lap_time
        name = next(names) if lap else trace.title
        driver = Text(lap.driver if lap else "", STRONG)
        time = Text(lap_time(trace.lap_time), TEXT)
        yield Text(_letter(at), _style(at)), Text(name, DIM), driver, time, lost_text(lost) if at else Text()


def _letter(at: int) -> str:
    return chr(ord("a") + at) if at < 26 else str(at)


def _style(at: int) -> Style:
    return CYAN if at == 0 else BLUE


def lost_text(seconds: float) -> Text:
    """Return time, lost red, won is green; a dash where there is none."""
    if not np.isfinite(seconds):
        return Text("-", DIM)
    if abs(seconds) < _HALF_MS:
        return Text("0.000", DIM)
    return Text(gap(seconds), RED if seconds > 0 else GOOD)


def _trace(found: "Comparison", at: int, width: int) -> Iterator[Line]:
    """The time between the laps along the line: up is lost."""
    delta = found.delta(at)
    known = delta[np.isfinite(delta)]
    if not len(known):
        return
    high, low = max(float(known.max()), 0.0), min(float(known.min()), 0.0)
    even = delta[np.linspace(0, len(delta) - 1, 2 * width).astype(int)]
    letters = f"{_letter(at + 1)} to a "
    length = found.places[-1]
    yield Line(letters, TITLE).put(f"{low:+.3f} to {high:+.3f} s over {length:.0f} m, up is lost", DIM)
    for row in braille.cells(braille.curve((even - low) / max(high - low, _HALF_MS), _TRACE_ROWS)):
        yield Line(braille.text(row), CYAN)
    if found.circuit:
        yield Line(_ruler(found.circuit, width), DIM)


def _ruler(circuit: "Circuit", width: int) -> str:
    """Return the corners' numbers where their apexes are; those that have no room are left out."""
    cells = [" "] * width
    for corner in circuit.corners:
        at = min(int(corner.apex % circuit.length / circuit.length * width), width - len(str(corner.number)))
        text = str(corner.number)
        if all(cell == " " for cell in cells[max(at - 1, 0) : at + len(text) + 1]):
            cells[at : at + len(text)] = text
    return "".join(cells)


def _sectors(found: "Comparison", at: int, width: int) -> Iterator[RenderableType]:
    parts = found.sectors(at)
    if parts:
        rows = [
            (Text(part.segment.title, TEXT), _seconds(part.reference_s), lost_text(part.lost_s))
            for part in parts
        ]
        yield table((("sector", "left"), ("a, s", "right"), ("lost, s", "right")), rows, width)
        yield Text()


def _minis(found: "Comparison", at: int, width: int) -> Iterator[RenderableType]:
    rows = [
        (
            Text(part.segment.title, TEXT),
            Text(f"{part.segment.begin:.0f}", DIM),
            _seconds(part.reference_s),
            lost_text(part.lost_s),
        )
        for part in found.minis(at)
    ]
    yield table((("mini", "left"), ("at, m", "right"), ("a, s", "right"), ("lost, s", "right")), rows, width)


def _parts(found: "Comparison", at: int, width: int) -> Iterator[RenderableType]:
    """Corners and straights; of corners also what was done in them."""
    ours, theirs = _passes(found, at + 1), _passes(found, 0)
    heads = (("", "left"), ("a, s", "right"), ("lost, s", "right"), ("total, s", "right"))
    more = (("slowest, km/h", "right"), ("brakes, m", "right"), ("full throttle, m", "right"))
    rows, total = [], 0.0
    for part in found.parts(at):
        total += part.lost_s if part.compared else 0.0
        number = part.segment.corner if part.segment.kind == "corner" else 0
        told = _driven(theirs.get(number), ours.get(number))
        title = Text(part.segment.title, STRONG if number else DIM)
        rows.append((title, _seconds(part.reference_s), lost_text(part.lost_s), lost_text(total), *told))
    yield table((*heads, *more), rows, width)
    rest = found.uncompared(at)
    if abs(rest) >= _HALF_MS:
        yield Text.assemble(("not compared: ", TEXT), lost_text(rest), ("  " + _doubts(found, at), DIM))


def _passes(found: "Comparison", at: int) -> "dict[int, CornerPass]":
    from riglap.cornering import cornering

    aligned = found.traces[at].aligned
    if aligned is None or found.circuit is None:
        return {}
    return {one.corner: one for one in cornering(aligned, found.circuit)}


def _driven(theirs: "CornerPass | None", ours: "CornerPass | None") -> Sequence[Text]:
    """Slowest speed of both, and how much later braking and full throttle come."""
    if theirs is None or ours is None or not (theirs.clear and ours.clear):
        return Text(), Text(), Text()
    speeds = _pair(3.6 * theirs.least_mps, 3.6 * (ours.least_mps - theirs.least_mps))
    brakes, full = ours.brake_m - theirs.brake_m, ours.full_throttle_m - theirs.full_throttle_m
    return speeds, _metres(theirs.brake_m, brakes), _metres(theirs.full_throttle_m, full)


def _metres(place: float, later: float) -> Text:
    return _pair(place, later) if np.isfinite(later) else Text("-", DIM)


def _pair(theirs: float, more: float) -> Text:
    """Return 288 -70: the differences of a column stand below each other, and none is -0."""
    return Text(f"{theirs:.0f} ", TEXT).append(f"{round(more):+4d}" if round(more) else "   0", TEXT)


def _doubts(found: "Comparison", at: int) -> str:
    aligned = [trace.aligned for trace in (found.reference, found.others[at]) if trace.aligned]
    doubts = [doubt for one in aligned for doubt in one.doubts]
    return ", ".join(
        dict.fromkeys(f"{doubt.reason} {doubt.begin:.0f} to {doubt.end:.0f} m" for doubt in doubts)
    )


def _seconds(seconds: float) -> Text:
    return Text(split(seconds) if np.isfinite(seconds) else "-", TEXT)


def channel_tables(
    found: "Comparison", channels: Sequence[str], minis: bool, width: int
) -> Iterator[RenderableType]:
    """Yield a table per channel: its mean in every part of the track, lap by lap."""
    from riglap.compare import mini_sectors

    parts = mini_sectors(found.places[-1]) if minis else [one for one in found.segments if one.pieces]
    heads = (("", "left"), *((_letter(at), "right") for at in range(len(found.traces))))
    for channel in channels:
        columns = [trace.read(channel) for trace in found.traces]
        yield Text()
        yield Text(titled(channel, _unit(found, channel)), TITLE)
        if not any(np.isfinite(column).any() for column in columns):
            yield Text("not available in these laps", DIM)
            continue
        rows = [
            (Text(part.title, TEXT), *(_mean(column, found.places, part) for column in columns))
            for part in parts
        ]
        yield table(heads, rows, width)


def _unit(found: "Comparison", channel: str) -> str:
    laps = [trace.aligned.lap for trace in found.traces if trace.aligned]
    return next((lap.unit(channel) for lap in laps if channel in lap), "m" if channel == "lateral" else "")


def _mean(column: Any, places: Any, part: "Segment") -> Text:
    inside = np.zeros(len(places), bool)
    for begin, end in part.pieces:
        inside |= (places >= begin) & (places <= end)
    known = column[inside & np.isfinite(column)]
    return Text(f"{known.mean():.6g}", TEXT) if len(known) else Text("-", DIM)
