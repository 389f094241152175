"""A race of the simulated game that is driven once for all tapes of a process, and mostly of a run."""

import fcntl
import functools
import os
import pickle
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rigd.demo.journal import Event
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring

FOLDER: Final = "RIGD_TEST_FRAMES"
"""Variable of the environment: where the processes of a run have the frames that one has simulated."""
_USUAL: Final = (3, True)
"""Cars and circuit of most tapes."""
_USUAL_S: Final = 121
"""As long as any of them looks: 2 s of a core."""


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


class RaceFrames:
    """Frames of a race, each simulated when it is first asked for. The newest is held, or with `kept` all."""

    def __init__(
        self, cars: int, short: bool, *, kept: bool = False, real: bool = False, seed: int = 3
    ) -> None:
        self.race = Race(cars, seed, laps=20, short=short, real=real)
        self.scoring = Scoring(self.race)
        self._kept = kept
        self._frames: dict[int, Frame] = {}
        self._score([])

    def frame(self, number: int) -> Frame:
        """The frame after so many steps."""
        while number not in self._frames:
            self._step()
        return self._frames[number]

    def share(self, path: Path) -> None:
        """Take the first frames from the file, which the process that needs them first makes."""
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                self._frames = pickle.loads(path.read_bytes())
            else:
                self.frame(_USUAL_S * self.race.rate)
                path.write_bytes(pickle.dumps(self._frames))

    def _step(self) -> None:
        last = self._frames[self.race.frame]
        events = self.race.step()
        if self.race.scoring_due:
            self._score(events)
        else:
            self._hold(events, last.info, last.vehicles, scored=False)

    def _score(self, events: list[Event]) -> None:
        self.scoring.update()
        self._hold(events, self.scoring.info.tobytes(), self.scoring.vehicles.tobytes(), scored=True)

    def _hold(self, events: list[Event], info: bytes, vehicles: bytes, *, scored: bool) -> None:
        if not self._kept:
            self._frames.clear()
        records = self.race.records.tobytes()
        self._frames[self.race.frame] = Frame(self.race.clock, events, records, info, vehicles, scored)


class Screen:
    """Arrays that show one frame of a race after the other, as the game's memory does."""

    def __init__(self, frames: RaceFrames) -> None:
        self.records = np.empty_like(frames.race.records)
        self.info = np.empty_like(frames.scoring.info)
        self.vehicles = np.empty_like(frames.scoring.vehicles)

    def show(self, frame: Frame) -> None:
        """Put a frame into the arrays."""
        _fill(self.records, frame.records)
        _fill(self.info, frame.info)
        _fill(self.vehicles, frame.vehicles)


def _fill(table: np.ndarray[Any, Any], data: bytes) -> None:
    table.reshape(-1).view(np.uint8)[:] = np.frombuffer(data, np.uint8)


@functools.cache
def shared_frames(cars: int, short: bool) -> RaceFrames:
    """The race that all tapes of this size show: simulating it takes longer than recording it."""
    frames = RaceFrames(cars, short, kept=True)
    if FOLDER in os.environ and (cars, short) == _USUAL:
        frames.share(Path(os.environ[FOLDER]) / "race")
    return frames
