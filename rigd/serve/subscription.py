"""One subscriber's way through one stream: a position that moves on as messages are written."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rig.columns import field, varint
from rig.errors import Draining, Unavailable
from rig.v1 import rig_pb2, telemetry_pb2
from rigd import ring as rings
from rigd.auth.caller import Caller
from rigd.auth.lease import Lease
from rigd.serve.feed import Feed
from rigd.serve.receipts import Receipts
from rigd.serve.recent import Tick

_IDLE_S: Final = 0.9
"""Silence after which progress is sent. The feed wakes everyone once a second."""

_JOINED_BYTES: Final = 64 << 10
"""Messages for a reader that is behind are joined up to so much: what each costs is then paid once. It is
two ticks of 40 cars with all channels, hundreds of one car.
"""

_GAPS_FIELD: Final = 3
_PROGRESS_FIELD: Final = 4
_SKIPPED_TAG: Final = b"\x28"

Write = Callable[[bytes], Awaitable[None]]


class CutTick(Protocol):
    """Gives the wanted part of a record."""

    def __call__(self, tick: Tick) -> bytes:
        """Return the tick as a field of a response."""

    def message(self, tick: Tick) -> bytes:
        """Return the tick as a whole response with nothing else in it, shared by all who want the same."""

    def rest(self) -> None:
        """Release what is kept for others; it is made again when asked for."""

    @property
    def prepare(self) -> Callable[[Sequence[Tick]], Awaitable[None]] | None:
        """What makes ticks ready that take more than their record; None: nothing does."""


@dataclass(frozen=True)
class StreamOptions:
    """How a subscriber wants its records."""

    latest: bool = False
    """Skip to the newest when slow."""
    max_rate_hz: float = 0.0
    """At most one record per 1/rate of session time; 0: all."""
    ticks_per_message: int = 1
    acknowledges: bool = False
    """Says how far it is; paused when it does not."""
    durable_only: bool = False
    """Records once they are committed."""


class Subscription:
    """Sends the records after `position` of `stream`, each cut by `cut`, until cancelled
    or until its lease is over.

    Every number between two records sent was cut away by the subscriber's own wish, or stands in a gap.
    """

    def __init__(
        self,
        feed: Feed,
        stream: bytes,
        position: int,
        cut: CutTick,
        options: StreamOptions,
        peer: str,
        channels: int,
        lease: Lease,
        permit: Callable[[Tick], bool] | None = None,
    ) -> None:
        self.stream = stream
        self._feed = feed
        self._cut, self._permit = cut, permit
        self._options = options
        self._ring = feed.rings_opened
        self._alone = options.ticks_per_message == 1
        self._whole = self._alone and not options.max_rate_hz and permit is None and cut.prepare is None
        """Whether every record is a message by itself, as it is: at the newest nothing waits to be sent."""
        self._position = position
        self._pending: list[bytes] = []
        """Records; whole messages when they are not to be collected. Joined these are a message again."""
        self._size = 0
        """Bytes of them."""
        self._lead: list[bytes] = []
        self._left_out = 0
        """Records that were skipped; the next message tells how many."""
        self._bucket = self._first_bucket()
        self.peer, self._channels, self._lease = peer, channels, lease
        self._receipts = Receipts(options.acknowledges, position)
        self._began = self._wrote = time.monotonic()
        self._messages = self._bytes = self._skipped = self._missed = 0

    async def run(self, write: Write) -> None:
        """Follow the stream for good. Raises Draining when the server ends, Unavailable with the ring."""
        while True:
            if not self._goes_on():
                await self._halt(write)
            elif ticks := self._feed.after(self.stream, self._position, durable=self._options.durable_only):
                await self._send(ticks, write)
            else:
                await self._keep_up(write)

    def _goes_on(self) -> bool:
        """Whether neither ring, lease nor server has ended the stream, and its reader reads."""
        return (
            self._lease.why is None
            and self._feed.rings_opened == self._ring
            and not self._feed.drained.done()
            and not self._receipts.overdue(time.monotonic())
        )

    async def _halt(self, write: Write) -> None:
        """Pause for a reader that has stopped. Raises why the stream is over, if it is."""
        if self._feed.rings_opened != self._ring:
            raise Unavailable("the ring was replaced", hint="connect again with the last cursor")
        self._lease.check()
        if self._feed.drained.done():
            await self._end(write)
        await self._pause(write)

    async def _keep_up(self, write: Write) -> None:
        """Wait at the newest record for the next, and send it, as long as each can go as it is."""
        feed, stream, durable = self._feed, self.stream, self._options.durable_only
        # Of one that says nothing nobody knows whether it reads: it must not make others wait.
        while tick := await feed.changed(stream, first=self._options.acknowledges, durable=durable):
            if not self._whole or self._breaks(tick) or not self._goes_on():
                break
            self._position = tick.seq
            message = self._cut.message(tick)
            self._writing()
            await write(message)
            self._written(message)
            if feed.head(stream, durable=durable) != tick.seq:
                break
        if feed.head(stream, durable=durable) <= self._position:
            await self._rest(write)

    async def _send(self, ticks: list[Tick], write: Write) -> None:
        """Send what is wanted of some records, all or those before the reader has stopped."""
        if self._permit is not None and await self._pass_over(self._permit, ticks, write):
            return
        if self._options.latest and ticks[-1].seq > self._position + 1:
            ticks = [self._skip(self._feed.newest(self.stream, durable=self._options.durable_only))]
        if self._cut.prepare is not None:
            await self._cut.prepare(ticks)
        for tick in ticks:
            self._lease.check()
            if self._pending and self._breaks(tick):
                await self._flush(write)  # a gap stands before all records of its message
            if self._collect(tick):
                await self._flush(write)
            if self._receipts.overdue(self._wrote):
                break
        if self._alone and self._pending:
            await self._flush(write)

    async def _pass_over(self, permit: Callable[[Tick], bool], ticks: list[Tick], write: Write) -> bool:
        """Skip the records that the reader may not see, which are before those that it may; returns whether
        there were any.
        """
        hidden = next((at for at, tick in enumerate(ticks) if permit(tick)), len(ticks))
        if hidden:
            if self._pending:
                await self._flush(write)
            self._leave_out(ticks[hidden - 1].seq)
            await self._rest(write)
            await asyncio.sleep(0)  # there may be all of a ring to pass over
        return hidden > 0

    def _leave_out(self, until: int) -> None:
        """Skip everything up to a number."""
        self._left_out += until - self._position
        self._skipped += until - self._position
        self._position = until

    @property
    def caller(self) -> Caller:
        """Who follows."""
        return self._lease.caller

    async def _end(self, write: Write) -> None:
        """Send what was collected and how far this is; not to a reader that has stopped."""
        if not self.stalled:
            await self._flush(write)
        cursor = self._feed.cursors.text(self._feed.cursor(self.stream, self._position))
        raise Draining("the server ends", hint="connect again with the last cursor", cursor=cursor)

    @property
    def acknowledges(self) -> bool:
        """Whether the reader says how far it is."""
        return self._options.acknowledges

    def acknowledge(self, seq: int) -> None:
        """Note that the reader has dealt with everything up to `seq`."""
        self._receipts.acknowledge(seq, time.monotonic())

    @property
    def stalled(self) -> bool:
        """Whether the reader has stopped reading."""
        return self._receipts.stalled(time.monotonic())

    def status(self) -> rig_pb2.Follower:
        """Return the follower as the rig's status shows it."""
        receipts = self._receipts
        return rig_pb2.Follower(
            peer=self.peer,
            stream=rings.STREAMS.index(self.stream) + 1,  # type: ignore[arg-type]
            seq=self._position,
            lag=max(self._feed.head(self.stream) - self._position, 0),
            messages=self._messages,
            bytes=self._bytes,
            skipped=self._skipped,
            missed=self._missed,
            channels=self._channels,
            age_s=time.monotonic() - self._began,
            acknowledged_seq=receipts.acknowledged if receipts.acknowledges else None,
            stalled=self.stalled,
        )

    async def _pause(self, write: Write) -> None:
        """Pause while the reader has stopped: nothing but a word a second, which it answers when it is
        back. Until then it costs its position.
        """
        self._cut.rest()
        await self._receipts.hear(_IDLE_S)
        if self._receipts.overdue(time.monotonic()):
            await self._rest(write)

    def _breaks(self, tick: Tick) -> bool:
        """Whether something may be missing before a record."""
        return tick.seq != self._position + 1 or (tick.head is not None and tick.head.after_gap)

    def _collect(self, tick: Tick) -> bool:
        """Move on to a record and take it up if it is wanted; returns whether what is collected should go."""
        if self._breaks(tick):
            self._declare(tick)
        self._position = tick.seq
        if self._options.max_rate_hz and not self._due(tick):
            return False
        record = self._cut.message(tick) if self._alone else self._cut(tick)
        self._pending.append(record)
        self._size += len(record)
        return self._complete()

    def _complete(self) -> bool:
        """Whether what is collected should go: enough of it, a gap to tell of, or a second of waiting."""
        if self._lead or self._left_out:
            return True
        if self._alone:  # a message says how far it is: it must not wait while records are left out
            return self._size >= _JOINED_BYTES or self._options.max_rate_hz > 0
        enough = len(self._pending) >= self._options.ticks_per_message
        return enough or time.monotonic() - self._wrote >= _IDLE_S

    def _declare(self, tick: Tick) -> None:
        """Put the gaps before this record in front of it. Skipped records are in no gap."""
        for gap in self._feed.history.missing(self.stream, self._position, tick):
            self._missed += gap.count
            self._lead.append(field(_GAPS_FIELD, gap.SerializeToString()))

    def _skip(self, newest: Tick) -> Tick:
        """Leave out what waits before the newest record; what is missing among it is still declared."""
        declared = self._feed.history.gaps(self.stream, self._position + 1, newest.seq)
        for gap in declared:
            self._missed += gap.count
            self._lead.append(field(_GAPS_FIELD, gap.SerializeToString()))
        self._position += sum(gap.last_seq - gap.first_seq + 1 for gap in declared)
        self._leave_out(newest.seq - 1)
        return newest._replace(head=newest.head and newest.head._replace(after_gap=False))

    def _due(self, tick: Tick) -> bool:
        """Return whether this is the first record of its slot of session time."""
        bucket = self._slot(tick)
        due = bucket != self._bucket
        self._bucket = bucket
        return due

    def _slot(self, tick: Tick) -> tuple[int, int]:
        assert tick.head is not None
        # Steps are no exact fractions: 0.1 ms keeps 50 Hz of 50 Hz from losing a record to rounding.
        return tick.head.session, int((tick.head.session_time + 1e-4) * self._options.max_rate_hz)

    def _first_bucket(self) -> tuple[int, int] | None:
        """Return the first slot of time; a resumed subscriber has had the record at its position."""
        if not self._options.max_rate_hz or not self._position:
            return None
        tick = self._feed.history.at(self.stream, self._position)
        return None if tick is None else self._slot(tick)

    async def _rest(self, write: Write) -> None:
        """Send, after a second of silence, what was collected, or progress."""
        if time.monotonic() - self._wrote < _IDLE_S:
            return
        if not self._pending:
            progress = telemetry_pb2.Progress(
                head_seq=self._feed.head(self.stream),
                durable_seq=self._feed.head(self.stream, durable=True),
                time_ns=time.time_ns(),
            )
            self._lead.append(field(_PROGRESS_FIELD, progress.SerializeToString()))
        await self._flush(write)

    async def _flush(self, write: Write) -> None:
        message = self._message()
        self._writing()
        await write(message)
        self._written(message)

    def _writing(self) -> None:
        self._wrote = time.monotonic()
        self._receipts.writing(self._position, self._wrote)

    def _written(self, message: bytes) -> None:
        self._receipts.written()
        self._messages += 1
        self._bytes += len(message)

    def _message(self) -> bytes:
        """Return what is collected, which begins anew."""
        if self._left_out:
            self._lead.append(_SKIPPED_TAG + varint(self._left_out))
            self._left_out = 0
        whole = self._alone and self._pending
        cursor = () if whole else (self._feed.cursor_field(self.stream, self._position),)
        message = b"".join((*cursor, *self._pending, *self._lead))
        self._size = 0
        self._pending.clear()
        self._lead.clear()
        return message
