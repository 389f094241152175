"""Readers of a ring: any number, in any process."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from rig.errors import RingMissing
from rigd.ring.environment import Environment, replaced
from rigd.ring.tables import CHECKS, GAPS, LAST_SEQ, META, SHARES, STREAMS, Span, gap_key, gap_of, key, seq_of
from rigd.ring.tail import PLACE, RESERVED, Place, Reserve

T = TypeVar("T")


class RingReader(Environment):
    """A reader. Every method is one short read transaction; none is held across a call."""

    def __init__(self, path: Path) -> None:
        self._turn = threading.RLock()
        data = path / "data.mdb"
        try:
            # Open until the end, so that its number is not given to another file meanwhile.
            self._file = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RingMissing(
                f"there is no ring in {path}", hint="is `rigd record` running?", path=path
            ) from None
        try:
            # The writer's own map (0). Left alone, ours is as large as what is committed, and the next commit
            # makes it too small, within lmdb.open itself: in a quarter of the tries beside a busy writer.
            super().__init__(path, readonly=True, map_size=0)
            # Each in a transaction of its own, which is committed: a handle dies with a read that is not.
            for name in (*STREAMS, GAPS, META):
                self.dbs[name] = self._grown(partial(self.env.open_db, name, create=False))
            with contextlib.suppress(lmdb.NotFoundError):  # a ring of an earlier version has none
                self.dbs[CHECKS] = self._grown(partial(self.env.open_db, CHECKS, create=False))
            with self.begin() as txn:
                self.id = bytes(txn.get(b"id", db=self.dbs[META]) or b"")
        except lmdb.Error as error:
            os.close(self._file)
            raise RingMissing(f"the ring in {path} cannot be opened: {error}", path=path) from error

    @contextlib.contextmanager
    def begin(self, **options: Any) -> Iterator[Any]:
        """Begin a read transaction. Nobody may be reading while the map is enlarged or closed, so threads
        take turns.
        """
        with self._turn, self._grown(partial(self.env.begin, **options)) as txn:
            yield txn

    def _grown(self, act: Callable[[], T]) -> T:
        """Return what `act` gives, with our map as large as the writer has made its own: it may grow at any
        time, also while we open.
        """
        while True:
            try:
                return act()
            except lmdb.MapResizedError:
                self.env.set_mapsize(0)
                self._mapped = []

    def copy(self, descriptor: int) -> None:
        """Write the ring as it is now, without its free pages, to an open file, from where that stands on.
        One long read: until it is done, no page is used again.
        """
        with self._turn:
            self._grown(partial(self.env.copyfd, descriptor, compact=True))

    def close(self) -> None:
        """Close the environment, once nobody reads."""
        with self._turn:
            super().close()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def replaced(self) -> bool:
        """Return whether another ring stands in the folder by now, or ours was deleted."""
        return replaced(self.path / "data.mdb", self._file)

    def heads(self) -> dict[bytes, int]:
        """Return the newest sequence number of each stream."""
        with self.begin() as txn:
            return {stream: self.span(txn, stream).last for stream in STREAMS}

    def heads_and_place(self) -> tuple[dict[bytes, int], Place | None]:
        """Return the newest sequence number of each stream, and where in which live tail that is, as of one
        commit. None when the recorder keeps no tail.
        """
        with self.begin() as txn:
            heads = {stream: self.span(txn, stream).last for stream in STREAMS}
            value = txn.get(PLACE, db=self.dbs[META])
            return heads, Place.read(None if value is None else bytes(value))

    def reserved(self, stream: bytes) -> int:
        """Return the number below which some may have been given out before they were committed; 0: none."""
        return Reserve.read(self.meta(RESERVED))[STREAMS.index(stream)]

    def spans(self) -> dict[bytes, Span]:
        """Return what each stream holds."""
        with self.begin() as txn:
            return {stream: self.span(txn, stream) for stream in STREAMS}

    def used_bytes(self) -> int:
        """Return the bytes of the pages that records occupy."""
        with self.begin() as txn:
            return sum(self.used(txn, table) for table in (*STREAMS, GAPS))

    def fill(self, stream: bytes) -> float:
        """Return how much of its share of the ring a stream takes: at 1 the oldest goes for the next."""
        limit = self.limit_bytes()
        with self.begin() as txn:
            return self.used(txn, stream) / (SHARES[stream] * limit) if limit else 0.0

    def limit_bytes(self) -> int:
        """Return the bound that the writer keeps."""
        with self.begin() as txn:
            return int(txn.get(b"limit", b"0", db=self.dbs[META]))

    def get(self, stream: bytes, seq: int) -> bytes | None:
        """Return one record, or None when the stream has none of that number."""
        if not 0 <= seq <= LAST_SEQ:
            return None
        with self.begin() as txn:
            value = txn.get(key(seq), db=self.dbs[stream])
            return None if value is None else bytes(value)

    def latest(self, stream: bytes, seq: int) -> tuple[int, bytes] | None:
        """Return the newest record whose number is not above `seq`, with that number; None when there is
        none.
        """
        with self.begin() as txn:
            cursor = txn.cursor(self.dbs[stream])
            there = cursor.set_range(key(seq)) and seq_of(cursor.key()) == seq
            if not there and not (cursor.prev() if cursor.key() else cursor.last()):
                return None
            return seq_of(cursor.key()), bytes(cursor.value())

    def read(self, stream: bytes, after: int, count: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """Return records after sequence number `after`, oldest first: at most `count`, and no more than fit
        `most_bytes` (but one at least).
        """
        with self.begin() as txn:
            return self._after(txn, stream, after, count, most_bytes)

    def news(
        self, heads: Mapping[bytes, int], count: int, most_bytes: int
    ) -> dict[bytes, list[tuple[int, bytes]]]:
        """Return what each stream holds after a number, as `read` gives it, in one transaction for all."""
        with self.begin() as txn:
            return {
                stream: self._after(txn, stream, head, count, most_bytes) for stream, head in heads.items()
            }

    def _after(
        self, txn: Any, stream: bytes, after: int, count: int, most_bytes: int
    ) -> list[tuple[int, bytes]]:
        out: list[tuple[int, bytes]] = []
        cursor = txn.cursor(self.dbs[stream])
        found = after < LAST_SEQ and cursor.set_range(key(after + 1))
        while found and len(out) < count and most_bytes > 0:
            value = bytes(cursor.value())
            out.append((seq_of(cursor.key()), value))
            most_bytes -= len(value)
            found = cursor.next()
        return out

    def visit(self, stream: bytes, after: int, count: int, see: Callable[[int, Any], bool]) -> int:
        """Show `see` at most `count` records after number `after`, oldest first, until it says False.

        Returns the number of the last record for which it said True, `after` when there was none. `see` gets
        views that die with the call; it runs inside the read transaction, so it must not wait.
        """
        with self.begin(buffers=True) as txn:
            cursor = txn.cursor(self.dbs[stream])
            found = after < LAST_SEQ and cursor.set_range(key(after + 1))
            while found and count:
                seq = seq_of(cursor.key())
                if not see(seq, cursor.value()):
                    break
                after, count = seq, count - 1
                found = cursor.next()
        return after

    def gaps(self, stream: bytes, first: int, last: int) -> list[bytes]:
        """Return losses declared in `stream` that begin between `first` and `last`, both included."""
        out = []
        with self.begin() as txn:
            cursor = txn.cursor(self.dbs[GAPS])
            found = cursor.set_range(gap_key(stream, first, 0))
            while found:
                table, at, _ = gap_of(cursor.key())
                if table != stream or at > last:
                    break
                out.append(bytes(cursor.value()))
                found = cursor.next()
        return out

    def gap_before(self, stream: bytes, seq: int) -> bytes | None:
        """Return the loss declared last in `stream` of those that begin before `seq`; it may reach beyond."""
        with self.begin() as txn:
            cursor = txn.cursor(self.dbs[GAPS])
            found = cursor.prev() if cursor.set_range(gap_key(stream, seq, 0)) else cursor.last()
            return bytes(cursor.value()) if found and gap_of(cursor.key())[0] == stream else None
