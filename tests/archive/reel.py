"""A race of the simulated game that is driven once for all tapes of a process."""

import functools
from typing import Any, NamedTuple

import numpy as np

from rigd.demo.journal import Event
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring


class Frame(NamedTuple):
    """What the game shows after a step. Records are bytes: numpy copies them field by field."""

    clock: float
    events: list[Event]
    records: bytes
    info: bytes
    """Of the newest scoring update, as `vehicles`."""
    vehicles: bytes
    scored: bool
    """The scoring update is of this frame."""


class Reel:
    """Frames of a race, each simulated when it is first asked for."""

    def __init__(self, cars: int, short: bool) -> None:
        self.race = Race(cars, 3, laps=20, short=short)
        self.scoring = Scoring(self.race)
        self._frames: list[Frame] = []
        self._shoot([], scored=True)

    def frame(self, number: int) -> Frame:
        """The frame after so many steps."""
        while len(self._frames) <= number:
            self._shoot(self.race.step(), scored=self.race.scoring_due)
        return self._frames[number]

    def _shoot(self, events: list[Event], *, scored: bool) -> None:
        if scored:
            self.scoring.update()
            tables = self.scoring.info.tobytes(), self.scoring.vehicles.tobytes()
        else:
            tables = self._frames[-1].info, self._frames[-1].vehicles
        self._frames.append(Frame(self.race.clock, events, self.race.records.tobytes(), *tables, scored))


class Screen:
    """Arrays that show one frame of a reel after the other, as the game's memory does."""

    def __init__(self, reel: Reel) -> None:
        self.records = np.empty_like(reel.race.records)
        self.info = np.empty_like(reel.scoring.info)
        self.vehicles = np.empty_like(reel.scoring.vehicles)

    def show(self, frame: Frame) -> None:
        """Put a frame into the arrays."""
        _fill(self.records, frame.records)
        _fill(self.info, frame.info)
        _fill(self.vehicles, frame.vehicles)


def _fill(table: np.ndarray[Any, Any], data: bytes) -> None:
    table.reshape(-1).view(np.uint8)[:] = np.frombuffer(data, np.uint8)


@functools.cache
def reel(cars: int, short: bool) -> Reel:
    """The race that all tapes of this size show: simulating it takes longer than recording it."""
    return Reel(cars, short)
