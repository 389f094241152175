"""The small disorder of real channels: white noise and slow wander, drawn for all cars in one call."""

from math import exp, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ALWAYS: Final = {
    # name: (standard deviation, correlation time in s)
    "throttle": (0.012, 0.12),
    "brake": (0.010, 0.08),
    "wander": (0.35, 2.5),  # m beside the line
    "revs": (6.0, 0.02),  # rpm
    "torque": (3.0, 0.03),  # Nm
    "air": (0.012, 0.25),  # share of drag and downforce
}
_MOVING: Final = {
    "surge": (0.16, 0.05),  # m/s², really driven
    "steering": (0.006, 0.10),
    "shake_x": (0.40, 0.02),  # m/s² at the car's body
    "shake_y": (0.55, 0.02),
    "shake_z": (0.30, 0.02),
    "heave": (0.012, 0.05),  # m/s
    "pitch": (0.0007, 0.06),  # rad
    "roll": (0.0009, 0.06),
    "slide": (0.0025, 0.15),  # rad
    "shaft": (0.35, 0.015),  # Nm
}
_WHEELS: Final = {
    "load": (60.0, 0.03),  # N
    "travel": (0.0004, 0.03),  # m
    "scrub": (0.022, 0.03),  # m/s sideways
    "spin": (0.03, 0.03),  # m/s lengthwise
    "heat": (0.8, 0.03),  # K/s of tyre surface
    "side": (30.0, 0.03),  # N
}
_FULL_MPS: Final = 12.0
"""Speed from which the road shakes a car fully."""


_MASS_S: Final = 0.03
"""What moves has mass: a car answers the road within this, so its noise is no longer white at 50 Hz."""


class Noise:
    """Wander of every row, stepped once per frame: first order, and what moves is smoothed once more.

    Rows are views that stay valid.
    """

    def __init__(self, rng: np.random.Generator, cars: int, dt: float) -> None:
        names = [*_ALWAYS, *_MOVING, *(f"{name}{wheel}" for name in _WHEELS for wheel in range(4))]
        shapes = [*_ALWAYS.values(), *_MOVING.values(), *(row for row in _WHEELS.values() for _ in range(4))]
        keep = np.array([exp(-dt / time) for _, time in shapes])
        self._rng = rng
        self._keep = np.repeat(keep[:, None], cars, axis=1)
        self._gain = np.array([size for size, _ in shapes])[:, None] * np.sqrt(1 - self._keep**2)
        self._rows = np.zeros((len(shapes), cars))
        self._shown = np.zeros_like(self._rows)
        self._fresh = np.empty_like(self._rows)
        self._answer = ease(dt, _MASS_S)
        self._moved = np.zeros((len(shapes) - len(_ALWAYS), cars))
        self._seats = {name: row for row, name in enumerate(names)}

    def step(self, speed: Floats) -> None:
        """Draw the next value of every row. `speed` in m/s: a standing car is not shaken."""
        self._rng.standard_normal(out=self._fresh)
        self._fresh *= self._gain
        self._rows *= self._keep
        self._rows += self._fresh
        always = len(_ALWAYS)
        self._shown[:always] = self._rows[:always]
        moving = np.minimum(speed * (1.0 / _FULL_MPS), 1.0)
        self._moved += (self._rows[always:] - self._moved) * self._answer
        np.multiply(self._moved, moving, out=self._shown[always:])

    def car(self, name: str, count: int = 1) -> Floats:
        """Return one value per car; with `count`, that many rows from `name` on."""
        row = self._seats[name]
        return self._shown[row] if count == 1 else self._shown[row : row + count]

    def wheel(self, name: str) -> Floats:
        """Return one value per (wheel, car)."""
        return self.car(f"{name}0", 4)


def ease(dt: float, time: float) -> float:
    """Share of the way a first-order lag of `time` seconds goes in one step."""
    return 1.0 - exp(-dt / time)


def scatter(dt: float, time: float) -> float:
    """Step size that gives a wander of correlation `time` a standard deviation of 1."""
    return sqrt(1.0 - exp(-2.0 * dt / time))
