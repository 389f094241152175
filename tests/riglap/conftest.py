"""A rig that tells of laps, and a race that was recorded without a clock."""

from pathlib import Path

import pytest

from riglap.circuits.circuit import Circuit, circuit_of
from riglap.circuits.survey import survey, updates_of
from riglap.compare import with_splits
from riglap.lap import Lap
from tests.once import once
from tests.rigclient.conftest import lap_rig as lap_rig
from tests.riglap.raced import Raced, drive, quiet


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory) -> Raced:
    """Three cars, three laps of the grand circuit each, and nothing happens but driving."""
    return Raced(once(tmp_path_factory, "raced", lambda folder: drive(folder, change=quiet)))


@pytest.fixture(scope="session")
def real_race(tmp_path_factory: pytest.TempPathFactory) -> Raced:
    """Four cars on the short circuit, with what real recordings hold and no more."""
    return Raced(once(tmp_path_factory, "raced-real", real_drive))


@pytest.fixture(scope="session")
def laps(race: Raced) -> list[Lap]:
    return race.laps()


@pytest.fixture(scope="session")
def circuit(laps: list[Lap]) -> Circuit:
    """The surveyed circuit of the race."""
    return surveyed(laps)


def surveyed(laps: list[Lap]) -> Circuit:
    info = laps[0].info
    found = circuit_of(info.track_name, info.track_length, survey(updates_of(laps), info.track_length))
    return with_splits(found, laps)


def real_drive(folder: Path) -> None:
    """Fill a folder with a race on the short circuit, traffic, stops and incidents included."""
    drive(folder, short=True, real=True, cars=4, seconds=250, seed=4)
