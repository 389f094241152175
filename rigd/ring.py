"""The ring: an LMDB environment bounded in bytes, written by one process and read by many.

It stores bytes under sequence numbers and knows nothing of their meaning, so it can be opened and checked
without loading numpy or protobuf. Durable by default settings: a commit is on the disk when it returns.
(NOSYNC would be faster and may leave a corrupt file, not only a shorter one, after a power cut.)
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from rig.errors import Busy, Corrupt, RingMissing, Unavailable

PHYSICS: Final = b"physics"
SCORING: Final = b"scoring"
EVENTS: Final = b"events"
GAPS: Final = b"gaps"
"""Declared losses again, under stream and first missing number, so that a hole is explained by one seek."""
META: Final = b"meta"

STREAMS: Final = (PHYSICS, SCORING, EVENTS)

SHARES: Final[Mapping[bytes, float]] = {PHYSICS: 0.90, SCORING: 0.07, EVENTS: 0.02, GAPS: 0.01}
"""Parts of the limit. At 50 Hz against 5 Hz scoring takes 4 % of the bytes, so physics goes first."""

FORMAT: Final = b"1"
"""Version of what is stored under which key; a ring of another version is set aside."""

_LIBC: Final = ctypes.CDLL(None)
_MADV_DONTNEED: Final = 4

_KEY: Final = struct.Struct(">Q")
_GAP_KEY: Final = struct.Struct(">BQQ")

DAMAGE: Final = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.CursorFullError)
"""What LMDB raises when it meets a page that is not what it should be. No retry can help."""

DEFAULT_LIMIT_BYTES: Final = 4 << 30
"""About 40 minutes of 40 cars at 50 Hz."""


class Record(NamedTuple):
    """A value for one of the ring's tables."""

    table: bytes
    key: bytes
    value: bytes


def key(seq: int) -> bytes:
    """Key of a sequence number: big endian, so that LMDB's order is ours."""
    return _KEY.pack(seq)


def gap_key(stream: bytes, first_seq: int, event_seq: int) -> bytes:
    """Key of a declared loss in `stream` that begins at `first_seq`."""
    return _GAP_KEY.pack(STREAMS.index(stream), first_seq, event_seq)


class Span(NamedTuple):
    """Oldest and newest sequence number of a stream; (0, 0) when it is empty."""

    first: int
    last: int


class _Environment:
    """What the writer and the readers share: an open LMDB environment and its tables."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.env = lmdb.open(str(path), max_dbs=8, max_readers=254, **options)
        self.dbs: dict[bytes, Any] = {}
        self._mapped: list[tuple[int, int]] = []

    def span(self, txn: Any, stream: bytes) -> Span:
        """What `stream` holds."""
        cursor = txn.cursor(self.dbs[stream])
        if not cursor.first():
            return Span(0, 0)
        first = _KEY.unpack(cursor.key())[0]
        cursor.last()
        return Span(first, _KEY.unpack(cursor.key())[0])

    def used(self, txn: Any, table: bytes) -> int:
        """Bytes of the pages that a table occupies."""
        stat = txn.stat(self.dbs[table])
        return int(stat["psize"] * (stat["leaf_pages"] + stat["branch_pages"] + stat["overflow_pages"]))

    def forget_pages(self) -> None:
        """Let go of the file's pages that this process has mapped.

        They stay in the page cache and come back when touched. Without this every page that a fault maps
        (16 at a time) counts as resident memory of ours, until that is the whole ring.
        """
        if not self._mapped:
            self._mapped = self._mappings()
        for start, end in self._mapped:
            _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)

    def _mappings(self) -> list[tuple[int, int]]:
        """Where the file is mapped: first address and end of each piece."""
        name = os.path.realpath(self.path / "data.mdb")
        with open("/proc/self/maps") as maps:
            spans = [line.split()[0] for line in maps if line.rstrip().endswith(name)]
        return [(int(start, 16), int(end, 16)) for start, _, end in (span.partition("-") for span in spans)]

    def close(self) -> None:
        """Close the environment; buffers of it die here."""
        self.env.close()


class RingWriter(_Environment):
    """The one writer. Use `open_ring`, which takes the lock and checks the files first."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        # Twice the limit is address space, not disk: pages that a reader still sees cannot be reused at once.
        super().__init__(path, map_size=2 * limit_bytes + (64 << 20))
        self.limit_bytes = limit_bytes
        try:
            self._prepare()
        except lmdb.Error:
            self.close()
            raise

    def _prepare(self) -> None:
        self.env.reader_check()
        with self.env.begin(write=True) as txn:
            for name in (*STREAMS, GAPS, META):
                self.dbs[name] = self.env.open_db(name, txn=txn)
            if txn.get(b"id", db=self.dbs[META]) is None:
                txn.put(b"id", secrets.token_bytes(8), db=self.dbs[META])
                txn.put(b"format", FORMAT, db=self.dbs[META])
            txn.put(b"limit", str(self.limit_bytes).encode(), db=self.dbs[META])
            self.id = bytes(txn.get(b"id", b"", db=self.dbs[META]))

    def reopen(self) -> None:
        """Close and open again: after some disk errors LMDB refuses an environment for good."""
        self.close()
        self.__init__(self.path, self.limit_bytes)  # type: ignore[misc]

    def replace(self) -> None:
        """Set the damaged files aside and begin anew under another id."""
        self.close()
        set_aside(self.path)
        self.reopen()

    def meta(self, name: bytes) -> bytes | None:
        """A small value that travels with the commits."""
        with self.env.begin() as txn:
            value = txn.get(name, db=self.dbs[META])
            return None if value is None else bytes(value)

    def spans(self) -> dict[bytes, Span]:
        """What each stream holds."""
        with self.env.begin() as txn:
            return {stream: self.span(txn, stream) for stream in STREAMS}

    def last(self, stream: bytes) -> bytes | None:
        """The newest record of a stream."""
        with self.env.begin() as txn:
            cursor = txn.cursor(self.dbs[stream])
            return bytes(cursor.value()) if cursor.last() else None

    def append(self, records: Iterable[Record], meta: Mapping[bytes, bytes]) -> None:
        """Store `records` and `meta` and evict what exceeds the limit, in one durable transaction.

        The same again is stored once: after an error nobody knows whether the commit was made. Raises
        lmdb.KeyExistsError for another record that is not after the newest of its stream.
        """
        with self.env.begin(write=True) as txn:
            touched = set()
            for table, at, value in records:
                stored = txn.put(at, value, db=self.dbs[table], append=table != GAPS)
                if not stored and txn.get(at, db=self.dbs[table]) != value:
                    raise lmdb.KeyExistsError(f"{table.decode()} {at.hex()} is not after the newest")
                touched.add(table)
            for name, value in meta.items():
                txn.put(name, value, db=self.dbs[META])
            for table in touched:
                self._evict(txn, table)

    def _evict(self, txn: Any, table: bytes) -> None:
        """Delete the oldest until the table fits its share; the newest record always stays."""
        share = int(SHARES[table] * self.limit_bytes)
        while self.used(txn, table) > share:
            cursor = txn.cursor(self.dbs[table])
            if txn.stat(self.dbs[table])["entries"] < 2 or not cursor.first():
                return
            cursor.delete()


class RingReader(_Environment):
    """A reader. Every method is one short read transaction; none is held across a call."""

    def __init__(self, path: Path) -> None:
        data = path / "data.mdb"
        if not data.exists():
            raise RingMissing(f"there is no ring in {path}", hint="is `rigd record` running?", path=path)
        try:
            super().__init__(path, readonly=True)
            # Each in a transaction of its own, which is committed: a handle dies with a read that is not.
            for name in (*STREAMS, GAPS, META):
                self.dbs[name] = self.env.open_db(name, create=False)
            with self._begin() as txn:
                self.id = bytes(txn.get(b"id", db=self.dbs[META]) or b"")
        except lmdb.Error as error:
            raise RingMissing(f"the ring in {path} cannot be opened: {error}", path=path) from error
        self.inode = os.stat(data).st_ino

    def _begin(self, **options: Any) -> Any:
        """A read transaction. The writer may have enlarged the map, or made it after we opened."""
        try:
            return self.env.begin(**options)
        except lmdb.MapResizedError:
            self.env.set_mapsize(0)
            self._mapped = []
            return self.env.begin(**options)

    def replaced(self) -> bool:
        """Whether another ring stands in the folder by now."""
        try:
            return os.stat(self.path / "data.mdb").st_ino != self.inode
        except FileNotFoundError:
            return True

    def heads(self) -> dict[bytes, int]:
        """Newest sequence number of each stream."""
        with self._begin() as txn:
            return {stream: self.span(txn, stream).last for stream in STREAMS}

    def spans(self) -> dict[bytes, Span]:
        """What each stream holds."""
        with self._begin() as txn:
            return {stream: self.span(txn, stream) for stream in STREAMS}

    def used_bytes(self) -> int:
        """Bytes of the pages that records occupy."""
        with self._begin() as txn:
            return sum(self.used(txn, table) for table in (*STREAMS, GAPS))

    def limit_bytes(self) -> int:
        """The bound that the writer keeps."""
        with self._begin() as txn:
            return int(txn.get(b"limit", b"0", db=self.dbs[META]))

    def get(self, stream: bytes, seq: int) -> bytes | None:
        """One record, or None when the stream has none of that number."""
        with self._begin() as txn:
            value = txn.get(key(seq), db=self.dbs[stream])
            return None if value is None else bytes(value)

    def read(self, stream: bytes, after: int, count: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """Records after sequence number `after`, oldest first: at most `count`, and no more than fit
        `most_bytes` (but one at least).
        """
        with self._begin() as txn:
            return self._after(txn, stream, after, count, most_bytes)

    def news(
        self, heads: Mapping[bytes, int], count: int, most_bytes: int
    ) -> dict[bytes, list[tuple[int, bytes]]]:
        """What each stream holds after a number, as `read` gives it, in one transaction for all."""
        with self._begin() as txn:
            return {
                stream: self._after(txn, stream, head, count, most_bytes) for stream, head in heads.items()
            }

    def _after(
        self, txn: Any, stream: bytes, after: int, count: int, most_bytes: int
    ) -> list[tuple[int, bytes]]:
        out: list[tuple[int, bytes]] = []
        cursor = txn.cursor(self.dbs[stream])
        found = cursor.set_range(key(after + 1))
        while found and len(out) < count and most_bytes > 0:
            value = bytes(cursor.value())
            out.append((_KEY.unpack(cursor.key())[0], value))
            most_bytes -= len(value)
            found = cursor.next()
        return out

    def bisect(self, stream: bytes, before: Callable[[Any], bool]) -> int:
        """Sequence number of the newest record for which `before(value)` holds; when it does for none, the
        number before the oldest.

        `before` must hold for a leading part of the stream and for none after. It gets a view that dies with
        the call.
        """
        with self._begin(buffers=True) as txn:
            first, last = self.span(txn, stream)
            low, high = max(first, 1) - 1, last
            cursor = txn.cursor(self.dbs[stream])
            while low < high:
                middle = (low + high + 1) // 2
                cursor.set_range(key(middle))
                if before(cursor.value()):
                    low = max(middle, int.from_bytes(cursor.key(), "big"))
                else:
                    high = middle - 1
            return low

    def gaps(self, stream: bytes, first: int, last: int) -> list[bytes]:
        """Losses declared in `stream` that begin between `first` and `last`, both included."""
        out = []
        with self._begin() as txn:
            cursor = txn.cursor(self.dbs[GAPS])
            found = cursor.set_range(gap_key(stream, first, 0))
            while found:
                table, at, _ = _GAP_KEY.unpack(cursor.key())
                if STREAMS[table] != stream or at > last:
                    break
                out.append(bytes(cursor.value()))
                found = cursor.next()
        return out


def inspect(path: Path) -> None:
    """Walk every key of the ring at `path` and try a write. Raises Corrupt; on badly damaged files it may
    also crash. Values are not read: what is wrong with one shows when it is evicted, see `replace`.

    LMDB trusts its pages: a damaged file can end the process with SIGBUS or SIGABRT. So run it in a process
    of its own (`python -m rigd.ring PATH`), as `open_ring` does.
    """
    try:
        size = (path / "data.mdb").stat().st_size
        if not size:
            raise Corrupt(f"the ring in {path} is empty")
        ring = _Environment(path, map_size=size + (64 << 20), lock=False)
        _inspect_size(ring)
        with contextlib.closing(ring), _trial(ring) as txn:
            for name in (*STREAMS, GAPS, META):
                ring.dbs[name] = ring.env.open_db(name, txn=txn, create=False)
            _inspect_format(txn.get(b"format", db=ring.dbs[META]))
            for name, db in ring.dbs.items():
                _inspect_order(name, txn.stat(db)["entries"], txn.cursor(db))
            txn.put(b"trial", bytes(ring.env.stat()["psize"]), db=ring.dbs[META])
    except lmdb.Error as error:
        raise Corrupt(f"the ring in {path} cannot be read: {error}") from error


@contextlib.contextmanager
def _trial(ring: _Environment) -> Iterator[Any]:
    """A transaction that leaves nothing behind."""
    txn = ring.env.begin(write=True, buffers=True)
    try:
        yield txn
    finally:
        txn.abort()


def _inspect_size(ring: _Environment) -> None:
    needed = (ring.env.info()["last_pgno"] + 1) * ring.env.stat()["psize"]
    size = os.stat(ring.path / "data.mdb").st_size
    if size < needed:
        raise Corrupt(f"data.mdb has {size} bytes, its pages reach {needed}")


def _inspect_format(found: Any) -> None:
    if found is None or bytes(found) != FORMAT:
        raise Corrupt(
            f"ring format {bytes(found or b'?').decode()!r}, this program writes {FORMAT.decode()!r}"
        )


def _inspect_order(name: bytes, entries: int, rows: Iterable[tuple[Any, Any]]) -> None:
    count, before = 0, b""
    for at, _ in rows:
        if bytes(at) <= before:
            raise Corrupt(f"the keys of {name.decode()} are out of order")
        count, before = count + 1, bytes(at)
    if count != entries:
        raise Corrupt(f"{name.decode()} holds {count} records, its page says {entries}")


class Lock:
    """Ownership of a ring: a lock file beside it that names the owner, held while the process lives."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 256, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(self._fd)
            raise Busy(
                f"the ring is recorded by {owner}", hint="stop it first, or choose another --data", path=path
            ) from None
        os.truncate(self._fd, 0)
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()} since {started}\n".encode(), 0)

    def release(self) -> None:
        """Give up ownership."""
        os.close(self._fd)


def set_aside(path: Path) -> Path:
    """Move a damaged ring out of the way, never delete it. Returns its new place."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    while target.exists():
        target = target.with_name(f"{target.name}+")
    path.rename(target)
    return target


def open_ring(path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> tuple[RingWriter, str]:
    """The ring at `path` for writing, made if there is none. The caller holds its `Lock`.

    A ring that fails its inspection is set aside and a new one begins; the second value then says why, else
    it is empty.
    """
    trouble = ""
    if (path / "data.mdb").exists():
        trouble = _inspected(path)
        if trouble:
            trouble = f"{trouble}; it was moved to {set_aside(path)}"
    try:
        return RingWriter(path, limit_bytes), trouble
    except DAMAGE as error:
        trouble = f"the ring cannot be written: {error}; it was moved to {set_aside(path)}"
    except lmdb.Error as error:
        raise Unavailable(
            f"the ring in {path} cannot be opened: {error}", hint="is the disk full?"
        ) from error
    return RingWriter(path, limit_bytes), trouble


def _inspected(path: Path) -> str:
    """Why the ring cannot be used; empty when it can."""
    child = subprocess.run(
        [sys.executable, "-m", "rigd.ring", str(path)], capture_output=True, text=True, check=False
    )
    if child.returncode == 0:
        return ""
    if child.returncode < 0:
        return f"reading the ring ended the process with signal {-child.returncode}"
    return child.stderr.strip().splitlines()[-1] if child.stderr.strip() else "the ring failed its inspection"


if __name__ == "__main__":
    try:
        inspect(Path(sys.argv[1]))
    except Corrupt as error:
        sys.exit(str(error))
