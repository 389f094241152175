"""Sequence numbers of the streams, and what is missing among them."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import Record, Span

_STREAMS: Final = {
    rings.PHYSICS: event_pb2.STREAM_PHYSICS,
    rings.SCORING: event_pb2.STREAM_SCORING,
    rings.EVENTS: event_pb2.STREAM_EVENTS,
}


class Numbers:
    """Gives every record its number. A loss takes numbers too, and is declared with the next record."""

    def __init__(self, spans: Mapping[bytes, Span]) -> None:
        self._next = {stream: span.last + 1 for stream, span in spans.items()}
        self._last_ns = dict.fromkeys(self._next, 0)
        self._lost: dict[bytes, list[event_pb2.Gap]] = {}
        self._parted: list[int] = []
        """Where physics stood when it left the session that scoring still tells of, and each time it left one
        of which scoring never told.
        """

    def take(self, stream: bytes, taken_ns: int) -> int:
        """Return the next number of a stream, for a record captured at `taken_ns` (unix)."""
        seq = self._next[stream]
        self._next[stream] = seq + 1
        self._last_ns[stream] = taken_ns
        return seq

    def resume(self, stream: bytes, taken_ns: int) -> None:
        """Note the capture time of the newest record that is in the ring already."""
        self._last_ns[stream] = taken_ns

    def heads(self) -> dict[bytes, int]:
        """Return the newest number of each stream that is handed over, as a record or as a declared loss."""
        return {
            stream: (self._lost[stream][0].first_seq if stream in self._lost else following) - 1
            for stream, following in self._next.items()
        }

    def following(self) -> list[int]:
        """Return the number of each stream that is given out next, in the order of STREAMS."""
        return [self._next[stream] for stream in rings.STREAMS]

    def part(self, head: int | None = None) -> None:
        """Note that the next ticks, those after number `head`, are of a session that scoring has not shown
        yet.
        """
        self._parted.append(self.heads()[rings.PHYSICS] if head is None else head)

    def record(self, event: event_pb2.Event) -> Record:
        """Return the event with its number and time, as the ring stores it. One that begins or ends a session
        gets the heads of the streams.
        """
        match event.WhichOneof("kind"):
            case "session_started":
                event.session_started.heads.extend(self._stream_heads(0, self._parted[-1:]))
                self._parted = []
            case "session_ended":
                event.session_ended.heads.extend(self._stream_heads(1, self._parted[:1]))
        event.capture_time_ns = time.time_ns()
        event.seq = self.take(rings.EVENTS, event.capture_time_ns)
        return Record(rings.EVENTS, rings.key(event.seq), event.SerializeToString())

    def _stream_heads(self, own: int, parted: list[int]) -> Iterator[event_pb2.StreamHead]:
        """Return where the streams stand at the turn of a session, `own` events further on. Physics may
        have taken it earlier.
        """
        heads = self.heads()
        for head in parted:
            heads[rings.PHYSICS] = head
        heads[rings.EVENTS] += own
        return (event_pb2.StreamHead(stream=_STREAMS[stream], seq=seq) for stream, seq in heads.items())

    def lose(self, stream: bytes, count: int, reason: Any, detail: str, session: int = 0) -> None:
        """Note a loss of `session`; it is declared with the next record of the stream, and is of that one's
        session when there was none before. `count` 0: nobody knows.
        """
        gaps = self._lost.setdefault(stream, [])
        if not gaps or not _alike(gaps[-1], count, reason, session):
            gaps.append(self._gap(stream, reason, detail, session))
        gaps[-1].last_seq += count
        self._next[stream] += count
        if count:
            gaps[-1].count += count

    def skip(self, stream: bytes, last: int, reason: Any, detail: str, session: int) -> None:
        """Note that numbers up to `last` are those of records that the ring has not got. How many there are
        nobody knows.
        """
        gap = self._gap(stream, reason, detail, session)
        gap.last_seq = last
        self._lost.setdefault(stream, []).append(gap)
        self._next[stream] = last + 1

    def _gap(self, stream: bytes, reason: Any, detail: str, session: int) -> event_pb2.Gap:
        first = self._next[stream]
        return event_pb2.Gap(
            stream=_STREAMS[stream],
            first_seq=first,
            last_seq=first - 1,
            reason=reason,
            detail=detail,
            begin_time_ns=self._last_ns[stream],
            session=session,
        )

    def declare(self, stream: bytes, event: event_pb2.Event) -> list[Record]:
        """Return the records that declare, in copies of `event`, what the stream lost before its next
        record.
        """
        gaps = self._lost.pop(stream, None)
        if gaps is None:
            return []
        return [record for gap in gaps for record in self._declared(stream, event, gap)]

    def _declared(self, stream: bytes, event: event_pb2.Event, gap: event_pb2.Gap) -> tuple[Record, Record]:
        gap.end_time_ns = time.time_ns()
        gap.session = gap.session or event.session
        own = event_pb2.Event()
        own.CopyFrom(event)
        own.gap.CopyFrom(gap)
        return (
            self.record(own),
            Record(rings.GAPS, rings.gap_key(stream, gap.first_seq, own.seq), gap.SerializeToString()),
        )


def _alike(gap: event_pb2.Gap, count: int, reason: Any, session: int) -> bool:
    """Return whether another loss is part of the same gap: what is counted and what is not are two."""
    return (gap.reason, gap.session, gap.HasField("count")) == (reason, session, count > 0)
