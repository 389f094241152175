"""`rig compare`: laps against each other along the line of their circuit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np
from rich.console import RenderableType
from rich.style import Style

from rig.errors import BadRequest, MissingChannel
from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions.selection import split, table
from rigclient.cli.commands.sources import Sources
from rigclient.cli.terminal import braille
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import BLUE, CYAN, DIM, GOOD, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Text
from riglap.lap import channel_of
from riglap.names import short_names
from riglap.plot.panels import titled
from riglap.times import gap, lap_time

if TYPE_CHECKING:
    from riglap.circuits.circuit import Circuit
    from riglap.compare import Comparison, LapPart, Segment, Trace
    from riglap.cornering import CornerPass
    from riglap.formulas import Chosen

_TRACE_ROWS: Final = 6
_WIDEST: Final = 120
_HALF_MS: Final = 5e-4

on_circuit: Callable[[shell.Command], shell.Command] = click.option(
    "--circuit",
    "circuit_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File of a circuit, instead of the one that the rig keeps.",
)


@click.command()
@click.argument("names", metavar="LAP...", nargs=-1, required=True)
@click.option("--against", metavar="LAP", default="", help="What all of them are compared with.")
@click.option("--ideal", is_flag=True, help="Compare with the best mini-sectors of all these laps.")
@click.option("--minis", is_flag=True, help="Show mini-sectors of 100 m instead of corners and straights.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=shell.file,
    metavar="FILE",
    help="Write a page to explore in a browser: traces, map, corners, tips. It needs no network.",
)
@on_circuit
@click.option(
    "--channels",
    metavar="A,B",
    default="",
    callback=shell.names,
    help="Read these along the line as well: means in corners and straights, with --json at every metre.",
)
@shell.formulas
@which_warehouse
@shell.as_json
@click.pass_obj
def compare(
    address: str,
    /,
    names: tuple[str, ...],
    against: str,
    ideal: bool,
    minis: bool,
    page: Path | None,
    circuit_file: Path | None,
    channels: tuple[str, ...],
    formulas: shell.Formulas,
    where: str | None,
    as_json: bool,
) -> None:
    """Compare laps: where one of them wins the time.

    The first lap is the reference, unless --against names another. A single lap is compared with the
    driver's best of the class on this circuit; where that is no faster with the best of the class, and the
    best of all with its driver's ideal lap.

    \b
    LAP is
      best, last, car012-0003, 5f3a-2/best    a lap of the rig, as for `rig lap`
      warehouse:5f3a-2/car012-0003            one of `rig warehouse laps`
      laps/car012-0003.lap                    a file
      session, driver, class, track           the best clean lap of these,
                                              as seen from the first lap named
      ideal, ideal-of-all                     the ideal lap of the driver, of the class

    \b
    Example:
      rig compare last
      rig compare best car012-0003
      rig compare driver last
      rig compare warehouse:5f3a-2/best last
      rig compare car012-0003.lap warehouse:5f3a-2/car007-0004
      rig compare car012-0003 car012-0004 car012-0005 --ideal
      rig compare best car012-0003 --channels "throttle,push = derivative(speed) [G]"
      rig compare best last --html laps.html
    """
    if ideal and against:
        raise click.UsageError("--ideal and --against both name the reference: give one of them")
    usual = not channels
    wanted = formulas.chosen(channels, address)
    channels = wanted.channels if wanted else channels
    found, about = compared(
        address, names, circuit_file, ideal=ideal, against=against, where=where, wanted=wanted, more=channels
    )
    if page:
        _write_page(page, found, channels, usual, as_json)
        return
    _check_channels(found, channels)
    if as_json:
        click.echo(shell.json_text(plain(found, channels) | {"about": about or None}))
        return
    console = shell.console()
    for part in report(found, minis, console.width, about):
        console.print(part)
    for part in _channel_tables(found, channels, minis, console.width):
        console.print(part)


def _write_page(
    page: Path, found: "Comparison", channels: tuple[str, ...], usual: bool, as_json: bool
) -> None:
    """Write the page; with `usual` the usual channels and these."""
    from riglap import html
    from riglap.document import USUAL, document

    with shell.busy(f"drawing {page}"):
        html.write(page, document(found, (*(USUAL if usual else ()), *channels)))
    shell.show_files([page], as_json)


def compared(
    address: str,
    names: Sequence[str],
    circuit_file: Path | None = None,
    *,
    ideal: bool = False,
    against: str = "",
    where: str | None = None,
    wanted: "Chosen | None" = None,
    more: Iterable[str] = (),
) -> "tuple[Comparison, str]":
    """Return laps against their reference, and what that is where nobody named it.

    That is `against`, with `ideal` the ideal lap of them all; else the first lap, and for a single one what
    the rule of `riglap.references` gives. Laps of the warehouse are read with channels of `more`, and with
    what formulas of `wanted` take.
    """
    from riglap.circuits.circuit import read
    from riglap.compare import against as held_against
    from riglap.compare import check_same_track, traces, way_of
    from riglap.compare import ideal as ideal_of

    needed = wanted.needed() if wanted else tuple(map(channel_of, more))
    with Sources(address, where, needed) as sources:
        if ideal:
            got = sources.gather(names)
            got = got._replace(references=[], laps=[*got.references, *got.laps])
        else:
            got = sources.gather(names, against, choose=len(names) == 1 and not against)
    every = [*got.references, *got.laps]
    circuit = read(circuit_file) if circuit_file else got.circuit
    check_same_track(every, circuit)
    circuit = circuit or way_of(every)
    found = list(traces([shell.extended(lap, wanted) for lap in every], circuit))
    references, others = found[: len(got.references)], found[len(got.references) :]
    if ideal:
        return held_against(ideal_of(others), others, circuit), ""
    return held_against(ideal_of(references) if got.ideal else references[0], others, circuit), got.about


def plain(found: "Comparison", channels: Sequence[str] = ()) -> dict[str, Any]:
    """Return it for machines, with channels along the line: numbers that are not there are null."""
    laps = []
    for at, trace in enumerate(found.others):
        laps.append(
            {
                **_facts(trace, channels),
                "lost": found.lost(at),
                "uncompared": found.uncompared(at),
                "sectors": [_plain_part(part) for part in found.sectors(at)],
                "parts": [_plain_part(part) for part in found.parts(at)],
                "minis": [_plain_part(part) for part in found.minis(at)],
                "delta": _numbers(found.delta(at)),
            }
        )
    circuit = found.circuit
    return {
        "circuit": circuit.name if circuit and circuit.version else None,
        "reference": _facts(found.reference, channels),
        "laps": laps,
        "places": _numbers(found.places),
        "notes": found.notes,
    }


def _facts(trace: "Trace", channels: Sequence[str]) -> dict[str, Any]:
    name = trace.aligned.lap.info.name if trace.aligned else trace.title
    facts = {"name": name, "lap_time": trace.lap_time, "alignment": trace.how, "error": trace.error_s}
    read = {channel: _numbers(trace.read(channel)) for channel in channels}
    return facts | ({"channels": read} if channels else {})


def _channel_tables(
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


def _check_channels(found: "Comparison", channels: Sequence[str]) -> None:
    """Raise MissingChannel for a channel that none of the laps has, BadRequest for one of several values."""
    laps = [trace.aligned.lap for trace in found.traces if trace.aligned]
    for channel in channels:
        having = [lap for lap in laps if channel in lap]
        if channel != "lateral" and not having:
            raise MissingChannel(f"there is no channel {channel!r}", hint="`rig channels` lists them")
        if any(lap[channel].ndim > 1 for lap in having):
            hint = f'one of them: "x = {channel}[0]"'
            raise BadRequest(f"{channel} has several values in a row", hint=hint)


def _unit(found: "Comparison", channel: str) -> str:
    laps = [trace.aligned.lap for trace in found.traces if trace.aligned]
    return next((lap.unit(channel) for lap in laps if channel in lap), "m" if channel == "lateral" else "")


def _mean(column: Any, places: Any, part: "Segment") -> Text:
    inside = np.zeros(len(places), bool)
    for begin, end in part.pieces:
        inside |= (places >= begin) & (places <= end)
    known = column[inside & np.isfinite(column)]
    return Text(f"{known.mean():.6g}", TEXT) if len(known) else Text("-", DIM)


def _plain_part(part: "LapPart") -> dict[str, Any]:
    told = {"reference": part.reference_s, "lost": part.lost_s}
    numbers = {name: value if np.isfinite(value) else None for name, value in told.items()}
    return {"title": part.segment.title, "kind": part.segment.kind, "begin": part.segment.begin, **numbers}


def _numbers(column: Any) -> list[float | None]:
    return [round(value, 6) if np.isfinite(value) else None for value in column.tolist()]


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
