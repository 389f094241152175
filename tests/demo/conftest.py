"""One race and one drive, stepped without wall time, shared by the tests of this folder."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from rigd.demo.journal import Event
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring

Floats = npt.NDArray[np.float64]


@dataclass
class Story:
    """What a whole short race told, and what its scoring showed at every update."""

    race: Race
    events: list[Event] = field(default_factory=list)
    tables: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    lap_starts: list[tuple[float, Floats, npt.NDArray[np.int32]]] = field(default_factory=list)
    """(clock, mLapStartET, mLapNumber) of all cars at every frame where one of them changed."""

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["kind"] == kind]


@pytest.fixture(scope="session")
def story() -> Story:
    """Sixteen cars, six laps of the short circuit, to the end."""
    race = Race(16, seed=5, short=True, laps=6)
    found, scoring = Story(race), Scoring(race)
    before = race.records["mLapStartET"].copy()
    while not race.over:
        found.events += race.step()
        if not np.array_equal(before, race.records["mLapStartET"]):
            before = race.records["mLapStartET"].copy()
            found.lap_starts.append((race.clock, before, race.records["mLapNumber"].copy()))
        if race.scoring_due:
            scoring.update()
            found.tables.append((scoring.info.copy(), scoring.vehicles.copy()))
    return found


@pytest.fixture(scope="session")
def drive() -> np.ndarray:
    """Telemetry of eight cars on the grand circuit for 84 s: (frame, car) records."""
    race = Race(8, seed=2)
    frames = np.zeros((4200, 8), race.records.dtype)
    for frame in frames:
        race.step()
        frame[:] = race.records
    return frames
