"""A folder in memory and a running plugin in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.plugin import Plugin


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the buffers are in real life: a tmpfs, whose files behave otherwise than a disk's."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="rigd-test-", dir=shm if shm.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def plugin(folder: Path) -> Iterator[Plugin]:
    with Plugin(folder) as running:
        yield running
