"""One hypothesis profile for all tests: the same examples on every run.

`RIGD_EXAMPLES` raises the number of examples per property for a longer search.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get("RIGD_EXAMPLES", "60")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")


@pytest.fixture
def buffers() -> Iterator[Path]:
    """A folder for the game's buffers, in memory as the real one."""
    with tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as folder:
        yield Path(folder)
