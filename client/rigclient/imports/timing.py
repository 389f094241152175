"""The laps of a chart as rows of the warehouse."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rigclient.imports import charts
from rigclient.imports.charts import ChartLap
from rigclient.imports.dating import Clocks, midnight
from rigclient.imports.import_file import OLDER, ImportFile, ImportReport
from rigclient.imports.loaded_files import LoadedFile, conflict
from rigclient.imports.races import RIG_ID, Imported, ImportedRace, dated, standing
from rigclient.warehouse import tables
from rigclient.warehouse.iteration import batched
from rigclient.warehouse.spool import Spool

_AT_A_TIME: Final = 2000
_MS: Final = 1_000_000
_KPH: Final = 3.6
_HALF_DAY_NS: Final = 43_200_000_000_000


class Overview:
    """What has to be known of a whole chart before its first lap is written."""

    def __init__(self, laps: Iterable[ChartLap]) -> None:
        crossings = []
        self.started_ms: int = 0
        self.end_ms: int = 0
        self.laps: int = 0
        self._numbers: dict[int, str] = {}
        self._best_ms: dict[tuple[int, int], int] = {}
        for lap in laps:
            self.laps += 1
            self.started_ms = lap.started_ms
            self.end_ms = max(self.end_ms, lap.elapsed_ms)
            self._numbers.setdefault(lap.entry, lap.number)
            crossings.append(lap.started_ms + lap.elapsed_ms)
            if lap.best:
                self._best_ms[lap.entry, lap.driver_number] = lap.lap_time_ms
        self._crossings = np.array(crossings, np.int64) * _MS

    def midnight(self, beacons: Iterable[Clocks]) -> int | None:
        """Return the unix nanoseconds of the local midnight before the race, by the first beacons that are
        its own.
        """
        return next((found for one in beacons if (found := midnight(self._crossings, one)) is not None), None)

    def is_valid(self, lap: ChartLap) -> bool:
        """Return whether the lap counts: not the first, from the grid, nor one faster than the timing's
        best.
        """
        best = self._best_ms.get((lap.entry, lap.driver_number), 0)
        return lap.lap > 1 and lap.lap_time_ms >= best

    @property
    def numbers(self) -> set[str]:
        """Numbers painted on the cars."""
        return set(self._numbers.values())

    def car(self, entry: int) -> str:
        """Return a car's number; for the second car of that number 3.2, for the third 3.3."""
        number = self._numbers[entry]
        before = sum(1 for other, same in self._numbers.items() if other < entry and same == number)
        return f"{number}.{before + 1}" if before else number


@dataclass(frozen=True)
class TimingSession:
    """A chart that becomes a session."""

    of: Imported
    overview: Overview
    midnight_ns: int | None

    def write(self, spool: Spool, laps: Iterable[ChartLap]) -> None:
        """Write the laps, their intermediates and the session into the spool."""
        stints = _Stints()
        for some in batched(laps, _AT_A_TIME):
            spool.put(tables.LAPS, [self._lap(lap, stints) for lap in some])
            spool.put(tables.READINGS, (row for lap in some for row in self._readings(lap)))
        begin_ns, end_ns = self._wall_clock(0), self._wall_clock(self.overview.end_ms)
        spool.put(tables.SESSIONS, [self.of.session_row(begin_ns, end_ns)])

    def _named(self, lap: ChartLap) -> dict[str, Any]:
        return {
            "RIG_ID": RIG_ID,
            "SESSION": self.of.session,
            "LAP": f"car{self.overview.car(lap.entry)}-{lap.lap:04d}",
            "CAR": lap.entry,
            "LAP_INDEX": lap.lap,
        }

    def _lap(self, lap: ChartLap, stints: "_Stints") -> dict[str, Any]:
        stint, out_lap = stints.next(lap)
        return {
            **self._named(lap),
            **_times(lap),
            "KIND": "lap",
            "CAR_NUMBER": lap.number,
            "LAP_NUMBER": lap.lap - 1,
            "STINT": stint,
            "DRIVER": self._driver(lap),
            "VEHICLE": lap.manufacturer or None,
            "VEHICLE_CLASS": lap.car_class or None,
            "TEAM": lap.team or None,
            "OFFICIAL": True,
            "VALID": self.overview.is_valid(lap),
            "COMPLETE": True,
            "OUT_LAP": out_lap,
            "IN_LAP": lap.in_pit,
            "GREEN": lap.green,
            "FLAG": lap.flag or None,
            "PIT_VISITS": int(lap.in_pit or lap.pit_time_ms is not None),
            "TRACK": self.of.race.track,
            "START_TIME_NS": self._wall_clock(lap.elapsed_ms - lap.lap_time_ms),
            "END_TIME_NS": self._wall_clock(lap.elapsed_ms),
            "SAMPLES": 0,
            "DIGEST": self.of.sha256,
        }

    def _driver(self, lap: ChartLap) -> str:
        """Return the driver's name; where the chart has none, the car's number stands for it."""
        nameless = f"#{self.overview.car(lap.entry)}"
        return lap.driver or (
            nameless if lap.driver_number == 1 else f"{nameless} driver {lap.driver_number}"
        )

    def _readings(self, lap: ChartLap) -> Iterator[dict[str, Any]]:
        for at, line in enumerate(lap.intermediates, start=1):
            names = {"SEQ": at, "NAME": line.name}
            times = {"LAP_TIME": _seconds(line.elapsed_ms), "VALUE": _seconds(line.time_ms)}
            yield {**self._named(lap), **names, **times}

    def _wall_clock(self, race_ms: int) -> int | None:
        """Return the unix nanoseconds of a time since the start of the race; None without a date."""
        if self.midnight_ns is None:
            return None
        return self.midnight_ns + (self.overview.started_ms + race_ms) * _MS


class _Stints:
    """How often a car was in the pits, as its laps come."""

    def __init__(self) -> None:
        self._last: ChartLap | None = None
        self._stint = 1

    def next(self, lap: ChartLap) -> tuple[int, bool | None]:
        """Return the lap's stint, and whether it began in the pit lane; None where the lap before is
        missing.
        """
        last, self._last = self._last, lap
        if last is None or last.entry != lap.entry:
            self._stint = 1
            return 1, False if lap.lap == 1 else None
        self._stint += last.in_pit
        return self._stint, last.in_pit if last.lap == lap.lap - 1 else None


def _times(lap: ChartLap) -> dict[str, float | None]:
    s1, s2, s3 = map(_seconds, lap.sectors_ms)
    return {
        "START_TIME": _seconds(lap.elapsed_ms - lap.lap_time_ms),
        "END_TIME": _seconds(lap.elapsed_ms),
        "LAP_TIME": _seconds(lap.lap_time_ms),
        "SECTOR1": s1,
        "SECTOR2": s2,
        "SECTOR3": s3,
        "PIT_TIME": _seconds(lap.pit_time_ms),
        "TOP_SPEED": None if lap.top_speed_kph is None else lap.top_speed_kph / _KPH,
    }


def _seconds(ms: int | None) -> float | None:
    """Return seconds, divided once so that the nearest number to the decimal one comes out."""
    return None if ms is None else ms / 1000


def read_chart(source: ImportFile, race: ImportedRace, clocks: Iterable[Clocks]) -> ImportReport:
    """Put a chart into the spool; `clocks` are beacons of its race. Raises Mismatch when it is there."""
    overview = Overview(lap for lap in source.rows(charts.laps) if isinstance(lap, ChartLap))
    midnight_ns = overview.midnight(clocks)
    if midnight_ns is not None:
        race = race._replace(date=_local_date(midnight_ns))
    key, other = _placed(source, race, overview)
    if other is not None and standing(source.file.path) < standing(Path(other.path)):
        return _older(source, race, other)
    if other is not None and not _may_replace(source, other):
        raise conflict(source.file, other.name, other, _hint(source, race, other))
    session = other.name if other else race.session(_began(overview, race, midnight_ns), _name(key))
    imported = Imported(session, dated(key, race.date), race, source.file.sha256)
    TimingSession(imported, overview, midnight_ns).write(source.spool, source.sound(charts.laps))
    return source.report(session, race, laps=overview.laps, replaces=(other,) if other else ())


def _placed(source: ImportFile, race: ImportedRace, overview: Overview) -> tuple[str, LoadedFile | None]:
    """Return the key of the chart's race, and the chart of it that is in the warehouse. One that is like
    others in all but its cars, without one in common, is another race.
    """
    key = race.key(source.file.kind, overview.started_ms // 1000)
    others = source.loaded.sessions_of_race(key, race.date)
    other = next((one for one in others if source.loaded.numbers(one.name) & overview.numbers), None)
    return (f"{key}-{len(others)}" if others and not other else key), other


def _older(source: ImportFile, race: ImportedRace, other: LoadedFile) -> ImportReport:
    """Return the report of a chart that stays out: a later one of the race is in the warehouse."""
    why = f"{source.file.path} is older than {other.path}, from which {other.name} is in the warehouse"
    return ImportReport(source.file.path, source.file.kind, OLDER, other.name, race, why=why)


def _name(key: str) -> str:
    """Return the digits of a key that tell it from those that begin alike."""
    return hashlib.sha256(key.encode()).hexdigest() if "-" in key else key


def _may_replace(source: ImportFile, other: LoadedFile) -> bool:
    """Return whether the caller said so, and did not name both without a sign which of them is the later
    one.
    """
    equal = standing(source.file.path) == standing(Path(other.path))
    return source.named.replace and not (equal and other.sha256 in {*source.beside, source.file.sha256})


def _hint(source: ImportFile, race: ImportedRace, other: LoadedFile) -> str:
    if source.named.replace:
        return "both were named; --replace with the right one alone takes it"
    undated = race.date == "" or "undated" in other.name
    date = "; --date tells races of several years apart" if undated else ""
    return f"--replace takes the later chart in its place{date}"


def _local_date(midnight_ns: int) -> str:
    """Return the date of a local midnight, which is at most half a day from one in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime((midnight_ns + _HALF_DAY_NS) // 1_000_000_000))


def _began(overview: Overview, race: ImportedRace, midnight_ns: int | None) -> str:
    """Return 20250906-184041 in UTC. With a date alone 20250906-134041 by the chart's own clock, whose zone
    nobody knows, so that there is no START_TIME_NS. Without a date undated-134041.
    """
    seconds = overview.started_ms // 1000
    if midnight_ns is not None:
        return time.strftime("%Y%m%d-%H%M%S", time.gmtime(midnight_ns // 1_000_000_000 + seconds))
    clock = time.strftime("%H%M%S", time.gmtime(seconds))
    return f"{race.date.replace('-', '') or 'undated'}-{clock}"
