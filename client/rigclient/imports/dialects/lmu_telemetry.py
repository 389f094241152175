"""Laps of LMUTelemetry, versions 2 and 3, which have no clock.

    Format,LMUTelemetry v2
    ...
    LapTime [s],10259.110352

    LapDistance [m],LapTime [s],Sector [int],Speed [km/h],...
    3.545,10259.110,0,233.15,...

Version 2 writes the session's clock at the end of the lap into every row, version 3 nothing: time is reckoned
from the way between two rows and the speed, which is right within a sample or two. Rows that repeat the one
before, 37 to 46 % of a file, are left out; the lap distance moves five times a second.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.builder import ChannelBuilder
from rigclient.imports.channels.column import To, X, Y, Z
from rigclient.imports.loggers.tables import opened
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals.clock import rate_hz, reckoned_times, time_to_first
from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed
from rigclient.imports.text.whole_table import WholeTable, all_rows

Array = np.ndarray[Any, np.dtype[Any]]

_FORMAT: Final = "Format,LMUTelemetry v"
_DISTANCE: Final = "LapDistance [m]"
_X: Final = "X [m]"
_Y: Final = "Y [m]"
_Z: Final = "Z [m]"
_SPEED: Final = "Speed [km/h]"
_SECTOR: Final = "Sector [int]"
_NEEDED: Final = (_DISTANCE, _SPEED, _X, _Z)
_MOVING: Final = 0.2
"""Metres: rows nearer to the one before tell no time."""
_NO_CLOCK: Final = "reckoned from way and speed: the file has no clock"
_COLUMNS: Final = {
    "EngineRevs [rpm]": To("engine_rpm", "rpm"),
    "ThrottlePercentage [%]": To("throttle", "%"),
    "BrakePercentage [%]": To("brake", "%"),
    "Steer [%]": To("steering", "%"),
    "Gear [int]": To("gear"),
    _SPEED: To("speed", "km/h"),
    _DISTANCE: To("game_distance", "m"),
    _X: To("position", "m", X),
    _Y: To("position", "m", Y),
    _Z: To("position", "m", Z),
}
_KINDS: Final = {"practice": "practice", "qualify": "qualifying", "warmup": "warmup", "race": "race"}


class LmuTelemetry:
    """Reads them."""

    name = "LMUTelemetry"
    program = "LMUTelemetry for Le Mans Ultimate"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line names the format."""
        return head.text.startswith(_FORMAT)

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of one lap. Raises BadRequest for a file whose rows say nothing."""
        with path.open("rb") as file:
            table = opened(file, _NEEDED)
            said = {row[0].partition("[")[0].strip(): row[1] for row in table.before if len(row) > 1}
            columns = all_rows(table, refuse, progress)
        moving = _moving(columns, refuse)
        builder = _mapped(moving)
        samples = builder.samples()
        left = tuple(name for name in table.columns if name not in {one.column for one in builder.mapped})
        rate = rate_hz(samples["lap_time"])
        lap = _lap(said, samples)
        lap.others = {name: moving.values[name] for name in left}
        return [Recording(self.name, _session(said), iter([lap]), rate, tuple(builder.mapped), left)]


def _moving(columns: WholeTable, refuse: Refuse) -> WholeTable:
    """Return the rows that are somewhere else than the one before. Raises BadRequest for fewer than two."""
    needed = [columns.values[name] for name in (_X, _Y, _Z, _SPEED) if name in columns.values]
    known = np.isfinite(np.stack(needed, axis=1)).all(axis=1)
    rows, last = [], np.array([np.inf, np.inf])
    plane = np.stack([columns.values[_X], columns.values[_Z]], axis=1)
    for at, place in enumerate(plane):
        if not known[at]:
            refuse(int(columns.lines[at]), "no place", "the row has no position or no speed")
        elif np.hypot(*(place - last)) > _MOVING:
            rows.append(at)
            last = place
        else:
            refuse(int(columns.lines[at]), "a repeated row", "the car is where it was in the row before")
    if len(rows) < 2:
        raise BadRequest(f"it has {len(columns.lines)} rows, and the car moves in none of them")
    return columns.picked(np.array(rows))


def _mapped(columns: WholeTable) -> ChannelBuilder:
    builder = ChannelBuilder(len(columns.lines))
    axes = [columns.values[name] for name in (_X, _Y, _Z) if name in columns.values]
    speed = columns.values[_SPEED] / 3.6
    times = reckoned_times(np.stack(axes, axis=1), speed)
    builder.put(_SPEED, times, To("lap_time", "s", note=_NO_CLOCK))
    builder.put_all(columns.values, _COLUMNS)
    if _Y not in columns.values:
        builder.put(_X, np.zeros(len(times)), To("position", "m", Y, note="the file has no height"))
    sector = columns.values.get(_SECTOR)
    if sector is not None and np.isfinite(sector).any():
        builder.put(_SECTOR, sector + 1, To("sector", note="counted from 0"))
    return builder


def _lap(said: Mapping[str, str], samples: Mapping[str, Array]) -> RecordedLap:
    times, speed = samples["lap_time"], samples["speed"].astype(np.float64)
    plane = samples["position"].astype(np.float64)[:, [X, Z]]
    rest = time_to_first(plane, speed, float(np.median(np.diff(times))))
    lap_time = float(times[-1]) + rest if rest is not None else None
    ended = _number(said.get("LapTime", "")) or float(times[-1])
    return RecordedLap(
        car=0,
        index=1,
        start_s=ended - (lap_time or float(times[-1])),
        end_s=ended,
        driver=said.get("Player", ""),
        vehicle=said.get("CarName", ""),
        vehicle_class=said.get("CarClass", ""),
        lap_time_s=lap_time,
        sectors_s=_sectors(said, samples, lap_time),
        complete=lap_time is not None,
        samples=samples,
    )


def _sectors(
    said: Mapping[str, str], samples: Mapping[str, Array], lap_time: float | None
) -> tuple[float | None, float | None, float | None]:
    """Return the sectors by where they end, as far as the file says that; None of a piece."""
    ends = [_number(said.get(f"Sector{n}End", "")) for n in (1, 2)]
    distance = np.maximum.accumulate(np.nan_to_num(samples["game_distance"].astype(np.float64)))
    if lap_time is None or None in ends or not distance[-1] > (ends[1] or np.inf):
        return None, None, None
    moved = np.flatnonzero(np.diff(distance, prepend=-1.0) > 0)
    one, two = np.interp(np.array(ends, np.float64), distance[moved], samples["lap_time"][moved])
    return float(one), float(two - one), float(lap_time - two)


def _session(said: Mapping[str, str]) -> RecordedSession:
    try:
        began = cells.moment_ns("SessionUTC", said.get("SessionUTC", ""))
    except Malformed:
        began = 0
    return RecordedSession(
        track=said.get("TrackName", ""),
        kind=_KINDS.get(said.get("Event", "").lower(), "practice"),
        start_time_ns=began,
        track_length_m=_number(said.get("TrackLen", "")) or 0.0,
        facts=_some(said, ("Format", "GameVersion")),
    )


def _some(said: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: said[name] for name in names if name in said}


def _number(text: str) -> float | None:
    """Return a number above zero, None for anything else."""
    try:
        value = cells.number("", text)
    except Malformed:
        return None
    return value if value > 0 else None


DIALECT: Final = LmuTelemetry()
