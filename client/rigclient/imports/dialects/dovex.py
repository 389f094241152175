"""DoveX: a kart logger, which puts its lap times above the table and tells not where in it they lie.

    datetime,driver,course,short_name,best_lap_ms,optimal_ms
    2026-04-04 16:29:30,A. Alder,Normal,OKC,55604,55433
    laps_ms
    58648,57320,56479
                                  (blanks up to byte 1024)
    timestamp,sats,hdop,lat,lng,speed_mph,altitude_m,heading_deg,h_acc_m,rpm,accel_x,accel_y,accel_z

The laps follow each other, so that one moment places them all: the one at which all of them begin at one
place.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from rigclient.imports.channels.column import To
from rigclient.imports.loggers.laps import Driven, Stated, recorded_laps, whole_run
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import logs, opened
from rigclient.imports.recording import (
    Head,
    Progress,
    RecordedLap,
    RecordedSession,
    Recording,
    Refuse,
)
from rigclient.imports.signals.cuts import LapCut, laps_by_times

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD: Final = "datetime,driver,course,short_name"
_TIME: Final = "timestamp"
_MS: Final = 1000.0
_NAMES: Final = {"speed mph": To("speed", "mph"), "rpm": To("engine_rpm", "rpm")}
_APART_M: Final = 15.0
"""How far the places at which the laps begin may lie from each other, in the middle."""
_FACTS: Final = ("datetime", "short_name", "best_lap_ms", "optimal_ms")
_WHOLE: Final = re.compile(r"[0-9]{1,8}")
_MOST_LAPS: Final = 2000


class DoveX:
    """The files of the DoveX logger."""

    name: str = "DoveX"
    program: str = "DoveX"

    def recognises(self, head: Head) -> bool:
        """Return whether the summary's names stand in the first line."""
        return head.text.lstrip().startswith(_HEAD)

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by the times above the table."""
        with path.open("rb") as file:
            table = opened(file, (_TIME, "lat", "lng"))
            found = logs(table, _TIME, refuse, progress, own=_NAMES, second=_MS, wall=True)
        filled = [cells for cells in table.before if any(cells)]
        about = dict(zip(filled[0], filled[1], strict=False)) if len(filled) > 1 else {}
        times = _lap_times(filled)
        driven = Driven(about.get("driver", ""))
        return found.recordings(
            self.name, lambda log, number: (_session(about, log, number), _laps(log, driven, times))
        )


def _lap_times(above: Sequence[Sequence[str]]) -> list[float]:
    """Return the lap times [s] of the line below laps_ms."""
    for line, below in pairwise(above):
        if line[0] == "laps_ms":
            times = [int(cell) for cell in below if _WHOLE.fullmatch(cell)]
            return [one / _MS for one in times if one][:_MOST_LAPS]
    return []


def _laps(log: LoggedRun, driven: Driven, times: Sequence[float]) -> Iterator[RecordedLap]:
    begin = _begin(log, times)
    if begin is None:
        return recorded_laps(log, whole_run(log), driven)
    lines = [begin, *(begin + np.cumsum(times))]
    cuts = laps_by_times(lines, log.times)
    return recorded_laps(log, cuts, driven, _stated(cuts, begin, times))


def _stated(cuts: Sequence[LapCut], begin: float, times: Sequence[float]) -> dict[int, Stated]:
    """Return the time of each lap, to the millisecond as it stands above the table."""
    starts = np.concatenate([[begin], begin + np.cumsum(times)])
    nearest = [int(np.abs(starts - cut.begin_s).argmin()) for cut in cuts]
    return {
        at: Stated(times[lap]) for at, (cut, lap) in enumerate(zip(cuts, nearest, strict=True))
        if cut.complete and lap < len(times)
    }  # fmt: skip


def _begin(log: LoggedRun, times: Sequence[float]) -> float | None:
    """Return the clock at which the first of the laps began [s]; None where no moment fits."""
    places = log.places()
    total = float(np.sum(times))
    spare = float(log.times[-1] - log.times[0]) - total
    if not times or places is None or spare < 0:
        return None
    flat = places[:, ::2]
    known = np.isfinite(flat).all(axis=1)
    if known.sum() < 2:
        return None
    clocks = log.times[known]
    starts = clocks[clocks <= clocks[0] + spare]
    apart = _apart(flat[known], clocks, starts, np.concatenate([[0.0], np.cumsum(times)]))
    best = int(apart.argmin())
    return float(starts[best]) if apart[best] < _APART_M else None


def _apart(flat: Array, clocks: Array, starts: Array, ends: Array) -> Array:
    """Return how far from the first the places lie at which the laps end [m], in the middle, for each
    moment at which they may have begun.
    """
    at = [np.stack([np.interp(starts + end, clocks, axis) for axis in flat.T], axis=1) for end in ends]
    return np.asarray(np.median([np.hypot(*(place - at[0]).T) for place in at[1:]], axis=0))


def _session(about: dict[str, str], log: LoggedRun, number: int) -> RecordedSession:
    return RecordedSession(
        track=about.get("course", ""),
        number=number,
        start_time_ns=round(log.since * _MS) * 1_000_000,
        facts={name: about[name] for name in _FACTS if about.get(name)},
    )


DIALECT: Final = DoveX()
