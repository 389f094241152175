"""A household for each test that asks for one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.household import House


@pytest.fixture
def house(tmp_path: Path, buffers: Path) -> Iterator[House]:
    """Folders for `rigd run --demo`; the processes of it that are left are killed."""
    with tempfile.TemporaryDirectory(prefix="rigd-run-") as sockets:
        made = House(tmp_path / "data", buffers, Path(sockets))
        yield made
        made.close()
