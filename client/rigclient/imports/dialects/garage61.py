"""Garage61's CSV: one lap of iRacing, without a clock.

    Speed,LapDistPct,Lat,Lon,Brake,Throttle,RPM,SteeringWheelAngle,Gear,Clutch,ABSActive,...
    63.145733,0.0001517357,34.15042559313468,-83.81419524794947,0,1,6989.3467,-0.14926808,5,1,false,...

A row is a sixtieth of a second. How long the track is nobody tells: it is the way that speed and time make.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import LAP
from rig.errors import BadRequest
from rigclient.imports.channels.column import ChannelSource
from rigclient.imports.channels.iracing import APPLIED, NAMES
from rigclient.imports.loggers.laps import Driven, Stated, recorded_laps
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import logs, opened
from rigclient.imports.recording import Head, Progress, RecordedSession, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut
from rigclient.imports.text.table import TableChunk

Array = np.ndarray[Any, np.dtype[Any]]

_NEEDED: Final = ("Speed", "LapDistPct", "Lat", "Lon")
_HZ: Final = 60.0
_TIME: Final = "#time"
_SHARE: Final = "LapDistPct"
_AT_LINE: Final = 0.01
"""Share of the lap within which the first and the last row lie of one that is whole."""
_NAMES: Final = {**NAMES, **APPLIED}


class Whole(NamedTuple):
    """A lap by the share of the track at its rows."""

    length_m: float
    begin_s: float
    end_s: float
    complete: bool


class Garage61:
    """Garage61's CSV."""

    name: str = "Garage61 CSV"
    program: str = "Garage61"

    def recognises(self, head: Head) -> bool:
        """Return whether the header has iRacing's place on the lap and degrees, and no clock."""
        names = [cell.strip().strip('"') for cell in head.text.partition("\n")[0].split(",")]
        return set(_NEEDED) <= set(names) and "SessionTime" not in names

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return the one lap of the file. Raises BadRequest where the place on the lap falls back."""
        rows = _Rows()
        with path.open("rb") as file:
            table = opened(file, _NEEDED)
            found = logs(
                table, _TIME, refuse, progress,
                own=_NAMES, used=(_SHARE,), convert=rows, made=(_TIME,),
            )  # fmt: skip
        (log,) = found.logs
        whole = _whole(log)
        log.sources = [*log.sources, ChannelSource(_SHARE, "", LAP.by_name["distance"], 0, whole.length_m)]
        cut = LapCut(0, len(log.times), 0, whole.begin_s, whole.end_s, whole.complete)
        stated = {0: Stated(cut.lap_time_s, official=False)}
        laps = found.laps(0, recorded_laps(log, [cut], Driven(), stated))
        session = RecordedSession("", track_length_m=whole.length_m, facts={"rate": "60 Hz, implied"})
        return [Recording(self.name, session, laps, _HZ, log.mapped, found.left)]


class _Rows:
    """Makes a clock of the number of the row."""

    def __init__(self) -> None:
        self._rows = 0

    def __call__(self, chunk: TableChunk) -> dict[str, Array]:
        rows = np.arange(self._rows, self._rows + len(chunk.lines))
        self._rows += len(chunk.lines)
        return {_TIME: rows / _HZ}


def _whole(log: LoggedRun) -> Whole:
    """Return the length of the track and the lap's ends. The clock of the line lies before the first row and
    behind the last, in proportion to the way.
    """
    share = log.column(_SHARE)
    if (np.diff(share) < -0.5).any():
        raise BadRequest(
            "its place on the lap falls back from the end to the beginning", hint="a lap per file"
        )
    speed = log.column("Speed")
    way = float(np.sum((speed[1:] + speed[:-1]) / 2 / _HZ))
    gone = float(share[-1] - share[0])
    if not (gone > 0 and way > 0):
        raise BadRequest(f"its place on the lap goes from {share[0]:g} to {share[-1]:g}", hint="it is no lap")
    length = way / gone
    before, behind = float(share[0]), 1 - float(share[-1])
    complete = before < _AT_LINE and 0 <= behind < _AT_LINE
    begin = float(log.times[0]) - (before * length / max(float(speed[0]), 1.0) if complete else 0.0)
    end = float(log.times[-1]) + (behind * length / max(float(speed[-1]), 1.0) if complete else 0.0)
    return Whole(length, begin, end, complete)


DIALECT: Final = Garage61()
