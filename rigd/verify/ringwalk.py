"""The ring: every record's key, bytes, head and columns, every hole in the numbers, every declared gap.

LMDB trusts its pages: a damaged file can end the process that reads it. So this runs in a process of its own.
"""

import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from rig.channels import PHYSICS, SCORING
from rig.columns import Head
from rig.errors import Corrupt
from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.losses.holes import uncovered
from rigd.ring import RingReader, gap_key, key
from rigd.ring.inspection import inspect_order, inspect_size
from rigd.ring.tables import CHECKS, check_key, gap_of, seq_of
from rigd.verify.finding import finding
from rigd.verify.records import EventRecords, TableRecords
from rigd.verify.walk import Findings, Progress

_BATCH: Final = 128
"""Rows of one read transaction: some milliseconds, in which the recorder cannot use freed pages again."""

_Found = list[rig_pb2.Finding]


class _Read(NamedTuple):
    """A record as it was read."""

    seq: int
    head: Head | None
    """None for an event, and for a record that has none."""
    found: _Found


class RingWalk:
    """One walk over all tables; `progress` is told how far it is."""

    def __init__(self, ring: RingReader, progress: Progress) -> None:
        self._ring, self._progress = ring, progress
        self._readers: dict[bytes, TableRecords | EventRecords] = {
            rings.PHYSICS: TableRecords(PHYSICS, tail=False),
            rings.SCORING: TableRecords(SCORING, tail=True),
            rings.EVENTS: EventRecords(),
        }
        self._checks = self._first_checks()
        self._uncounted: set[tuple[int, int]] = set()
        """Stream and number after which something is missing that nobody could count."""

    def walk(self) -> Findings:
        """Yield everything that is wrong. Raises Corrupt when the file is too short to be read."""
        inspect_size(self._ring)
        for name in self._ring.dbs:
            yield from self._order(name)
        yield from self._rows(rings.GAPS, self._gap_row)
        for stream in rings.STREAMS:
            yield from self._records(stream)
        yield from self._rows(rings.EVENTS, self._gap_event)
        if CHECKS in self._ring.dbs:
            yield from self._rows(CHECKS, self._check_row)

    def _order(self, name: bytes) -> _Found:
        with self._ring.begin() as txn:
            db = self._ring.dbs[name]
            try:
                inspect_order(name, txn.stat(db)["entries"], txn.cursor(db).iternext(values=False))
            except Corrupt as error:
                return [finding("ring-disordered", f"ring {name.decode()}", error.message)]
        return []

    def _first_checks(self) -> dict[bytes, bytes]:
        """Return by stream the oldest key that has a checksum: a recorder of an earlier version wrote
        none.
        """
        if CHECKS not in self._ring.dbs:
            return {}
        first = {}
        with self._ring.begin() as txn:
            cursor = txn.cursor(self._ring.dbs[CHECKS])
            for stream in rings.STREAMS:
                prefix = check_key(stream, b"")
                if cursor.set_range(prefix) and cursor.key().startswith(prefix):
                    first[stream] = cursor.key()[1:]
        return first

    # Records.

    def _records(self, stream: bytes) -> Findings:
        """Yield every record of a stream, and what stands between them."""
        last = self._ring.spans()[stream].last
        before, after = None, 0
        done, count = 0, self._count(stream)
        while after < last:
            self._progress(f"ring {stream.decode()}", min(done, count), count)
            for read in self._batch(stream, after, last):
                yield from read.found
                if before is not None:
                    yield from self._between(stream, before, read)
                before = read._replace(head=read.head or (before.head if before else None))
                after, done = read.seq, done + 1

    def _count(self, stream: bytes) -> int:
        """Return how many records a stream has: its numbers may be far apart."""
        with self._ring.begin() as txn:
            return int(txn.stat(self._ring.dbs[stream])["entries"])

    def _batch(self, stream: bytes, after: int, last: int) -> list[_Read]:
        """Return the next records; none only when there are none."""
        out: list[_Read] = []
        with self._ring.begin(buffers=True) as txn:
            cursor = txn.cursor(self._ring.dbs[stream])
            found = cursor.set_range(key(after + 1))
            while found and len(out) < _BATCH:
                at = bytes(cursor.key())
                out.append(self._record(txn, stream, at, cursor.value()))
                found = at < key(last) and cursor.next()
        return out

    def _record(self, txn: Any, stream: bytes, at: bytes, value: Any) -> _Read:
        """Return one record by itself: its bytes, its parts, its number."""
        seq = seq_of(at)
        where = _where(stream, seq)
        head, found = None, self._changed(txn, stream, at, value, where)
        try:
            record = self._readers[stream].read(value)
        except Corrupt as error:
            return _Read(seq, None, [*found, finding("record-malformed", where, error.message)])
        if record.seq != seq:
            found.append(finding("record-misplaced", where, f"it says that it is number {record.seq}"))
        head = record if isinstance(record, Head) else None
        return _Read(seq, head, found)

    def _changed(self, txn: Any, stream: bytes, at: bytes, value: Any, where: str) -> _Found:
        """Return whether its bytes are those that were written."""
        if at < self._checks.get(stream, at + b"\xff"):
            return []
        stored = txn.get(check_key(stream, at), db=self._ring.dbs[CHECKS])
        if stored is None:
            return [finding("record-unchecked", where, "it has no checksum")]
        if bytes(stored) != zlib.crc32(value).to_bytes(4, "big"):
            return [finding("record-changed", where, "its bytes are not those that were written")]
        return []

    def _between(self, stream: bytes, before: _Read, read: _Read) -> Findings:
        """Check from one record to the next: numbers, the flag of a gap, the session."""
        where, first = _where(stream, read.seq), before.seq + 1
        hole = read.seq > first and self._ring.spans()[stream].first <= first  # else it was just evicted
        gaps = self._gaps(stream, first, read.seq) if hole else []
        for start, stop in uncovered(first, read.seq - 1, gaps) if hole else []:
            yield finding("hole-undeclared", _where(stream, start), f"{stop - start + 1} are missing")
        if read.head is None or (read.seq > first and not hole):
            return
        lost = hole or (rings.STREAMS.index(stream), read.seq) in self._uncounted
        if read.head.after_gap and not lost:
            lost = bool(self._gaps(stream, read.seq, read.seq))  # declared since we began
        if read.head.after_gap != lost:
            word = (
                "a gap before it, and there is none"
                if lost is False
                else "no gap before it, and there is one"
            )
            yield finding("gap-unflagged", where, f"it says that there is {word}")
        if before.head is not None and read.head.session < before.head.session:
            yield finding("record-session", where, f"session {read.head.session} after {before.head.session}")

    def _gaps(self, stream: bytes, first: int, last: int) -> list[event_pb2.Gap]:
        """Return readable gaps that begin in first..last; of those that are not, their row tells."""
        found = (_gap(data) for data in self._ring.gaps(stream, first, last))
        return [gap for gap in found if gap is not None]

    # Gaps, in their table and among the events; checksums.

    def _rows(self, table: bytes, check: Callable[[Any, bytes, bytes], Findings]) -> Findings:
        """Yield every row of a table, with a check that looks things up in the same transaction."""
        after: bytes | None = b""
        while after is not None:
            found: _Found = []
            with self._ring.begin() as txn:
                cursor, count = txn.cursor(self._ring.dbs[table]), 0
                more = cursor.set_range(after)
                while more and count < _BATCH:
                    found += check(txn, cursor.key(), cursor.value())
                    count, after, more = count + 1, cursor.key() + b"\0", cursor.next()
            yield from found
            after = after if more else None

    def _gap_row(self, txn: Any, at: bytes, value: bytes) -> Findings:
        """Check a row of the table of gaps: its event says the same, and nothing is there that it calls
        missing.
        """
        stream, first, event = gap_of(at)
        number = rings.STREAMS.index(stream)
        gap = _gap(value)
        where = f"ring gaps {number}/{first}/{event}"
        if gap is None or (gap.stream, gap.first_seq) != (number + 1, first):
            yield finding("gap-row-differs", where, "the row is not the gap that its key says")
            return
        if not gap.HasField("count"):
            self._uncounted.add((number, first))
        stored = self._stored_gap(txn, event)
        if stored is None and event >= self._ring.span(txn, rings.EVENTS).first:
            yield finding("gap-event-missing", where, "no event tells of it")
        elif stored is not None and stored != gap:
            yield finding("gap-row-differs", where, "its event says something else")
        yield from self._filled(txn, stream, gap)

    def _filled(self, txn: Any, stream: bytes, gap: event_pb2.Gap) -> Findings:
        """Yield records where a gap says that there are none."""
        cursor = txn.cursor(self._ring.dbs[stream])
        if cursor.set_range(key(gap.first_seq)) and (found := seq_of(cursor.key())) <= gap.last_seq:
            what = f"{gap.first_seq} to {gap.last_seq} are declared missing, and {found} is there"
            yield finding("gap-without-hole", _where(stream, found), what)

    def _stored_gap(self, txn: Any, event: int) -> event_pb2.Gap | None:
        value = txn.get(key(event), db=self._ring.dbs[rings.EVENTS])
        found = _event(value) if value is not None else None
        return found.gap if found is not None and found.HasField("gap") else None

    def _gap_event(self, txn: Any, at: bytes, value: bytes) -> Findings:
        """Check an event that tells of a gap: the table has it too, unless it let go of it."""
        event = _event(value)
        if event is None or not event.HasField("gap") or not event.gap.stream:
            return
        seq = seq_of(at)
        row = gap_key(rings.STREAMS[event.gap.stream - 1], event.gap.first_seq, seq)
        if txn.get(row, db=self._ring.dbs[rings.GAPS]) is None and not self._let_go(txn, row):
            yield finding("gap-row-missing", _where(rings.EVENTS, seq), "the table of gaps lacks it")

    def _let_go(self, txn: Any, row: bytes) -> bool:
        """Return whether the table may have evicted a row: it is near its limit, and what it holds is
        younger.
        """
        limit = int(txn.get(b"limit", b"0", db=self._ring.dbs[rings.META]))
        cursor = txn.cursor(self._ring.dbs[rings.GAPS])
        full = 2 * self._ring.used(txn, rings.GAPS) > rings.SHARES[rings.GAPS] * limit
        return full and cursor.first() and row < cursor.key()

    def _check_row(self, txn: Any, at: bytes, _value: bytes) -> Findings:
        stream = rings.STREAMS[at[0]] if at and at[0] < len(rings.STREAMS) else None
        if stream is None or txn.get(at[1:], db=self._ring.dbs[stream]) is None:
            yield finding(
                "check-without-record", f"ring checks {at.hex()}", "the record of this checksum is gone"
            )


def _where(stream: bytes, seq: int) -> str:
    return f"ring {stream.decode()} {seq}"


def _gap(data: bytes) -> event_pb2.Gap | None:
    try:
        return event_pb2.Gap.FromString(data)
    except DecodeError:
        return None


def _event(data: bytes) -> event_pb2.Event | None:
    try:
        return event_pb2.Event.FromString(data)
    except DecodeError:
        return None
