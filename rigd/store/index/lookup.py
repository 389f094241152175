"""What is looked up in an open index, beside the one who writes it as by readers."""

# ruff: noqa: S608  what is put into statements are names of tables and columns, all from this room

import sqlite3
import zlib
from typing import Final

from rig.v1 import lap_pb2, session_pb2
from rigd.store.index import query
from rigd.store.index.file import knows
from rigd.store.index.rows import unpack_message
from rigd.store.viewer import EVERYTHING, Viewer

POSITION: Final = "position"
"""Key of how far the archiver is in a ring's events."""

_OF_SESSION: Final = """
SELECT total(laps), count(DISTINCT car), total(bytes) FROM seat WHERE session = ?
"""
_MARKED: Final = "SELECT total(bytes) FROM lap WHERE kind = ? AND pinned"


def lap(db: sqlite3.Connection, name: str, viewer: Viewer = EVERYTHING) -> lap_pb2.Lap | None:
    """Return the lap of that name, if there is one for the viewer."""
    seen = viewer.laps()
    row = db.execute(
        f"SELECT lap_message FROM message WHERE lap = (SELECT id FROM lap WHERE name = ? AND {seen})",
        (name, *seen.values),
    ).fetchone()
    return unpack_message(lap_pb2.Lap, row[0]) if row else None


def session(db: sqlite3.Connection, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
    """Return the session of that name, if there is one for the viewer, with what is known of its laps."""
    seen = viewer.sessions("session.name")
    row = db.execute(
        f"SELECT message FROM session WHERE name = ? AND {seen}", (name, *seen.values)
    ).fetchone()
    return counted(db, row[0], viewer) if row else None


def counted(db: sqlite3.Connection, message: bytes, viewer: Viewer) -> session_pb2.Session:
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
    if not knows(db, "corners"):
        return 0
    seen = viewer.laps()
    found = db.execute(
        "SELECT coalesce(sum(lap.corners), 0) FROM seat CROSS JOIN lap ON lap.seat = seat.id "
        f"WHERE lap.corners_bytes AND seat.session = ? AND {seen}",
        (session, *seen.values),
    ).fetchone()
    return int(found[0])


def meta(db: sqlite3.Connection, key: str) -> str | None:
    """Return a small value; None also for one that is not what was written."""
    row = db.execute("SELECT value, crc FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row and zlib.crc32(row[0].encode()) == row[1] else None


def position(db: sqlite3.Connection, ring: bytes) -> int:
    """Return the number of the last event of a ring that the archiver is done with; 0 where nothing is."""
    own, _, seq = (meta(db, POSITION) or "").partition(" ")
    return int(seq) if own == ring.hex() else 0


def mark_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes of pinned excerpts; 4 ms where there are 45,000 laps."""
    return int(db.execute(_MARKED, (lap_pb2.LAP_KIND_EXCERPT,)).fetchone()[0])
