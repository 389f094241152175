"""Folders in memory: what is counted is the same there as on a disk, and nobody waits for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.conftest import recorder_process as recorder_process


@pytest.fixture(scope="module")
def shm() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rigd-budget-", dir="/dev/shm") as folder:
        yield Path(folder)
