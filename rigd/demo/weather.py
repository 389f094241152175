"""Sky and road surface: rain that comes and goes, and what it does to grip."""

from dataclasses import dataclass
from math import cos, exp, pi, sin
from typing import Final

import numpy as np

_CYCLE_S: Final = 660.0
"""From shower to shower; the first one peaks between 130 s and 230 s into a session."""
_SOAK_S: Final = 25.0
_DRY_S: Final = 110.0
_WET_LOSS: Final = 0.24
"""Share of friction lost on a soaked road."""


@dataclass
class Weather:
    """State of the weather at the session clock given to `advance`."""

    phase: float
    cloud: float = 0.2
    """0..1"""
    rain: float = 0.0
    """0..1"""
    wetness: float = 0.0
    """Average over the path, 0..1."""
    ambient: float = 21.0
    """°C"""
    track: float = 29.0
    """°C"""
    wind: tuple[float, float, float] = (2.0, 0.0, 1.0)
    """m/s, world axes"""

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Weather":
        """Draw a sky of its own for each session."""
        return cls(phase=float(rng.uniform(130.0, 230.0)))

    def advance(self, clock: float, dt: float) -> None:
        """Move to session clock `clock`, `dt` seconds after the last call."""
        swing = cos(2 * pi * (clock - self.phase) / _CYCLE_S)
        self.cloud = min(max(0.45 + 0.65 * swing, 0.05), 1.0)
        self.rain = min(max((swing - 0.72) * 3.2, 0.0), 0.9)
        self.wetness += self._soaking(dt)
        self.ambient = 21.5 - 3.0 * self.cloud - 1.5 * self.rain + 0.3 * sin(clock / 97.0)
        self.track = self.ambient + 11.0 * (1.0 - 0.8 * self.cloud) - 4.0 * self.wetness
        turn = 0.4 + 0.3 * sin(clock / 61.0)
        speed = 2.0 + 3.0 * self.cloud + 0.6 * sin(clock / 7.3)
        self.wind = (speed * cos(turn), 0.0, speed * sin(turn))

    def _soaking(self, dt: float) -> float:
        if self.rain > self.wetness:
            return (self.rain - self.wetness) * (1.0 - exp(-dt / _SOAK_S))
        return (self.rain - self.wetness) * (1.0 - exp(-dt / _DRY_S))

    @property
    def grip(self) -> float:
        """Friction relative to the dry road."""
        return 1.0 - _WET_LOSS * self.wetness
