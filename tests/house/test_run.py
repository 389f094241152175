"""`rigd run`: everything on one machine, started, counted and stopped."""

import re
import subprocess
import sys
from pathlib import Path

from tests.stage import free_port


def run(data: Path, buffers: Path, address: str, seconds: str) -> subprocess.CompletedProcess[str]:
    words = ["run", "--demo", "--data", str(data), "--buffers", str(buffers), "--address", address]
    command = [sys.executable, "-m", "rigd", *words, "--ring-size", "64M", "--for", seconds]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_demo_ends_by_itself_and_counts_what_it_did(tmp_path: Path, buffers: Path) -> None:
    done = run(tmp_path, buffers, f"127.0.0.1:{free_port()}", "3")
    said = re.search(
        r"captured (\d+) ticks, committed (\d+), streamed (\d+), missed \d+ declared and (\d+) undeclared",
        " ".join(done.stdout.split()),
    )
    assert said, done.stdout + done.stderr
    captured, committed, streamed, undeclared = map(int, said.groups())
    assert captured == committed
    assert streamed > 0
    assert (undeclared, done.returncode) == (0, 0)


def test_a_daemon_that_cannot_work_ends_it_with_its_own_words(tmp_path: Path, buffers: Path) -> None:
    done = run(tmp_path, buffers, "0.0.0.0:7340", "3")
    assert done.returncode == 2
    assert "no loopback address" in " ".join(done.stderr.split())
