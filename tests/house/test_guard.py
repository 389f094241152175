"""A killed run of the tests leaves no process behind."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage import until

ROOT = Path(__file__).resolve().parents[2]

_RUN = """
import subprocess, sys, time
from tests import guard

guard.post()
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
own_session = subprocess.Popen(sleep, start_new_session=True)
parent = [sys.executable, "-c", f"import subprocess; subprocess.run({sleep!r})"]
between = subprocess.Popen(parent)
print(own_session.pid, between.pid, flush=True)
time.sleep(600)
"""


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended and that nobody has waited for does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_it_started_ends_with_it(number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _RUN], stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        assert run.stdout is not None
        own_session, between = map(int, run.stdout.readline().split())
        until(lambda: bool(children(between)))
        started = [own_session, between, *children(between)]
        (guard,) = set(children(run.pid)) - set(started)
        assert all(map(alive, started))
        run.send_signal(number)
        run.wait()
        until(lambda: not any(map(alive, started)))
        until(lambda: not alive(guard))


def test_what_others_started_is_left_alone() -> None:
    """Also where its environment looks much the same."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    marked = {**os.environ, "RIGD_TEST_RUN": "another"}
    with subprocess.Popen(sleep, env=marked) as other:
        with subprocess.Popen(
            [sys.executable, "-c", _RUN], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as run:
            assert run.stdout is not None
            own_session = int(run.stdout.readline().split()[0])
            run.kill()
        until(lambda: not alive(own_session))
        assert alive(other.pid)
        other.kill()
