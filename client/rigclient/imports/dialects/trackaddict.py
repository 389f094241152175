"""TrackAddict's CSV: comments among the rows tell the laps' times.

    # RaceRender Data: TrackAddict 4.8.0 on iOS 15.5 [iPhone12,1] (Mode: 0)
    # Vehicle: ...
    "Time","Lap",...,"GPS_Update",...,"Latitude","Longitude","Altitude (m)",...,"Speed (MPH)",...
    0.000,0,...
    # Lap 0: 00:02:03.202

Its rows come faster than places: those in between hold the last one, which is no place of theirs.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from rigclient.imports.channels.column import To, X, Z
from rigclient.imports.loggers.laps import Driven, Stated, lap_numbers, recorded_laps, whole_run
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import RecordedRun, logs, opened
from rigclient.imports.loggers.times import seconds_of
from rigclient.imports.recording import Head, Progress, RecordedSession, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut, laps_by_number, laps_by_times
from rigclient.imports.text import encoding
from rigclient.imports.text.table import TableChunk

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD: Final = "# RaceRender Data: TrackAddict"
_LAP: Final = re.compile(r"# Lap ([0-9]{1,4}): ([0-9:.]+)")
_SECTOR: Final = re.compile(r"# Sector ([1-3]): ([0-9:.]+)")
_LONGEST: Final = 4096
_MOST_COMMENTS: Final = 20_000
_FIX: Final = "GPS_Update"
_HELD: Final = ("Latitude", "Longitude", "Altitude (m)", "Altitude (ft)", "Speed (MPH)", "Speed (Km/h)")
"""What comes with a fix."""
_WALL: Final = "UTC Time"
_AGREE_S: Final = 1.0
"""Between the end of a lap by its time and by its number."""
_NAMES: Final = {
    "Engine Speed (RPM) *OBD": To("engine_rpm", "rpm"),
    "Throttle Position (%) *OBD": To("throttle", "%"),
    "Engine Coolant Temp (C) *OBD": To("engine_water_temp", "C"),
    "Accel X": To("local_acceleration", "G", X, -1.0),
    "Accel Y": To("local_acceleration", "G", Z, -1.0),
}


class Comments(NamedTuple):
    """Lines that are no rows, and what they tell."""

    lines: frozenset[int]
    laps: dict[int, float]
    """Time of every lap [s], by its number."""
    sectors: dict[int, list[float]]
    """Times of its sectors [s], as far as they are told."""
    vehicle: str


class TrackAddict:
    """TrackAddict's CSV."""

    name: str = "TrackAddict CSV"
    program: str = "TrackAddict"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line says so."""
        return head.text.lstrip().startswith(_HEAD)

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by their numbers and times."""
        with path.open("rb") as file:
            told = _comments(file)
            file.seek(0)
            table = opened(file, ("Time", "Lap"))
            used = [name for name in (_FIX, _WALL, "Lap") if name in table.columns]
            found = logs(
                table, "Time", refuse, progress,
                own=_NAMES, used=used, convert=_fixes_alone, no_rows=told.lines,
            )  # fmt: skip
        driven = Driven(vehicle=told.vehicle)

        def run(log: LoggedRun, number: int) -> RecordedRun:
            cuts, stated = _cuts(log, told)
            session = RecordedSession("", number=number, start_time_ns=_start_ns(log, table.columns))
            return session, recorded_laps(log, cuts, driven, stated, counted=True)

        return found.recordings(self.name, run)


def _comments(file: BinaryIO) -> Comments:
    """Return what the comments tell."""
    lines, laps, vehicle = list[int](), dict[int, float](), ""
    sectors, running = dict[int, list[float]](), list[float]()
    at = 0
    rows = encoding.opened(file)
    while line := rows.readline(_LONGEST):
        at += line.endswith("\n")
        text = line.strip()
        if not text.startswith("#") or len(lines) == _MOST_COMMENTS:
            continue
        lines.append(at)
        if lap := _LAP.fullmatch(text):
            seconds = seconds_of(lap[2])
            if seconds:
                laps[int(lap[1])] = seconds
                sectors[int(lap[1])] = running
            running = []
        elif sector := _SECTOR.fullmatch(text):
            running.append(seconds_of(sector[2]) or 0.0)
        elif text.startswith("# Vehicle: ") and encoding.wrong(text) is None:
            vehicle = text.removeprefix("# Vehicle: ")
    return Comments(frozenset(lines), laps, sectors, vehicle)


def _fixes_alone(chunk: TableChunk) -> dict[str, Array]:
    """Return the columns that come with a fix, without the values between two of them."""
    fix = chunk.numbers.get(_FIX)
    if fix is None:
        return {}
    return {
        name: np.where(fix > 0, values, np.nan) for name, values in chunk.numbers.items() if name in _HELD
    }


def _cuts(log: LoggedRun, told: Comments) -> tuple[list[LapCut], dict[int, Stated]]:
    """Return the laps by their numbers; where the times agree with these, they end when the times say."""
    cuts = laps_by_number(lap_numbers(log.column("Lap")), log.times)
    if len(cuts) < 2:
        return whole_run(log), {}
    lines = _lines(log, cuts, told)
    if lines is not None:
        numbers = [cut.number for cut in cuts]
        cuts = [
            cut._replace(number=number)
            for cut, number in zip(laps_by_times(lines, log.times), numbers, strict=False)
        ]
    return cuts, {at: _stated(cut, told) for at, cut in enumerate(cuts) if cut.number in told.laps}


def _lines(log: LoggedRun, cuts: Sequence[LapCut], told: Comments) -> list[float] | None:
    """Return when the line was crossed [s], by the times of all laps that end; None where these disagree."""
    times = [told.laps.get(cut.number) for cut in cuts[:-1]]
    if None in times:
        return None
    lines = log.times[0] + np.cumsum(np.array(times, np.float64))
    agree = all(abs(line - cut.end_s) < _AGREE_S for line, cut in zip(lines, cuts[:-1], strict=True))
    return [float(line) for line in lines] if agree else None


def _stated(cut: LapCut, told: Comments) -> Stated:
    sectors = told.sectors.get(cut.number, [])
    three = (sectors[0], sectors[1], sectors[2]) if len(sectors) == 3 else (None, None, None)
    return Stated(told.laps[cut.number], three)


def _start_ns(log: LoggedRun, columns: Sequence[str]) -> int:
    if _WALL not in columns:
        return 0
    first = float(np.nan_to_num(log.column(_WALL, 0, 1)[0]))
    return round(first * 1e3) * 1_000_000


DIALECT: Final = TrackAddict()
