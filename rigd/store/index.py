"""The index: sessions and laps for filtering and paging, in one SQLite file.

The folder of laps is the truth and the index can be made from it again, so the file is not flushed with every
commit: a power cut may take the last ones, and never breaks it. The archiver writes, servers read beside it.
"""

# ruff: noqa: S608  what is put into statements are names of tables and columns, all from these two files

import contextlib
import os
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from rig.disk import sync_folder
from rig.errors import Corrupt, Newer, NotFound, RigError, Unavailable
from rig.regular import is_regular
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd.durable import make_folder
from rigd.store import query
from rigd.store.folder import LapFileState
from rigd.store.rows import check, lap_row, pack_message, seat_row, session_row, unpack_message
from rigd.store.viewer import EVERYTHING, Viewer
from rigd.store.where import Where

VERSION: Final = 4
"""Of the tables below, and of what is in them. 4: messages carry a checksum, laps a digest. A column more is
no new version: a writer adds it, and readers do without it until then.
"""

_LOCKED_S: Final = 2.0
"""Wait for somebody who has locked the file; longer is trouble, which is told."""
NEWER: Final = ".newer"
"""Added to the name of an index that a newer version wrote, when it has to give way."""

_POSITION: Final = "position"
"""Key of how far the archiver is in a ring's events."""
_NARROW: Final = 5
"""When at most one lap in five is of a seat that matches, gathering those laps is faster than walking all in
order: at 100,000 laps both take 12 ms there.
"""

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE loss (lap TEXT PRIMARY KEY, why TEXT NOT NULL);
CREATE TABLE session (
    name TEXT PRIMARY KEY, track TEXT NOT NULL, kind INTEGER NOT NULL, source INTEGER NOT NULL,
    start_ns INTEGER NOT NULL, message BLOB NOT NULL
);
CREATE INDEX session_by_start ON session (start_ns, name);

-- Who drove what, where: what the laps of one car and driver in a session have in common. Forty rows a
-- session, so a text is searched in 4000 rows where there are 100,000 laps. Texts are in lower case.
CREATE TABLE seat (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, car INTEGER NOT NULL, driver TEXT NOT NULL,
    vehicle TEXT NOT NULL, class TEXT NOT NULL, track TEXT NOT NULL,
    laps INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session, car, driver, vehicle, class, track)
);

-- Numbers alone, because rows are searched; the message is beside them. A time that is absent is infinite.
CREATE TABLE lap (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seat INTEGER NOT NULL, kind INTEGER NOT NULL,
    number INTEGER NOT NULL, start_ns INTEGER NOT NULL, lap_time REAL NOT NULL, sector1 REAL NOT NULL,
    sector2 REAL NOT NULL, sector3 REAL NOT NULL, place INTEGER NOT NULL, valid INTEGER NOT NULL,
    complete INTEGER NOT NULL, pinned INTEGER NOT NULL, damaged INTEGER NOT NULL, player INTEGER NOT NULL,
    synced INTEGER NOT NULL, counted INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX lap_by_start ON lap (start_ns, name);
CREATE INDEX lap_by_time ON lap (lap_time, name);
CREATE INDEX lap_by_seat ON lap (seat, start_ns);
CREATE INDEX lap_by_rank ON lap (seat, lap_time, start_ns, name) WHERE counted;
CREATE TABLE message (lap INTEGER PRIMARY KEY, lap_message BLOB NOT NULL);

CREATE TRIGGER lap_came AFTER INSERT ON lap BEGIN
    UPDATE seat SET laps = laps + 1, bytes = bytes + new.bytes WHERE id = new.seat;
END;
CREATE TRIGGER lap_went AFTER DELETE ON lap BEGIN
    DELETE FROM message WHERE lap = old.id;
    UPDATE seat SET laps = laps - 1, bytes = bytes - old.bytes WHERE id = old.seat;
    DELETE FROM seat WHERE id = old.seat AND laps = 0;
END;
"""
_USERS: Final = """
ALTER TABLE lap ADD COLUMN user TEXT NOT NULL DEFAULT '';
CREATE INDEX lap_by_user ON lap (user, seat) WHERE user <> '';
"""
"""Since release 0.2: whose laps they are."""

_CORNERS: Final = """
ALTER TABLE lap ADD COLUMN corners INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lap ADD COLUMN corners_bytes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX lap_by_corners ON lap (seat, corners, corners_bytes) WHERE corners_bytes;
"""
"""Since release 0.2: corners that are kept beside laps. Sums are taken from the index alone."""

_OF_SESSION: Final = """
SELECT total(laps), count(DISTINCT car), total(bytes) FROM seat WHERE session = ?
"""
_MARKED: Final = "SELECT total(bytes) FROM lap WHERE kind = ? AND pinned"
_IMPORTED: Final = f"""
SELECT seat.id FROM seat JOIN session ON session.name = seat.session
WHERE session.source = {int(session_pb2.SESSION_SOURCE_IMPORT)}
"""
_UNSYNCED: Final = f"""
SELECT count(*), min(start_ns) FILTER (WHERE seat NOT IN ({_IMPORTED})) FROM lap WHERE NOT synced
"""
_BYTES_OF_USER: Final = (
    f"SELECT total(bytes) FROM lap WHERE user = ? AND user <> '' AND seat IN ({_IMPORTED})"
)
_BY_AGE: Final = f"""
SELECT name, bytes + corners_bytes, pinned, synced,
    id IN (SELECT id FROM ({query.best("seat.session, seat.car")}) WHERE rank = 1
        UNION ALL SELECT id FROM ({query.best("seat.track, seat.class")}) WHERE rank = 1),
    start_ns, seat IN ({_IMPORTED})
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


def _lap(db: sqlite3.Connection, name: str, viewer: Viewer = EVERYTHING) -> lap_pb2.Lap | None:
    seen = viewer.laps()
    row = db.execute(
        f"SELECT lap_message FROM message WHERE lap = (SELECT id FROM lap WHERE name = ? AND {seen})",
        (name, *seen.values),
    ).fetchone()
    return unpack_message(lap_pb2.Lap, row[0]) if row else None


def _session(db: sqlite3.Connection, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
    seen = viewer.sessions("session.name")
    row = db.execute(
        f"SELECT message FROM session WHERE name = ? AND {seen}", (name, *seen.values)
    ).fetchone()
    return _counted(db, row[0], viewer) if row else None


def _counted(db: sqlite3.Connection, message: bytes, viewer: Viewer) -> session_pb2.Session:
    """Return the session with what is known of its laps, of those that there are for a viewer."""
    session = unpack_message(session_pb2.Session, message)
    session.laps, session.cars, session.bytes = map(int, _sums(db, session.name, viewer))
    session.corners = _corners(db, session.name, viewer)
    session.ClearField("best_lap_time")
    session.ClearField("best_lap")
    seen = viewer.laps()
    best = query.best("seat.session", "seat.session = ?", str(seen))
    found = db.execute(
        f"SELECT lap_time, name FROM lap WHERE id IN (SELECT id FROM ({best}) WHERE rank = 1)",
        (*seen.values, session.name),
    ).fetchone()
    if found:
        session.best_lap_time, session.best_lap = found
    return session


def _sums(db: sqlite3.Connection, session: str, viewer: Viewer) -> tuple[float, float, float]:
    """Return laps, cars and bytes of a session."""
    if viewer.all:
        found = db.execute(_OF_SESSION, (session,)).fetchone()
    else:
        seen = viewer.laps()
        found = db.execute(
            "SELECT count(*), count(DISTINCT seat.car), total(lap.bytes) "
            f"FROM seat CROSS JOIN lap ON lap.seat = seat.id WHERE seat.session = ? AND {seen}",
            (session, *seen.values),
        ).fetchone()
    laps, cars, size = found
    return laps, cars, size


def _corners(db: sqlite3.Connection, session: str, viewer: Viewer) -> int:
    """Return the sum of the fingerprints of corners of a session's laps."""
    if not _knows(db, "corners"):
        return 0
    seen = viewer.laps()
    found = db.execute(
        "SELECT coalesce(sum(lap.corners), 0) FROM seat CROSS JOIN lap ON lap.seat = seat.id "
        f"WHERE lap.corners_bytes AND seat.session = ? AND {seen}",
        (session, *seen.values),
    ).fetchone()
    return int(found[0])


def _knows(db: sqlite3.Connection, column: str) -> bool:
    """Return whether an archiver of this version has opened it."""
    return bool(db.execute("SELECT 1 FROM pragma_table_info('lap') WHERE name = ?", (column,)).fetchone())


def _knows_users(db: sqlite3.Connection) -> bool:
    return _knows(db, "user")


def _meta(db: sqlite3.Connection, key: str) -> str | None:
    """Return a small value; None also for one that is not what was written."""
    row = db.execute("SELECT value, crc FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row and zlib.crc32(row[0].encode()) == row[1] else None


def _position(value: str | None, ring: bytes) -> int:
    own, _, seq = (value or "").partition(" ")
    return int(seq) if own == ring.hex() else 0


def _mark_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes of pinned excerpts; 4 ms where there are 45,000 laps."""
    return int(db.execute(_MARKED, (lap_pb2.LAP_KIND_EXCERPT,)).fetchone()[0])


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return an open index, or an empty file for one. Raises Corrupt for anything else, and for another
    version: Newer for one to come.
    """
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.exists() and not is_regular(file):
            raise Corrupt(f"{file} is no regular file", hint="rigd reindex", path=path)
    try:
        # The archiver's turns are taken by several threads, one after the other.
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_LOCKED_S,
        )
        version = _version(db)
    except sqlite3.DatabaseError as error:
        raise _meaning(path, error) from error
    if version not in (VERSION, None):
        db.close()
        what = f"version {version}, this program uses {VERSION}"
        if version > VERSION:
            raise Newer(f"{path} was written by a newer version and is kept: {what}", hint="rigd reindex")
        raise Corrupt(f"{path} is an index of {what}", hint="rigd reindex")
    return db


def refuse_newer(path: Path) -> None:
    """Raise Newer where the index at `path` was written by a newer version; whatever else is wrong with it is
    for whoever opens it.
    """
    try:
        if path.exists():
            connect(path, "ro").close()
    except Newer:
        raise
    except (RigError, OSError):
        return


def _version(db: sqlite3.Connection) -> int | None:
    """Return the version of the tables, None when there are none yet."""
    empty = not db.execute("SELECT 1 FROM sqlite_master").fetchone()
    return None if empty else int(db.execute("PRAGMA user_version").fetchone()[0])


def _meaning(path: Path, error: sqlite3.DatabaseError) -> RigError:
    """Return the error of the tree: of the bytes themselves when the database names no narrower kind."""
    if type(error) is sqlite3.DatabaseError:
        return Corrupt(f"{path} is no sound index: {error}", hint="rigd reindex", path=path)
    return Unavailable(f"the index {path} cannot be read: {error}", path=path)


class Index:
    """The one writer. Every change is a transaction of its own, unless `transaction` binds several."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._db = connect(path, "rwc")
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            if _version(self._db) is None:
                self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            if not _knows_users(self._db):
                self._db.executescript(f"BEGIN; {_USERS} COMMIT;")
            if not _knows(self._db, "corners"):
                self._db.executescript(f"BEGIN; {_CORNERS} COMMIT;")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _meaning(path, error) from error
        self._path, self._file = path, os.stat(path)

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
        return _lap(self._db, name)

    def session(self, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
        """Return the session of that name, if there is one for the viewer, with what is known of its laps."""
        return _session(self._db, name, viewer)

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
        return _mark_bytes(self._db)

    def meta(self, key: str) -> str | None:
        """Return a small value that the archiver keeps."""
        return _meta(self._db, key)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small value."""
        self._insert("REPLACE", "meta", {"key": key, "value": value, "crc": zlib.crc32(value.encode())})

    def position(self, ring: bytes) -> int:
        """Return the number of the last event of the ring of that id that is done with: all it tells of is on
        the disk. 0 for a ring of which nothing is.
        """
        return _position(self.meta(_POSITION), ring)

    def set_position(self, ring: bytes, seq: int) -> None:
        """Note that everything up to event number `seq` of that ring is done with."""
        self.set_meta(_POSITION, f"{ring.hex()} {seq}")

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


def remove_index(path: Path) -> None:
    """Remove the file, readable or not, with its journal; the next Index begins an empty one."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # Else a power cut might leave the old journal beside a new file, which would take it for its own.
    sync_folder(path.parent)


class IndexReader:
    """A reader beside the writer, for any number of threads.

    The file need not be there yet: then there are no laps. Another file under its name is noticed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()

    def lap(self, name: str, viewer: Viewer = EVERYTHING) -> lap_pb2.Lap | None:
        """Return the lap of that name, if there is one for the viewer."""
        with self._reading(viewer) as db:
            return _lap(db, name, viewer) if db else None

    def session(self, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
        """Return the session of that name, if there is one for the viewer, with what is known of its laps."""
        with self._reading(viewer) as db:
            return _session(db, name, viewer) if db else None

    def mark_bytes(self) -> int:
        """Return the bytes of the pinned excerpts of marks."""
        with self._reading() as db:
            return _mark_bytes(db) if db else 0

    def imported_bytes(self, user: str) -> int:
        """Return the bytes of the imported laps of a user."""
        with self._reading(asks=True) as db:
            return int(db.execute(_BYTES_OF_USER, (user,)).fetchone()[0]) if db else 0

    def lap_names(self) -> list[str]:
        """Return the names of all laps."""
        with self._reading() as db:
            return [name for (name,) in db.execute("SELECT name FROM lap")] if db else []

    def meta(self, key: str) -> str | None:
        """Return a small value that the archiver keeps."""
        with self._reading() as db:
            return _meta(db, key) if db else None

    def position(self, ring: bytes) -> int:
        """Return the number of the last event of the ring of that id that the archiver is done with; 0 for a
        ring of which nothing is.
        """
        return _position(self.meta(_POSITION), ring)

    def list_sessions(
        self, request: laps_pb2.ListSessionsRequest, viewer: Viewer = EVERYTHING
    ) -> laps_pb2.ListSessionsResponse:
        """Return a page of what sessions there are for the viewer. Raises BadRequest and MalformedToken."""
        asked = query.SessionQuery(request, viewer)
        with self._reading(viewer) as db:
            rows = db.execute(*asked.page()).fetchall() if db else []
            shown = rows[: asked.paging.size]
            sessions = [_counted(db, message, viewer) for *_, message in shown] if db else []
        token = asked.paging.token(shown[-1][:2]) if len(rows) > len(shown) else ""
        return laps_pb2.ListSessionsResponse(sessions=sessions, next_page_token=token)

    def list_laps(
        self, request: laps_pb2.ListLapsRequest, viewer: Viewer = EVERYTHING
    ) -> laps_pb2.ListLapsResponse:
        """Return a page of what laps there are for the viewer. Raises BadRequest and MalformedToken."""
        asked = query.LapQuery(request, viewer)
        with self._reading(viewer, asks=bool(request.filter.user)) as db:
            rows = db.execute(*asked.page(_narrow(db, asked.seats))).fetchall() if db else []
            shown = rows[: asked.paging.size]
            laps = [_message(db, number) for number, *_ in shown] if db else []
        token = asked.paging.token(shown[-1][1:]) if len(rows) > len(shown) else ""
        return laps_pb2.ListLapsResponse(laps=laps, next_page_token=token)

    @contextlib.contextmanager
    def _reading(
        self, viewer: Viewer = EVERYTHING, *, asks: bool = False
    ) -> Iterator[sqlite3.Connection | None]:
        """Return the connection of this thread, in one read transaction; None without an index, and without
        one that knows of users where a viewer or what is asked needs them.
        """
        try:
            db = self._connection()
            if db is None or ((asks or not viewer.all) and not _knows_users(db)):
                yield None
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()
        except sqlite3.DatabaseError as error:
            raise _meaning(self._path, error) from error

    def _connection(self) -> sqlite3.Connection | None:
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            return None
        if getattr(self._mine, "inode", None) != inode:
            self._mine.db, self._mine.inode = connect(self._path, "ro"), inode
        db: sqlite3.Connection = self._mine.db
        return None if _version(db) is None else db


def _narrow(db: sqlite3.Connection, seats: Where) -> bool:
    """Return whether few laps are of seats that match."""
    if not seats.terms:
        return False
    count = f"SELECT total(laps) FILTER (WHERE {seats}), total(laps) FROM seat"
    matching, laps = db.execute(count, seats.values).fetchone()
    return bool(matching * _NARROW <= laps)


def _message(db: sqlite3.Connection, number: int) -> lap_pb2.Lap:
    row = db.execute("SELECT lap_message FROM message WHERE lap = ?", (number,)).fetchone()
    if row is None:
        raise Corrupt(f"the index has lost the message of its lap {number}", hint="rigd reindex")
    return unpack_message(lap_pb2.Lap, row[0])
