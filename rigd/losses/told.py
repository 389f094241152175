"""What a ring tells: its events, in their order."""

from collections.abc import Iterator
from typing import Final

from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader

_BATCH: Final = 4096
"""Events of one read transaction."""
_BATCH_BYTES: Final = 1 << 20


def events_after(ring: RingReader, seq: int) -> Iterator[event_pb2.Event]:
    """All events after that number, oldest first."""
    while records := ring.read(rings.EVENTS, seq, _BATCH, _BATCH_BYTES):
        yield from (event_pb2.Event.FromString(data) for _, data in records)
        seq = records[-1][0]
