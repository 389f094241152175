"""A recorder under watch, on a ring that is full, and a follower that notes what it is given."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rig.columns import read_head
from rig.errors import RingMissing
from rigd import ring as rings
from rigd.ring import RingReader
from rigd.ring.tail import PLACE, Place, TailReader
from rigd.wake import Listener
from tests.faults.powercut.disk import Disk
from tests.faults.powercut.witness import Journal, Witness
from tests.stage import scratch, until

CARS: Final = 40
RATE: Final = 100
"""33 kB a tick: a ring of 16 MiB is full after five seconds, and pages are used again from then on."""

Records = dict[bytes, dict[int, int]]
"""Checksum of every record, by stream and number."""


class Follower(threading.Thread):
    """Notes every committed record as soon as the bell rings."""

    def __init__(self, data: Path) -> None:
        super().__init__(name="follower")
        self.seen: Records = {stream: {} for stream in rings.STREAMS}
        self.captured: dict[int, int] = {}
        """Wall clock of each tick's capture."""
        self.shown: dict[int, int] = {}
        """Wall clock at which each tick was first seen in the live tail."""
        self._tail: TailReader | None = None
        self._at = 0
        self._data = data
        self._over = threading.Event()
        self._heads = dict.fromkeys(rings.STREAMS, 0)

    def run(self) -> None:
        """Follow until told to stop, and then to the end."""
        until((self._data / "wake").exists, pause_s=0.001)  # nothing is made here that nobody watches
        listener, ring = Listener(self._data / "wake"), None
        while not self._over.wait(0.001):
            listener.take()
            ring = ring or self._opened()
            if ring is not None:
                self._look(ring)
                self._note(ring)
        listener.close()
        if ring is not None:
            self._note(ring)
            ring.close()

    def stop(self) -> None:
        """Come to an end."""
        self._over.set()
        self.join()

    def _opened(self) -> RingReader | None:
        with contextlib.suppress(RingMissing):
            return RingReader(self._data / "ring")
        return None

    def _look(self, ring: RingReader) -> None:
        """Note what the live tail shows, before it is committed."""
        place = Place.read(ring.meta(PLACE))
        if self._tail is None and place is not None:
            self._tail = TailReader(place.path)
        if self._tail is not None:
            for bundle in self._tail.bundles(self._at, self._tail.visible(), 1 << 26) or ():
                self._at = bundle.end
                for table, at, _ in bundle.records:
                    if table == rings.PHYSICS:
                        self.shown.setdefault(int.from_bytes(at, "big"), time.time_ns())

    def _note(self, ring: RingReader) -> None:
        for stream, rows in ring.news(self._heads, 1000, 1 << 26).items():
            for seq, value in rows:
                self._heads[stream], self.seen[stream][seq] = seq, zlib.crc32(value)
                if stream == rings.PHYSICS:
                    self.captured[seq] = read_head(value).capture_time_ns


@dataclass
class RingRun:
    """What happened, and a game that still runs."""

    witness: Witness
    inode: int
    """Of the watched folder, which was empty."""
    buffers: Path
    """Of the game that ran and still does."""
    other_buffers: Path
    """Of another one, as after the machine was started again."""
    seen: Records = field(default_factory=dict)
    captured: dict[int, int] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)
    journal: Journal = field(init=False)

    @property
    def data(self) -> Path:
        """The data directory that was recorded into."""
        return self.witness.folder / "data"

    def disk(self) -> Disk:
        """The disk at the beginning."""
        return Disk(self.witness.folder, self.inode)

    def record(self, seconds: float, program: str) -> None:
        """Run a recorder until so many seconds of ticks are committed."""
        words = ["record", "--data", str(self.data), "--buffers", str(self.buffers), "--ring-size", "16M"]
        follower = Follower(self.data)
        recorder = self.witness.start([sys.executable, "-m", program, *words], stdout=subprocess.PIPE)
        try:
            follower.start()
            until(lambda: len(follower.captured) > seconds * RATE, 40 + 2 * seconds)
        finally:
            recorder.terminate()
            recorder.communicate(timeout=20)
            follower.stop()
        self.seen, self.captured, self.shown = follower.seen, follower.captured, follower.shown
        self.journal = self.witness.journal()


def game(buffers: Path, cars: int, rate: int) -> "subprocess.Popen[bytes]":
    """A game that runs until it is stopped."""
    command = [sys.executable, "-m", "tests.bench.game", str(buffers), str(cars), str(rate), "3600"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def ring_run(seconds: float, program: str = "rigd") -> Iterator[RingRun]:
    """A run that is over after so many seconds of ticks, and whose games run on."""
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as buffers,
        tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as place,
    ):
        root, own, other = Path(place) / "disk", Path(buffers) / "own", Path(buffers) / "other"
        root.mkdir()
        run = RingRun(Witness(root, Path(place)), os.stat(root).st_ino, own, other)
        games = [game(own, CARS, RATE), game(other, 2, 50)]
        try:
            run.record(seconds, program)
            yield run
        finally:
            for process in games:
                process.terminate()
                process.wait(20)
