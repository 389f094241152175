"""MoTeC i2 CSV, as i2 and the loggers of several games write it.

"Format","MoTeC CSV File",,,"Workbook","Driver"
"Range","Lap 1",,,"End Distance","990.7","m"
"Beacon Markers","57.040 114.300"

"Time","Distance",...         names, then units, then blank lines
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rigclient.imports.loggers.heads import SessionNames
from rigclient.imports.loggers.laps import (
    Driven,
    Stated,
    by_beacons,
    by_their_ends,
    recorded_laps,
    whole_run,
)
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import RecordedRun, logs, opened
from rigclient.imports.recording import Head, Progress, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut

_HEAD: Final = re.compile(r'\s*"?Format"?\s*[,;\t]\s*"?MoTeC CSV File')
_LAP: Final = re.compile(r"Lap\s+([0-9]{1,4})", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SESSION: Final = SessionNames(
    track="Venue",
    kind="Session",
    date="Log Date",
    clock="Log Time",
    facts=("Comment", "Log Date", "Log Time", "Device", "Range", "Session", "Sample Rate"),
)
_SECOND_NAMES: Final = 4
"""Where in a line above the header the second name stands."""


class MotecCsv:
    """MoTeC i2's CSV."""

    name: str = "MoTeC CSV"
    program: str = "MoTeC i2"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line says so."""
        return _HEAD.match(head.text) is not None

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by the beacons, or the lap that the range
        names.
        """
        with path.open("rb") as file:
            table = opened(file, ("Time",))
            time = table.named("Time") or "Time"
            found = logs(table, time, refuse, progress)
        about = _about(table.before)
        driven = Driven(about.get("Driver", ""), about.get("Vehicle", ""))

        def run(log: LoggedRun, number: int) -> RecordedRun:
            cuts, stated = _cuts(about, log)
            return _SESSION.session(about, number), recorded_laps(log, cuts, driven, stated)

        return found.recordings(self.name, run)


def _about(before: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the values of the two columns of names above the header."""
    found = {}
    for cells in before:
        for at in (0, _SECOND_NAMES):
            if len(cells) > at + 1 and cells[at]:
                found[cells[at]] = cells[at + 1].strip()
    return found


def _cuts(about: Mapping[str, str], log: LoggedRun) -> tuple[list[LapCut], dict[int, Stated]]:
    """Return the laps by the beacons, or the lap that the range names."""
    begin, end, step = log.times[0], log.times[-1], 1 / log.rate_hz
    beacons = [one for one in _numbers(about.get("Beacon Markers", "")) if one > begin + step]
    lap = _LAP.fullmatch(about.get("Range", ""))
    if lap is not None and all(one > end - step for one in beacons):
        duration = next(iter(_numbers(about.get("Duration", ""))), None)
        (whole,) = whole_run(log)
        cut = whole._replace(number=int(lap[1]), complete=duration is not None)
        return [cut], {0: Stated(duration)}
    cuts = by_beacons(log, beacons)
    return cuts, by_their_ends(cuts)


def _numbers(text: str) -> list[float]:
    """Return the numbers in a text that is parted by blanks; what is none is passed over."""
    return [float(word) for word in text.split() if _NUMBER.fullmatch(word)]


DIALECT: Final = MotecCsv()
