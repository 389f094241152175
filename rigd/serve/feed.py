"""The feed: one reader of the ring for everyone who follows it through this process.

The recorder's wake-up makes it read what is new, once; followers at the head share those bytes, followers
behind read the ring in short batches. Nobody has a queue: a follower is a position.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from rig import parse
from rig.columns import Head, read_head
from rig.errors import Corrupt, CursorExpired, ForeignCursor, RigError, RingMissing
from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.auth.seal import load_seal
from rigd.durable import make_folder
from rigd.losses.holes import uncovered
from rigd.ring import RingReader, Span
from rigd.serve.cursor import CURSOR_BYTES, Cursor, Cursors
from rigd.wake import Listener
from rigd.watchdog import Watchdog

_TAIL: Final = 128
"""Newest records kept per stream: 2.5 s at 50 Hz, 5 MB with 40 cars."""

BATCH: Final = 64
BATCH_BYTES: Final = 256 << 10
"""Most of one read for a follower behind: 0.3 ms of the event loop."""

RECORDER_SILENT_S: Final = 3.0
"""The recorder speaks once a second; after three without a word it is down."""

_SECOND: Final = 1.0

_CURSOR_HEADER: Final = bytes((0x0A, CURSOR_BYTES))


_Waiters = tuple[list[asyncio.Future[None]], list[asyncio.Future[None]]]
"""Those who are to be woken first, and the others."""


class Tick(NamedTuple):
    """One record of a stream. Events have no head."""

    seq: int
    head: Head | None
    data: bytes


class Feed:
    """Everything the services know of the ring. Lives on the event loop that made it."""

    def __init__(self, data: Path, watchdog: Watchdog | None = None) -> None:
        self._data = data
        self._loop = asyncio.get_running_loop()
        self.failure: asyncio.Future[None] = self._loop.create_future()
        """Raises what nobody expected while following the ring; the server ends with it."""
        self.drained: asyncio.Future[None] = self._loop.create_future()
        """Done when the server ends: whoever follows a stream ends it, and says where to go on."""
        self._watchdog = watchdog or Watchdog("serve", data, listens=True)
        self._pulse = self._watchdog.pulse("event loop")
        self._listener: Listener | None = None
        make_folder(data)
        self.seal = load_seal(data)
        self.cursors = Cursors(self.seal)
        self._listen()
        self._timer = self._loop.call_later(_SECOND, self._each_second)
        self._ring: RingReader | None = None
        self.rings_opened = 0
        """Grows when another ring stands in the folder: positions in the old one mean nothing then."""
        self._heads = dict.fromkeys(rings.STREAMS, 0)
        self._tails: dict[bytes, OrderedDict[int, Tick]] = {}
        self._waiters: dict[bytes, _Waiters] = {stream: ([], []) for stream in rings.STREAMS}
        self._status: rig_pb2.RecorderStatus | None = None
        self._heard = 0.0
        self._attempt(self._open)  # a ring that is damaged keeps nobody from the laps
        self._pulse.beat()

    @property
    def ring(self) -> RingReader:
        """The open ring. Raises RingMissing."""
        if self._ring is None:
            raise RingMissing(
                f"there is no ring in {self._data / 'ring'}", hint="start `rigd record`", data=self._data
            )
        return self._ring

    @property
    def opened(self) -> RingReader | None:
        """The open ring, if there is one."""
        return self._ring

    @property
    def path(self) -> Path:
        """The ring's folder."""
        return self._data / "ring"

    def head(self, stream: bytes) -> int:
        """Return the newest durable sequence number."""
        return self._heads[stream]

    def recorder(self) -> rig_pb2.RecorderStatus | None:
        """Return the recorder's last words, None when it has been silent for three seconds."""
        return self._status if time.monotonic() - self._heard < RECORDER_SILENT_S else None

    def words(self) -> dict[str, rig_pb2.DaemonStatus]:
        """Return the last words of the daemons that speak, by name."""
        return self._watchdog.words()

    def cursor(self, stream: bytes, seq: int) -> Cursor:
        """Return the cursor after record `seq`."""
        return Cursor(self.ring.id, rings.STREAMS.index(stream) + 1, seq)

    def cursor_field(self, stream: bytes, seq: int) -> bytes:
        """Return the `cursor` field of a response that ends with record `seq`. The same for every
        subscriber.
        """
        return _CURSOR_HEADER + self.cursors.pack(self.cursor(stream, seq))

    def changed(self, stream: bytes, *, first: bool = False) -> asyncio.Future[None]:
        """Return a future that is done when the stream may have grown, and once a second; `first` before
        it is for the others.
        """
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters[stream][not first].append(waiter)
        return waiter

    def after(self, stream: bytes, seq: int) -> list[Tick]:
        """Return records after `seq`, oldest first: all of them from memory, or a batch from the ring."""
        head = self._heads[stream]
        if seq >= head:
            return []
        tail = self._tails[stream]
        if seq + 1 == head and head in tail:
            return [tail[head]]
        if seq + 1 in tail:
            return [tick for at, tick in tail.items() if at > seq]
        return self._read(stream, seq, BATCH)

    def newest(self, stream: bytes) -> Tick:
        """Return the newest record; the stream must not be empty. Raises Corrupt when it cannot be read."""
        for tick in reversed(self._tails[stream].values()):
            return tick
        raise Corrupt(
            "the newest record cannot be read", hint="it was damaged on the disk; wait for the next"
        )

    def at(self, stream: bytes, seq: int) -> Tick | None:
        """Return the record of a sequence number."""
        data = self.ring.get(stream, seq)
        return None if data is None else _tick(stream, seq, data)

    def position(self, cursor: Cursor, stream: bytes) -> int:
        """Return the sequence number a cursor stands for. Raises ForeignCursor or CursorExpired."""
        span = self.ring.spans()[stream]
        if cursor._replace(seq=0) != self.cursor(stream, 0):
            raise ForeignCursor(
                "the cursor belongs to another ring or stream",
                hint="start without it",
                ring=self.ring.id.hex(),
            )
        if cursor.seq > span.last:
            raise ForeignCursor(f"the cursor is at {cursor.seq}, this ring ends at {span.last}")
        if span.first and cursor.seq + 1 < span.first:
            self._refuse_expired(cursor, stream, span)
        return cursor.seq

    def earliest(self, stream: bytes) -> int:
        """Return the position before the oldest record and the losses declared right before it."""
        first = self.ring.spans()[stream].first
        position = max(first - 1, 0)
        for gap in reversed(self.gaps(stream, 0, first)):
            if gap.last_seq == position:
                position = gap.first_seq - 1
        return position

    def _refuse_expired(self, cursor: Cursor, stream: bytes, span: Span) -> None:
        """Raise CursorExpired when the cursor is before the oldest record; fine if all between was
        declared missing.
        """
        gaps = self.gaps(stream, cursor.seq + 1, span.first)
        if uncovered(cursor.seq + 1, span.first - 1, gaps):
            earliest = self.cursor(stream, span.first - 1)
            raise CursorExpired(
                f"record {cursor.seq + 1} is no longer in the ring, which begins at {span.first}",
                hint="start at the earliest, or enlarge the ring with --ring-size",
                earliest=self.cursors.text(earliest),
                first_seq=span.first,
                seq=cursor.seq,
            )

    def gaps(self, stream: bytes, first: int, last: int) -> list[event_pb2.Gap]:
        """Return losses declared between two sequence numbers."""
        return [parse.message(event_pb2.Gap, data) for data in self.ring.gaps(stream, first, last)]

    def missing(self, stream: bytes, position: int, tick: Tick) -> list[event_pb2.Gap]:
        """Return what stands between a follower at `position` and its next record, with a reason for every
        number.

        What nobody declared was evicted under a slow follower; if it was not even that, the gap says so.
        """
        first, last = position + 1, tick.seq - 1
        gaps = self.gaps(stream, first, tick.seq)
        evicted = self.ring.spans()[stream].first > first
        reason = event_pb2.GAP_REASON_EVICTED if evicted else event_pb2.GAP_REASON_UNSPECIFIED
        for start, stop in uncovered(first, last, gaps):
            gaps.append(
                event_pb2.Gap(
                    stream=rings.STREAMS.index(stream) + 1,  # type: ignore[arg-type]
                    first_seq=start,
                    last_seq=stop,
                    count=stop - start + 1,
                    reason=reason,
                    end_time_ns=_time_ns(tick),
                )
            )
        return sorted(gaps, key=lambda gap: gap.first_seq)

    def drain(self) -> None:
        """Have all who follow a stream end it."""
        if not self.drained.done():
            self.drained.set_result(None)
        for stream in rings.STREAMS:
            self._wake(stream)

    def close(self) -> None:
        """Stop following, and close the ring."""
        self._timer.cancel()
        self._stop_listening()
        if self._ring is not None:
            self._ring.close()

    # Following the ring.

    def _listen(self) -> None:
        """Have a socket that the recorder can ring; without one the ring is read once a second."""
        if self._listener is not None and self._listener.forgotten():
            self._stop_listening()
        if self._listener is None:
            self._listener = Listener(self._data / "wake")
            self._loop.add_reader(self._listener.fileno(), self._rung)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _attempt(self, *steps: Callable[[], None]) -> bool:
        """Take all steps; True when nothing went wrong. What goes wrong with disk and ring is trouble, and
        ends when it does; anything else is nothing that a loop may go on with.
        """
        try:
            for step in steps:
                step()
        except (OSError, lmdb.Error, RigError) as error:
            self._watchdog.trouble(str(error) or repr(error))
        except Exception as error:  # noqa: BLE001  it is raised by who waits for `failure`
            if not self.failure.done():
                self.failure.set_exception(error)
        else:
            return True
        return False

    def _open(self) -> None:
        try:
            ring = RingReader(self.path)
        except RingMissing:
            return
        try:
            heads = ring.heads()
        except Corrupt:
            ring.close()
            raise
        self._ring, self._heads = ring, heads
        self.rings_opened += 1
        self._tails = {stream: OrderedDict() for stream in rings.STREAMS}
        for stream, head in heads.items():
            for tick in self._read(stream, head - 1, 1):
                self._tails[stream][tick.seq] = tick

    def _read(self, stream: bytes, seq: int, count: int) -> list[Tick]:
        """Return the next records that can be read; none when there are no more."""
        while records := self.ring.read(stream, seq, count, BATCH_BYTES):
            if ticks := list(_ticks(stream, records)):
                return ticks
            seq = records[-1][0]
        return []

    def _rung(self) -> None:
        self._attempt(self._take, self._refresh)

    def _take(self) -> None:
        for message in self._listener.take() if self._listener else ():
            # Others ring too, without a word, and bytes that are no status are not the recorder's: neither
            # keeps it alive.
            with contextlib.suppress(Corrupt):
                if message:
                    self._status = parse.message(rig_pb2.RecorderStatus, message)
                    self._heard = time.monotonic()

    def _refresh(self) -> None:
        """Read what is new and wake those who wait for it."""
        more = self._ring is not None
        while more:
            news = self.ring.news(self._heads, BATCH, BATCH_BYTES)
            more = any(len(records) > 1 for records in news.values())
            for stream, records in news.items():
                if records:
                    self._grow(stream, records)

    def _grow(self, stream: bytes, records: list[tuple[int, bytes]]) -> None:
        tail = self._tails[stream]
        for tick in _ticks(stream, records):
            tail[tick.seq] = tick
        self._heads[stream] = records[-1][0]
        while len(tail) > _TAIL:
            tail.popitem(last=False)
        self._wake(stream)

    def wake_all(self) -> None:
        """Have every follower look whether it may go on."""
        for stream in rings.STREAMS:
            self._wake(stream)

    def _wake(self, stream: bytes) -> None:
        (first, others), self._waiters[stream] = self._waiters[stream], ([], [])
        for waiter in (*first, *others):
            if not waiter.done():
                waiter.set_result(None)

    def _each_second(self) -> None:
        self._timer = self._loop.call_later(_SECOND, self._each_second)
        self._pulse.beat()
        if self._attempt(self._listen, self._follow, self._refresh):
            self._watchdog.trouble("")
        self.wake_all()

    def _follow(self) -> None:
        """Have the ring open that stands in the folder."""
        if self._ring is not None and self._ring.replaced():
            self._ring.close()
            self._ring = None
        if self._ring is None:
            self._open()
        else:
            self._ring.forget_pages()
        if self._ring is None and self.rings_opened:
            raise RingMissing(f"the ring in {self.path} has gone", hint="is `rigd record` running?")


def _tick(stream: bytes, seq: int, data: bytes) -> Tick:
    return Tick(seq, None if stream == rings.EVENTS else read_head(data), data)


def _ticks(stream: bytes, records: list[tuple[int, bytes]]) -> Iterator[Tick]:
    """Yield the records. One whose head was damaged on the disk is left out, and so becomes a gap to
    all: it must not keep them from those after it.
    """
    for seq, data in records:
        with contextlib.suppress(Corrupt):
            yield _tick(stream, seq, data)


def capture_ns(value: Any) -> int:
    """Return the capture time of any record: every kind begins with seq and capture_time_ns as fixed64."""
    return int.from_bytes(value[10:18], "little")


def _time_ns(tick: Tick) -> int:
    return tick.head.capture_time_ns if tick.head else 0
