"""A loop that hangs while all other threads of its process live: the unit's watchdog has it started anew."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.manager import Manager
from tests.stage import free_port, until

WATCHDOG_S = 8.0
"""Instead of the 30 s of the units. Work is told as slow after 5 s, and dead after five sixths of this."""

HANGS = {
    "tick thread": ("rigd-record", "rigd.record.recorder", "Recorder._turn"),
    "committer": ("rigd-record", "rigd.record.committer", "Committer._write"),
    "archiver": ("rigd-archive", "rigd.archive.archiver", "Archiver._work"),
    "event loop": ("rigd-serve", "rigd.serve.feed", "Feed._refresh"),
}
"""What the watchdog calls it: its unit, and a function that it calls."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as `rigd install` writes them."""
    words = ("install", "--user", "--root", str(tmp_path))
    subprocess.run([sys.executable, "-m", "rigd", *words], check=True, capture_output=True)
    (found,) = tmp_path.rglob("systemd/user")
    return found


@pytest.fixture
def managed(units: Path, tmp_path: Path, buffers: Path) -> Iterator[dict[str, Manager]]:
    """Each unit run as systemd does, told to hang in its first round."""
    more = {
        "rigd-record": ("--buffers", str(buffers), "--ring-size", "64M"),
        "rigd-archive": (),
        "rigd-serve": ("--address", f"127.0.0.1:{free_port()}"),
    }
    running = {}
    for part, (unit, module, name) in HANGS.items():
        folder = tmp_path / part.replace(" ", "-")
        folder.mkdir()
        (folder / "hang").touch()
        instead = (sys.executable, "-m", "tests.house.hanging", str(folder / "hang"), module, name)
        data = ("--data", str(folder / "data"), *more[unit])
        running[part] = Manager(units / f"{unit}.service", folder, instead, data, WATCHDOG_S)
    yield running
    for manager in running.values():
        manager.close()


def test_a_loop_that_hangs_is_started_anew(managed: dict[str, Manager]) -> None:
    for part, manager in managed.items():
        until(lambda manager=manager: manager.aborted > 0)  # type: ignore[misc]
        assert f"the {part} makes no progress" in manager.told, "its other threads lived"
        until(lambda manager=manager: manager.ready > 1 and manager.status == "works")  # type: ignore[misc]
        trace = manager.log.read_text()
        assert "Aborted" in trace
        assert "hanging.py" in trace, "where it hung stands in the log"
        assert manager.process.poll() is None
