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
        self._place, self._time = np.zeros(cars), np.zeros(cars)
        self._station = np.zeros(cars, np.int64)

    def close(self, car: int, seconds: float, best: bool) -> None:
        """End a lap; `best` makes it the one to beat."""
        self._running[car, STATIONS] = seconds
        if best:
            self._best[car] = self._running[car]

    def update(self, s: Floats, into_lap: Floats) -> Floats:
        """Return seconds behind the best lap (negative: ahead) at `s` metres, `into_lap` seconds after its
        start.

        Called five times a second, so that no car passes two stations between calls.
        """
        place = s * self._per_m
        station = np.minimum(place.astype(np.int64), STATIONS - 1)
        self._note(place, station, into_lap)
        before, after = self._best[self._cars, station], self._best[self._cars, station + 1]
        then = before + (after - before) * (place - station)
        return np.asarray(np.nan_to_num(into_lap - then))

    def _note(self, place: Floats, station: npt.NDArray[np.int64], into_lap: Floats) -> None:
        """Keep the interpolated time of every car that passed a station since the last call."""
        passed = np.flatnonzero((station != self._station) & (station > 0) & (place > self._place))
        share = (place[passed] - station[passed]) / (place[passed] - self._place[passed])
        since = into_lap[passed] - self._time[passed]
        self._running[passed, station[passed]] = into_lap[passed] - share * since
        self._place, self._station, self._time = place, station, into_lap
