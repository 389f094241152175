"""Laps of a warehouse as laps, to compare them as those of a rig or of files."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import LAP, PHYSICS
from rig.errors import NotFound
from rig.lapfile import pack
from rig.v1 import archive_pb2, lap_pb2
from rigclient.warehouse import tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.numbers import numbers
from rigclient.warehouse.questions.laps import LapKey
from riglap.lap import Lap
from riglap.references import WantedLaps

_MOST_ROWS: Final = 200_000
"""An hour of one lap at 50 Hz. More is no lap to compare."""
_FASTEST: Final = 200
_FIELDS: Final = {
    "CAR": "car",
    "LAP_INDEX": "index",
    "LAP_NUMBER": "number",
    "DRIVER": "driver",
    "VEHICLE": "vehicle",
    "VEHICLE_CLASS": "vehicle_class",
    "PLAYER": "player",
    "START_TIME": "start_time",
    "END_TIME": "end_time",
    "LAP_TIME": "lap_time",
    "OFFICIAL": "official",
    "SECTOR1": "sector1",
    "SECTOR2": "sector2",
    "SECTOR3": "sector3",
    "VALID": "valid",
    "COMPLETE": "complete",
    "OUT_LAP": "out_lap",
    "IN_LAP": "in_lap",
    "TRACK": "track_name",
    "TRACK_LENGTH": "track_length",
    "SAMPLES": "samples",
}
"""Columns of LAPS, and what they are of a lap."""
_COLUMNS: Final = ", ".join(("SESSION", "LAP", "PIT_VISITS", *_FIELDS))


def lap_of(destination: Destination, key: LapKey, channels: Sequence[str]) -> Lap:
    """Return a lap with those of these channels that its samples have. Raises NotFound, also for a lap
    without samples.
    """
    facts = message(destination, key)
    wanted = [one for one in (*LAP.channels, *PHYSICS.channels) if one.name in channels]
    there = destination.columns()["PHYSICS"]
    parts = {one.name: tables.components(one.name, one.width) for one in wanted}
    parts = {name: columns for name, columns in parts.items() if all(column in there for column in columns)}
    read = _read(destination, key, [column for columns in parts.values() for column in columns])
    if read is None:
        raise NotFound(
            f"the warehouse has no samples of {key}", hint="`rig warehouse laps` shows which laps have some"
        )
    columns = {}
    for channel in wanted:
        values = [read[column] for column in parts.get(channel.name, ())]
        if values and not all(np.isnan(one).all() for one in values):
            table = values[0] if len(values) == 1 else np.stack(values, axis=1)
            kept = table if channel.dtype.kind == "f" else np.nan_to_num(table)
            columns[channel.name] = kept.astype(channel.dtype)
    return Lap.from_bytes(pack(archive_pb2.LapHeader(lap=facts), columns, {}))


def message(destination: Destination, key: LapKey) -> lap_pb2.Lap:
    """Return what a lap is. Raises NotFound."""
    sql = f"SELECT {_COLUMNS} FROM LAPS WHERE RIG_ID = ? AND SESSION = ? AND LAP = ?"
    for row in destination.rows(sql, key):
        return _message(row)
    raise NotFound(f"there is no lap {key}", hint="`rig warehouse laps` lists them")


def fastest(destination: Destination, wanted: WantedLaps) -> list[lap_pb2.Lap]:
    """Return complete laps with samples that count, or of which nobody knows, the fastest first."""
    asked = {
        "TRACK": wanted.track,
        "SESSION": wanted.session.removeprefix("sessions/"),
        "VEHICLE_CLASS": wanted.vehicle_class,
        "DRIVER": wanted.driver,
    }
    given = {column: value for column, value in asked.items() if value}
    where = " AND ".join(f"{column} = ?" for column in given) or "TRUE"
    sql = (
        f"SELECT {_COLUMNS} FROM LAPS WHERE {where} AND KIND = 'lap' AND COMPLETE AND SAMPLES > 0 "
        f"AND LAP_TIME IS NOT NULL AND COALESCE(VALID, TRUE) ORDER BY LAP_TIME, SESSION, LAP LIMIT {_FASTEST}"
    )
    return [_message(row) for row in destination.rows(sql, list(given.values()))]


def _message(row: Sequence[Any]) -> lap_pb2.Lap:
    session, lap, visits, *facts = row
    known = {name: value for name, value in zip(_FIELDS.values(), facts, strict=True) if value is not None}
    known.setdefault("valid", bool(known.get("complete")))  # nobody knows: it counts
    return lap_pb2.Lap(
        name=f"sessions/{session}/laps/{lap}",
        kind=lap_pb2.LAP_KIND_LAP,
        pit_visits=[lap_pb2.PitVisit()] * (visits or 0),
        **known,
    )


def _read(destination: Destination, key: LapKey, columns: Iterable[str]) -> Mapping[str, Any] | None:
    """Return the columns of a lap in the order of its samples, as float64: NaN where there is no value."""
    chosen = list(columns)
    sql = (
        f"SELECT {', '.join(chosen)} FROM PHYSICS WHERE RIG_ID = ? AND SESSION = ? AND LAP = ? "
        f"ORDER BY SEQ LIMIT {_MOST_ROWS}"
    )
    batches = [batch for batch in destination.batches(sql, key) if batch.num_rows]
    if not batches or not chosen:
        return None
    return {
        name: np.concatenate([numbers(batch.column(at)) for batch in batches])
        for at, name in enumerate(chosen)
    }
