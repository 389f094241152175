"""Racelogic's .vbo, as RaceBox, RaceChrono and Racelogic's own loggers write it.

    File created on 18/05/2025 at 11:32

    [laptiming]
    Start   -00673.44 +02689.90 -00673.45 +02689.91 Start/Finish
    Split   ...
    [column names]
    sats time lat long velocity heading height
    [data]
    016 090358.20 +2689.899660 -00673.458530 009.310 120.88 +00004.36

Places are minutes of arc, west positive. Laps begin where the way crosses the start, their sectors end at the
splits: between two rows, in proportion to the way.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.column import To, X, Z
from rigclient.imports.loggers.laps import Driven, Stated, recorded_laps, whole_run
from rigclient.imports.loggers.run import Ground, LoggedRun
from rigclient.imports.loggers.tables import RecordedRun, logs, opened
from rigclient.imports.loggers.times import seconds_of_day, wall_clock_ns
from rigclient.imports.recording import Head, Progress, Reading, RecordedSession, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut, laps_at_line
from rigclient.imports.signals.geography import metres
from rigclient.imports.text import encoding
from rigclient.imports.text.table import TableChunk

Array = np.ndarray[Any, np.dtype[Any]]

_CREATED: Final = re.compile(r"File created on (\d{2}/\d{2}/\d{4}) (?:at|@) (\d{2}:\d{2}(?::\d{2})?)")
_LINES: Final = 4096
"""Before [data], at most."""
_LONGEST: Final = 1 << 16
_MINUTES: Final = 60.0
_DAY_S: Final = 86_400.0
_LONGITUDES: Final = ("long", "lng", "longitude")
_LATITUDES: Final = ("lat", "latitude")
_NAMES: Final = {
    "velocity": To("speed", "km/h"),
    "longacc": To("local_acceleration", "G", Z, -1.0),
    "latacc": To("local_acceleration", "G", X, -1.0),
}
_TIME: Final = "#time"
_MOST_GATES: Final = 32


class TimingGate(NamedTuple):
    """A line across the track, by its ends in minutes of arc as the file has them."""

    kind: str
    name: str
    ends: Array


class Vbo:
    """Racelogic's text files."""

    name: str = "VBO"
    program: str = "Racelogic, RaceBox, RaceChrono"

    def recognises(self, head: Head) -> bool:
        """Return whether it has the section that names its columns."""
        return re.search(r"^\[column names\]\s*$", head.text, re.MULTILINE | re.IGNORECASE) is not None

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the clock; laps by the start line."""
        with path.open("rb") as file:
            sections, data_line = _sections(file)
            names = sections.get("column names", "").split()
            latitude, longitude = _one_of(names, _LATITUDES), _one_of(names, _LONGITUDES)
            file.seek(0)
            table = opened(file, ("time", latitude, longitude), " ")
            height = "height" if "height" in names else ""
            found = logs(
                table, _TIME, refuse, progress, own=_NAMES, texts=("time",), made=(_TIME,), wall=True,
                convert=_Converter(latitude, longitude), no_rows=(data_line,),
                ground=Ground(latitude, longitude, height),
            )  # fmt: skip
        gates = list(_gates(sections.get("laptiming", "")))

        def run(log: LoggedRun, number: int) -> RecordedRun:
            cuts, stated = _cuts(log, gates)
            return _session(sections, log, number), recorded_laps(log, cuts, Driven(), stated)

        return found.recordings(self.name, run)


def _sections(file: Any) -> tuple[dict[str, str], int]:
    """Return what stands before the data by the names of its sections, "" for what is before the first;
    and the line of [data]. Raises BadRequest where there is none.
    """
    name, found = "", dict[str, list[str]]()
    text = encoding.opened(file)
    for at in range(1, _LINES + 1):
        line = text.readline(_LONGEST).strip()
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1].strip().lower()
            if name == "data":
                return {one: "\n".join(lines) for one, lines in found.items()}, at
        found.setdefault(name, []).append(line)
    raise BadRequest("it has no section [data]", hint="the file was cut, or is none of samples")


def _one_of(names: Sequence[str], wanted: Sequence[str]) -> str:
    found = next((name for name in names if name.lower() in wanted), None)
    if found is None:
        raise BadRequest(
            f"it has no column {' or '.join(wanted)}", hint="its columns are named below [column names]"
        )
    return found


class _Converter:
    """Makes seconds and degrees of a chunk: clocks go on over midnight."""

    def __init__(self, latitude: str, longitude: str) -> None:
        self._latitude, self._longitude = latitude, longitude
        self._last, self._days = np.nan, 0

    def __call__(self, chunk: TableChunk) -> dict[str, Array]:
        clocks = np.array([seconds_of_day(text) for text in chunk.texts["time"]], np.float64)
        return {
            _TIME: self._going_on(clocks),
            self._latitude: chunk.numbers[self._latitude] / _MINUTES,
            self._longitude: -chunk.numbers[self._longitude] / _MINUTES,
        }

    def _going_on(self, clocks: Array) -> Array:
        steps = np.diff(clocks, prepend=self._last)
        days = self._days + np.cumsum(steps < -_DAY_S / 2)
        if len(clocks):
            self._last, self._days = float(clocks[-1]), int(days[-1])
        return np.asarray(clocks + _DAY_S * days)


def _gates(text: str) -> Iterator[TimingGate]:
    """Yield the start and the splits of the section laptiming."""
    for line in text.splitlines()[:_MOST_GATES]:
        found = re.match(r"(Start|Split)\s+((?:[+-]?[0-9.]+\s+){3}[+-]?[0-9.]+)(.*)", line, re.IGNORECASE)
        if found is None:
            continue
        try:
            ends = np.array(found[2].split(), np.float64).reshape(2, 2)
        except ValueError:
            continue
        yield TimingGate(found[1].lower(), re.sub(r"^[^\w]*", "", found[3]).strip(), ends)


def _cuts(log: LoggedRun, gates: Sequence[TimingGate]) -> tuple[list[LapCut], dict[int, Stated]]:
    """Return the laps by the start, with sectors and readings by the splits."""
    places = log.places()
    start = next((gate for gate in gates if gate.kind == "start"), None)
    if start is None or places is None:
        return whole_run(log), {}
    flat = places[:, ::2]
    cuts = laps_at_line(flat, log.times, _line(log, start, flat))
    splits = [gate for gate in gates if gate.kind == "split"]
    crossed = [
        [cut.begin_s for cut in laps_at_line(flat, log.times, _line(log, gate, flat))[1:]] for gate in splits
    ]
    return cuts, {at: _stated(cut, splits, crossed) for at, cut in enumerate(cuts) if cut.complete}


def _line(log: LoggedRun, gate: TimingGate, flat: Array) -> tuple[list[float], list[float]]:
    """Return the ends of a line [m]. Most programs write longitude first; where that is nowhere near, it is
    the other way round.
    """
    ways = []
    for longitude, latitude in ((0, 1), (1, 0)):
        assert log.origin is not None
        degrees = gate.ends / _MINUTES
        ends = metres(degrees[:, latitude], -degrees[:, longitude], log.origin)
        off = np.hypot(*(flat - ends.mean(axis=0)).T)
        ways.append((float(np.nanmin(off)) if np.isfinite(off).any() else np.inf, ends))
    ends = min(ways, key=lambda way: way[0])[1]
    return ends[0].tolist(), ends[1].tolist()


def _stated(cut: LapCut, splits: Sequence[TimingGate], crossed: Sequence[Sequence[float]]) -> Stated:
    """Return a lap's sectors, where there are two splits or fewer, and when it passed each."""
    passed = [next((when for when in whens if cut.begin_s < when < cut.end_s), None) for whens in crossed]
    ends = [cut.begin_s, *passed, cut.end_s]
    readings = tuple(
        Reading(gate.name or f"Split {at}", when - cut.begin_s, _between(ends[at - 1], when))
        for at, (gate, when) in enumerate(zip(splits, passed, strict=True), start=1)
        if when is not None
    )
    sectors: tuple[float | None, float | None, float | None] = (None, None, None)
    if len(passed) == 2:
        first, second, third = (_between(ends[at], ends[at + 1]) for at in range(3))
        sectors = (first, second, third)
    return Stated(cut.lap_time_s, sectors, readings, official=False)


def _between(begin: float | None, end: float | None) -> float | None:
    return end - begin if begin is not None and end is not None and end > begin else None


def _session(sections: Mapping[str, str], log: LoggedRun, number: int) -> RecordedSession:
    created = _CREATED.search(sections.get("", ""))
    circuit = re.search(r"^circuit\s+(.+)$", sections.get("circuit details", ""), re.MULTILINE)
    day = wall_clock_ns(created[1], "00:00") if created else 0
    return RecordedSession(
        track=circuit[1].strip() if circuit else "",
        number=number,
        start_time_ns=day + round(log.since * 1e3) * 1_000_000 if day else 0,
        facts={"created": created[0]} if created else {},
    )


DIALECT: Final = Vbo()
