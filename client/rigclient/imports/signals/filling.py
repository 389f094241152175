"""What a logger leaves out between two values that it told."""

from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_LONGEST_S: Final = 1.25
"""Between two values that are joined by a line: receivers tell places once a second."""


def filled(values: Array, times: Array) -> Array:
    """Return the values with those missing on the line between the two around them, where these are not
    further than a receiver's second apart.
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) in (0, len(values)):
        return values
    joined = np.interp(times, times[known], values[known], left=np.nan, right=np.nan)
    before = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    after = np.minimum(before + 1, len(known) - 1)
    near = times[known[after]] - times[known[before]] <= _LONGEST_S
    return np.where(np.isfinite(values) | near, np.where(np.isfinite(values), values, joined), np.nan)


def moving(latitude: Array, longitude: Array, times: Array) -> tuple[Array, Array]:
    """Return the degrees with those that a row repeats on the line between the fixes around it; a car that
    stands for more than a second stays.
    """
    same = np.zeros(len(times), np.bool_)
    same[1:] = (np.diff(latitude) == 0) & (np.diff(longitude) == 0)
    if not same.any():
        return latitude, longitude
    joined = [filled(np.where(same, np.nan, one), times) for one in (latitude, longitude)]
    stands = np.isnan(joined[0]) | np.isnan(joined[1])
    return np.where(stands, latitude, joined[0]), np.where(stands, longitude, joined[1])


def held(values: Array) -> Array:
    """Return the values with those missing as the one before; at the beginning as the first; 0 without
    any.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values))
    before = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return np.asarray(values[known[np.maximum(before, 0)]])
