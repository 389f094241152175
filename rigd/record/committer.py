"""The committer: a thread that makes what is pending durable, in one transaction, and wakes the followers.

While there is a live tail followers do not wait for it: it lets a group come together for `commit_every_s`.
Without one every record that waits is late, and it commits as soon as the disk allows.
"""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

import lmdb

from rig.errors import RingMissing
from rigd.record.latency import Histogram
from rigd.ring import DAMAGE, Record, RingWriter
from rigd.ring.tail import PLACE, RESERVED, Place, Reserve, TailWriter
from rigd.wake import Bell
from rigd.watchdog import Pulse

MEMORY_BOUND_BYTES: Final = 64 << 20
"""What is kept in memory while the disk does not take it: half a minute of 40 cars at 50 Hz."""

_GROUP_BYTES: Final = 8 << 20
"""Most bytes of one transaction, so that the first commit after an outage does not take seconds."""

_GROUPS: Final = 64
"""Parts of the ring, of which a transaction takes one at most: the pages of what it evicts are free two
commits later, so the file of a small ring grows by three of them. With 64 it stays within 5 % of the limit.
"""

_RETRY_S: Final = 0.25

_SWEEP_EVERY_S: Final = 5.0
"""Between two releases of mapped pages: 10 MB come together in that time, and go in 0.1 ms."""


class Pending(NamedTuple):
    """Records that become durable together or not at all: a tick and the gap declared before it."""

    records: tuple[Record, ...]
    meta: Mapping[bytes, bytes]
    size: int
    """Bytes of the records."""
    tick: int
    """Sequence number of the physics tick inside; 0 for none."""
    taken_ns: int
    """Monotonic time of the capture."""
    tail: TailWriter | None = None
    """Where followers find it already; None: they wait for the commit."""
    position: int = 0
    """In the tail, after it."""
    reserve: Reserve = Reserve()
    """What followers may be given once it is committed."""


class Granted(NamedTuple):
    """What the newest commit allows."""

    tail: TailWriter | None
    """The tail that the next recorder looks for."""
    reserve: Reserve
    """Numbers before these may be shown in that tail."""


class Committer:
    """Takes what is pending from the tick thread, which never waits for it.

    Counters are written by one thread each and read by the other.
    """

    def __init__(
        self, ring: RingWriter, bell: Bell, commit_every_s: float = 0.0, pulse: Pulse | None = None
    ) -> None:
        self._pulse = pulse or Pulse("committer")
        self._ring = ring
        self._bell = bell
        self._commit_every_s = commit_every_s
        self._hurried = threading.Event()
        self.granted = Granted(None, Reserve())
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._backlog: deque[Pending] = deque()
        self._closing = False
        self.latency = Histogram()
        self.error = ""
        """What the disk last refused; empty when it works."""
        self.replaced = ""
        """Why the ring was set aside while running; the recorder takes it and declares the loss."""
        self.away = False
        """Whether the ring's folder was moved while running; what is recorded goes with it."""
        self._damaged = False
        self.durable_seq = 0
        self.committed = 0
        """Ticks made durable."""
        self._sweep_at = 0.0
        self._put = self._put_bytes = self._done = self._done_bytes = 0
        self._oldest_ns = 0
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How often `put` gave something that is not yet durable."""
        return self._put - self._done

    @property
    def pending_bytes(self) -> int:
        """Bytes not yet durable."""
        return self._put_bytes - self._done_bytes

    @property
    def full(self) -> bool:
        """Whether the bound is reached: the caller drops ticks now, and declares them."""
        return self.pending_bytes >= MEMORY_BOUND_BYTES

    def loss_window_ms(self) -> float:
        """Return the age of the oldest record that a power cut would take now, in ms."""
        return (time.monotonic_ns() - self._oldest_ns) / 1e6 if self.pending and self._oldest_ns else 0.0

    def put(self, pending: Pending) -> None:
        """Hand over records; 1 µs."""
        self._put += 1
        self._put_bytes += pending.size
        self._queue.put(pending)

    def hurry(self) -> None:
        """Commit without waiting for more."""
        self._hurried.set()

    def close(self) -> bool:
        """Make everything durable and end the thread. False when the disk still refuses."""
        self._closing = True
        self._queue.put(None)
        self.hurry()
        self._thread.join()
        return not self._backlog

    def _run(self) -> None:
        while self._collect():
            if self._commit():
                self._gather()
            elif self._closing:
                return
            else:
                time.sleep(_RETRY_S)

    def _gather(self) -> None:
        """Let the next group come together, unless one waits or followers wait for it."""
        waits = self._backlog or self._closing
        if self._commit_every_s and self.granted.tail is not None and not waits:
            self._pulse.rest()
            self._hurried.wait(self._commit_every_s)

    def _collect(self) -> bool:
        """Wait until there is work; False when there is none left and none will come."""
        if self._closing and not self._backlog and self._queue.empty():
            return False
        if not self._backlog:
            self._pulse.rest()
            self._take(self._queue.get())
        self._pulse.beat()
        self._hurried.clear()
        while not self._queue.empty():
            self._take(self._queue.get())
        return bool(self._backlog) or not self._closing

    def _take(self, pending: Pending | None) -> None:
        if pending is not None:
            self._backlog.append(pending)

    def _commit(self) -> bool:
        """Commit what is pending in one transaction. Nothing leaves the backlog before it is durable."""
        group = self._group()
        if not group:
            return True
        self._oldest_ns = group[0].taken_ns
        started = time.monotonic_ns()
        try:
            self._write(group)
        except (lmdb.Error, OSError, MemoryError) as error:
            self.error = str(error) or repr(error)
            self._damaged = self._damaged or isinstance(error, DAMAGE)
            return False
        self.latency.add(time.monotonic_ns() - started)
        self._finish(group)
        return True

    def _group(self) -> list[Pending]:
        group, size = [], 0
        for pending in self._backlog:
            group.append(pending)
            size += pending.size
            if size >= group_bytes(self._ring):
                break
        return group

    def _write(self, group: list[Pending]) -> None:
        if self._damaged:
            self._ring.replace()
            self._damaged = False
            self.replaced = f"{self.error}; the damaged ring was set aside"
        elif self.error:
            self._ring.reopen()
        meta = {name: value for one in group for name, value in one.meta.items()} | _promise(group[-1])
        self._ring.append((record for one in group for record in one.records), meta)

    def _finish(self, group: list[Pending]) -> None:
        for _ in group:
            self._backlog.popleft()
        self.error = ""
        self.durable_seq = max((one.tick for one in group if one.tick), default=self.durable_seq)
        self.committed += sum(1 for one in group if one.tick)
        self._done_bytes += sum(one.size for one in group)
        self._done += len(group)
        self._oldest_ns = group[-1].taken_ns  # what is pending now is younger
        self._grant(group[-1])
        self._bell.ring()
        if time.monotonic() > self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_EVERY_S
            self._sweep()

    def _grant(self, last: Pending) -> None:
        """Say in the tail how far the ring has it, and to the tick thread what it may show."""
        self.granted = Granted(last.tail, last.reserve)
        if last.tail is not None:
            with contextlib.suppress(OSError):  # the tick thread looks once a second whether it is lost
                last.tail.commit(last.position)

    def _sweep(self) -> None:
        """Clean up. Raises RingMissing when our files are gone: what is stored in them nobody will see."""
        with contextlib.suppress(lmdb.Error, OSError):  # a commit will say what is wrong
            self._ring.sweep()
        self.away = self._ring.away()
        if self._ring.replaced():
            raise RingMissing(f"{self._ring.path} was deleted, or another ring lies there")


def group_bytes(ring: RingWriter) -> int:
    """Return how many bytes of records go into one transaction."""
    return min(_GROUP_BYTES, ring.limit_bytes // _GROUPS)


def _promise(last: Pending) -> dict[bytes, bytes]:
    """Return what the ring is to say of the tail once all up to this is in it."""
    if last.tail is None:
        return {PLACE: b"", RESERVED: b""}
    place = Place(last.tail.id, last.position, last.tail.path)
    return {PLACE: place.pack(), RESERVED: last.reserve.pack()}
