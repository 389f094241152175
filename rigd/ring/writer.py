"""The one writer of a ring."""

import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import lmdb

from rig.disk import UNFINISHED
from rig.errors import RingMissing
from rigd.config import RING_BYTES
from rigd.durable import make_folder, rename
from rigd.ring.environment import Environment, replaced
from rigd.ring.lock import set_aside
from rigd.ring.tables import (
    CHECKS,
    FILLED,
    FORMAT,
    GAPS,
    META,
    PHYSICS,
    SHARES,
    STREAMS,
    Record,
    Span,
    check_key,
)

DEFAULT_LIMIT_BYTES: Final = RING_BYTES


class RingWriter(Environment):
    """The one writer. Use `open_ring`, which takes the lock and checks the files first."""

    _file = -1

    def __init__(self, path: Path, limit_bytes: int) -> None:
        make_folder(path)
        if not (path / "data.mdb").exists():
            _begin(path / "data.mdb")
        self._open(path, limit_bytes)

    def _open(self, path: Path, limit_bytes: int) -> None:
        """Open what is there."""
        file = os.open(path / "data.mdb", os.O_RDONLY | os.O_CLOEXEC)
        self.limit_bytes = limit_bytes
        try:
            # Twice the limit is address space, not disk: pages that a reader still sees cannot be reused at
            # once.
            super().__init__(path, map_size=2 * limit_bytes + (64 << 20))
            try:
                self._prepare()
            except lmdb.Error:
                super().close()
                raise
        except lmdb.Error:
            os.close(file)
            raise
        self._let_go()
        self._file = file

    def _let_go(self) -> None:
        """Close the file by which ours is known."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _prepare(self) -> None:
        self.env.reader_check()
        with self.env.begin(write=True) as txn:
            for name in (*STREAMS, GAPS, META):
                self.dbs[name] = self.env.open_db(name, txn=txn, create=False)
            self.dbs[CHECKS] = self.env.open_db(CHECKS, txn=txn)  # a ring of an earlier version has none
            txn.put(b"limit", str(self.limit_bytes).encode(), db=self.dbs[META])
            self.id = bytes(txn.get(b"id", b"", db=self.dbs[META]))

    def sweep(self) -> None:
        """Free what a reader that was killed in mid-read holds: its slot keeps pages from being reused, until
        the file has grown to its limit.
        """
        self.env.reader_check()
        self.forget_pages()

    def reopen(self) -> None:
        """Close and open again: after some disk errors LMDB refuses an environment for good.
        FileNotFoundError while the folder is moved away: another ring in its place would keep it from coming
        back. RingMissing when it was deleted or replaced.
        """
        if self.replaced():
            raise RingMissing(f"{self.path} was deleted, or another ring lies there", path=self.path)
        os.stat(self.path / "data.mdb")
        super().close()
        self._open(self.path, self.limit_bytes)

    def replace(self) -> None:
        """Set the damaged files aside and begin anew under another id."""
        self.close()
        if self.path.exists():
            set_aside(self.path)
        self.__init__(self.path, self.limit_bytes)  # type: ignore[misc]

    def replaced(self) -> bool:
        """Return whether another ring stands in the folder by now, or ours was deleted."""
        return self._file >= 0 and replaced(self.path / "data.mdb", self._file)

    def away(self) -> bool:
        """Return whether the folder was moved: what is written goes with it."""
        return not (self.path / "data.mdb").exists()

    def close(self) -> None:
        """Close the environment. May be called again."""
        super().close()
        self._let_go()

    def metas(self, prefix: bytes) -> dict[bytes, bytes]:
        """Return all small values whose name begins so."""
        with self.env.begin() as txn:
            rows = txn.cursor(self.dbs[META])
            return {bytes(name): bytes(value) for name, value in rows if bytes(name).startswith(prefix)}

    def spans(self) -> dict[bytes, Span]:
        """Return what each stream holds."""
        with self.env.begin() as txn:
            return {stream: self.span(txn, stream) for stream in STREAMS}

    def last(self, stream: bytes) -> bytes | None:
        """Return the newest record of a stream."""
        with self.env.begin() as txn:
            cursor = txn.cursor(self.dbs[stream])
            return bytes(cursor.value()) if cursor.last() else None

    def append(self, records: Iterable[Record], meta: Mapping[bytes, bytes]) -> None:
        """Store `records` and `meta` and evict what exceeds the limit, in one durable transaction. An empty
        value of `meta` is none: it goes.

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
                if table in STREAMS:
                    # 30 µs for a tick of 40 cars, outside of the interpreter's lock.
                    check = zlib.crc32(value).to_bytes(4, "big")
                    txn.put(check_key(table, at), check, db=self.dbs[CHECKS])
            for name, value in meta.items():
                txn.put(name, value, db=self.dbs[META]) if value else txn.delete(name, db=self.dbs[META])
            for table in touched:
                self._evict(txn, table)

    def _evict(self, txn: Any, table: bytes) -> None:
        """Delete the oldest until the table fits its share; the newest record always stays."""
        share = int(SHARES[table] * FILLED * self.limit_bytes)
        while self._used(txn, table) > share:
            cursor = txn.cursor(self.dbs[table])
            if txn.stat(self.dbs[table])["entries"] < 2 or not cursor.first():
                return
            if table in STREAMS:
                txn.delete(check_key(table, cursor.key()), db=self.dbs[CHECKS])
            cursor.delete()

    def _used(self, txn: Any, table: bytes) -> int:
        """Return what counts for a table's share: the checks (4 % of a ring with two cars) count for
        telemetry's, to whose records nearly all belong.
        """
        return self.used(txn, table) + (self.used(txn, CHECKS) if table == PHYSICS else 0)


def _begin(data: Path) -> None:
    """Begin an empty ring in the file `data`, which is on the disk before it has its name: after a
    power cut there is all of it or none.
    """
    beside = data.with_name(UNFINISHED + data.name)
    beside.unlink(missing_ok=True)
    with lmdb.open(str(beside), subdir=False, lock=False, max_dbs=8) as env, env.begin(write=True) as txn:
        tables = {name: env.open_db(name, txn=txn) for name in (*STREAMS, GAPS, CHECKS, META)}
        txn.put(b"id", os.urandom(8), db=tables[META])
        txn.put(b"format", FORMAT, db=tables[META])
    rename(beside, data)
