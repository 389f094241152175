"""The open LMDB environment that writer and readers share."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lmdb

from rigd.ring.tables import META, Span, key, seq_of

_LIBC: Final = ctypes.CDLL(None)
_MADV_DONTNEED: Final = 4

DAMAGE: Final = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.CursorFullError)
"""What LMDB raises when it meets a page that is not what it should be. No retry can help."""


def replaced(path: Path, opened: int) -> bool:
    """Return whether another file than the one open as `opened` stands at `path` by now, or ours was deleted.
    One that was moved away with its folder is still ours: it may come back.
    """
    ours = os.fstat(opened)
    try:
        return not os.path.samestat(os.stat(path), ours)
    except FileNotFoundError:
        return ours.st_nlink == 0


class Environment:
    """What the writer and the readers share: an open LMDB environment and its tables."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.env = lmdb.open(str(path), max_dbs=8, max_readers=254, **options)
        self.dbs: dict[bytes, Any] = {}
        self._mapped: list[tuple[int, int]] = []

    def span(self, txn: Any, stream: bytes) -> Span:
        """Return what `stream` holds."""
        cursor = txn.cursor(self.dbs[stream])
        if not cursor.first():
            return Span(0, 0)
        first = seq_of(cursor.key())
        cursor.last()
        return Span(first, seq_of(cursor.key()))

    def begin(self, **options: Any) -> Any:
        """Return a read transaction."""
        return self.env.begin(**options)

    def meta(self, name: bytes) -> bytes | None:
        """Return a small value that travels with the commits."""
        with self.begin() as txn:
            value = txn.get(name, db=self.dbs[META])
            return None if value is None else bytes(value)

    def bisect(self, stream: bytes, before: Callable[[Any], bool]) -> int:
        """Return the number of the newest record for which `before(value)` holds; when it does for none,
        the number before the oldest.

        `before` must hold for a leading part of the stream and for none after. It gets a view that dies with
        the call.
        """
        with self.begin(buffers=True) as txn:
            first, last = self.span(txn, stream)
            low, high = max(first, 1) - 1, last
            cursor = txn.cursor(self.dbs[stream])
            while low < high:
                middle = (low + high + 1) // 2
                cursor.set_range(key(middle))
                if before(cursor.value()):
                    low = max(middle, seq_of(cursor.key()))
                else:
                    high = middle - 1
            return low

    def used(self, txn: Any, table: bytes) -> int:
        """Return the bytes of the pages that a table occupies."""
        stat = txn.stat(self.dbs[table])
        return int(stat["psize"] * (stat["leaf_pages"] + stat["branch_pages"] + stat["overflow_pages"]))

    def forget_pages(self) -> None:
        """Release the file's pages that this process has mapped.

        They stay in the page cache and come back when touched. Without this every page that a fault maps
        (16 at a time) counts as resident memory of ours, until that is the whole ring.
        """
        if not self._mapped:
            self._mapped = self._mappings()
        for start, end in self._mapped:
            _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)

    def _mappings(self) -> list[tuple[int, int]]:
        """Return where the file is mapped: first address and end of each piece."""
        name = os.path.realpath(self.path / "data.mdb")
        with open("/proc/self/maps") as maps:
            spans = [line.split()[0] for line in maps if line.rstrip().endswith(name)]
        return [(int(start, 16), int(end, 16)) for start, _, end in (span.partition("-") for span in spans)]

    def close(self) -> None:
        """Close the environment; buffers of it die here."""
        self.env.close()
