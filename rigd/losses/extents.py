"""What a ring still tells: its events, and which record numbers belong to a session."""

from collections.abc import Iterator
from typing import Final

from rig.columns import read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.losses.account import Heads
from rigd.ring import RingReader

_STREAMS: Final = {rings.PHYSICS: event_pb2.STREAM_PHYSICS, rings.SCORING: event_pb2.STREAM_SCORING}
_BATCH: Final = 4096
"""Events of one read transaction."""
_BATCH_BYTES: Final = 1 << 20


def events_after(ring: RingReader, seq: int) -> Iterator[event_pb2.Event]:
    """Yield all events of the ring after number `seq`, oldest first."""
    while records := ring.read(rings.EVENTS, seq, _BATCH, _BATCH_BYTES):
        yield from (event_pb2.Event.FromString(data) for _, data in records)
        seq = records[-1][0]


def before(ring: RingReader, session: int, event: int) -> Heads:
    """Return the heads of the streams before the session of that number, or before all that the ring holds
    when it began earlier; `event` is the number of its first event.
    """
    heads: dict[int, int] = {number: _last(ring, stream, session - 1) for stream, number in _STREAMS.items()}
    return heads | {event_pb2.STREAM_EVENTS: max(event - 1, 0)}


def reach(ring: RingReader, session: int, event: int) -> Heads:
    """Return how far the streams have come with the session of that number, as far as the ring still tells,
    and events with number `event`.
    """
    heads: dict[int, int] = {event_pb2.STREAM_EVENTS: event}
    for stream, number in _STREAMS.items():
        last = _last(ring, stream, session)
        if last >= ring.spans()[stream].first:
            heads[number] = last
    return heads


def held(ring: RingReader, session: int) -> dict[int, tuple[int, int]]:
    """Return by stream the numbers of the first and the last record of that session, where the ring holds
    any.
    """
    found: dict[int, tuple[int, int]] = {}
    for stream, number in _STREAMS.items():
        before, last = (_last(ring, stream, of) for of in (session - 1, session))
        if records := ring.read(stream, before, 1, 1):
            first = records[0][0]
            found |= {number: (first, last)} if first <= last else {}
    return found


def _last(ring: RingReader, stream: bytes, session: int) -> int:
    """Return number of the newest record of that session or an older one; the number before the oldest
    when the ring holds none.
    """
    return ring.bisect(stream, lambda value: read_head(value).session <= session)
