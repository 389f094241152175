"""One history of a ring: what it has on the disk, and what is newer than its last commit, in memory."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rig import parse
from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.losses.holes import uncovered
from rigd.ring import Record, RingReader
from rigd.ring.tables import LAST_SEQ, gap_of, seq_of
from rigd.serve.recent import Recent, Tick, read_tick

BATCH: Final = 64
BATCH_BYTES: Final = 256 << 10
"""Most of one read for a follower behind: 0.3 ms of the event loop."""


class RingHistory:
    """The records of a ring under their numbers, each once, whether they are committed or not.

    It grows on the event loop. Reading is for any thread.
    """

    def __init__(self, ring: RingReader) -> None:
        """Begin where the ring ends. Raises Corrupt."""
        self.ring, self.id = ring, ring.id
        self.durable = ring.heads()
        """Newest number of each stream that is on the disk."""
        self.heads = dict(self.durable)
        """Newest number of each stream."""
        self._recent = {stream: Recent() for stream in rings.STREAMS}
        self._beside: deque[tuple[int, Record]] = deque()
        """Losses and small values that are not committed, each with the event that is committed with it."""
        for stream, head in self.durable.items():
            if found := ring.latest(stream, head):
                self._add(stream, *found)

    # Growing.

    def take(self, records: Iterable[Record]) -> None:
        """Take in records that became known together and are not committed yet; those that are there are
        passed over. Raises Corrupt.
        """
        beside = []
        for record in records:
            if record.table not in rings.STREAMS:
                beside.append(record)
            elif (seq := seq_of(record.key)) > self.heads[record.table]:
                self._grow(record.table, seq, record.value)
        if beside:
            self._beside += ((self.heads[rings.EVENTS], record) for record in beside)

    def take_committed(self, news: Mapping[bytes, list[tuple[int, bytes]]]) -> None:
        """Take in what the ring holds after `durable`, while nothing newer is known."""
        for stream, records in news.items():
            for seq, data in records:
                self._grow(stream, seq, data)
        self.settle({stream: records[-1][0] for stream, records in news.items() if records})

    def _grow(self, stream: bytes, seq: int, data: bytes) -> None:
        self.heads[stream] = seq
        self._add(stream, seq, data)

    def _add(self, stream: bytes, seq: int, data: bytes) -> None:
        """Keep a record. One whose head was damaged on the disk is left out, and so becomes a gap to all: it
        must not keep them from those after it.
        """
        with contextlib.suppress(Corrupt):
            self._recent[stream].add(read_tick(stream, seq, data))

    def settle(self, durable: Mapping[bytes, int]) -> None:
        """Note up to which numbers the ring has everything."""
        for stream, seq in durable.items():
            self.durable[stream] = max(self.durable[stream], seq)
            self._recent[stream].forget(self.durable[stream])
        while self._beside and self._beside[0][0] <= self.durable[rings.EVENTS]:
            self._beside.popleft()

    def rewind(self) -> None:
        """Go back to what the ring has. The rest comes again when it is committed, unless a power cut took
        it, or a tail that was lost with its recorder.
        """
        self._beside.clear()
        self.heads = dict(self.durable)
        for stream, seq in self.durable.items():
            self._recent[stream].rewind(seq)

    # Reading.

    def after(self, stream: bytes, seq: int, until: int = LAST_SEQ) -> list[Tick]:
        """Return records after number `seq` up to number `until`, oldest first: all of them from memory, or
        a batch from the ring.
        """
        recent = self._recent[stream]
        if seq + 1 < recent.first:
            while records := self.ring.read(stream, seq, BATCH, BATCH_BYTES):
                if ticks := list(_ticks(stream, records)):
                    return ticks
                seq = records[-1][0]
        return recent.after(seq, until)

    def single(self, stream: bytes, seq: int, until: int) -> Tick | None:
        """Return the record after number `seq` up to number `until`, when memory has just one."""
        found = self._recent[stream].after(seq, until)
        return found[0] if len(found) == 1 else None

    def read(self, stream: bytes, after: int, count: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """Return records after number `after`, as the ring does."""
        recent = self._recent[stream]
        found = self.ring.read(stream, after, count, most_bytes) if after + 1 < recent.first else []
        return found or [(tick.seq, tick.data) for tick in recent.after(after, LAST_SEQ)[:count]]

    def latest(self, stream: bytes, seq: int) -> Tick | None:
        """Return the newest record whose number is not above `seq`. Raises Corrupt when it cannot be read."""
        if (tick := self._recent[stream].latest(seq)) is not None:
            return tick
        found = self.ring.latest(stream, seq)
        return read_tick(stream, *found) if found else None

    def at(self, stream: bytes, seq: int) -> Tick | None:
        """Return the record of a number. Raises Corrupt."""
        tick = self._recent[stream].latest(seq)
        if tick is not None and tick.seq == seq:
            return tick
        data = self.ring.get(stream, seq)
        return None if data is None else read_tick(stream, seq, data)

    def bisect(self, stream: bytes, before: Callable[[Any], bool]) -> int:
        """Return the number of the newest record for which `before` holds, as the ring does."""
        found = self._recent[stream].bisect(before)
        return self.ring.bisect(stream, before) if found is None else found

    def meta(self, name: bytes) -> bytes | None:
        """Return a small value that travels with the records."""
        for _, record in reversed(tuple(self._beside)):
            if (record.table, record.key) == (rings.META, name):
                return record.value
        return self.ring.meta(name)

    # What is missing.

    def gaps(self, stream: bytes, first: int, last: int) -> list[event_pb2.Gap]:
        """Return losses declared between two numbers; of one that began before, what is left of it."""
        earlier = self.ring.gap_before(stream, first)
        known = [*([earlier] if earlier else ()), *self.ring.gaps(stream, first, last)]
        beside = [record for _, record in tuple(self._beside) if record.table == rings.GAPS]
        known += (record.value for record in beside if gap_of(record.key)[0] == stream)
        # A loss that was committed just now is known twice.
        gaps = (parse.message(event_pb2.Gap, value) for value in dict.fromkeys(known))
        return [_clipped(gap, first) for gap in gaps if gap.first_seq <= last and _reaches(gap, first)]

    def missing(self, stream: bytes, position: int, tick: Tick) -> list[event_pb2.Gap]:
        """Return what stands between a follower at `position` and its next record, with a reason for every
        number.

        What nobody declared was evicted under a slow follower; if it was not even that, the gap says so.
        """
        first, last = position + 1, tick.seq - 1
        gaps = self.gaps(stream, first, tick.seq)
        evicted = self.ring.spans()[stream].first > first
        reason = event_pb2.GAP_REASON_EVICTED if evicted else event_pb2.GAP_REASON_UNSPECIFIED
        for start, stop in uncovered(first, last, gaps):
            gaps.append(
                event_pb2.Gap(
                    stream=rings.STREAMS.index(stream) + 1,  # type: ignore[arg-type]
                    first_seq=start,
                    last_seq=stop,
                    count=stop - start + 1,
                    reason=reason,
                    end_time_ns=tick.head.capture_time_ns if tick.head else 0,
                )
            )
        return sorted(gaps, key=lambda gap: gap.first_seq)

    def earliest(self, stream: bytes) -> int:
        """Return the position before the oldest record and the losses declared right before it."""
        first = self.ring.spans()[stream].first or min(self._recent[stream].first, self.heads[stream])
        position = max(first - 1, 0)
        for gap in reversed(self.gaps(stream, 0, first)):
            if gap.last_seq == position:
                position = gap.first_seq - 1
        return position


def _ticks(stream: bytes, records: list[tuple[int, bytes]]) -> Iterable[Tick]:
    """Yield the records that can be read."""
    for seq, data in records:
        with contextlib.suppress(Corrupt):
            yield read_tick(stream, seq, data)


def _reaches(gap: event_pb2.Gap, first: int) -> bool:
    """Return whether a loss is at or after a number."""
    return max(gap.first_seq, gap.last_seq) >= first


def _clipped(gap: event_pb2.Gap, first: int) -> event_pb2.Gap:
    """Return what a loss takes from a number on."""
    before = first - gap.first_seq
    if before > 0:
        gap.first_seq = first
        if gap.HasField("count"):
            gap.count -= min(before, gap.count)
    return gap
