"""Rows of the index: what is written into them, and whether they still say it.

SQLite notices a broken page, not a flipped bit in a value. So messages carry a checksum, and the other
columns are compared with what is made of the message.
"""

import math
import sqlite3
import zlib
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from rig import parse
from rig.errors import Corrupt
from rig.v1 import lap_pb2, session_pb2
from rigd.store.index import query

Row = dict[str, Any]
M = TypeVar("M", bound=Message)

_CRC_BYTES: Final = 4
_ADDED: Final = {"user": "", "corners": 0, "corners_bytes": 0}
"""Columns that an index lacks until an archiver of this version has opened it, and what they say then."""

_LAPS: Final = """
SELECT lap.*, seat.session, seat.car, seat.driver, seat.vehicle, seat.class, seat.track, message.lap_message
FROM lap LEFT JOIN seat ON seat.id = lap.seat LEFT JOIN message ON message.lap = lap.id
"""
_WRONG_SUMS: Final = """
SELECT 1 FROM seat
LEFT JOIN (SELECT seat, count(*) AS laps, sum(bytes) AS bytes FROM lap GROUP BY seat) AS found
ON found.seat = seat.id WHERE found.laps IS NOT seat.laps OR found.bytes IS NOT seat.bytes
"""


def pack_message(message: Message) -> bytes:
    """Return a message with its checksum."""
    data = message.SerializeToString()
    return data + zlib.crc32(data).to_bytes(_CRC_BYTES, "little")


def unpack_message(kind: type[M], data: bytes) -> M:
    """Return the message. Raises Corrupt."""
    message = data[:-_CRC_BYTES]
    if message + zlib.crc32(message).to_bytes(_CRC_BYTES, "little") != data:
        raise Corrupt("a lap or session in the index is not what was written", hint="rigd reindex")
    return parse.message(kind, message)


def session_row(session: session_pb2.Session) -> Row:
    """Return a session's row, without its message."""
    return {
        "name": session.name,
        "track": session.track_name.casefold(),
        "kind": session.kind,
        "source": session.source,
        "start_ns": min(session.start_time_ns, query.LATEST_NS),
    }


def seat_row(lap: lap_pb2.Lap) -> Row:
    """Return the row of a lap's seat, without the sums."""
    return {
        "session": lap.name.partition("/laps/")[0],
        "car": lap.car,
        "driver": lap.driver.casefold(),
        "vehicle": lap.vehicle.casefold(),
        "class": lap.vehicle_class.casefold(),
        "track": lap.track_name.casefold(),
    }


def lap_row(lap: lap_pb2.Lap) -> Row:
    """Return a lap's row, without its seat."""
    lap_time = _seconds(lap, "lap_time")
    return {
        "name": lap.name,
        "kind": lap.kind,
        "number": lap.number,
        "start_ns": min(lap.start_time_ns, query.LATEST_NS),
        "lap_time": lap_time,
        **{sector: _seconds(lap, sector) for sector in ("sector1", "sector2", "sector3")},
        "place": lap.place,
        "valid": lap.valid,
        "complete": lap.complete,
        "pinned": lap.pinned,
        "damaged": bool(lap.damage),
        "player": lap.player,
        "synced": lap.synced,
        "user": lap.user,
        "counted": lap.valid and lap_time < query.ABSENT and lap.kind != lap_pb2.LAP_KIND_EXCERPT,
        "bytes": lap.bytes,
        "corners": lap.corners,
        "corners_bytes": lap.corners_bytes,
    }


def differing(lap: lap_pb2.Lap, row: Row) -> list[str]:
    """Return the columns in which a row is not what its lap says."""
    there = _ADDED | row
    return [column for column, value in (lap_row(lap) | seat_row(lap)).items() if there[column] != value]


def _seconds(lap: lap_pb2.Lap, name: str) -> float:
    value: float = getattr(lap, name)
    return value if lap.HasField(name) and not math.isnan(value) else query.ABSENT  # type: ignore[arg-type]


def check(db: sqlite3.Connection) -> None:
    """Raise Corrupt unless the file is sound, rows say what their messages say, and the sums are right."""
    try:
        why = next(_wrong(db), "")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        why = str(error)
    if why:
        raise Corrupt(f"the index is damaged: {why}", hint="rigd reindex")


def _wrong(db: sqlite3.Connection) -> Iterator[str]:
    """Return what is wrong."""
    (problem,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok":
        yield problem
    if db.execute(_WRONG_SUMS).fetchone():
        yield "the sums of a seat are not those of its laps"
    for row in _rows(db, "SELECT * FROM session"):
        session = unpack_message(session_pb2.Session, row["message"])
        if not session_row(session).items() <= row.items():
            yield f"the row of {row['name']} differs from its message"
    for row in _rows(db, _LAPS):
        lap = unpack_message(lap_pb2.Lap, row["lap_message"] or b"")
        if differing(lap, row):
            yield f"the row of {row['name']} differs from its message"


def _rows(db: sqlite3.Connection, statement: str) -> Iterator[Row]:
    cursor = db.execute(statement)
    names = [name for name, *_ in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)
