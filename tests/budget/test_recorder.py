"""What a tick costs the recorder, driven tick by tick."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from tests.budget.recorder import LISTENERS
from tests.budget.table import check
from tests.budget.trace import Window, read_windows

TICKS = 60

READS = {"read", "pread64", "preadv", "preadv2"}
WRITES = {"write", "pwrite64", "writev", "pwritev"}
FLUSHES = {"fdatasync", "fsync", "msync"}
SENDS = {"sendto", "sendmsg"}
SEEKS = {"lseek"}
"""LMDB's, before it writes pages that are neighbours by one call."""


def driven(place: Path, *tracer: str) -> dict[str, float]:
    """What the recorder told of itself."""
    words = [sys.executable, "-m", *tracer, "tests.budget.recorder", place / "buffers", place / "data"]
    done = subprocess.run([*map(str, words), str(TICKS)], stdout=subprocess.PIPE, check=True, timeout=120)
    found: dict[str, float] = json.loads(done.stdout)
    return found


class Tick(NamedTuple):
    """The calls around one tick."""

    look: Window
    """The look that finds the frame: the tick thread, and the committer as far as it is that quick."""
    wait: Window
    """Until it is durable and told."""
    idle: Window
    """A look that finds nothing."""
    after: Window

    @property
    def commit(self) -> Counter[str]:
        """Calls of the committer's thread."""
        return sum((window.others for window in self), Counter())


@pytest.fixture(scope="module")
def figures(shm: Path) -> dict[str, float]:
    return driven(shm / "told")


@pytest.fixture(scope="module")
def ticks(shm: Path) -> list[Tick]:
    out = shm / "windows.json"
    driven(shm / "traced", "tests.budget.trace", str(out), sys.executable, "-m")
    windows = read_windows(out)[-4 * TICKS :]
    return [Tick(*windows[at : at + 4]) for at in range(0, len(windows), 4)]


def usual(ticks: list[Tick], count: Callable[[Tick], int]) -> float:
    """The count of the middle tick: once in a while followers are looked for, or pages are given back."""
    return median(map(count, ticks))


def of(calls: Counter[str], names: set[str]) -> int:
    return sum(calls[name] for name in names)


def other(calls: Counter[str], *known: set[str]) -> int:
    return calls.total() - sum(of(calls, names) for names in known)


def test_a_look_reads_the_games_memory_shows_what_is_there_and_does_nothing_else(ticks: list[Tick]) -> None:
    check("reads of a look that finds a frame", usual(ticks, lambda tick: of(tick.look.main, READS)))
    check("reads of a look that finds nothing", usual(ticks, lambda tick: of(tick.idle.main, READS)))
    check("writes of a look", usual(ticks, lambda tick: of(tick.look.main, WRITES)))
    check("wake-ups of a look and follower", usual(ticks, lambda tick: of(tick.look.main, SENDS)) / LISTENERS)
    rest = usual(ticks, lambda tick: other(tick.look.main, READS, WRITES, SENDS))
    check("other calls of a look", rest)
    check("other calls of a look", usual(ticks, lambda tick: other(tick.idle.main, READS)))


def test_a_commit_writes_flushes_once_and_rings_each_follower_once(ticks: list[Tick]) -> None:
    check("writes per commit", usual(ticks, lambda tick: of(tick.commit, WRITES)))
    check("flushes per commit", usual(ticks, lambda tick: of(tick.commit, FLUSHES)))
    sends = usual(ticks, lambda tick: of(tick.commit, SENDS))
    check("wake-ups per commit and follower", sends / LISTENERS)
    check(
        "other calls of a commit",
        usual(ticks, lambda tick: other(tick.commit, WRITES, FLUSHES, SENDS, SEEKS)),
    )


def test_what_is_counted_happens(ticks: list[Tick]) -> None:
    """Else a tracer that saw nothing would find that all is within its limit."""
    assert len(ticks) == TICKS
    assert all(of(tick.look.main, READS) >= 3 for tick in ticks)
    assert all(of(tick.commit, FLUSHES) >= 1 for tick in ticks)


def test_a_tick_is_one_transaction_one_commit_and_is_told_before_and_after(figures: dict[str, float]) -> None:
    check("transactions per tick", figures["transactions"])
    check("commits per tick", figures["commits"])
    check("wake-ups per commit and follower", figures["datagrams"] / LISTENERS - 1)
    assert min(figures["transactions"], figures["commits"], figures["datagrams"] / LISTENERS) >= 1


def test_little_more_is_written_than_the_tick(figures: dict[str, float]) -> None:
    check("bytes written per byte of a tick", figures["written_bytes"] / figures["tick_bytes"])
    assert figures["written_bytes"] > figures["tick_bytes"] > 30_000, "40 cars, all channels"


def test_a_tick_leaves_no_memory_behind_and_takes_little_beyond_its_record(figures: dict[str, float]) -> None:
    check("blocks of memory that a tick leaves", figures["kept_blocks"])
    check("bytes of memory that a tick leaves", figures["kept_bytes"])
    check("bytes that a look takes beyond its record", figures["peak_bytes"] - figures["tick_bytes"])
