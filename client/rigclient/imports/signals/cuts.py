"""Laps among rows: by a column that counts them, by clocks of the line, by crossings of a start line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class LapCut(NamedTuple):
    """A lap among rows: from `first` to before `end`."""

    first: int
    end: int
    number: int
    """As the file counts; else from 0 on."""
    begin_s: float
    """Clock at the line; where nobody knows that of the first row."""
    end_s: float
    complete: bool
    """From line to line: the file has rows of the lap before and of the one after."""

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.first, self.end)

    @property
    def lap_time_s(self) -> float | None:
        """Between its two lines; None for a piece."""
        return self.end_s - self.begin_s if self.complete else None


def laps_by_number(numbers: Array, times: Array) -> list[LapCut]:
    """Return the laps by a column that counts them, shape (rows,). A lap begins with its first row, so that
    its time is right within a sample; the first and the last are pieces.
    """
    begins = np.flatnonzero(np.diff(numbers, prepend=np.nan) != 0)
    cuts = _cuts(begins, times, times[begins[1:]])
    return [cut._replace(number=int(numbers[cut.first])) for cut in cuts]


def laps_by_times(lines_s: Sequence[float], times: Array) -> list[LapCut]:
    """Return the laps by the clock of every crossing of the line [s], exactly; what is before the first and
    after the last is a piece.
    """
    lines = np.array(sorted(one for one in lines_s if times[0] < one <= times[-1]), np.float64)
    begins = np.searchsorted(times, lines)
    apart = np.flatnonzero(np.diff(begins, prepend=0) > 0)
    return _cuts(np.concatenate([[0], begins[apart]]).astype(np.int64), times, lines[apart])


def laps_at_line(
    positions: Array, times: Array, line: tuple[Sequence[float], Sequence[float]], least_s: float = 10.0
) -> list[LapCut]:
    """Return the laps by crossings of a start line between two points; `positions` have shape (rows, 2), in
    the axes of the points. Only crossings in the direction of the first count, `least_s` apart.
    """
    one, other = (np.asarray(point, np.float64) for point in line)
    along, side = other - one, positions - one
    ahead = along[0] * side[:, 1] - along[1] * side[:, 0]
    crossings = list[float]()
    direction = 0.0
    for at in np.flatnonzero(np.sign(ahead[:-1]) * np.sign(ahead[1:]) <= 0):
        change = ahead[at + 1] - ahead[at]
        if not change or (direction and np.sign(change) != direction):
            continue
        share = -ahead[at] / change
        where = side[at] + share * (side[at + 1] - side[at])
        when = float(times[at] + share * (times[at + 1] - times[at]))
        if 0 <= where @ along <= along @ along and (not crossings or when - crossings[-1] >= least_s):
            crossings.append(when)
            direction = float(np.sign(change))
    return laps_by_times(crossings, times)


def _cuts(begins: Array, times: Array, lines: Array) -> list[LapCut]:
    """Return the laps that begin at these rows; `lines` are the clocks [s] of all lines but the first."""
    ends = [*begins[1:].tolist(), len(times)]
    clocks = [float(times[0]), *map(float, lines), float(times[-1])]
    return [
        LapCut(int(first), int(end), at, clocks[at], clocks[at + 1], 0 < at < len(begins) - 1)
        for at, (first, end) in enumerate(zip(begins, ends, strict=True))
    ]
