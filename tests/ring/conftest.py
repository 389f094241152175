"""Where a ring is in these tests."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The folder of a ring that is not there yet."""
    return tmp_path / "ring"
