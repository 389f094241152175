"""Pit stops: who comes in when, the way through the lane, and what is done at the box."""

from dataclasses import dataclass
from enum import IntEnum
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.circuit import DemoCircuit
from rigd.demo.motion import Motion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class PitStage(IntEnum):
    """The game's mPitState."""

    NONE = 0
    REQUEST = 1
    ENTERING = 2
    STOPPED = 3
    EXITING = 4


NEVER: Final = 1 << 30
_APPROACH_MPS2: Final = 7.0
"""Braking for the pit entry: gentler than for a corner, as a speeding penalty costs more."""
_BOX_MPS2: Final = 3.5
_CREEP_MPS: Final = 0.9
"""Speed on the last centimetres to the box."""
_BOX_SIDE_M: Final = -3.5
_STINT_LAPS: Final = (6, 10)
_FIRST_STOP: Final = (2, 6)


@dataclass(frozen=True)
class Move:
    """A car changed its pit stage."""

    car: int
    stage: PitStage


class PitStops:
    """The pit stage of every car. Only cars that are coming in, in, or going out cost time."""

    def __init__(self, circuit: DemoCircuit, motion: Motion, rng: np.random.Generator) -> None:
        cars = len(motion.s)
        self.stage: Ints = np.zeros(cars, np.int64)
        self.next_stop: Ints = rng.integers(*_FIRST_STOP, cars, endpoint=True)
        """Lap number on which a car comes in."""
        self.stops: Ints = np.zeros(cars, np.int64)
        self.box: Floats = self._boxes(circuit, cars)
        """m from the line, of every car's box."""
        self._circuit, self._motion, self._rng = circuit, motion, rng
        self._until = np.zeros(cars)
        self._busy: Ints = np.zeros(0, np.int64)

    def in_lane(self) -> npt.NDArray[np.bool_]:
        """Return which cars are between pit entry and pit exit."""
        return self.stage >= PitStage.ENTERING

    def call_in(self, laps: Ints, zone: Ints, last_lap: float) -> list[Move]:
        """Call in who asks at this moment: from sector 2 of the planned lap, not on the last lap of the
        race.
        """
        due = (self.stage == PitStage.NONE) & (laps == self.next_stop) & (zone >= 1) & (laps < last_lap - 1)
        return [self._move(int(car), PitStage.REQUEST) for car in np.flatnonzero(due)]

    def cap(self, limit: Floats) -> None:
        """Lower the speed limits in `limit` for cars on their way to, through and out of the lane."""
        for car in self._busy:
            limit[car] = min(limit[car], self._speed(car))

    def step(self, clock: float) -> list[Move]:
        """Return stages that changed at session clock `clock`."""
        moves = []
        for car in self._busy:
            stage = self._due(car, clock)
            if stage is not None:
                moves.append(self._move(int(car), stage))
        return moves

    def begin_stop(self, car: int, clock: float, seconds: float) -> None:
        """Hold a car at its box for `seconds`."""
        self._until[car] = clock + seconds
        self.stops[car] += 1
        self.next_stop[car] = NEVER

    def plan_next(self, car: int, lap: int) -> None:
        """Choose the lap of the following stop."""
        self.next_stop[car] = lap + int(self._rng.integers(*_STINT_LAPS))

    def retire(self, car: int) -> None:
        """Take a car out of the lane's traffic for good."""
        self.next_stop[car] = NEVER
        self._move(car, PitStage.NONE)

    def offset(self, car: int) -> float:
        """Return metres left of the centre line where a car in the lane should be."""
        near = abs(self._into(self.box[car]) - self._into(self._motion.s[car])) < 25.0
        aside = near and self.stage[car] in (PitStage.ENTERING, PitStage.STOPPED)
        return self._circuit.pit_offset + (_BOX_SIDE_M if aside else 0.0)

    def steer(self, beside: Floats, line_offset: Floats) -> None:
        """Set the wanted side, m left of the racing line, of every car in the lane."""
        for car in self._busy:
            if self.stage[car] >= PitStage.ENTERING:
                beside[car] = self.offset(car) - line_offset[car]

    @staticmethod
    def _boxes(circuit: DemoCircuit, cars: int) -> Floats:
        """Return boxes along 70 % of the lane, shared by two cars of a team."""
        half = 0.35 * circuit.pit_length
        teams = (cars + 1) // 2
        places = np.linspace(-half, half, teams + 2)[1:-1].repeat(2)[:cars]
        return np.asarray(places % circuit.length)

    def _move(self, car: int, stage: PitStage) -> Move:
        self.stage[car] = stage
        self._busy = np.flatnonzero(self.stage != PitStage.NONE)
        return Move(car, stage)

    def _into(self, s: float) -> float:
        """Return metres behind the pit entry, 0 <= m < length."""
        return (s - self._circuit.pit_entry) % self._circuit.length

    def _speed(self, car: int) -> float:
        """Return speed in m/s allowed by the stage."""
        limit, into = self._circuit.pit_limit, self._into(self._motion.s[car])
        stage = self.stage[car]
        if stage == PitStage.REQUEST:
            return sqrt(limit * limit + 2.0 * _APPROACH_MPS2 * max(self._circuit.length - into - 4.0, 0.0))
        if stage == PitStage.STOPPED:
            return 0.0
        if stage == PitStage.EXITING:
            return limit
        left = self._into(self.box[car]) - into
        return min(limit, max(sqrt(2.0 * _BOX_MPS2 * max(left, 0.0)), _CREEP_MPS))

    def _due(self, car: int, clock: float) -> PitStage | None:
        """Return the stage that follows, if its moment has come."""
        into, stage = self._into(self._motion.s[car]), self.stage[car]
        if stage == PitStage.REQUEST:
            return PitStage.ENTERING if into < self._circuit.pit_length else None
        if stage == PitStage.ENTERING:
            return PitStage.STOPPED if into >= self._into(self.box[car]) else None
        if stage == PitStage.STOPPED:
            return PitStage.EXITING if clock >= self._until[car] else None
        return PitStage.NONE if into >= self._circuit.pit_length else None
