"""Events into a warehouse, by their sequence numbers in the ring; what the ring evicted is a declared gap."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from rig.v1 import event_pb2
from rigclient.warehouse import table_rows, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.loading import Load, next_n
from rigclient.warehouse.rig_reader import RigReader
from rigclient.warehouse.spool import Spool
from rigclient.warehouse.table_rows import NamedRow

LOAD_EVENTS: Final = 20_000
"""Most events of one load: an hour of a race, 30 MB in transfer."""


def next_load(
    rig: RigReader, destination: Destination, folder: Path, limit: int = LOAD_EVENTS
) -> tuple[Load, Spool] | None:
    """Return the next events of the ring as a load; None when the warehouse has all.

    The stream is events/{ring}, its numbers count from the ring's first event: a load from a to b has those
    with SEQ a + 1 to b.
    """
    ring = rig.ring()
    if ring is None:
        return None
    stream = f"events/{ring.id}"
    done = next_n(destination, rig.rig_id, stream)
    since_ns = _time_ns(destination, rig.rig_id, ring.id, done)
    destination.release()
    events = list(islice(rig.events(ring, done, since_ns), limit))
    if not events:
        return None
    spool = Spool(folder)
    spool.put(tables.EVENTS, (table_rows.event(rig.rig_id, ring.id, event) for event in events))
    gaps = [
        *_evicted(rig.rig_id, ring.id, done, events),
        *table_rows.gaps_of_ring(rig.rig_id, ring.id, events),
    ]
    spool.put(tables.GAPS, table_rows.numbered(gaps))
    return Load(spool.id, rig.rig_id, stream, done, events[-1].seq, spool.parts()), spool


def _time_ns(destination: Destination, rig_id: str, ring: str, seq: int) -> int:
    """Return the wall clock of a loaded event in unix nanoseconds; 0 for none."""
    sql = "SELECT CAPTURE_TIME_NS FROM EVENTS WHERE RIG_ID = ? AND RING = ? AND SEQ = ?"
    rows = destination.rows(sql, [rig_id, ring, seq])
    return int(rows[0][0]) if rows else 0


def _evicted(rig_id: str, ring: str, done: int, events: Iterable[event_pb2.Event]) -> Iterator[NamedRow]:
    """Yield the rows of GAPS for the numbers that are missing between `done` and the last event, but for
    those that the event after them declares itself.
    """
    for event in events:
        declares = event.gap.stream == event_pb2.STREAM_EVENTS
        last = (event.gap.first_seq if declares else event.seq) - 1
        if last > done:
            yield table_rows.evicted(rig_id, ring, done + 1, last)
        done = event.seq
