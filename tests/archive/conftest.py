"""Rings for the archiver to read: written through the recorder's own encoder, without a game or a clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.tape import Tape


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    """A race of three cars, as far as it is driven."""
    made = Tape(tmp_path)
    yield made
    made.close()
