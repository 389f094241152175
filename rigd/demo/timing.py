"""Laps and sectors: lines crossed, times to the clock's own precision, and what the game keeps of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.circuit import DemoCircuit
from rigd.demo.motion import Motion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NO_TIME: Final = -1.0
"""What the game writes where there is no time; a sector not yet driven is 0 instead."""


@dataclass(frozen=True)
class Crossing:
    """A car passed the end of a sector."""

    car: int
    zone: int
    """Sector entered, 0..2; 0 at the start line."""
    at: float
    """s of session clock, interpolated between frames."""


@dataclass(frozen=True)
class DrivenLap:
    """A completed lap."""

    car: int
    number: int
    """0-based, as the game counts."""
    start: float
    end: float
    sector1: float
    sector2: float
    """Both in s, each on its own."""
    valid: bool
    pit: bool
    """The car was in the pit lane at some time of the lap."""

    @property
    def time(self) -> float:
        """Seconds; exactly the difference of the two clocks the game shows."""
        return self.end - self.start

    @property
    def sector3(self) -> float:
        """Seconds from the second split to the line."""
        return self.time - self.sector1 - self.sector2


class Timing:
    """The state of the clocks of all cars. Times in s, -1 or 0 where there is none."""

    def __init__(self, circuit: DemoCircuit, motion: Motion) -> None:
        cars = len(motion.s)
        self._circuit, self._motion = circuit, motion
        self.started: Flags = np.zeros(cars, bool)
        """Crossed the line for the first time since the start of the race."""
        self.zone: Ints = self._zones()
        self.laps: Ints = np.zeros(cars, np.int64)
        self.lap_start: Floats = np.zeros(cars)
        self.valid: Flags = np.ones(cars, bool)
        self.touched_pit: Flags = np.zeros(cars, bool)
        self.current: Floats = np.zeros((2, cars))
        """Sector 1 and sector 1+2 of the running lap."""
        self._splits: Floats = np.zeros((2, cars))  # the same, kept also while the lap does not count
        self.last: Floats = np.full((3, cars), NO_TIME)
        """Sector 1, sector 1+2 and lap."""
        self.best: Floats = np.full((3, cars), NO_TIME)
        """Best sector 1, best sector 1+2, best lap, each of its own lap."""
        self.best_lap_sectors: Floats = np.full((2, cars), NO_TIME)

    def sector(self) -> Ints:
        """Return the 0-based sector per car; the grid counts as sector 1, as the first lap has begun
        there.
        """
        return np.where(self.started, self.zone, 0)

    def progress(self) -> Floats:
        """Return metres driven since the start line, negative on the grid."""
        behind = ~self.started & (self._motion.s > self._circuit.length / 2)
        return self.laps * self._circuit.length + self._motion.s - behind * self._circuit.length

    def place(self, car: int) -> None:
        """Take up a car's new position after it was set down somewhere."""
        self.zone[car] = self._zones()[car]

    def crossings(self, clock: Floats, dt: float) -> list[Crossing]:
        """Return sector ends passed in the step that led to `clock` (per car), in order of time."""
        zone = self._zones()
        if np.array_equal(zone, self.zone):
            return []
        bounds = (0.0, *self._circuit.splits)
        found = []
        for car in np.flatnonzero(zone != self.zone):
            over = self._motion.s[car] - bounds[zone[car]]
            at = float(clock[car] - dt * over / self._motion.gone[car])
            found.append(Crossing(int(car), int(zone[car]), at))
        self.zone = zone
        return sorted(found, key=lambda crossing: crossing.at)

    def score(self, crossing: Crossing) -> DrivenLap | None:
        """Enter a crossing into the books; the completed lap if it was one."""
        car = crossing.car
        if crossing.zone:
            split = crossing.at - self.lap_start[car]
            self.current[crossing.zone - 1, car] = split if self.valid[car] else NO_TIME
            self._splits[crossing.zone - 1, car] = split
            return None
        if not self.started[car]:
            self.started[car] = True
            return None
        return self._complete(car, crossing.at)

    def spoil(self, car: int) -> None:
        """Spoil the running lap: it does not count any more, and its sector times vanish."""
        self.valid[car] = False
        self.current[:, car] = NO_TIME

    def _complete(self, car: int, at: float) -> DrivenLap:
        one, two = self._splits[:, car].tolist()
        number, start = int(self.laps[car]), float(self.lap_start[car])
        lap = DrivenLap(
            car, number, start, at, one, two - one, bool(self.valid[car]), bool(self.touched_pit[car])
        )
        self._keep(lap)
        self.laps[car] += 1
        self.lap_start[car] = at
        self.valid[car], self.touched_pit[car] = True, False
        self.current[:, car] = 0.0
        return lap

    def _keep(self, lap: DrivenLap) -> None:
        """Keep last and best times. A lap that does not count leaves no last time."""
        if not lap.valid:
            self.last[:, lap.car] = NO_TIME
            return
        times = np.array((lap.sector1, lap.sector1 + lap.sector2, lap.time))
        best = self.best[:, lap.car]
        if best[2] < 0.0 or lap.time < best[2]:
            self.best_lap_sectors[:, lap.car] = times[:2]
        self.last[:, lap.car] = times
        self.best[:, lap.car] = np.where((best < 0.0) | (times < best), times, best)

    def _zones(self) -> Ints:
        """Return sector by position alone."""
        first, second = self._circuit.splits
        s = self._motion.s
        return (s >= first).astype(np.int64) + (s >= second)
