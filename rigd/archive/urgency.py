"""How urgent the archiver's work is: the nearer a lap is to leaving the ring, the more it takes of a machine
that is busy.

A process without privileges may raise its nice value and never lower it again. So the work is done by one of
several threads, each with a nice value of its own, which is chosen anew for every turn.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from rig import parse
from rig.columns import read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader

_LOOK: Final = 256
_LOOK_BYTES: Final = 1 << 20
"""Events among which the next closed lap is looked for."""

T = TypeVar("T")


class Urgency(NamedTuple):
    """How much the work may take."""

    name: str
    least: float
    """From so near eviction on; see `eviction`."""
    nice: int
    """Beside one busy loop on its core, 10 gets a tenth of it, 5 a quarter, 0 half."""


LEVELS: Final = (Urgency("urgent", 0.6, 0), Urgency("pressed", 0.3, 5), Urgency("relaxed", 0.0, 10))


def urgency(eviction: float) -> Urgency:
    """Return the level for work that is so near eviction."""
    return next(level for level in LEVELS if eviction >= level.least)


def eviction(ring: RingReader, event: int) -> float:
    """Return how near the ticks of the next lap closed after event number `event` are to leaving the ring: 0
    is just recorded, 1 is evicted next; 0 when there is no such lap.
    """
    for _, data in ring.read(rings.EVENTS, event, _LOOK, _LOOK_BYTES):
        parsed = parse.message(event_pb2.Event, data)
        if parsed.HasField("lap_closed"):
            lap = parsed.lap_closed.lap
            return _age(ring, lap.session, lap.start_time)
    return 0.0


def _age(ring: RingReader, session: int, clock: float) -> float:
    """Return the same of the first tick after that clock of a session."""

    def before(value: memoryview) -> bool:
        head = read_head(value)
        return (head.session, head.session_time) < (session, clock)

    first, last = ring.spans()[rings.PHYSICS]
    newer = (last - ring.bisect(rings.PHYSICS, before)) / max(last - first + 1, 1)
    return min(newer * ring.fill(rings.PHYSICS), 1.0)


class NiceThreads:
    """A thread for each level. They work one at a time, while the caller waits."""

    def __init__(self) -> None:
        self._threads: dict[int, ThreadPoolExecutor] = {}

    def work(self, level: Urgency, task: Callable[[], T]) -> T:
        """Run work with the nice value of the level."""
        if level.nice not in self._threads:
            self._threads[level.nice] = ThreadPoolExecutor(1, "archiver", _be_nice, (level.nice,))
        return self._threads[level.nice].submit(task).result()

    def close(self) -> None:
        """Release the threads."""
        for thread in self._threads.values():
            thread.shutdown()


def _be_nice(nice: int) -> None:
    with contextlib.suppress(PermissionError):  # somebody started us with less: that stands
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


def nice_now() -> int:
    """Return the nice value of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
