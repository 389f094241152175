"""RaceChrono's CSV, version 3: three lines of header, names that repeat.

    This file is created using RaceChrono v10.2.4 ( http://racechrono.com/ ).
    Format,3
    Track name,"..."

    timestamp,fragment_id,lap_number,elapsed_time,distance_traveled,...,speed,...,speed,...
    unix time,,,s,m,...                                units
    ,,,,,100: gps,...,calc,...                         what told it

Of a name that repeats the first stays, which is the receiver's. A lap begins with its first row.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.column import To, X, Z
from rigclient.imports.loggers.laps import Driven, lap_numbers, recorded_laps, whole_run
from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.loggers.tables import RecordedRun, keyed, logs, opened
from rigclient.imports.recording import Head, Progress, RecordedSession, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut, laps_by_number

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD: Final = "This file is created using RaceChrono"
_TIME: Final = "timestamp"
_LAP: Final = "lap_number"
_FORMATS: Final = ("2", "3")
_BELOW: Final = 2
"""Lines of units and of what told a column, below the header."""
_NAMES: Final = {
    "lateral acc": To("local_acceleration", "G", X, -1.0),
    "longitudinal acc": To("local_acceleration", "G", Z, -1.0),
}
_FACTS: Final = ("Session title", "Session type", "Created", "Note")


class RaceChronoCsv:
    """RaceChrono's CSV."""

    name: str = "RaceChrono CSV"
    program: str = "RaceChrono"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line says so, and it has a table of samples."""
        return head.text.lstrip().startswith(_HEAD) and _TIME in head.text

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by their numbers."""
        with path.open("rb") as file:
            table = opened(file, (_TIME, _LAP))
            about = keyed(table.before)
            if about.get("Format", "3") not in _FORMATS:
                raise BadRequest(f"its format is {about['Format']}", hint=f"known are {', '.join(_FORMATS)}")
            header = len(table.before) + 1
            below = range(header + 1, header + 1 + _BELOW)
            found = logs(table, _TIME, refuse, progress, own=_NAMES, used=(_LAP,), no_rows=below, wall=True)
        driven = Driven(about.get("Driver name", ""))

        def run(log: LoggedRun, number: int) -> RecordedRun:
            session = RecordedSession(
                track=about.get("Track name", ""),
                number=number,
                start_time_ns=round(log.since * 1e3) * 1_000_000,
                facts={name: about[name] for name in _FACTS if about.get(name)},
            )
            return session, recorded_laps(log, _cuts(log), driven, counted=True)

        return found.recordings(self.name, run)


def _cuts(log: LoggedRun) -> list[LapCut]:
    """Return the laps; rows without a number are of none."""
    numbers = lap_numbers(log.column(_LAP))
    if (numbers < 0).all():
        return whole_run(log)
    return [
        cut._replace(complete=cut.complete and cut.number >= 0) for cut in laps_by_number(numbers, log.times)
    ]


DIALECT: Final = RaceChronoCsv()
