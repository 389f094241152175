"""A recorder that is driven tick by tick, in a process of its own: 40 cars, all channels, a real ring.

    python -m tests.budget.recorder BUFFERS DATA TICKS

A frame is written, the recorder looks once, and the next frame waits until this one is durable and the
followers were rung. Under `tests.budget.trace` every look is a window of its own, and so is the wait after
it; without, the look's memory is measured. Prints what came of it as JSON.
"""

import gc
import json
import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from rigd.record.recorder import Recorder
from rigd.record.settings import Settings
from rigd.ring import RingWriter
from rigd.sources.rf2.source import SharedMemory
from rigd.wake import Bell, Listener
from tests.bench.game import StampedGame
from tests.budget.trace import mark, ready, traced

CARS: Final = 40
LISTENERS: Final = 2
"""A server and an archiver."""
_LIMIT_BYTES: Final = 64 << 20
"""Of the ring: a few seconds, so that it evicts as a ring does that has run for long."""
_STEP_NS: Final = 20_000_000
WARM_TICKS: Final = 60
"""More than a second, so that what is done once a second was done, and every cache is filled."""


class Drive:
    """Game, recorder and followers."""

    def __init__(self, buffers: Path, data: Path) -> None:
        self.game = StampedGame(buffers, CARS, 50)
        self.game.open_session()
        self.listeners = [Listener(data / "wake") for _ in range(LISTENERS)]
        self.ring = RingWriter(data / "ring", _LIMIT_BYTES)
        ready()
        source = SharedMemory(buffers, game=lambda: None)
        settings = Settings(data, data, commit_every_s=0.0)  # so that each tick has a commit to be counted
        self.recorder: Any = Recorder(source, settings, self.ring, "")
        self.now, self.number, self.datagrams, self.shown = time.monotonic_ns(), 0, 0, 0
        self.count(self.recorder._handover.bell)
        self.look()
        self.game.score(0.1)
        self.look()
        self.settle()

    def count(self, bell: Bell) -> None:
        """Count how often the tick thread says that there is something new."""
        ring = bell.ring

        def counted(message: bytes = b"") -> None:
            self.shown += not message
            ring(message)

        bell.ring = counted  # type: ignore[method-assign]

    def look(self) -> None:
        """One turn, a frame's time after the last."""
        self.now += _STEP_NS
        mark()
        self.recorder._turn(self.now)
        mark()

    def settle(self) -> None:
        """Wait until all is durable and every follower was rung for it, and when it was shown."""
        while self.recorder._handover.committer.pending or self.datagrams < LISTENERS * self.rung:
            self.datagrams += sum(not message for each in self.listeners for message in each.take())
            time.sleep(0.0002)

    @property
    def rung(self) -> int:
        """How often followers were to be rung."""
        return self.committed + self.shown

    @property
    def committed(self) -> int:
        """Transactions that the committer has made."""
        return int(self.recorder._handover.committer.latency.count)

    def write(self) -> None:
        """The game's part: the next frame."""
        self.number += 1
        self.game.frame(self.number)

    def tick(self) -> None:
        """A frame, looked at and made durable."""
        self.write()
        self.look()
        self.settle()

    def idle(self) -> None:
        """A look that finds nothing, between two frames."""
        mark()
        self.recorder._turn(self.now + 1)
        mark()

    def stop_the_clock(self) -> None:
        """No more looking for followers and giving back of pages: those go by the wall clock, and where a
        tick takes half a second each would have them.
        """
        for bell in (self.recorder._handover.bell, self.recorder._handover.committer._bell):
            bell._swept = math.inf
        self.recorder._handover.committer._sweep_at = math.inf

    def close(self) -> None:
        """End the committer and let go of the ring."""
        self.recorder._handover.committer.close()
        self.ring.close()
        for listener in self.listeners:
            listener.close()


def kept(drive: Drive, ticks: int, held: Callable[[], int]) -> float:
    """How much more is `held` after a tick: the least of three stretches, for in one a cache may grow."""
    stretches = []
    for _ in range(3):
        gc.collect()
        before = held()
        for _ in range(ticks):
            drive.tick()
        gc.collect()
        stretches.append((held() - before) / ticks)
    return min(stretches)


def peak_bytes(drive: Drive, ticks: int) -> float:
    """Most memory that a look takes beyond what was there before; the middle one of `ticks`."""
    peaks = []
    for _ in range(ticks):
        drive.write()
        before = traced_bytes()
        tracemalloc.reset_peak()
        drive.look()
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        drive.settle()
    return float(np.median(peaks))


def traced_bytes() -> int:
    """Bytes of memory now."""
    return tracemalloc.get_traced_memory()[0]


def written() -> int:
    """Bytes this process has given to calls that write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def counts(drive: Drive) -> tuple[int, ...]:
    """Transactions, commits, wake-ups and bytes written so far."""
    return drive.ring.env.info()["last_txnid"], drive.committed, drive.datagrams, written()


def main(buffers: Path, data: Path, ticks: int) -> None:
    """Drive and tell."""
    drive = Drive(buffers, data)
    for _ in range(WARM_TICKS):
        drive.tick()
    drive.stop_the_clock()
    before = counts(drive)
    for _ in range(ticks):
        drive.tick()
        drive.idle()
    names = ("transactions", "commits", "datagrams", "written_bytes")
    found: dict[str, float] = {
        name: (after - first) / ticks for name, after, first in zip(names, counts(drive), before, strict=True)
    }
    if not traced():
        found["tick_bytes"] = len(drive.ring.last(b"physics") or b"")
        found["kept_blocks"] = kept(drive, ticks, sys.getallocatedblocks)
        tracemalloc.start()
        found["kept_bytes"] = kept(drive, ticks, traced_bytes)
        found["peak_bytes"] = peak_bytes(drive, ticks)
    drive.close()
    print(json.dumps(found))


if __name__ == "__main__":
    with np.errstate(all="ignore"):  # as the recorder does
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
