"""`rigd run`: everything on one machine, started, counted and stopped."""

import re
import subprocess
import sys
from pathlib import Path

from rig.channels import PHYSICS
from rig.columns import Layout
from rigd import ring as rings
from rigd.ring import RingReader
from tests.stage import free_port


def run(
    data: Path, buffers: Path, address: str, seconds: str, *more: str
) -> subprocess.CompletedProcess[str]:
    words = ["run", "--demo", "--data", str(data), "--buffers", str(buffers), "--address", address, *more]
    command = [sys.executable, "-m", "rigd", *words, "--ring-size", "64M", "--for", seconds]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def counted(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Ticks captured, committed, streamed, and missing without a word."""
    said = re.search(
        r"captured (\d+) ticks, committed (\d+), streamed (\d+), missed \d+ declared and (\d+) undeclared",
        " ".join(done.stdout.split()),
    )
    assert said, done.stdout + done.stderr
    return [int(count) for count in said.groups()]


def test_a_demo_ends_by_itself_and_counts_what_it_did(tmp_path: Path, buffers: Path) -> None:
    for at, seconds in enumerate(("3", "12", "48")):  # a busy machine starts the game after the first of them
        place = tmp_path / str(at)
        done = run(place, buffers, f"127.0.0.1:{free_port()}", seconds, "--profile", "real")
        captured, committed, streamed, undeclared = counted(done)
        if streamed:
            break
    assert captured == committed
    assert streamed > 0
    assert (undeclared, done.returncode) == (0, 0)
    ring = RingReader(place / "ring")
    data = ring.get(rings.PHYSICS, ring.heads()[rings.PHYSICS])
    ring.close()
    assert data is not None
    columns = Layout(PHYSICS, data, 0, len(data)).view(data, 0)
    assert not columns["engine_water_temp"].any(), "as real recordings have it"
    assert columns["brake_temp"].all()


def test_a_daemon_that_cannot_work_ends_it_with_its_own_words(tmp_path: Path, buffers: Path) -> None:
    done = run(tmp_path, buffers, "0.0.0.0:7340", "3")
    assert done.returncode == 2
    assert "no loopback address" in " ".join(done.stderr.split())
