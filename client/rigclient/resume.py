"""Resuming: what a stream has received, and how to ask for what comes next. No I/O here."""

import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from rig import columns, parse
from rig.errors import Corrupt, CursorExpired, ForeignCursor, RigError, Unavailable
from rig.v1 import event_pb2, telemetry_pb2
from rigclient.frames import Decoder, Envelope, Frame

_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 2.0

_ACKNOWLEDGE_S: Final = 0.7
"""Between two words to the server of how far we are. It takes us for stopped after 1.8 s without one."""

_MOST_SEQ: Final = (1 << 64) - 1
_GAPS_FIELD: Final = 3
"""Of gaps in the responses of all streams."""
_TIME_AT: Final = 9
_TIME_TAG: Final = 0x11

T = TypeVar("T")
F = TypeVar("F", bound=Frame)


class Request(Protocol):
    """Any stream's request."""

    subscription: bytes

    @property
    def start(self) -> telemetry_pb2.Start:
        """Where to begin."""

    def SerializeToString(self) -> bytes:  # noqa: N802
        """Return wire bytes."""


class Reception(Generic[T]):
    """One stream across any number of connections: every record once, every loss said.

    `unpack` turns a response and the gaps before it into items.
    """

    def __init__(
        self,
        request: Request,
        unpack: Callable[[bytes, Envelope, tuple[event_pb2.Gap, ...]], list[T]],
        reconnect: bool,
        resumed: bool = False,
    ) -> None:
        """`resumed`: it goes on where another one ended, and what has gone since is a gap and no error."""
        self.request: Request = request
        self.cursor: bytes = request.start.cursor
        """Resume after the last message received."""
        self.head_seq: int = 0
        """Newest number the server has told of."""
        self.durable_seq: int = 0
        """Newest number of those on the rig's disk that the server has told of."""
        self.reconnects: int = 0
        """Times the stream went on after it was away."""
        self._unpack = unpack
        self._reconnect = reconnect
        self._envelope, self._before = Envelope(b""), self.cursor
        """The last response, and the cursor before it."""
        self._received = resumed
        self._away = self._from_cursor = False
        self._delay_s = _FIRST_DELAY_S
        self._acknowledged_at = 0.0
        self._gaps: list[event_pb2.Gap] = []
        self._skipped = 0
        self._evicted: event_pb2.Gap | None = None

    @property
    def withheld(self) -> bool:
        """Whether there were records since the last one that we may not see."""
        return self._skipped > 0

    def take(self, data: bytes) -> list[T]:
        """Return the items of a response."""
        envelope = Envelope(data)
        self._envelope, self._before = envelope, self.cursor
        self._received = True
        self._delay_s = _FIRST_DELAY_S
        self.reconnects += self._away
        self._away = False
        self._gaps += envelope.gaps
        self._skipped += envelope.skipped
        if envelope.progress is not None:
            self.head_seq = envelope.progress.head_seq
            self.durable_seq = envelope.progress.durable_seq
        items: list[T] = []
        if envelope.records:
            self._meet(data, envelope)
            envelope.skipped, self._skipped = self._skipped, 0
            items = self._unpack(data, envelope, tuple(self._gaps))
            self._gaps.clear()
        if envelope.cursor:
            self.cursor = envelope.cursor
            self._from_cursor = True
        return items

    def cursors(self, items: int) -> Sequence[bytes]:
        """Return where to go on after each of the items that the last response came to. Where the server does
        not say, that is where it was.
        """
        if items == 1:
            return (self.cursor,)
        known = self._envelope.cursors()
        cursors = [self._before]
        for own in (*[b""] * (items - len(known)), *known):
            cursors.append(own or cursors[-1])
        return cursors[1:]

    def next_request(self) -> Request:
        """Return what to ask for now: at first what the caller wants, later what comes after the last
        message.
        """
        if self._from_cursor:
            self.request.start.cursor = self.cursor
        self.request.subscription = secrets.token_bytes(8)  # a new one: the server may not know that we left
        return self.request

    def acknowledgement(self) -> telemetry_pb2.StreamAcknowledgementsRequest | None:
        """Return what to tell the server when all items so far are dealt with; None when it was told just
        now.
        """
        now = time.monotonic()
        if now - self._acknowledged_at < _ACKNOWLEDGE_S:
            return None
        self._acknowledged_at = now
        return telemetry_pb2.StreamAcknowledgementsRequest(
            subscription=self.request.subscription, cursor=self.cursor
        )

    def recover(self, error: RigError) -> float:
        """Return seconds to wait before asking again, or the error when asking again cannot help."""
        if not self._reconnect or not self._received:
            raise error
        self._away = True
        if isinstance(error, CursorExpired):
            self._expired(error)
            return 0.0
        if isinstance(error, ForeignCursor):
            self._replaced(error)
            return 0.0
        if not isinstance(error, Unavailable):
            raise error
        delay = self._delay_s
        self._delay_s = min(2 * delay, _LONGEST_DELAY_S)
        return delay * random.uniform(0.5, 1.0)

    def _expired(self, error: CursorExpired) -> None:
        """Declare what the ring let go of while we were away, and go on at the oldest."""
        gap = _evicted(error)
        self._evicted = gap if gap.count else None
        self._gaps.append(gap)
        self.request.start.earliest, self._from_cursor = True, False

    def _meet(self, data: bytes, envelope: Envelope) -> None:
        """Meet the oldest, which has moved on since the server named it: what went meanwhile is missing
        as well.
        """
        gap, self._evicted = self._evicted, None
        if gap is None:
            return
        # Every record and event begins with its number as fixed64.
        at = envelope.records[0][0] + 1
        first = int.from_bytes(data[at : at + 8], "little") - envelope.skipped
        first -= sum(declared.last_seq - declared.first_seq + 1 for declared in envelope.gaps)
        if first > _MOST_SEQ:
            raise Corrupt(f"the gaps of the response leave {first} as its first number")
        if first - 1 > gap.last_seq:
            gap.count += first - 1 - gap.last_seq
            gap.last_seq = first - 1

    def _replaced(self, error: ForeignCursor) -> None:
        """Go on in another ring that stands there now: how much is missing nobody knows."""
        self._gaps.append(event_pb2.Gap(reason=event_pb2.GAP_REASON_RING_REPLACED, detail=error.message))
        self.request.start.earliest, self._from_cursor = True, False


def _evicted(error: CursorExpired) -> event_pb2.Gap:
    """Return what the server says is gone; without a count when it does not say it in numbers."""
    numbers = [error.facts.get(name, "") for name in ("seq", "first_seq")]
    if all(text.isdecimal() and len(text) <= len(str(_MOST_SEQ)) for text in numbers):
        first, last = int(numbers[0]) + 1, int(numbers[1]) - 1
        if first <= last < _MOST_SEQ:
            count = last - first + 1
            return event_pb2.Gap(
                first_seq=first, last_seq=last, count=count, reason=event_pb2.GAP_REASON_EVICTED
            )
    return event_pb2.Gap(reason=event_pb2.GAP_REASON_EVICTED, detail=error.message)


def framed(
    decoder: Decoder[F],
) -> Callable[[bytes, Envelope, tuple[event_pb2.Gap, ...]], list[F]]:
    """Unpack responses of tables: gaps and skipped counts go to the first frame."""

    def unpack(data: bytes, envelope: Envelope, gaps: tuple[event_pb2.Gap, ...]) -> list[F]:
        frames = decoder.frames(data, envelope)
        frames[0].gaps, frames[0].skipped = gaps, envelope.skipped
        for frame, cursor in zip(frames, envelope.cursors(), strict=True):
            frame.cursor = cursor
        return frames

    return unpack


@dataclass(frozen=True, slots=True)
class Response:
    """A response as the rig sent it, for who hands it on."""

    data: bytes
    """Of the contract's message. Gaps that this end has found stand before what came."""
    cursor: bytes
    """Resume after it."""
    records: tuple[tuple[int, int], ...]
    """Where in `data` its records begin and end."""
    gaps: tuple[event_pb2.Gap, ...]
    """What is missing right before the first of them."""
    skipped: int
    """Records left out right before them."""

    @property
    def time_ns(self) -> int:
        """When its last record was captured, unix nanoseconds of the rig; 0 where it does not say."""
        # Records of all streams begin with their number and their time, two tags and two fixed64.
        if not self.records:
            return 0
        at = self.records[-1][0] + _TIME_AT
        return int.from_bytes(self.data[at + 1 : at + 9], "little") if self.data[at] == _TIME_TAG else 0


def unparsed(data: bytes, envelope: Envelope, gaps: tuple[event_pb2.Gap, ...]) -> list[Response]:
    """Return a response as one item: its bytes, with the gaps before it that they do not have."""
    found = gaps[: len(gaps) - len(envelope.gaps)]
    before = b"".join(columns.field(_GAPS_FIELD, gap.SerializeToString()) for gap in found)
    records = tuple((at + len(before), end + len(before)) for at, end in envelope.records)
    return [Response(before + data, envelope.cursor, records, gaps, envelope.skipped)]


def unpack_events(data: bytes, envelope: Envelope, gaps: tuple[event_pb2.Gap, ...]) -> list[event_pb2.Event]:
    """Return events of a response; what is missing before them comes first, as events of its own."""
    lost = [event_pb2.Event(gap=gap) for gap in gaps]
    return lost + [parse.message(event_pb2.Event, data[at:end]) for at, end in envelope.records]
