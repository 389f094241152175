"""Which numbers of a ring belong to a session: its records say so themselves."""

from rig.columns import read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.archive.account import Heads
from rigd.ring import RingReader

_STREAMS = {rings.PHYSICS: event_pb2.STREAM_PHYSICS, rings.SCORING: event_pb2.STREAM_SCORING}


def before(ring: RingReader, session: int, event: int) -> Heads:
    """The heads of the streams before the session of that number, as far as the ring still tells; `event` is
    the number of its first event.
    """
    return reach(ring, session - 1, max(event - 1, 0))


def reach(ring: RingReader, session: int, event: int) -> Heads:
    """How far the streams have come with the session of that number, and events up to number `event`."""
    heads: dict[int, int] = {
        number: ring.bisect(stream, lambda value: read_head(value).session <= session)
        for stream, number in _STREAMS.items()
    }
    return heads | {event_pb2.STREAM_EVENTS: event}
