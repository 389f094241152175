"""`rig warehouse compare` and `grid`: two laps over the distance, and where one of them wins the time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np
from rich.console import RenderableType
from rich.style import Style
from rich.text import Text

from rigclient.commands import exits, shell
from rigclient.commands.plot import writer_of
from rigclient.commands.questions.asking import asked, choice_of, chosen, split, table
from rigclient.commands.warehouse import at
from rigclient.lap import Array
from rigclient.plot.panels import Curve, Panel, color, shown_as, titled
from rigclient.terminal import braille
from rigclient.terminal.clock import gap, lap_time
from rigclient.terminal.line import Line
from rigclient.terminal.palette import BLUE, CYAN, DIM, GOOD, RED, STRONG, TEXT, TITLE

if TYPE_CHECKING:
    from rigclient.warehouse import Destination
    from rigclient.warehouse.questions.compare import Best, Comparison
    from rigclient.warehouse.questions.grid import Cell

_ROWS: Final = 24
"""Cells in the table, evenly spread; --json has all."""
_TRACE_ROWS: Final = 5
_WIDEST: Final = 120
_HALF_MS: Final = 5e-4
_SIDES: Final = ("a", "b")

_wanted = (
    click.option(
        "--channels",
        metavar="A,B",
        default="speed",
        show_default=True,
        callback=shell.names,
        help="Their means.",
    ),
    click.option(
        "--step",
        "step_m",
        type=click.FloatRange(0.5, 1000),
        default=10.0,
        show_default=True,
        metavar="METRES",
    ),
    click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Draw it: .html to explore in a browser; .png, .svg or .pdf for a picture.",
    ),
)


def _over_distance(command: Any) -> Any:
    for option in reversed(_wanted):
        command = option(command)
    return command


@click.command(epilog=exits.HELP)
@click.argument("first", metavar="LAP")
@click.argument("second", metavar="LAP")
@at
@_over_distance
@shell.as_json
@click.pass_obj
@exits.coded
def grid(address: str, first: str, second: str, where: str | None, as_json: bool, **wishes: Any) -> None:
    """Show two laps over the distance. LAP is part of a session's name and a lap's: 8c3b-1/car13-0008.

    \b
    Example:
      rig warehouse grid 5f3a-2/car012-0003 5f3a-2/best --channels speed,throttle --step 20
    """
    from rigclient.warehouse.questions.compare import between
    from rigclient.warehouse.questions.named import lap_named

    with asked(where, address) as destination:
        found = between(destination, lap_named(destination, first), lap_named(destination, second))
        _show(destination, found, as_json=as_json, **wishes)


@click.command(epilog=exits.HELP)
@click.argument("first", metavar="DRIVER")
@click.argument("second", metavar="DRIVER")
@at
@chosen("driver", "cars")
@_over_distance
@shell.as_json
@click.pass_obj
@exits.coded
def compare(
    address: str,
    first: str,
    second: str,
    where: str | None,
    channels: tuple[str, ...],
    step_m: float,
    plot: Path | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Compare the best laps of two drivers.

    Sectors and intermediates, and with telemetry the time between the laps over the distance.

    \b
    Example:
      rig warehouse compare birch clover --track meander --plot duel.png
    """
    from rigclient.warehouse.questions.compare import compare as best_of

    with asked(where, address) as destination:
        found = best_of(destination, choice_of(words), first, second)
        _show(destination, found, channels, step_m, plot, as_json)


def _show(
    destination: "Destination",
    found: "Comparison",
    channels: tuple[str, ...],
    step_m: float,
    plot: Path | None,
    as_json: bool,
) -> None:
    from rigclient.warehouse.questions.samples import columns_of

    columns = columns_of(channels)
    writer = writer_of(plot) if plot else None
    cells = list(found.cells(destination, channels, step_m)) if found.has_telemetry else []
    if as_json:
        click.echo(shell.json_text(_plain(found, cells)))
    else:
        console = shell.console()
        for part in _report(found, cells, columns, min(console.width, _WIDEST)):
            console.print(part)
    if writer and plot:
        with shell.busy(f"drawing {plot}"):
            writer.write(plot, found.a.track, _panels(found, cells, columns))
        shell.show_files([plot], as_json=False)


def _plain(found: "Comparison", cells: "Sequence[Cell]") -> dict[str, Any]:
    return {
        "laps": [{**lap._asdict(), "key": None, "lap": str(lap.key)} for lap in (found.a, found.b)],
        "splits": [split._asdict() for split in found.splits],
        "cells": [
            {
                "distance": cell.distance,
                "a": {name.lower(): value for name, value in cell.a.items()},
                "b": {name.lower(): value for name, value in cell.b.items()},
                "delta": cell.delta,
            }
            for cell in cells
        ],
    }


def _report(
    found: "Comparison", cells: "Sequence[Cell]", columns: Sequence[str], width: int
) -> Iterator[RenderableType]:
    yield Text(found.a.track, TITLE)
    yield table({"": "left", "driver": "left", "lap": "left", "time": "right"}, _laps(found), width)
    yield Text()
    yield from _splits(found, width)
    if not cells:
        yield Text()
        yield Text("there is no telemetry of both laps, so there is no more to compare", DIM)
        return
    yield Text()
    yield from _trace(cells, width)
    yield Text()
    yield _cells(cells, columns, width)


def _laps(found: "Comparison") -> Iterator[Sequence[Text]]:
    for side, style, lap in (("a", CYAN, found.a), ("b", BLUE, found.b)):
        yield Text(side, style), Text(lap.driver, STRONG), Text(str(lap.key), DIM), _time(lap)


def _time(lap: "Best") -> Text:
    return Text(lap_time(lap.lap_time or 0.0) or "-", TEXT)


def _splits(found: "Comparison", width: int) -> Iterator[RenderableType]:
    """Times at the lines, what b lost up to there, and since the line before."""
    if not found.splits:
        return
    rows, before = [], 0.0
    for name, a, b in found.splits:
        delta = b - a
        cells = (Text(name, TEXT), Text(split(a), TEXT), Text(split(b), TEXT))
        rows.append((*cells, _lost(delta), _lost(delta - before)))
        before = delta
    yield table({"at": "left", "a": "right", "b": "right", "b to a": "right", "here": "right"}, rows, width)


def _lost(seconds: float | None) -> Text:
    """Time that b has lost is red, won is green."""
    if seconds is None:
        return Text("-", DIM)
    style: Style = DIM if abs(seconds) < _HALF_MS else RED if seconds > 0 else GOOD
    return Text(gap(seconds), style)


def _trace(cells: "Sequence[Cell]", width: int) -> Iterator[Line]:
    """The time between the laps over the distance: up is b behind."""
    delta = _array(cell.delta for cell in cells)
    known = delta[np.isfinite(delta)]
    if not len(known):
        return
    high, low = max(float(known.max()), 0.0), min(float(known.min()), 0.0)
    span = max(high - low, _HALF_MS)
    metres = np.array([cell.distance for cell in cells])
    even = np.interp(np.linspace(metres[0], metres[-1], 2 * width), metres, delta)
    yield Line("b to a ", TITLE).put(f"{low:+.3f} to {high:+.3f} s over {metres[-1]:.0f} m, up is lost", DIM)
    for row in braille.cells(braille.curve((even - low) / span, _TRACE_ROWS)):
        yield Line(braille.text(row), CYAN)


def _cells(cells: "Sequence[Cell]", columns: Sequence[str], width: int) -> RenderableType:
    """Some of the cells, evenly spread."""
    from rigclient.warehouse.questions.samples import units

    of_column = {name: shown_as(units().get(name, "")) for name in columns}
    heads = {"m": "right"}
    for name, (unit, _) in of_column.items():
        heads |= {f"{side} {titled(name.lower(), unit)}": "right" for side in _SIDES}
    picked = [cells[int(at)] for at in np.unique(np.linspace(0, len(cells) - 1, _ROWS).round())]
    return table({**heads, "b to a": "right", "here": "right"}, _cell_rows(picked, of_column), width)


def _cell_rows(cells: "Sequence[Cell]", of_column: dict[str, tuple[str, float]]) -> Iterator[Sequence[Text]]:
    before = 0.0
    for cell in cells:
        values = [
            _value(side[name], factor) for name, (_, factor) in of_column.items() for side in (cell.a, cell.b)
        ]
        here = None if cell.delta is None else cell.delta - before
        yield Text(f"{cell.distance:.0f}", STRONG), *values, _lost(cell.delta), _lost(here)
        before = cell.delta if cell.delta is not None else before


def _value(value: float | None, factor: float) -> Text:
    return Text("-", DIM) if value is None else Text(f"{value * factor:.1f}", TEXT)


def _panels(found: "Comparison", cells: "Sequence[Cell]", columns: Sequence[str]) -> list[Panel]:
    """A panel per column and the delta, in the colours and units of `rig plot`."""
    from rigclient.warehouse.questions.samples import units

    metres = np.array([cell.distance for cell in cells])
    labels = [f"{lap.driver} {lap_time(lap.lap_time or 0.0)}".strip() for lap in (found.a, found.b)]
    drawn = []
    for name in columns:
        unit, factor = shown_as(units().get(name, ""))
        sides = (_array(cell.a[name] for cell in cells), _array(cell.b[name] for cell in cells))
        curves = [Curve(labels[at], color(at), metres, values * factor) for at, values in enumerate(sides)]
        drawn.append(Panel(titled(name.lower(), unit), curves))
    delta = Curve(labels[1], color(1), metres, _array(cell.delta for cell in cells))
    return [*drawn, Panel("delta [s]", [delta])]


def _array(values: Any) -> Array:
    return np.array([np.nan if value is None else value for value in values], np.float64)
