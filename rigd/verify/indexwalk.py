"""The index: sound as a database, and every row what its message says."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from rig.errors import Corrupt, Newer, RigError
from rig.v1 import lap_pb2, rig_pb2
from rigd.store.folder import LapFolder
from rigd.store.index import connect
from rigd.store.index.rows import differing, unpack_message
from rigd.verify.finding import finding
from rigd.verify.sessionwalk import readable_sessions
from rigd.verify.walk import Findings

_WHERE: Final = "index.sqlite"
_LAPS: Final = """
SELECT lap.*, seat.session, seat.car, seat.driver, seat.vehicle, seat.class, seat.track, message.lap_message
FROM lap LEFT JOIN seat ON seat.id = lap.seat LEFT JOIN message ON message.lap = lap.id
"""
_SUMS: Final = """
SELECT seat.session, seat.car, seat.driver FROM seat LEFT JOIN lap ON lap.seat = seat.id
GROUP BY seat.id HAVING seat.laps != count(lap.id) OR seat.bytes != total(lap.bytes)
"""
_ALONE: Final = "SELECT count(*) FROM message WHERE lap NOT IN (SELECT id FROM lap)"


class IndexWalk:
    """Checks the index of a data directory."""

    def __init__(self, data: Path) -> None:
        self.path, self._store = data / _WHERE, LapFolder(data / "laps")

    def trouble(self) -> rig_pb2.Finding | None:
        """Return why it cannot be used at all."""
        if not self.path.exists():
            laps = next(self._store.laps(), None)
            return finding("index-missing", _WHERE, "there are laps, and no index") if laps else None
        try:
            with contextlib.closing(connect(self.path, "ro")) as db:
                answers = [str(row[0]) for row in db.execute("PRAGMA integrity_check(3)")]
        except Newer as error:
            return finding("index-newer", _WHERE, error.message)
        except (RigError, sqlite3.Error) as error:
            answers = [str(error)]
        return None if answers == ["ok"] else finding("index-damaged", _WHERE, "; ".join(answers))

    def walk(self) -> Findings:
        """Yield everything that is wrong with its rows, as they are at one moment."""
        if not self.path.exists():
            return
        with contextlib.closing(connect(self.path, "ro")) as db:
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")
            for row in db.execute(_LAPS):
                yield from self._row(row)
            for session, car, driver in db.execute(_SUMS):
                what = f"the sums of car {car}, {driver!r}, in {session} are not those of its laps"
                yield finding("index-sums", _WHERE, what)
            if alone := db.execute(_ALONE).fetchone()[0]:
                yield finding("index-row", _WHERE, f"{alone} messages belong to no lap")
            yield from self._losses({lap for (lap,) in db.execute("SELECT lap FROM loss")})

    def _row(self, row: sqlite3.Row) -> Findings:
        try:
            lap = unpack_message(lap_pb2.Lap, row["lap_message"] or b"")
        except Corrupt as error:
            yield finding("index-row", f"{_WHERE} {row['name']}", f"its message cannot be read: {error}")
            return
        if wrong := ", ".join(differing(lap, dict(row))):
            yield finding("index-row", f"{_WHERE} {row['name']}", f"its message says otherwise of {wrong}")

    def _losses(self, listed: set[str]) -> Findings:
        """Yield laps that had to go: the folder tells it, and the index has to know."""
        gone = [self._store.tombstones(session.name) for session in readable_sessions(self._store)]
        forced = {lap for laps in gone for lap, facts in laps.items() if facts.get("forced")}
        for lap in sorted(forced ^ listed):
            where = "the folder" if lap in forced else "the index"
            yield finding("index-losses", f"{_WHERE} {lap}", f"only {where} knows that it had to go")
