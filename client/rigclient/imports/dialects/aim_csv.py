"""AiM RaceStudio's CSV: padded with commas, the ends of the laps in one row.

    Format,AiM CSV File,,,
    Time,1:34 PM,,,
    Beacon Markers,62.774,117.713,171.05
    Segment Times,01:02.8,00:54.9,00:53.3

    Time,GPS Speed,...            names, then units, then a blank row

The recording's own end stands among the beacons; whether it is at the line its place tells.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.loggers.heads import SessionNames
from rigclient.imports.loggers.laps import Driven, by_beacons, by_their_ends, recorded_laps
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import RecordedRun, keyed, logs, opened
from rigclient.imports.loggers.times import seconds_of
from rigclient.imports.recording import Head, Progress, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut
from rigclient.imports.text import encoding

_HEAD: Final = re.compile(r'\s*"?Format"?\s*[,;\t]\s*"?AiM CSV File')
_COLUMNS: Final = re.compile(
    r'^\s*"?Time"?[,;\t]"?(?P<second>[^",;\t\r\n]+)"?[,;\t]"?[^",;\t\r\n]', re.MULTILINE
)
"""The header: names behind Time. Above it stands the time of day, alone."""
_LINES_BYTES: Final = 1 << 16
_SESSION: Final = SessionNames(
    track="Session",
    kind="Championship",
    date="Date",
    clock="Time",
    facts=("Championship", "Comment", "Date", "Time", "Segment", "Sample Rate"),
)
_BEACONS: Final = "Beacon Markers"
_SEGMENTS: Final = "Segment Times"


class AimCsv:
    """AiM RaceStudio's CSV."""

    name: str = "AiM CSV"
    program: str = "AiM RaceStudio"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line says so."""
        return _HEAD.match(head.text) is not None

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by the beacons, without any by the segment
        times.
        """
        with path.open("rb") as file:
            table = opened(file, ("Time", _second_name(path)))
            found = logs(table, "Time", refuse, progress)
        about, rows = keyed(table.before), {cells[0]: cells[1:] for cells in table.before if cells}
        driven = Driven(about.get("Racer", ""), about.get("Vehicle", ""))

        def run(log: LoggedRun, number: int) -> RecordedRun:
            cuts = _cuts(rows, log)
            return _SESSION.session(about, number), recorded_laps(log, cuts, driven, by_their_ends(cuts))

        return found.recordings(self.name, run)


def _second_name(path: Path) -> str:
    """Return the name beside Time in the header. Raises BadRequest without a header."""
    with path.open("rb") as file:
        found = _COLUMNS.search(encoding.opened(file).read(_LINES_BYTES).replace("\0", ""))
    if found is None:
        raise BadRequest("it has no line of names that begins with Time", hint="export it again")
    return found["second"].strip()


def _cuts(rows: dict[str, list[str]], log: LoggedRun) -> list[LapCut]:
    beacons = [one for cell in rows.get(_BEACONS, []) if (one := seconds_of(cell)) is not None]
    if not beacons:
        times = [one for cell in rows.get(_SEGMENTS, []) if (one := seconds_of(cell)) is not None]
        beacons = [float(end) for end in np.cumsum(times)]
    return by_beacons(log, [log.times[0] + one for one in beacons])


DIALECT: Final = AimCsv()
