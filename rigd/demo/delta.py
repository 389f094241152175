"""Time gained or lost against each car's own best lap, as the game shows it while driving."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STATIONS: Final = 96
"""Places along the lap where times are kept: one every 48 m, between which time is interpolated."""


class Delta:
    """The running lap and the best lap of every car, as seconds at each station."""

    def __init__(self, cars: int, length: float) -> None:
        self._per_m = STATIONS / length
        self._cars = np.arange(cars)
        self._running = np.zeros((cars, STATIONS + 1))
        self._best = np.full((cars, STATIONS + 1), np.nan)

    def close(self, car: int, seconds: float, best: bool) -> None:
        """A lap ended; `best` makes it the one to beat."""
        self._running[car, STATIONS] = seconds
        if best:
            self._best[car] = self._running[car]

    def update(self, s: Floats, into_lap: Floats) -> Floats:
        """Seconds behind the best lap (negative: ahead) at `s` metres, `into_lap` seconds after its start.

        Called a few times a second: a fast car passes one station or two between calls, and both get the
        time at which it was seen behind them.
        """
        place = s * self._per_m
        station = np.minimum(place.astype(np.int64), STATIONS - 1)
        self._running[self._cars, station] = into_lap
        self._running[self._cars, np.maximum(station - 1, 0)] = np.where(
            station > 0, np.minimum(self._running[self._cars, np.maximum(station - 1, 0)], into_lap), into_lap
        )
        before, after = self._best[self._cars, station], self._best[self._cars, station + 1]
        then = before + (after - before) * (place - station)
        return np.nan_to_num(into_lap - then)
