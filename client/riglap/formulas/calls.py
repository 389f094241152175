"""What is done to the columns of a lap: truths, choices, what is missing stays so."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from riglap.formulas.functions import Floats
from riglap.rows import Array

Values: TypeAlias = Any
"""float64 or truths of shape (rows,), or one float."""


def _comparing(act: Callable[..., Values]) -> Callable[..., Values]:
    return lambda a, b: _known(act(a, b), a, b)


def _true(values: Values) -> Values:
    """Return which values are not 0."""
    return values if _truths(values) else np.not_equal(values, 0)


def _least(*values: Values) -> Values:
    return functools.reduce(np.minimum, values)


def _greatest(*values: Values) -> Values:
    return functools.reduce(np.maximum, values)


COMPARE: Final = {
    "<": _comparing(np.less),
    "<=": _comparing(np.less_equal),
    ">": _comparing(np.greater),
    ">=": _comparing(np.greater_equal),
    "==": _comparing(np.equal),
    "!=": _comparing(np.not_equal),
}
LOGIC: Final[Mapping[str, Callable[..., Values]]] = {
    "&&": lambda a, b: _known(np.logical_and(_true(a), _true(b)), a, b),
    "||": lambda a, b: _known(np.logical_or(_true(a), _true(b)), a, b),
    "!": lambda a: _known(np.logical_not(_true(a)), a),
}
TOGETHER: Final[Mapping[str, Callable[..., Values]]] = {
    "+": np.add,
    "-": np.subtract,
    "%": np.mod,
    "min": _least,
    "max": _greatest,
}


def choose(test: Values, yes: Values, no: Values) -> Values:
    """Return `yes` where the test is not 0, else `no`; NaN where the test is missing."""
    return _known(np.where(_true(test), yes, no), test)


def statistic(act: Callable[[Floats], float], x: Values) -> float:
    """Return a statistic of all values that are there; NaN of none."""
    there = np.atleast_1d(np.asarray(x, np.float64))
    there = there[np.isfinite(there)]
    return act(there) if len(there) else math.nan


def raised(base: Values, exponent: Values) -> Values:
    """Return a power. What is missing stays so: for numpy NaN ^ 0 and 1 ^ NaN are 1."""
    return _known(np.power(base, exponent), base, exponent)


def _known(found: Values, *of: Values) -> Values:
    """Return what was found, NaN where an operand is missing."""
    for one in of:
        if _missing_somewhere(one):
            found = np.where(np.isnan(one), np.nan, found)
    return found


def _missing_somewhere(values: Values) -> bool:
    """Return whether a value is NaN. The least is, where one of them is: one pass without a column of its
    own.
    """
    if isinstance(values, float):
        return math.isnan(values)
    if _truths(values) or not values.size:
        return False
    return math.isnan(np.minimum.reduce(values))


def _truths(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "b"


def as_number(values: Values) -> Values:
    """Return 1 and 0 for truths."""
    return values.astype(np.float64) if _truths(values) else values


def rows_of(values: Values, rows: int) -> Floats:
    """Return a value for every row."""
    found = np.asarray(values, np.float64)
    return found if found.ndim else np.full(rows, found)


def floats(values: Array) -> Floats:
    """Return values as float64, what is masked as NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return values.astype(np.float64)
