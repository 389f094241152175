"""Appending ticks durably: our ring beside SQLite, MCAP and Redis.

python -m tests.bench.peers.append
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.peers import daemons
from tests.bench.peers.rounds import Figures, in_turn, named
from tests.bench.peers.stores import STORES
from tests.bench.peers.ticks import keep, race_ticks
from tests.stage import Stage, answer, stage

_RATE_HZ: Final = 50
_POOL: Final = 128
"""Different ticks. A chunk of MCAP holds 30, so that none meets itself within it."""

_FSYNC: Final = {"redis_always": "always", "redis_everysec": "everysec"}


class Plan(NamedTuple):
    """How much is done."""

    rounds: int = 2
    bound: int = 400
    """Ticks held: 8 s, 14 MB."""
    fast: int = 400
    paced: int = 200
    kills: tuple[int, ...] = (113, 158)
    """After how many acknowledged ticks the store is killed."""


class Place(NamedTuple):
    """Where a store works: its folder, what to tell it, and the daemon behind it."""

    folder: Path
    at: Path
    daemon: subprocess.Popen[str] | None


_WHOLE: Final = Plan()


def peers_append(plan: Plan = _WHOLE) -> Figures:
    """Append of a tick of 40 cars to a full store: our ring, SQLite, MCAP and Redis."""
    with stage() as here:
        keep(race_ticks(_POOL), here.data / "ticks")
        figures = in_turn(STORES, plan.rounds, lambda name: measured(here, name, plan))
        for name, found in figures.items():
            if "absent" not in found and name != "bare":
                lost = max(_lost(here, name, plan, after) for after in plan.kills)
                found["killed_loses_s"] = lost / _RATE_HZ
    return named("append", figures)


def measured(here: Stage, name: str, plan: Plan) -> Figures:
    """One round of a store. Raises Absent."""
    with _place(here, name) as place:
        numbers = [plan.fast, plan.paced, *([place.daemon.pid] if place.daemon else [])]
        process = _appender(here, name, place, plan, *numbers)
        found: Figures = answer(process, 120)
        found["kept_kb"] = _disk_bytes(place.folder) / found.pop("held") / 1e3
        return found


def _appender(here: Stage, name: str, place: Place, plan: Plan, *numbers: int) -> subprocess.Popen[str]:
    words = (name, str(place.at), str(here.data / "ticks"), *map(str, (plan.bound, *numbers)))
    # One that outlives its daemon complains at length: that is no news.
    stderr = None if numbers else subprocess.DEVNULL
    return here.start("tests.bench.peers.appender", *words, stderr=stderr)


def _lost(here: Stage, name: str, plan: Plan, after: int) -> int:
    """Acknowledged ticks that are gone when the store is killed right after number `after`."""
    with _place(here, name) as place:
        appender = _appender(here, name, place, plan)
        assert appender.stdout is not None
        victim, acknowledged = place.daemon or appender, 0
        for line in appender.stdout:
            acknowledged = int(line)
            if acknowledged == after:
                victim.kill()
        appender.wait(20)
        victim.wait(20)
        # A tick may be stored and its number not yet said: then there is one more, and none is lost.
        return max(acknowledged - _newest(here, name, place, plan), 0)


def _newest(here: Stage, name: str, place: Place, plan: Plan) -> int:
    """Number of the newest tick in what a killed store left."""
    daemon = _daemon(here, name, place.folder, place.at)
    store = STORES[name](place.at, plan.bound)
    try:
        return store.newest()
    finally:
        store.close()
        here.stop(*([daemon] if daemon else []))


@contextmanager
def _place(here: Stage, name: str) -> Iterator[Place]:
    """An empty folder, removed at the end, and the store's daemon."""
    folder = here.data / name
    folder.mkdir()
    # A socket's path must be short, wherever the checkout lies.
    at = here.buffers / "store" if name in _FSYNC else folder
    try:
        daemon = _daemon(here, name, folder, at)
        yield Place(folder, at, daemon)
        here.stop(*([daemon] if daemon else []))
    finally:
        shutil.rmtree(folder)


def _daemon(here: Stage, name: str, folder: Path, at: Path) -> subprocess.Popen[str] | None:
    if name not in _FSYNC:
        return None
    return daemons.redis(here, folder, at, "--appendonly", "yes", "--appendfsync", _FSYNC[name])


def _disk_bytes(folder: Path) -> int:
    """Bytes that the files of a folder occupy."""
    return sum(path.stat().st_blocks for path in folder.rglob("*") if path.is_file()) * 512


if __name__ == "__main__":
    print(json.dumps(peers_append(), indent=2))
