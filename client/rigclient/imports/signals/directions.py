"""Which way a file's axes point: signs and turns that programs choose freely, told by how the car moved.

In the game's world x and z lie in the plane and y is up, left-handed: a car that drives along (fx, fz) has
(-fz, fx) on its left.
"""

from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_AGREES: Final = 0.5
"""Correlation from which two signals are the same, or each other's reverse."""
_LEAST_ROWS: Final = 50
_WINDOW_S: Final = 0.2
"""Speed and heading are smoothed over so much: positions are told five times a second and more."""


def sign_of(values: Array, expected: Array) -> float:
    """Return 1 where values, shape (rows,), go with what is expected of them, -1 where they go against it; 0
    where they do neither.
    """
    usable = np.isfinite(values) & np.isfinite(expected)
    if usable.sum() < _LEAST_ROWS:
        return 0.0
    one, other = values[usable], expected[usable]
    if not one.std() or not other.std():
        return 0.0
    correlation = float(np.corrcoef(one, other)[0, 1])
    return float(np.sign(correlation)) if abs(correlation) >= _AGREES else 0.0


def forward_acceleration(speed: Array, times: Array) -> Array:
    """Return how fast the speed [m/s] grows [m/s²], shape (rows,); `times` [s] grow."""
    return slope(speed, times)


def leftward_acceleration(plane: Array, times: Array) -> Array:
    """Return the acceleration to the left [m/s²] of a way in the plane, x and z [m], shape (rows, 2)."""
    velocity = np.stack([slope(plane[:, 0], times), slope(plane[:, 1], times)], axis=1)
    change = np.stack([slope(velocity[:, 0], times), slope(velocity[:, 1], times)], axis=1)
    pace = np.maximum(np.linalg.norm(velocity, axis=1), 1.0)
    left = change[:, 1] * velocity[:, 0] - change[:, 0] * velocity[:, 1]
    return np.asarray(left / pace, np.float64)


def slope(values: Array, times: Array) -> Array:
    """Return the slope over 0.2 s around every row, shape (rows,); `times` [s] grow."""
    before = np.interp(times - _WINDOW_S / 2, times, values)
    after = np.interp(times + _WINDOW_S / 2, times, values)
    return np.asarray((after - before) / _WINDOW_S)
