"""Two laps side by side: as tables with a trace of the time between them, as panels, for machines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from rich.console import RenderableType
from rich.style import Style

from rigclient.cli.commands.questions.selection import split, table
from rigclient.cli.terminal import braille
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import BLUE, CYAN, DIM, GOOD, RED, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text
from riglap.lap import Array
from riglap.names import short_names
from riglap.plot.panels import Curve, Panel, Plot, behind, color, shown_as, titled
from riglap.times import gap, lap_time

if TYPE_CHECKING:
    from rigclient.warehouse.questions.compare import Best, LoadedComparison
    from rigclient.warehouse.questions.grid import Cell

_ROWS: Final = 24
"""Cells in the table, evenly spread; --json has all."""
_TRACE_ROWS: Final = 5
_WIDEST: Final = 120
_HALF_MS: Final = 5e-4
_FIXED: Final = 24
"""Terminal cells of the columns that are always there, with the blanks between them."""
_VALUE: Final = 8
"""Terminal cells of a value, with the blanks after it."""


class Shown(NamedTuple):
    """A column of PHYSICS as people read it."""

    name: str
    unit: str
    factor: float
    digits: int

    @property
    def title(self) -> str:
        """With its unit."""
        return titled(self.name.lower(), self.unit)

    def text(self, value: float | None) -> Text:
        """Return a value of the warehouse, in that unit."""
        return Text("-", DIM) if value is None else Text(f"{value * self.factor:.{self.digits}f}", TEXT)


def columns(channels: Iterable[str]) -> list[Shown]:
    """Return the columns of channels, in the units of `rig plot`, and of formulas, in their own. Raises
    UnknownChannel, BadRequest, MissingChannel.
    """
    from rigclient.warehouse import tables
    from rigclient.warehouse.questions.formulas import split, unit_of
    from rigclient.warehouse.questions.samples import columns_of, units

    names, formulas = split(channels)
    found = []
    for name in columns_of(names):
        unit, factor = shown_as(units().get(name, ""))
        counts = tables.SAMPLES.type_of(name) in (tables.WHOLE, tables.FLAG)
        found.append(Shown(name, unit, factor, 0 if counts else 1 if unit else 2))
    return found + [Shown(name.upper(), unit_of(name, formulas), 1.0, 2) for name in formulas]


def plain(found: "LoadedComparison", cells: "Sequence[Cell]") -> dict[str, Any]:
    """Return plain values for machines."""
    return {
        "laps": [{**lap._asdict(), "key": None, "lap": str(lap.key)} for lap in (found.a, found.b)],
        "splits": [one._asdict() for one in found.splits],
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


def report(
    found: "LoadedComparison", cells: "Sequence[Cell]", shown: Sequence[Shown], width: int
) -> Iterator[RenderableType]:
    """Yield what people read of it, in `width` cells."""
    sessions = dict.fromkeys(lap.key.session for lap in (found.a, found.b))
    yield Text.assemble((found.a.track, TITLE), (f"  {', '.join(sessions)}", DIM))
    yield table((("", "left"), ("driver", "left"), ("lap", "left"), ("time", "right")), _laps(found), width)
    yield Text()
    yield from _splits(found, width)
    yield Text()
    if not cells:
        yield Text("no samples of both laps are at hand, so there is no more to compare", DIM)
        return
    yield from _trace(cells, min(width, _WIDEST))
    yield Text()
    yield from _cells(cells, shown, width)


def _laps(found: "LoadedComparison") -> Iterator[Sequence[Text]]:
    names = short_names([f"sessions/{lap.key.session}/laps/{lap.key.lap}" for lap in (found.a, found.b)])
    for side, style, lap, name in zip("ab", (CYAN, BLUE), (found.a, found.b), names, strict=True):
        yield Text(side, style), Text(lap.driver, STRONG), Text(name, DIM), _time(lap)


def _time(lap: "Best") -> Text:
    return Text(lap_time(lap.lap_time or 0.0) or "-", TEXT)


def _splits(found: "LoadedComparison", width: int) -> Iterator[RenderableType]:
    """Yield times at the lines, what b lost up to there, and since the line before."""
    if not found.splits:
        return
    rows, before = [], 0.0
    for name, a, b in found.splits:
        delta = b - a
        cells = (Text(name, TEXT), Text(split(a), TEXT), Text(split(b), TEXT))
        rows.append((*cells, _lost(delta), _lost(delta - before)))
        before = delta
    heads = (("at", "left"), ("a", "right"), ("b", "right"), ("b to a", "right"), ("here", "right"))
    yield table(heads, rows, width)


def _lost(seconds: float | None) -> Text:
    """Return a difference of time: what b has lost is red, won is green."""
    if seconds is None:
        return Text("-", DIM)
    style: Style = DIM if abs(seconds) < _HALF_MS else RED if seconds > 0 else GOOD
    return Text(gap(seconds), style)


def _trace(cells: "Sequence[Cell]", width: int) -> Iterator[Line]:
    """Yield the time between the laps over the distance: up is b behind."""
    delta = _array(cell.delta for cell in cells)
    known = delta[np.isfinite(delta)]
    if not len(known):
        return
    high, low = max(float(known.max()), 0.0), min(float(known.min()), 0.0)
    metres = np.array([cell.distance for cell in cells])
    even = np.interp(np.linspace(metres[0], metres[-1], 2 * width), metres, delta)
    yield Line("b to a ", TITLE).put(f"{low:+.3f} to {high:+.3f} s over {metres[-1]:.0f} m, up is lost", DIM)
    shares = (even - low) / max(high - low, _HALF_MS)
    for row in braille.cells(braille.curve(shares, _TRACE_ROWS)):
        yield Line(braille.text(row), CYAN)


def _cells(cells: "Sequence[Cell]", shown: Sequence[Shown], width: int) -> Iterator[RenderableType]:
    """Yield some of the cells, evenly spread, with as many columns as fit."""
    fitting = _fitting(shown, width)
    heads = [("m", "right")]
    for column in fitting:
        heads += [(f"{column.title} a", "right"), ("b", "right")]
    picked = [cells[int(at)] for at in np.unique(np.linspace(0, len(cells) - 1, _ROWS).round())]
    yield table((*heads, ("b to a", "right"), ("here", "right")), _cell_rows(picked, fitting), width)
    if len(fitting) < len(shown):
        left = ", ".join(column.name.lower() for column in shown[len(fitting) :])
        yield Text(f"there is no room for {left}; a wider terminal, --plot and --json have them", DIM)


def _fitting(shown: Sequence[Shown], width: int) -> list[Shown]:
    """Return the first columns that fit, at least one."""
    fitting: list[Shown] = []
    used = _FIXED
    for column in shown:
        used += max(len(f"{column.title} a  "), _VALUE) + _VALUE
        if used > width and fitting:
            break
        fitting.append(column)
    return fitting


def _cell_rows(cells: "Sequence[Cell]", shown: Sequence[Shown]) -> Iterator[Sequence[Text]]:
    before = 0.0
    for cell in cells:
        values = [column.text(side[column.name]) for column in shown for side in (cell.a, cell.b)]
        here = None if cell.delta is None else cell.delta - before
        yield Text(f"{cell.distance:.0f}", STRONG), *values, _lost(cell.delta), _lost(here)
        before = cell.delta if cell.delta is not None else before


def figure(found: "LoadedComparison", cells: "Sequence[Cell]", shown: Sequence[Shown]) -> Plot:
    """Return the plot: the delta, and a panel per column, in the colours of `rig plot`."""
    metres = np.array([cell.distance for cell in cells])
    labels = [f"{lap.driver} {lap_time(lap.lap_time or 0.0)}".strip() for lap in (found.a, found.b)]
    drawn = []
    for column in shown:
        sides = (_array(cell.a[column.name] for cell in cells), _array(cell.b[column.name] for cell in cells))
        curves = [
            Curve(labels[at], color(at), metres, values * column.factor) for at, values in enumerate(sides)
        ]
        drawn.append(Panel(column.title, curves))
    delta = Curve(labels[1], color(1), metres, _array(cell.delta for cell in cells))
    return Plot(found.a.track, [Panel(behind(found.a.driver), [delta]), *drawn])


def _array(values: Iterable[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], np.float64)
