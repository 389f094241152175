"""Two laps on one grid of distances, aggregated in the warehouse: a row per cell instead of all samples."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rigclient.warehouse import tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.numbers import numbers
from rigclient.warehouse.questions.formulas import split
from rigclient.warehouse.questions.keyset import Question, rows
from rigclient.warehouse.questions.laps import LapKey
from rigclient.warehouse.questions.samples import columns_of, samples_of

STEP_M: Final = 10.0
"""At 80 m/s and 50 Hz six samples a cell."""

_PAGE: Final = 10_000
_SIDES: Final = ("A", "B")
_STEP: Final = "CAST(? AS DOUBLE)"
"""A bound number with a fraction arrives as text in one of the warehouses."""

Values = Mapping[str, float | None]


class Cell(NamedTuple):
    """A stretch of the track."""

    distance: float
    """Its middle [m]."""
    a: Values
    """Columns of the first lap; LAP_TIME is when it was in the middle of the cell."""
    b: Values
    delta: float | None
    """Delta: time the second lap has lost to the first since the line [s]; None where one has no sample."""


def grid(
    destination: Destination, a: LapKey, b: LapKey, channels: Iterable[str], step_m: float = STEP_M
) -> Iterator[Cell]:
    """Yield the cells in which at least one of the laps has a sample, from the line on.

    A channel is the mean of its samples in the cell; one that counts, the most frequent of them. A formula
    among them, `name = expression`, is computed from the samples, and so is its mean.
    """
    names, formulas = split(channels)
    columns = columns_of(names)
    means = [_formula_means(destination, lap, formulas, step_m) if formulas else {} for lap in (a, b)]
    question = Question(_sql(columns), (*_bound(a, step_m), *_bound(b, step_m)))
    for row in rows(destination, question, ("CELL",), _PAGE):
        first, second = (_values(row, side, columns) for side in _SIDES)
        delta = _difference(first, second)
        none = dict.fromkeys((name.upper() for name in formulas), None)
        first, second = (
            {**values, **none, **of_lap.get(int(row["cell"]), {})}
            for values, of_lap in zip((first, second), means, strict=True)
        )
        yield Cell((row["cell"] + 0.5) * step_m, first, second, delta)


def _formula_means(
    destination: Destination, lap: LapKey, formulas: Mapping[str, str], step_m: float
) -> dict[int, dict[str, float | None]]:
    """Return the mean of every formula by cell; None where none of its samples has a value."""
    asked = [f"{name} = {expression}" for name, expression in formulas.items()]
    found: dict[int, dict[str, float | None]] = {}
    for batch in samples_of(destination, lap, asked):
        metres = numbers(batch.column("DISTANCE"))
        for name in map(str.upper, formulas):
            values = numbers(batch.column(name))
            known = np.isfinite(metres) & np.isfinite(values) & (metres >= 0)
            cells, at = np.unique(np.floor(metres[known] / step_m).astype(int), return_inverse=True)
            sums = np.bincount(at, values[known], len(cells)) / np.maximum(
                np.bincount(at, minlength=len(cells)), 1
            )
            for cell, mean in zip(cells.tolist(), sums.tolist(), strict=True):
                found.setdefault(cell, {})[name] = mean
    return found


def _bound(lap: LapKey, step_m: float) -> tuple[float | str, ...]:
    return (step_m, step_m, step_m, *lap)


def _sql(columns: Sequence[str]) -> str:
    means = ", ".join(_means(side, columns) for side in _SIDES)
    both = " UNION ALL ".join(_side(side, columns) for side in _SIDES)
    return f"SELECT CELL, {means} FROM ({both}) X GROUP BY CELL"


def _side(side: str, columns: Sequence[str]) -> str:
    """Return the SQL for the samples of one lap, each with its cell and the distance from there to its
    middle.
    """
    wanted = ", ".join(dict.fromkeys(("LAP_TIME", "SPEED", *columns)))
    return (
        f"SELECT '{side}' AS SIDE, FLOOR(DISTANCE / {_STEP}) AS CELL, "
        f"(FLOOR(DISTANCE / {_STEP}) + 0.5) * {_STEP} - DISTANCE AS AWAY, {wanted} "
        "FROM PHYSICS WHERE RIG_ID = ? AND SESSION = ? AND LAP = ? AND DISTANCE >= 0"
    )


def _means(side: str, columns: Sequence[str]) -> str:
    """Return the SQL for the columns of one lap. Samples are not spread evenly over a cell: their mean time
    is moved to its middle at their mean speed.
    """
    of_side = "CASE WHEN SIDE = '{}' THEN {} END"
    time, speed, away = (f"AVG({of_side.format(side, name)})" for name in ("LAP_TIME", "SPEED", "AWAY"))
    values = [f"{time} + COALESCE({away} / NULLIF({speed}, 0), 0) AS {side}_LAP_TIME"]
    for name in columns:
        mean = "MODE" if tables.SAMPLES.type_of(name) in (tables.WHOLE, tables.FLAG) else "AVG"
        values.append(f"{mean}({of_side.format(side, name)}) AS {side}_{name}")
    return ", ".join(values)


def _values(row: Mapping[str, Any], side: str, columns: Sequence[str]) -> Values:
    return {name: _finite(row[f"{side}_{name}".lower()]) for name in ("LAP_TIME", *columns)}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _difference(first: Values, second: Values) -> float | None:
    a, b = first["LAP_TIME"], second["LAP_TIME"]
    return None if a is None or b is None else b - a
