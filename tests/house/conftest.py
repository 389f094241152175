"""A demo run for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.demo_run import DemoRun, demo_run


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[DemoRun]:
    """Folders for `rigd run --demo`; the processes of it that are left are killed."""
    with demo_run(tmp_path / "data") as made:
        yield made
