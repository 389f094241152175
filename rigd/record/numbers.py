"""Sequence numbers of the streams, and what is missing among them."""

import time
from collections.abc import Mapping
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
        self._lost: dict[bytes, event_pb2.Gap] = {}

    def take(self, stream: bytes, taken_ns: int) -> int:
        """The number of a record captured at wall clock `taken_ns`."""
        seq = self._next[stream]
        self._next[stream] = seq + 1
        self._last_ns[stream] = taken_ns
        return seq

    def resume(self, stream: bytes, taken_ns: int) -> None:
        """Note the capture time of the newest record that is in the ring already."""
        self._last_ns[stream] = taken_ns

    def record(self, event: event_pb2.Event) -> Record:
        """The event with its number and time, as the ring stores it."""
        event.capture_time_ns = time.time_ns()
        event.seq = self.take(rings.EVENTS, event.capture_time_ns)
        return Record(rings.EVENTS, rings.key(event.seq), event.SerializeToString())

    def lose(self, stream: bytes, count: int, reason: Any, detail: str) -> None:
        """Note a loss; it is declared with the next record of the stream. `count` 0: nobody knows."""
        gap = self._lost.get(stream)
        if gap is None:
            first = self._next[stream]
            gap = self._lost[stream] = event_pb2.Gap(
                stream=_STREAMS[stream],
                first_seq=first,
                last_seq=first - 1,
                reason=reason,
                detail=detail,
                begin_time_ns=self._last_ns[stream],
            )
        gap.last_seq += count
        self._next[stream] += count
        if count:
            gap.count += count

    def declare(self, stream: bytes, event: event_pb2.Event) -> list[Record]:
        """The records that declare, in `event`, what was lost before the next record of the stream."""
        gap = self._lost.pop(stream, None)
        if gap is None:
            return []
        gap.end_time_ns = time.time_ns()
        event.gap.CopyFrom(gap)
        record = self.record(event)
        return [
            record,
            Record(rings.GAPS, rings.gap_key(stream, gap.first_seq, event.seq), gap.SerializeToString()),
        ]
