"""Where disks after a power cut are laid out."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of disks are written to it."""
    with tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as folder:
        yield Path(folder)
