"""What the last recorder left: a tail that is not committed yet, records that the next goes on from."""

import os
from pathlib import Path
from typing import Any, Final

import lmdb

from rig import parse
from rig.columns import read_head
from rig.errors import Corrupt, Denied, Unavailable
from rig.v1 import event_pb2, physics_pb2, scoring_pb2
from rigd import log
from rigd import ring as rings
from rigd.record.committer import group_bytes
from rigd.ring import GAPS, META, STREAMS, Record, RingWriter
from rigd.ring.tables import gap_of, seq_of
from rigd.ring.tail import PLACE, Bundle, Place, TailWriter

_KINDS: Final[dict[bytes, Any]] = {
    rings.PHYSICS: physics_pb2.Physics,
    rings.SCORING: scoring_pb2.Scoring,
    rings.EVENTS: event_pb2.Event,
}
_MOST_SEQ: Final = 1 << 62
_MOST_SESSION: Final = (1 << 32) - (1 << 24)
"""No ring comes near: a greater number is a damaged one, and there would be none left after it."""


def recovered(ring: RingWriter, path: Path) -> TailWriter | None:
    """Return the tail at `path`, once all of it is in the ring; None where the last recorder left none, as
    after a power cut, or none that goes with the ring. Raises Unavailable when the disk refuses.
    """
    place = Place.read(ring.meta(PLACE))
    if place is None or not os.path.lexists(path):
        return None
    try:
        tail = TailWriter(path)
        if (tail.id, tail.ring) != (place.tail, ring.id):
            raise Corrupt(f"{path} is another tail than the ring's")
        _replay(ring, tail, place.position)
    except (OSError, Denied, Corrupt, lmdb.KeyExistsError, lmdb.BadValsizeError) as error:
        log.say(log.TAIL_SPOILED, tail=path, what=error)
        return None
    except lmdb.Error as error:
        raise Unavailable(f"the ring in {ring.path} refuses: {error}", hint="is the disk full?") from error
    return tail


def _replay(ring: RingWriter, tail: TailWriter, position: int) -> None:
    """Store what the ring does not have. Raises Corrupt, and what `append` raises."""
    while position < tail.head:
        bundles = tail.bundles(position, tail.head, group_bytes(ring))
        if not bundles:
            raise Corrupt(f"{tail.path} does not reach back to {position}")
        position = bundles[-1].end
        _store(ring, bundles, Place(tail.id, position, tail.path))
        tail.commit(position)
    if position > tail.head:
        raise Corrupt(f"{tail.path} ends at {tail.head}, the ring has it up to {position}")


def _store(ring: RingWriter, bundles: list[Bundle], place: Place) -> None:
    records = [record for bundle in bundles for record in bundle.records]
    for record in records:
        _check_key(record)
    meta = {name: value for table, name, value in records if table == META}
    ring.append((one for one in records if one.table != META), {**meta, PLACE: place.pack()})


def _check_key(record: Record) -> None:
    """Raise Corrupt for a record that the ring must not have."""
    if record.table in STREAMS:
        seq_of(record.key)
    elif record.table == GAPS:
        gap_of(record.key)


def unreadable(ring: RingWriter) -> str:
    """Return why the newest records cannot be gone on from; the ring is another one then. Empty when
    they can.
    """
    for stream, kind in _KINDS.items():
        last = ring.last(stream)
        try:
            if last is not None:
                _check_newest(parse.message(kind, last), last, ring.spans()[stream].last)
        except Corrupt as error:
            ring.replace()
            return f"the newest record cannot be read: {error}; the damaged ring was set aside"
    return ""


def _check_newest(message: Any, data: bytes, stored_as: int) -> None:
    """Raise Corrupt for a record whose numbers cannot be gone on from: they decide those that follow."""
    if not isinstance(message, event_pb2.Event):
        read_head(data)
    if message.seq != stored_as:
        raise Corrupt(f"it is number {message.seq} and is stored as {stored_as}")
    if message.seq > _MOST_SEQ or message.session > _MOST_SESSION:
        what = f"it is number {message.seq} of session {message.session}"
        raise Corrupt(f"{what}, the limits are {_MOST_SEQ} and {_MOST_SESSION}")
