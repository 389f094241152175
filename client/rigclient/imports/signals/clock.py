"""Clocks of rows: which can be used, how often they tick, and what the way tells where there is none.

Loggers repeat a clock, run it backwards, and start it again.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rigclient.imports.recording import Refuse

Array = np.ndarray[Any, np.dtype[Any]]

_FALL_S: Final = 1.0
"""A clock that falls back by more, and stays there, is another run; by less, rows in the wrong order."""
_LOOK: Final = 3
"""Rows after which a clock that fell back must be where it was, so that they alone are wrong."""
_RATES: Final = (1, 2, 4, 5, 10, 20, 25, 40, 50, 60, 90, 100, 120, 200, 250, 333, 360, 400, 500, 1000)
"""Hertz at which loggers run."""
_NEAR: Final = 0.04
_CLOSES_S: Final = 2.0
"""Of a lap that may be missing between its last row and its first."""
_CRAWL_MPS: Final = 1.0
"""Slower than this a car that has no clock takes no time to speak of."""


class SoundClock(NamedTuple):
    """The rows of a clock that can be used, and where it starts again."""

    rows: Array
    """Positions of the rows that stay; between two of `begins` their clock grows."""
    begins: Array
    """Positions within `rows` where a run begins, 0 first; more than one where two sessions are in a file."""
    repeated: Array
    """Positions of the rows that repeat the clock of the one before."""
    backwards: Array
    """Positions of the rows whose clock runs backwards, or that have none."""

    def runs(self) -> list[Array]:
        """Return the rows of every run."""
        return np.split(self.rows, self.begins[1:])

    def tell(self, refuse: Refuse, lines: Array) -> None:
        """Tell the rows that are left out; `lines` are those of all rows."""
        for place in self.repeated:
            refuse(int(lines[place]), "a repeated clock", "the row before has the same time")
        for place in self.backwards:
            refuse(int(lines[place]), "the clock runs backwards", "it has a time before that of a row before")


def clock(times: Array) -> SoundClock:
    """Return what of a clock [s], shape (rows,), can be used.

    A row with the clock of the one before is repeated. Where the clock falls back by up to a second the rows
    are left out until it is where it was; so are up to three rows that stand alone with any clock. Where it
    falls back by more and goes on from there another run begins.
    """
    finite = np.flatnonzero(np.isfinite(times))
    kept, begins, repeated = list[int](), [0], list[int]()
    backwards = [int(at) for at in np.flatnonzero(~np.isfinite(times))]
    falls = np.append(np.flatnonzero(np.diff(times[finite]) <= 0) + 1, len(finite))
    at = 0
    while at < len(finite):
        last, now = times[kept[-1]] if kept else -np.inf, times[finite[at]]
        if now > last:
            rise = int(falls[np.searchsorted(falls, at, side="right")])
            kept += finite[at:rise].tolist()
            at = rise
            continue
        if now == last:
            repeated.append(int(finite[at]))
        elif last - now <= _FALL_S or bool((times[finite[at + 1 : at + 1 + _LOOK]] > last).any()):
            backwards.append(int(finite[at]))
        elif _stray(times, kept, begins[-1], now):
            backwards.append(kept.pop())
            continue
        else:
            begins.append(len(kept))
            kept.append(int(finite[at]))
        at += 1
    order = np.sort(np.array(backwards, np.int64))
    return SoundClock(
        np.array(kept, np.int64), np.array(begins, np.int64), np.array(repeated, np.int64), order
    )


def _stray(times: Array, kept: Sequence[int], begin: int, now: float) -> bool:
    """Return whether the last row that was kept is alone ahead of its time: the ones around it follow each
    other.
    """
    if len(kept) - begin < 2:
        return False
    before = times[kept[-2]]
    return bool(0 < now - before <= _FALL_S < times[kept[-1]] - before)


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
