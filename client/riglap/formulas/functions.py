"""What formulas can do with columns over time: all vectorised, all bounded."""

import difflib
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
    "trunc": Function(1, np.trunc, "same"),
    "sign": Function(1, np.sign, "sign"),
    "sinh": Function(1, np.sinh, "angle"),
    "cosh": Function(1, np.cosh, "angle"),
    "tanh": Function(1, np.tanh, "angle"),
    "sin": Function(1, np.sin, "angle"),
    "cos": Function(1, np.cos, "angle"),
    "tan": Function(1, np.tan, "angle"),
    "asin": Function(1, np.arcsin, "plain"),
    "acos": Function(1, np.arccos, "plain"),
    "atan": Function(1, np.arctan, "plain"),
    "exp": Function(1, np.exp, "plain"),
    "ln": Function(1, np.log, "plain"),
    "log10": Function(1, np.log10, "plain"),
}
STATISTICS: Final[Mapping[str, Callable[[Floats], float]]] = {
    "stat_min": lambda x: float(np.min(x)),
    "stat_max": lambda x: float(np.max(x)),
    "stat_mean": lambda x: float(np.mean(x)),
    "stat_sum": lambda x: float(np.sum(x)),
    "stat_std_dev": lambda x: float(np.std(x)),
    "stat_start": lambda x: float(x[0]),
    "stat_end": lambda x: float(x[-1]),
    "stat_change": lambda x: float(x[-1] - x[0]),
}
"""Of the whole lap, from all rows that have a value."""

FUNCTIONS: Final = frozenset(
    {
        *(name for name in ELEMENTWISE if name not in ("negative", "positive")),
        *STATISTICS,
        *("sqrt", "sqr", "atan2", "min", "max", "mod", "choose", "invalid"),
        *("derivative", "integrate", "smooth", "shift"),
    }
)
"""What can be called. `if`, `sgn`, `int` and `log` are other names of choose, sign, trunc and ln."""

_INSTEAD: Final = {
    "time_shift": "shift(x, seconds) is what x was so many seconds before",
    "range_change": "a formula has one lap: integrate and stat_... begin and end with it",
    "range": "a formula has one lap: integrate and stat_... begin and end with it",
    "filter_lp": "smooth(x, seconds) is the mean over a window",
    "filter_fir_lp": "smooth(x, seconds) is the mean over a window",
    "filter_iir_lp": "smooth(x, seconds) is the mean over a window",
    "average": "smooth(x, seconds) over a window, stat_mean(x) over the lap",
    "mean": "smooth(x, seconds) over a window, stat_mean(x) over the lap",
    "integral": "integrate(x)",
    "diff": "derivative(x)",
    "differentiate": "derivative(x)",
    "pow": "x ^ y",
    "power": "x ^ y",
    "not": "!x",
    "isnan": "if a value is missing, so is what is made of it",
    "is_invalid": "if a value is missing, so is what is made of it",
}
"""Names of other programs, and what there is in their place."""


def instead(name: str) -> str:
    """Return what there is in place of a function that is not."""
    if name in _INSTEAD:
        return _INSTEAD[name]
    near = difflib.get_close_matches(name, FUNCTIONS, 1)
    return (f"did you mean {near[0]}? " if near else "") + "there are " + ", ".join(sorted(FUNCTIONS))


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
    if not np.isfinite(x).any():
        return np.full(len(x), np.nan)  # nothing is known: not 0
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
