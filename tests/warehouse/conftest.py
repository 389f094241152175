"""One recorded race for all tests, and rigs on copies of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warehouse.town import Town, race


@pytest.fixture(scope="session")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a race."""
    return race(tmp_path_factory.mktemp("race") / "data")


@pytest.fixture
def town(raced: Path, tmp_path: Path) -> Iterator[Town]:
    """A rig that answers."""
    made = Town(raced, tmp_path)
    yield made
    made.close()
