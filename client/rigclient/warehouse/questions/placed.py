"""The time between two laps of a warehouse along the line of one of them, as `rig compare` has it."""

# ruff: noqa: S608  what is put into statements are names from this file; values are bound

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rig.errors import RigError
from rig.lapfile import pack
from rig.v1 import archive_pb2, lap_pb2
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.laps import LapKey
from riglap.compare import compare
from riglap.lap import Lap

_COLUMNS: Final = ("LAP_TIME", "DISTANCE", "SPEED", "POSITION_X", "POSITION_Y", "POSITION_Z", "IN_PIT_LANE")
_FACTS: Final = ("DRIVER", "START_TIME", "END_TIME", "LAP_TIME", "LAP_NUMBER", "COMPLETE", "TRACK_LENGTH")
_MOST_ROWS: Final = 200_000
"""An hour of one lap at 50 Hz. More is no lap to compare."""

Delta = Callable[[float], float | None]


def placed(destination: Destination, first: LapKey, second: LapKey) -> Delta | None:
    """Return what the second lap has lost to the first at a distance from the line [m], in seconds, None
    where it is doubtful; or None, where the laps have no positions or cannot be compared.
    """
    try:
        laps = [lap for key in (first, second) if (lap := lap_of(destination, key)) is not None]
        found = compare(laps) if len(laps) == 2 else None
    except RigError:
        return None
    if found is None or found.circuit is None:
        return None
    delta, length = found.delta(), found.circuit.track_length
    metres = found.places * (length / found.circuit.length)

    def lost(distance: float) -> float | None:
        seconds = float(np.interp(distance, metres, delta, np.nan, np.nan))
        return seconds if math.isfinite(seconds) else None

    return lost


def lap_of(destination: Destination, key: LapKey) -> Lap | None:
    """Return a lap of the warehouse with what comparing takes, None for one without positions."""
    where = "WHERE RIG_ID = ? AND SESSION = ? AND LAP = ?"
    known = f"{where} AND POSITION_X IS NOT NULL ORDER BY SEQ LIMIT {_MOST_ROWS}"
    sql = f"SELECT {', '.join(_COLUMNS)} FROM PHYSICS {known}"
    rows = list(destination.rows(sql, key))
    facts = list(destination.rows(f"SELECT {', '.join(_FACTS)} FROM LAPS {where}", key))
    if not rows or not facts:
        return None
    return Lap.from_bytes(pack(_header(key, facts[0]), _table(rows), {}))


def _header(key: LapKey, facts: Sequence[Any]) -> archive_pb2.LapHeader:
    driver, start, end, lap_time, number, complete, length = facts
    lap = lap_pb2.Lap(
        name=f"sessions/{key.session}/laps/{key.lap}",
        kind=lap_pb2.LAP_KIND_LAP,
        driver=driver or "",
        start_time=start or 0.0,
        end_time=end or 0.0,
        lap_time=lap_time,
        number=number or 0,
        complete=bool(complete),
        track_length=length or 0.0,
    )
    return archive_pb2.LapHeader(lap=lap)


def _table(rows: Sequence[Sequence[Any]]) -> dict[str, np.ndarray[Any, Any]]:
    time, distance, speed, x, y, z, lane = (
        np.array([math.nan if value is None else value for value in column], np.float64)
        for column in zip(*rows, strict=True)
    )
    return {
        "lap_time": time,
        "distance": distance.astype("<f4"),
        "speed": speed.astype("<f4"),
        "position": np.stack((x, y, z), axis=1).astype("<f4"),
        "in_pit_lane": np.nan_to_num(lane) != 0,
    }
