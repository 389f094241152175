"""The archiver on a busy machine: it makes progress, and takes more the nearer a lap is to its eviction."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rigd import ring as rings
from rigd.archive.urgency import NiceThreads, eviction, nice_now, urgency
from rigd.ring import RingReader
from tests.archive.tape import Tape
from tests.stage import until

SPIN = "while True: pass"


@contextlib.contextmanager
def one_busy_core() -> Iterator[None]:
    """A single core for all that is started here, and a process that never rests on it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    loop = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        loop.kill()
        loop.wait()


def test_where_a_busy_loop_takes_every_core_it_archives(tmp_path: Path) -> None:
    """With SCHED_IDLE it got nothing."""
    tape = Tape(tmp_path / "data")
    tape.drive(20.0)
    tape.finish()
    closed = len(tape.closed())
    tape.close()
    words = ("rigd", "archive", "--data", str(tape.data), "--min-free", "16M", "--hard-floor", "16M")
    with one_busy_core():
        process = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL)
        try:
            until(lambda: len(list(tape.data.glob("laps/*/[!.]*.lap"))) == closed > 0)
            assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH
        finally:
            process.terminate()
            process.wait(300)


def test_a_lap_nears_its_eviction_as_the_ring_fills(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "data", limit_bytes=32 << 20)
    near = []
    for _ in range(4):
        tape.drive(20.0)
        tape.close()
        with contextlib.closing(RingReader(tape.data / "ring")) as ring:
            near.append(eviction(ring, 0))
            assert eviction(ring, ring.heads()[rings.EVENTS]) == 0.0, "nothing waits"
        tape.resume()
    tape.close()
    assert near == sorted(near)
    assert 0 <= near[0] < near[-1] <= 1.0


def test_the_nearer_the_nicer_to_itself() -> None:
    assert [urgency(near).name for near in (0.0, 0.29, 0.3, 0.6, 1.0)] == [
        *("relaxed", "relaxed", "pressed", "urgent", "urgent")
    ]
    threads = NiceThreads()
    own = nice_now()
    found = [threads.work(urgency(near), nice_now) for near in (0.0, 0.9, 0.5, 0.0)]
    threads.close()
    assert found == [max(own, 10), max(own, 0), max(own, 5), max(own, 10)]
    assert nice_now() == own, "it comes down again"


def test_a_status_says_both(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "data")
    tape.drive(60.0)
    archiver = tape.archiver()
    archiver._say()
    status = archiver._watchdog.archiver
    assert status is not None
    assert status.behind > 0
    assert 0 < status.eviction < 1
    assert status.urgency == "relaxed"
    archiver.close()
