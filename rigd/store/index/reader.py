"""Readers of the index, beside the one who writes it."""

# ruff: noqa: S608  what is put into statements are names of tables and columns, all from this room

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd.store.index import lookup, query
from rigd.store.index.file import connect, knows, meaning, version_of
from rigd.store.index.rows import unpack_message
from rigd.store.viewer import EVERYTHING, Viewer
from rigd.store.where import Where

_NARROW: Final = 5
"""When at most one lap in five is of a seat that matches, gathering those laps is faster than walking all in
order: at 100,000 laps both take 12 ms there.
"""
_BYTES_OF_USER: Final = (
    f"SELECT total(bytes) FROM lap WHERE user = ? AND user <> '' AND seat IN ({query.IMPORTED})"
)


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
            return lookup.lap(db, name, viewer) if db else None

    def session(self, name: str, viewer: Viewer = EVERYTHING) -> session_pb2.Session | None:
        """Return the session of that name, if there is one for the viewer, with what is known of its laps."""
        with self._reading(viewer) as db:
            return lookup.session(db, name, viewer) if db else None

    def mark_bytes(self) -> int:
        """Return the bytes of the pinned excerpts of marks."""
        with self._reading() as db:
            return lookup.mark_bytes(db) if db else 0

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
            return lookup.meta(db, key) if db else None

    def position(self, ring: bytes) -> int:
        """Return the number of the last event of the ring of that id that the archiver is done with; 0 for a
        ring of which nothing is.
        """
        with self._reading() as db:
            return lookup.position(db, ring) if db else 0

    def list_sessions(
        self, request: laps_pb2.ListSessionsRequest, viewer: Viewer = EVERYTHING
    ) -> laps_pb2.ListSessionsResponse:
        """Return a page of what sessions there are for the viewer. Raises BadRequest and MalformedToken."""
        asked = query.SessionQuery(request, viewer)
        with self._reading(viewer) as db:
            rows = db.execute(*asked.page()).fetchall() if db else []
            shown = rows[: asked.paging.size]
            sessions = [lookup.counted(db, message, viewer) for *_, message in shown] if db else []
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
            if db is None or ((asks or not viewer.all) and not knows(db, "user")):
                yield None
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()
        except sqlite3.DatabaseError as error:
            raise meaning(self._path, error) from error

    def _connection(self) -> sqlite3.Connection | None:
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            return None
        if getattr(self._mine, "inode", None) != inode:
            self._mine.db, self._mine.inode = connect(self._path, "ro"), inode
        db: sqlite3.Connection = self._mine.db
        return None if version_of(db) is None else db


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
