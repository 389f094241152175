"""A demo run for each test that asks for one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.demo_run import DemoRun


@pytest.fixture
def demo(tmp_path: Path, buffers: Path) -> Iterator[DemoRun]:
    """Folders for `rigd run --demo`; the processes of it that are left are killed."""
    with tempfile.TemporaryDirectory(prefix="rigd-run-") as sockets:
        made = DemoRun(tmp_path / "data", buffers, Path(sockets))
        yield made
        made.close()
