"""Laps that a client made of another program's file."""

from typing import Any

from rig.lapfile import pack
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from tests.store import lap_store

SESSION = "sessions/20190705-100000-meander-valley-practice-import-1"
START_NS = 1_562_320_800_000_000_000
"""Years before everything that was recorded."""


def session(name: str = SESSION, **fields: Any) -> session_pb2.Session:
    usual: dict[str, Any] = {"source": session_pb2.SESSION_SOURCE_IMPORT, "start_time_ns": START_NS}
    return lap_store.session(name, **usual | fields)


def lap(index: int = 1, parent: str = SESSION, **fields: Any) -> lap_pb2.Lap:
    usual: dict[str, Any] = {"bytes": 0, "start_time_ns": START_NS + index * 100_000_000_000}
    return lap_store.lap(7, index, parent, **usual | fields)


def file(
    made: lap_pb2.Lap,
    columns: lap_store.Columns | None = None,
    of: session_pb2.Session | None = None,
) -> bytes:
    """The lap's file; without columns it has times alone."""
    header = archive_pb2.LapHeader(lap=made, session=of or session(made.name.partition("/laps/")[0]))
    header.lap.samples = len(columns["lap_time"]) if columns else 0
    return pack(header, columns or {}, {})
