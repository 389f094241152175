"""Telemetry of the PERRINN 424 simulator: names, units, then rows with a clock of the lap and one of all.

    FRAME,TIME,DISTANCE,TOTALTIME,TOTALDISTANCE,SEGMENTNUM,SECTOR,...
    n/a,s,m,s,m,n/a,n/a,...
    11630.00000,-0.00026,-0.00909,23.26000,274.53280,1.00000,...

TIME is 0 at the line, and starts a fraction of a sample below it.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.builder import ChannelBuilder
from rigclient.imports.channels.column import To, X, Y, Z
from rigclient.imports.loggers.tables import opened
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals.clock import clock, rate_hz, time_to_first
from rigclient.imports.signals.units import speed_unit
from rigclient.imports.text.whole_table import WholeTable, all_rows

Array = np.ndarray[Any, np.dtype[Any]]

_NEEDED: Final = (
    "FRAME",
    "TIME",
    "TOTALTIME",
    "TOTALDISTANCE",
    "SEGMENTNUM",
    "POSITIONX",
    "POSITIONZ",
    "SPEED",
)
_LINE_S: Final = 0.5
"""A lap whose clock begins later has lost its beginning."""
_COLUMNS: Final = {
    "DISTANCE": To("game_distance", "m"),
    "GEAR": To("gear"),
    "POSITIONX": To("position", "m", X),
    "POSITIONY": To("position", "m", Y),
    "POSITIONZ": To("position", "m", Z),
}


class Perrinn:
    """Reads it."""

    name = "PERRINN 424"
    program = "PERRINN 424 simulator"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line has the names."""
        names = head.text.partition("\n")[0].strip().split(",")
        return set(_NEEDED) <= set(names)

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of all laps. Raises BadRequest for a file without rows."""
        with path.open("rb") as file:
            table = opened(file, _NEEDED)
            columns = all_rows(table, refuse, progress)
        sound = clock(columns.values["TOTALTIME"])
        sound.tell(refuse, columns.lines)
        if len(sound.begins) > 1:
            raise BadRequest(
                f"TOTALTIME starts again {len(sound.begins) - 1} times", hint="import a run by itself"
            )
        columns = _timed(columns.picked(sound.rows), refuse)
        builder = _mapped(columns)
        left = tuple(name for name in table.columns if name not in {one.column for one in builder.mapped})
        rate = rate_hz(columns.values["TOTALTIME"])
        others = {name: columns.values[name] for name in left}
        laps = _laps(columns, builder.samples(), others)
        return [Recording(self.name, RecordedSession(track=""), laps, rate, tuple(builder.mapped), left)]


def _timed(columns: WholeTable, refuse: Refuse) -> WholeTable:
    """Return the rows that have a time of the lap. Raises BadRequest without any."""
    known = np.isfinite(columns.values["TIME"])
    for line in columns.lines[~known]:
        refuse(int(line), "no time", "the row has no TIME")
    if not known.any():
        raise BadRequest("no row has a TIME")
    return columns.picked(np.flatnonzero(known))


def _mapped(columns: WholeTable) -> ChannelBuilder:
    values = columns.values
    builder = ChannelBuilder(len(columns.lines))
    plane = np.stack([values["POSITIONX"], values["POSITIONZ"]], axis=1)
    unit = speed_unit(values["SPEED"], plane, values["TOTALTIME"], columns.units.get("SPEED", ""))
    builder.put("SPEED", values["SPEED"], To("speed", unit.unit, note=unit.note))
    builder.put("TIME", np.maximum(values["TIME"], 0.0), To("lap_time", "s"))
    builder.put_all(values, _COLUMNS)
    pedal = values.get("THROTTLE")
    if pedal is not None and np.isfinite(pedal).any():
        share = np.nanmax(pedal) <= 1
        note = "labelled %, holds 0 to 1" if share else ""
        builder.put("THROTTLE", pedal, To("throttle", "ratio" if share else "%", note=note))
    return builder


def _laps(columns: WholeTable, samples: dict[str, Array], others: dict[str, Array]) -> Iterator[RecordedLap]:
    """Yield the laps, each from where TIME falls back to where it does the next time."""
    time, total = columns.values["TIME"], columns.values["TOTALTIME"]
    begins = [0, *(np.flatnonzero(np.diff(time) < 0) + 1).tolist(), len(time)]
    for index, (first, end) in enumerate(itertools.pairwise(begins), start=1):
        if end - first < 2:
            continue
        rows = {name: values[first:end] for name, values in samples.items()}
        start = float(total[first] - time[first])
        stop = float(total[end] - time[end]) if end < len(time) else float(total[end - 1])
        complete = time[first] < _LINE_S
        if end == len(time) and complete:
            rest = _rest(rows)
            complete, stop = rest is not None, stop + (rest or 0.0)
        yield RecordedLap(
            car=0,
            index=index,
            number=index - 1,
            start_s=start,
            end_s=stop,
            lap_time_s=stop - start if complete else None,
            complete=bool(complete),
            samples=rows,
            others={name: values[first:end] for name, values in others.items()},
        )


def _rest(rows: dict[str, Array]) -> float | None:
    """Return what is missing of the last lap up to where it began [s]; None where it does not close."""
    step = float(np.median(np.diff(rows["lap_time"])))
    plane = rows["position"].astype(np.float64)[:, [X, Z]]
    return time_to_first(plane, rows["speed"].astype(np.float64), step)


DIALECT: Final = Perrinn()
