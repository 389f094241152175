"""The index, for the one who writes it: the archiver, or whoever makes it anew."""

# ruff: noqa: S608  what is put into statements are names of tables and columns, all from this room

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from rig.errors import NotFound
from rig.v1 import lap_pb2, session_pb2
from rigd.durable import make_folder
from rigd.store.folder import LapFileState
from rigd.store.index import lookup, query, schema
from rigd.store.index.file import connect, knows, meaning, version_of
from rigd.store.index.rows import check, lap_row, pack_message, seat_row, session_row
from rigd.store.viewer import EVERYTHING, Viewer

_UNSYNCED: Final = f"""
SELECT count(*), min(start_ns) FILTER (WHERE seat NOT IN ({query.IMPORTED})) FROM lap WHERE NOT synced
"""
_BY_AGE: Final = f"""
SELECT name, bytes + corners_bytes, pinned, synced,
    id IN (SELECT id FROM ({query.best("seat.session, seat.car")}) WHERE rank = 1
        UNION ALL SELECT id FROM ({query.best("seat.track, seat.class")}) WHERE rank = 1),
    start_ns, seat IN ({query.IMPORTED})
FROM lap ORDER BY start_ns, name
"""


class IndexedLap(NamedTuple):
    """What retention needs to know of a lap."""

    name: str
    bytes: int
    pinned: bool
    synced: bool
    best: bool
    """The fastest that counts of its car in its session, or of its track and class."""
    start_time_ns: int
    imported: bool
    """Of a file of another program: it began long before it came."""


class Index:
    """The one writer. Every change is a transaction of its own, unless `transaction` binds several."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._db = connect(path, "rwc")
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._bring()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise meaning(path, error) from error
        self._path, self._file = path, os.stat(path)

    def _bring(self) -> None:
        """Make the tables where there are none, and what later releases added to them."""
        if version_of(self._db) is None:
            version = f"PRAGMA user_version = {schema.VERSION};"
            self._db.executescript(f"BEGIN; {schema.TABLES} {version} COMMIT;")
        for column, step in schema.ADDED.items():
            if not knows(self._db, column):
                self._db.executescript(f"BEGIN; {step} COMMIT;")

    def replaced(self) -> bool:
        """Return whether the file was taken away, or another stands in its place: nobody reads what is
        written.
        """
        try:
            return not os.path.samestat(os.stat(self._path), self._file)
        except FileNotFoundError:
            return True

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside, or none; may be nested."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.rollback()
            raise
        self._db.execute("COMMIT")

    def put_session(self, session: session_pb2.Session) -> None:
        """Add a session, or replace the one of that name. Its laps are counted here, not taken from it."""
        self._insert("REPLACE", "session", {**session_row(session), "message": pack_message(session)})

    def keep_sessions(self, names: Collection[str]) -> None:
        """Forget all other sessions."""
        for (name,) in self._db.execute("SELECT name FROM session").fetchall():
            if name not in names:
                self._db.execute("DELETE FROM session WHERE name = ?", (name,))

    def put_lap(self, lap: lap_pb2.Lap) -> None:
        """Add a lap, or replace the one of that name."""
        with self.transaction():
            self.remove_lap(lap.name)
            number = self._insert("INSERT", "lap", {**lap_row(lap), "seat": self._seat(lap)})
            self._insert("INSERT", "message", {"lap": number, "lap_message": pack_message(lap)})

    def _seat(self, lap: lap_pb2.Lap) -> int:
        seat = seat_row(lap)
        self._insert("INSERT OR IGNORE", "seat", seat)
        same = " AND ".join(f"{column} = :{column}" for column in seat)
        found: int = self._db.execute(f"SELECT id FROM seat WHERE {same}", seat).fetchone()[0]
        return found

    def _insert(self, verb: str, table: str, row: dict[str, Any]) -> int:
        names = ", ".join(f":{column}" for column in row)
        statement = f"{verb} INTO {table} ({', '.join(row)}) VALUES ({names})"
        return self._db.execute(statement, row).lastrowid or 0

    def remove_lap(self, name: str) -> None:
        """Forget a lap; one that is not there is forgotten already."""
        self._db.execute("DELETE FROM lap WHERE name = ?", (name,))

    def remove_session(self, name: str) -> None:
        """Forget a session, which has no laps any more."""
        self._db.execute("DELETE FROM session WHERE name = ?", (name,))

    def set_pinned(self, name: str, pinned: bool) -> None:
        """Note whether a lap is pinned. Raises NotFound, as do the others that change a lap."""
        self._change(name, pinned=pinned)

    def set_damage(self, name: str, text: str) -> None:
        """Note what is wrong with a lap's file."""
        self._change(name, damage=text)

    def set_synced(self, name: str) -> None:
        """Note that the warehouse has a lap."""
        self._change(name, synced=True)

    def set_corners(self, name: str, corners: int, size: int) -> None:
        """Note the corners of a lap: their fingerprint, 0 for none, and the bytes of their file."""
        self._change(name, corners=corners, corners_bytes=size)

    def _change(self, name: str, **fields: Any) -> None:
        with self.transaction():
            lap = self.lap(name)
            if lap is None:
                raise NotFound(f"there is no lap {name!r}", name=name)
            for key, value in fields.items():
                setattr(lap, key, value)
            self.put_lap(lap)

    def lap(self, name: str) -> lap_pb2.Lap | None:
        """Return the lap of that name."""
        return lookup.lap(self._db, name)

    def session(self, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
        """Return the session of that name, if there is one for the viewer, with what is known of its laps."""
        return lookup.session(self._db, name, viewer)

    def laps_by_age(self) -> Iterator[IndexedLap]:
        """Yield all laps, oldest first. Taken at once, so laps may be removed on the way."""
        for name, size, pinned, synced, best, start_ns, imported in self._db.execute(_BY_AGE).fetchall():
            yield IndexedLap(name, size, bool(pinned), bool(synced), bool(best), start_ns, bool(imported))

    def states(self) -> dict[str, LapFileState]:
        """Return all laps listed, with what is known of their files."""
        rows = self._db.execute("SELECT name, pinned, synced, damaged FROM lap")
        return {name: LapFileState(*map(bool, state)) for name, *state in rows}

    def check(self) -> None:
        """Raise Corrupt unless every row says what its message says and every sum is right: retention acts on
        rows. 3 s for 100,000 laps.
        """
        check(self._db)

    def count(self) -> int:
        """Return the number of laps listed."""
        return int(self._db.execute("SELECT total(laps) FROM seat").fetchone()[0])

    def total_bytes(self) -> int:
        """Return the bytes of all lap files, and of the corners beside them."""
        (laps,) = self._db.execute("SELECT total(bytes) FROM seat").fetchone()
        (corners,) = self._db.execute("SELECT total(corners_bytes) FROM lap WHERE corners_bytes").fetchone()
        return int(laps + corners)

    def whole_laps(self) -> list[str]:
        """Return the names of all complete laps whose file is sound, newest first."""
        rows = self._db.execute("SELECT name FROM lap WHERE complete AND NOT damaged ORDER BY start_ns DESC")
        return [name for (name,) in rows]

    def unsynced(self) -> tuple[int, int]:
        """Return how many laps no warehouse has, and when the oldest of them that was recorded here began,
        unix nanoseconds, 0 when there is none: imports are of any age.
        """
        count, since = self._db.execute(_UNSYNCED).fetchone()
        return int(count), int(since or 0)

    def mark_bytes(self) -> int:
        """Return the bytes of the pinned excerpts of marks."""
        return lookup.mark_bytes(self._db)

    def meta(self, key: str) -> str | None:
        """Return a small value that the archiver keeps."""
        return lookup.meta(self._db, key)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small value."""
        self._insert("REPLACE", "meta", {"key": key, "value": value, "crc": zlib.crc32(value.encode())})

    def position(self, ring: bytes) -> int:
        """Return the number of the last event of the ring of that id that is done with: all it tells of is on
        the disk. 0 for a ring of which nothing is.
        """
        return lookup.position(self._db, ring)

    def set_position(self, ring: bytes, seq: int) -> None:
        """Note that everything up to event number `seq` of that ring is done with."""
        self.set_meta(lookup.POSITION, f"{ring.hex()} {seq}")

    def put_loss(self, name: str, why: str) -> None:
        """Declare that a lap had to go although someone wanted it, or nobody else had it."""
        self._insert("REPLACE", "loss", {"lap": name, "why": why})

    def losses(self) -> dict[str, str]:
        """Return what had to go, and why, by the lap's name."""
        return dict(self._db.execute("SELECT lap, why FROM loss ORDER BY lap"))

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in ("lap", "message", "seat", "session", "loss", "meta"):
                self._db.execute(f"DELETE FROM {table}")
