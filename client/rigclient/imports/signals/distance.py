"""Distance at every sample of a lap, where a logger tells it less often than the rest, or not at all."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_LONGEST_S: Final = 1.0
"""Between two distances that are joined by a line; loggers tell it five times a second."""
_SETTLED_S: Final = 3.0
"""Since the first sample of a lap: until then the distance may be the previous lap's still, and jump back."""
_LEAST_ROWS: Final = 10
"""At the end of a lap, whose speed leads to the line."""
_NEAR: Final = 0.1
"""How far integrated speed may be from the length of the track to be drawn out to it."""


def along(times: Array, told: Array) -> Array:
    """Return the distance at every sample [m]: on the line between two that were told, else NaN.

    `times` [s] and `told` [m], NaN where it is not told, have shape (rows,).
    """
    known = np.flatnonzero(np.isfinite(told))
    distance = np.full(len(told), np.nan)
    if not len(known):
        return distance
    rows = np.arange(known[0], known[-1] + 1)
    after = np.searchsorted(known, rows, side="right").clip(1, max(len(known) - 1, 1))
    if len(known) > 1:
        begin, end = known[after - 1], known[after]
        gap, rise = times[end] - times[begin], told[end] - told[begin]
        joined = (rise >= 0) & (gap <= _LONGEST_S) & (gap > 0)
        on_line = told[begin] + rise / np.where(gap > 0, gap, 1.0) * (times[rows] - times[begin])
        distance[rows] = np.where(joined, on_line, np.nan)
    distance[known] = told[known]
    falls = known[1:][(np.diff(told[known]) < 0) & (times[known[:-1]] - times[0] <= _SETTLED_S)]
    if len(falls):
        distance[: falls[-1]] = np.nan
    return distance


def distance_of(samples: Mapping[str, Array], track_length_m: float, *, complete: bool) -> Array | None:
    """Return the distance since the line of a lap's samples [m], float64: that which the file tells, joined
    where it stands still; else its speed integrated, drawn out to the length of the track; else the way
    between its positions. None where it has none of them.
    """
    times = samples["lap_time"]
    if "game_distance" in samples:
        told = samples["game_distance"].astype(np.float64)
        steps = np.concatenate([[True], np.diff(told) != 0])
        found = along(times, np.where(steps, told, np.nan))
        return np.where(np.isfinite(found), found, told)
    if "speed" in samples:
        speed = np.nan_to_num(samples["speed"].astype(np.float64))
        way = _summed((speed[1:] + speed[:-1]) / 2 * np.diff(times), speed[:1] * times[:1])
        return _drawn_out(way, track_length_m) if complete else way
    if "position" in samples:
        steps = np.linalg.norm(np.diff(samples["position"].astype(np.float64), axis=0), axis=1)
        return _summed(np.nan_to_num(steps), np.zeros(1))
    return None


def length_of(samples: Mapping[str, Array], end_s: float) -> float | None:
    """Return the length of the track by the samples of a complete lap [m], to ten metres, on which laps of
    it agree on; None where they do not tell. `end_s` is its lap time.
    """
    found = distance_of(samples, 0.0, complete=False)
    if found is None:
        return None
    known = np.flatnonzero(np.isfinite(found))
    if len(known) < _LEAST_ROWS:
        return None
    times, last = samples["lap_time"], known[-1]
    before = known[-_LEAST_ROWS]
    speed = (found[last] - found[before]) / max(float(times[last] - times[before]), 1e-9)
    return round(float(found[last] + speed * max(end_s - times[last], 0.0)) / 10) * 10.0


def _summed(steps: Array, first: Array) -> Array:
    return np.asarray(np.cumsum(np.concatenate([first, steps])))


def _drawn_out(way: Array, length_m: float) -> Array:
    if length_m > 0 and len(way) and way[-1] > 0 and abs(length_m / way[-1] - 1) <= _NEAR:
        return np.asarray(way * (length_m / way[-1]))
    return way
