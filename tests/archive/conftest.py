"""Rings for the archiver to read: written through the recorder's own encoder, without a game or a clock."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigd.archive.archiver import Archiver, Settings
from tests.archive.tape import ROOMY, Tape, drained
from tests.once import once

RACE_S = 60.0


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    """A race of three cars, as far as it is driven."""
    made = Tape(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def recorded_race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a race that nobody has archived."""
    return once(tmp_path_factory, "recorded-race", lambda folder: _record(folder / "data")) / "data"


@pytest.fixture(scope="session")
def archived_race(recorded_race: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its laps archived."""

    def make(folder: Path) -> None:
        data = shutil.copytree(recorded_race, folder / "data")
        drained(Archiver(Settings(data, ROOMY))).close()

    return once(tmp_path_factory, "archived-race", make) / "data"


@pytest.fixture
def driven(recorded_race: Path, tmp_path: Path) -> Path:
    """A copy of the recorded race."""
    return shutil.copytree(recorded_race, tmp_path / "copy")


@pytest.fixture
def archived(archived_race: Path, tmp_path: Path) -> Path:
    """A copy of the archived race."""
    return shutil.copytree(archived_race, tmp_path / "copy")


def _record(data: Path) -> None:
    tape = Tape(data)
    tape.drive(RACE_S)
    tape.finish()
    tape.close()
