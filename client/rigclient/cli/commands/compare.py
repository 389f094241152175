"""`rig compare`: laps against each other along the line of their circuit."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from rig.errors import BadRequest, MissingChannel
from rigclient.cli.commands import shell
from rigclient.cli.commands.compare_report import channel_tables, report
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.sources import Sources
from riglap.lap import channel_of

if TYPE_CHECKING:
    from riglap.compare import Comparison, LapPart, Trace
    from riglap.formulas import Chosen


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
    for part in channel_tables(found, channels, minis, console.width):
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


def _plain_part(part: "LapPart") -> dict[str, Any]:
    told = {"reference": part.reference_s, "lost": part.lost_s}
    numbers = {name: value if np.isfinite(value) else None for name, value in told.items()}
    return {"title": part.segment.title, "kind": part.segment.kind, "begin": part.segment.begin, **numbers}


def _numbers(column: Any) -> list[float | None]:
    return [round(value, 6) if np.isfinite(value) else None for value in column.tolist()]
