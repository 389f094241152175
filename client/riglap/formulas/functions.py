"""What formulas can do with columns over time: all vectorised, all bounded."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_WINDOW_S: Final = 60.0


class Function(NamedTuple):
    """An element-wise function: of how many operands, and what it does with their units."""

    operands: int
    act: Callable[..., Floats]
    units: str
    """same: keeps it; angle: wants an angle; plain: wants a plain number; sign: drops it."""


ELEMENTWISE: Final[Mapping[str, Function]] = {
    "abs": Function(1, np.abs, "same"),
    "negative": Function(1, np.negative, "same"),
    "positive": Function(1, np.positive, "same"),
    "floor": Function(1, np.floor, "same"),
    "ceil": Function(1, np.ceil, "same"),
    "round": Function(1, np.round, "same"),
    "sign": Function(1, np.sign, "sign"),
    "sin": Function(1, np.sin, "angle"),
    "cos": Function(1, np.cos, "angle"),
    "tan": Function(1, np.tan, "angle"),
    "asin": Function(1, np.arcsin, "plain"),
    "acos": Function(1, np.arccos, "plain"),
    "atan": Function(1, np.arctan, "plain"),
    "exp": Function(1, np.exp, "plain"),
    "ln": Function(1, np.log, "plain"),
    "log": Function(1, np.log, "plain"),
    "log10": Function(1, np.log10, "plain"),
}
STATISTICS: Final[Mapping[str, Callable[[Floats], float]]] = {
    "stat_min": lambda x: float(np.min(x)),
    "stat_max": lambda x: float(np.max(x)),
    "stat_mean": lambda x: float(np.mean(x)),
}


def derivative(x: Floats, time: Floats) -> Floats:
    """Return the change per second: between neighbours on both sides; NaN where time stands still."""
    if len(x) < 2:
        return np.full(len(x), np.nan)
    rise, steps = np.empty_like(x), np.empty_like(x)
    rise[1:-1], steps[1:-1] = x[2:] - x[:-2], time[2:] - time[:-2]
    rise[0], steps[0], rise[-1], steps[-1] = (
        x[1] - x[0],
        time[1] - time[0],
        x[-1] - x[-2],
        time[-1] - time[-2],
    )
    return np.where(steps > 0, rise / np.where(steps > 0, steps, 1.0), np.nan)


def integrate(x: Floats, time: Floats) -> Floats:
    """Return the sum over time since the lap began, by trapezoids; what is missing adds nothing."""
    pieces = np.nan_to_num((x[1:] + x[:-1]) / 2 * np.maximum(np.diff(time), 0.0))
    return np.concatenate((np.zeros(min(len(x), 1)), np.cumsum(pieces)))


def smooth(x: Floats, time: Floats, seconds: float) -> Floats:
    """Return the mean over a window of so many seconds around each row, of what is there."""
    known = np.isfinite(x)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, x, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    first = np.searchsorted(time, time - seconds / 2)
    last = np.searchsorted(time, time + seconds / 2, "right")
    count = counts[last] - counts[first]
    return np.where(count > 0, (sums[last] - sums[first]) / np.maximum(count, 1), np.nan)


def shift(x: Floats, time: Floats, seconds: float) -> Floats:
    """Return what was so many seconds before (below zero: comes after); NaN where that is outside."""
    known = np.isfinite(x)
    if not known.any():
        return np.full(len(x), np.nan)
    return np.interp(time - seconds, time[known], x[known], np.nan, np.nan)
