"""All numbers of a table that is one lap, and how often a logger took them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest, Exhausted
from rig.lapfile import ROWS_LIMIT
from rigclient.imports.recording import Progress, Refuse
from rigclient.imports.table import SampleTable

Array = np.ndarray[Any, np.dtype[Any]]

_RATES: Final = (1, 2, 4, 5, 10, 20, 25, 40, 50, 60, 90, 100, 120, 200, 250, 333, 360, 400, 500, 1000)
"""Hertz at which loggers run."""
_NEAR: Final = 0.04
_ABSURD: Final = 1e12
_CLOSES_S: Final = 2.0
"""Of a lap that may be missing between its last row and its first."""
_CRAWL_MPS: Final = 1.0
"""Slower than this a car that has no clock takes no time to speak of."""


class WholeTable(NamedTuple):
    """The rows of a table that were read."""

    lines: Array
    """Line of every row in the file."""
    values: dict[str, Array]
    """By name as in the header; float64, NaN where a cell is blank."""
    units: Mapping[str, str]

    def picked(self, rows: Array) -> "WholeTable":
        """Return these rows."""
        return WholeTable(
            self.lines[rows], {name: one[rows] for name, one in self.values.items()}, self.units
        )


def all_rows(table: SampleTable, refuse: Refuse, progress: Progress) -> WholeTable:
    """Return the rows of a table whose columns are all numbers. Raises BadRequest without a row, Exhausted
    beyond what a lap can have.
    """
    chunks, rows, left_out = [], 0, 0

    def count(line: int, reason: str, detail: str) -> None:
        nonlocal left_out
        left_out += 1
        refuse(line, reason, detail)

    for chunk in table.chunks(table.columns, (), count):
        chunks.append(chunk)
        rows += len(chunk.lines)
        progress(table.bytes_read)
        if rows > ROWS_LIMIT:
            raise Exhausted(f"more than {ROWS_LIMIT} rows, and it is to be one lap", limit=ROWS_LIMIT)
    if not rows:
        raise BadRequest(f"it has no row to read: {left_out} are left out, all the recorder wrote")
    values = {name: sane(np.concatenate([one.numbers[name] for one in chunks])) for name in table.columns}
    return WholeTable(np.concatenate([one.lines for one in chunks]), values, table.units)


def sane(values: Array) -> Array:
    """Return numbers, NaN where one is beyond all that a car can tell."""
    return np.where(np.abs(values) < _ABSURD, values, np.nan)


def rate_hz(times: Array) -> float | None:
    """Return how often samples were taken by their times [s], rounded to a usual rate; None for fewer than
    three.
    """
    steps = np.diff(times)
    steps = steps[steps > 0]
    if len(steps) < 2:
        return None
    found = 1 / float(np.median(steps))
    usual = min(_RATES, key=lambda rate: abs(rate - found))
    return float(usual) if abs(usual / found - 1) <= _NEAR else round(found, 1)


def time_to_first(plane: Array, speed: Array, steps_s: float) -> float | None:
    """Return how long after its last row a car is where it was in the first one [s]; None where the way of
    a lap does not close within two seconds.

    `plane` are positions [m], shape (rows, 2); `speed` [m/s]; `steps_s` is the time between two rows.
    """
    gap = plane[0] - plane[-1]
    pace = float(np.nanmean(speed[[0, -1]]))
    if not pace > 0 or not np.isfinite(gap).all():
        return None
    seconds = float(np.linalg.norm(gap)) / pace
    ahead = float(gap @ (plane[-1] - plane[-2]))
    if seconds > _CLOSES_S or (ahead < 0 and seconds > 2 * steps_s):
        return None
    return float(np.copysign(seconds, ahead))


def reckoned_times(places: Array, speed: Array) -> Array:
    """Return the time of every row [s], 0 at the first, by way and speed: for files without a clock.

    `places` are positions [m], shape (rows, axes), no two rows the same; `speed` [m/s], shape (rows,).
    """
    way = np.linalg.norm(np.diff(places, axis=0), axis=1)
    pace = np.maximum((speed[1:] + speed[:-1]) / 2, _CRAWL_MPS)
    return np.concatenate([[0.0], np.cumsum(way / pace)])
