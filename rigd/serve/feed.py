"""The feed: one reader of ring and live tail for everyone who follows them through this process.

The recorder's wake-up makes it read what is new, once; followers at the head share those bytes, followers
behind read the ring in short batches. Nobody has a queue: a follower is a position.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import lmdb

from rig import parse
from rig.errors import Corrupt, CursorExpired, ForeignCursor, RigError, RingMissing, Unavailable
from rig.v1 import rig_pb2
from rigd import ring as rings
from rigd.auth.seal import load_seal
from rigd.durable import make_folder
from rigd.losses.holes import uncovered
from rigd.ring import RingReader, Span
from rigd.ring.restored import RESTORED, RestoredNumbers
from rigd.ring.tail import CUT, RESERVED, Reserve
from rigd.serve.cursor import CURSOR_BYTES, Cursor, Cursors
from rigd.serve.history import RingHistory
from rigd.serve.livetail import LiveFollower
from rigd.serve.recent import Tick
from rigd.wake import Listener
from rigd.watchdog import Watchdog

RECORDER_SILENT_S: Final = 3.0
"""The recorder speaks once a second; after three without a word it is down."""

_SECOND: Final = 1.0

_CURSOR_HEADER: Final = bytes((0x0A, CURSOR_BYTES))


_Waiter = asyncio.Future[Tick | None]
_Waiters = tuple[list[_Waiter], list[_Waiter]]
"""Those who are to be woken first, and the others."""


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
        self._history: RingHistory | None = None
        self._following: LiveFollower | None = None
        self.rings_opened = 0
        """Grows when another ring stands in the folder: positions in the old one mean nothing then."""
        self._waiters: dict[tuple[bytes, bool], _Waiters] = {
            (stream, durable): ([], []) for stream in rings.STREAMS for durable in (False, True)
        }
        """By stream, and whether they wait for what is committed."""
        self._status: rig_pb2.RecorderStatus | None = None
        self._heard = 0.0
        self._attempt(self._open)  # a ring that is damaged keeps nobody from the laps
        self._pulse.beat()

    @property
    def history(self) -> RingHistory:
        """What there is to read. Raises RingMissing."""
        if self._history is None:
            raise RingMissing(
                f"there is no ring in {self._data / 'ring'}", hint="start `rigd record`", data=self._data
            )
        return self._history

    @property
    def ring(self) -> RingReader:
        """The open ring, which has what is committed. Raises RingMissing."""
        return self.history.ring

    @property
    def opened(self) -> RingReader | None:
        """The open ring, if there is one."""
        return self._history.ring if self._history else None

    @property
    def path(self) -> Path:
        """The ring's folder."""
        return self._data / "ring"

    def head(self, stream: bytes, *, durable: bool = False) -> int:
        """Return the newest sequence number, or the newest that is committed."""
        if self._history is None:
            return 0
        return (self._history.durable if durable else self._history.heads)[stream]

    @property
    def why_not_live(self) -> str:
        """Why new records are seen only when they are committed; empty when they are seen at once."""
        return self._following.why_not_live if self._following else "there is no ring"

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

    def changed(self, stream: bytes, *, first: bool = False, durable: bool = False) -> _Waiter:
        """Return a future that is done when the stream may have grown, or what is committed of it, and once a
        second; `first` before it is for the others. It gives the record that is new, when there is just one.
        """
        waiter: _Waiter = self._loop.create_future()
        self._waiters[stream, durable][not first].append(waiter)
        return waiter

    def after(self, stream: bytes, seq: int, *, durable: bool = False) -> list[Tick]:
        """Return records after `seq`, oldest first: all of them from memory, or a batch from the ring."""
        head = self.head(stream, durable=durable)
        return self.history.after(stream, seq, head) if seq < head else []

    def newest(self, stream: bytes, *, durable: bool = False) -> Tick:
        """Return the newest record; the stream must not be empty. Raises Corrupt when it cannot be read."""
        tick = self.history.latest(stream, self.head(stream, durable=durable))
        if tick is None:
            raise Corrupt(
                "the newest record cannot be read", hint="it was damaged on the disk; wait for the next"
            )
        return tick

    def position(self, cursor: Cursor, stream: bytes) -> int:
        """Return the sequence number a cursor stands for. Raises ForeignCursor or CursorExpired."""
        span = self.ring.spans()[stream]
        if cursor._replace(seq=0) != self.cursor(stream, 0):
            raise ForeignCursor(
                "the cursor belongs to another ring or stream",
                hint="start without it",
                ring=self.ring.id.hex(),
            )
        last = max(span.last, self.head(stream))
        if cursor.seq > last and not self._given(stream, cursor.seq):
            raise ForeignCursor(f"the cursor is at {cursor.seq}, this ring ends at {last}")
        if span.first and cursor.seq + 1 < span.first:
            self._refuse_expired(cursor, stream, span)
        return cursor.seq

    def _given(self, stream: bytes, seq: int) -> bool:
        """Return whether a number beyond the newest may have been given out before a power cut or a restore:
        it was reserved, is below those that come next, or is declared missing since.
        """
        if seq <= RestoredNumbers.read(self.ring.meta(RESTORED)).number:
            return True
        reserves = (Reserve.read(self.ring.meta(name)) for name in (RESERVED, CUT))
        if any(seq < reserve[rings.STREAMS.index(stream)] for reserve in reserves):
            return True
        return any(gap.first_seq <= seq <= gap.last_seq for gap in self.history.gaps(stream, seq, seq))

    def _refuse_expired(self, cursor: Cursor, stream: bytes, span: Span) -> None:
        """Raise CursorExpired when the cursor is before the oldest record; fine if all between was
        declared missing.
        """
        gaps = self.history.gaps(stream, cursor.seq + 1, span.first)
        if uncovered(cursor.seq + 1, span.first - 1, gaps):
            earliest = self.cursor(stream, span.first - 1)
            raise CursorExpired(
                f"record {cursor.seq + 1} is no longer in the ring, which begins at {span.first}",
                hint="start at the earliest, or enlarge the ring with --ring-size",
                earliest=self.cursors.text(earliest),
                first_seq=span.first,
                seq=cursor.seq,
            )

    def drain(self) -> None:
        """Have all who follow a stream end it."""
        if not self.drained.done():
            self.drained.set_result(None)
        self.wake_all()

    def close(self) -> None:
        """Stop following, and close the ring."""
        self._timer.cancel()
        self._stop_listening()
        self._shut()

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
            history = RingHistory(ring)
            following = LiveFollower(history)
        except BaseException:
            ring.close()
            raise
        self._history, self._following = history, following
        self.rings_opened += 1

    def _shut(self) -> None:
        if self._history is not None and self._following is not None:
            self._following.close()
            self._history.ring.close()
            self._history = self._following = None

    def _rung(self) -> None:
        self._attempt(self._take, self._refresh)

    def _take(self) -> None:
        """Hear one datagram; the loop calls again while there are more. To ask first costs 16 us where other
        work came between, and there are none.
        """
        message = self._listener.next() if self._listener else None
        # Others ring too, without a word, and bytes that are no status are not the recorder's: neither keeps
        # it alive.
        with contextlib.suppress(Corrupt):
            if message:
                self._status = parse.message(rig_pb2.RecorderStatus, message)
                self._heard = time.monotonic()

    def _refresh(self) -> None:
        """Take in what is new, and wake those who wait for it."""
        if self._history is None or self._following is None:
            return
        heads, durable = dict(self._history.heads), dict(self._history.durable)
        try:
            self._following.grow()
        finally:
            self._wake_changed(heads, durable)

    def _wake_changed(self, heads: dict[bytes, int], durable: dict[bytes, int]) -> None:
        assert self._history is not None
        history = self._history
        for only_durable, before, now in ((False, heads, history.heads), (True, durable, history.durable)):
            for stream, seq in now.items():
                if seq != before[stream]:
                    self._wake(stream, history.single(stream, before[stream], seq), durable=only_durable)

    def wake_all(self) -> None:
        """Have every follower look whether it may go on."""
        for stream, durable in self._waiters:
            self._wake(stream, durable=durable)

    def _wake(self, stream: bytes, news: Tick | None = None, *, durable: bool = False) -> None:
        for waiters in self._waiters[stream, durable]:
            woken = waiters[:]
            waiters.clear()
            for waiter in woken:
                if not waiter.done():
                    waiter.set_result(news)

    def _each_second(self) -> None:
        self._timer = self._loop.call_later(_SECOND, self._each_second)
        self._pulse.beat()
        if self._attempt(self._listen, self._follow, self._refresh, self._look):
            self._watchdog.trouble("")
        self.wake_all()

    def _follow(self) -> None:
        """Have the ring open that stands in the folder."""
        if self._history is not None and self._history.ring.replaced():
            self._shut()
        if self._history is None:
            self._open()
        else:
            self._history.ring.forget_pages()
        if self._history is None and self.rings_opened:
            raise RingMissing(f"the ring in {self.path} has gone", hint="is `rigd record` running?")

    def _look(self) -> None:
        """Follow what the recorder writes. Raises Unavailable where that cannot be."""
        if self._following is None:
            return
        self._following.look()
        if self._following.trouble and self.recorder() is not None:
            raise Unavailable(self._following.trouble, hint="until then ticks come when they are committed")
