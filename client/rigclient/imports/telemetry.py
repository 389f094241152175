"""Samples of a telemetry table as rows of the warehouse."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from rigclient.imports.distance import LocatedSample, with_distance
from rigclient.imports.import_file import ImportFile, ImportReport
from rigclient.imports.loaded_files import LoadedFile, conflict
from rigclient.imports.longform import LAP, TARGETS, readings
from rigclient.imports.races import RIG_ID, Imported, dated
from rigclient.imports.sample_sorter import Sample, SampleSorter
from rigclient.warehouse import tables
from rigclient.warehouse.iteration import batched
from rigclient.warehouse.spool import Array, Spool

_AT_A_TIME: Final = 20_000
"""Samples in a row group: a lap of four minutes at 90 Hz is one."""
_CLOSE_NS: Final = 1_000_000_000
"""Between the last sample of a lap and the first of the next, where they follow each other."""
_SPEED: Final = "SPEED"
_HINT: Final = "`rig warehouse unload` takes a file back; laps of two files are never merged"


def lap_name(car: str, lap: int) -> str:
    """Return a lap's name: gr86-002-000-0003."""
    return f"{re.sub('[^a-z0-9]+', '-', car.lower()).strip('-')}-{lap:04d}"


@dataclass
class _Driven:
    """What is known of a lap after its samples."""

    car: str
    lap: int
    begin_ns: int
    """The logger's clock of the first sample."""
    received_ns: int
    end_ns: int = 0
    last_received_ns: int = 0
    samples: int = 0
    top_mps: float = float("nan")

    def add(self, some: Sequence[LocatedSample], speeds: Array) -> None:
        """Count more samples; `speeds` are theirs [m/s]."""
        self.samples += len(some)
        self.end_ns = some[-1].sample.time_ns
        self.last_received_ns = max(self.last_received_ns, *(row.sample.received_ns for row in some))
        self.top_mps = float(np.fmax.reduce(speeds, initial=self.top_mps))

    def followed_by(self, other: "_Driven | None") -> bool:
        """Return whether the other is the car's next lap and no sample is missing in between."""
        if other is None or (other.car, other.lap) != (self.car, self.lap + 1):
            return False
        return 0 <= other.begin_ns - self.end_ns <= _CLOSE_NS


@dataclass(frozen=True)
class Telemetry:
    """Samples that become laps of a session."""

    of: Imported
    is_new: bool
    """No file of it is in the warehouse."""
    first_ns: int
    """Wall clock at which its first value arrived."""
    cars: Mapping[str, int]
    """Slot ids."""
    begins_ns: Mapping[str, int]
    """The logger's clock at the first sample of every car, where its session clock is 0."""

    def write(self, spool: Spool, samples: Iterable[Sample]) -> int:
        """Write samples, laps, and the session unless it is there; return the number of laps."""
        driven = [
            self._write_lap(spool, car, lap, rows)
            for (car, lap), rows in groupby(samples, lambda sample: (sample.car, sample.lap))
        ]
        around = zip([None, *driven][:-1], driven, [*driven, None][1:], strict=True)
        spool.put(tables.LAPS, (self._lap(*three) for three in around))
        if self.is_new and driven:
            end_ns = max(lap.last_received_ns for lap in driven)
            spool.put(tables.SESSIONS, [self.of.session_row(self.first_ns, end_ns)])
        return len(driven)

    def _named(self, car: str, lap: int) -> dict[str, str | int]:
        return {
            "RIG_ID": RIG_ID,
            "SESSION": self.of.session,
            "LAP": lap_name(car, lap),
            "CAR": self.cars[car],
            "LAP_INDEX": lap,
        }

    def _write_lap(self, spool: Spool, car: str, lap: int, samples: Iterable[Sample]) -> _Driven:
        driven: _Driven | None = None
        for some in batched(with_distance(samples), _AT_A_TIME):
            first = some[0].sample
            driven = driven or _Driven(car, lap, first.time_ns, first.received_ns)
            columns = self._columns(some, driven)
            driven.add(some, columns[_SPEED])
            spool.add(tables.SAMPLES, self._named(car, lap), columns)
            spool.put(tables.READINGS, self._foreign(some, driven, int(columns["SEQ"][0])))
        assert driven is not None, "groupby has no empty groups"
        return driven

    def _columns(self, some: Sequence[LocatedSample], lap: _Driven) -> dict[str, Array]:
        times = np.array([row.sample.time_ns for row in some], np.int64)
        values = {name: _values(some, name) * target.factor for name, target in TARGETS.items()}
        channels = {target.column: _typed(target.column, values[name]) for name, target in TARGETS.items()}
        return {
            "SEQ": lap.samples + np.arange(1, len(some) + 1, dtype=np.int64),
            "CAPTURE_TIME_NS": np.array([row.sample.received_ns for row in some], np.int64),
            "SESSION_TIME": (times - self.begins_ns[lap.car]) / 1e9,
            "LAP_TIME": (times - lap.begin_ns) / 1e9,
            "DISTANCE": np.array([row.distance for row in some], np.float64).astype(np.float32),
            **channels,
        }

    def _foreign(
        self, some: Sequence[LocatedSample], lap: _Driven, first_seq: int
    ) -> Iterator[dict[str, Any]]:
        """Yield rows of READINGS for the values that no channel holds."""
        named = self._named(lap.car, lap.lap)
        for seq, (sample, _) in enumerate(some, start=first_seq):
            since = (sample.time_ns - lap.begin_ns) / 1e9
            for name, value in sample.values.items():
                if name not in TARGETS and name != LAP:
                    yield {**named, "SEQ": seq, "NAME": name, "LAP_TIME": since, "VALUE": value}

    def _lap(self, before: _Driven | None, lap: _Driven, after: _Driven | None) -> dict[str, Any]:
        """Return the row of LAPS. A lap between two others is complete, and lasted until the first sample of
        the next.
        """
        complete = lap.followed_by(after) and before is not None and before.followed_by(lap)
        end_ns = after.begin_ns if complete and after else lap.end_ns
        zero = self.begins_ns[lap.car]
        return {
            **self._named(lap.car, lap.lap),
            "KIND": "lap",
            "LAP_NUMBER": max(lap.lap - 1, 0),
            "DRIVER": lap.car,
            "VEHICLE": lap.car,
            "START_TIME": (lap.begin_ns - zero) / 1e9,
            "END_TIME": (end_ns - zero) / 1e9,
            "LAP_TIME": (end_ns - lap.begin_ns) / 1e9 if complete else None,
            "OFFICIAL": False,
            "COMPLETE": complete,
            "TOP_SPEED": lap.top_mps,
            "TRACK": self.of.race.track,
            "START_TIME_NS": lap.received_ns,
            "END_TIME_NS": lap.last_received_ns,
            "SAMPLES": lap.samples,
            "DIGEST": self.of.sha256,
        }


def _values(some: Sequence[LocatedSample], name: str) -> Array:
    return np.array([row.sample.values.get(name, np.nan) for row in some], np.float64)


def _typed(column: str, values: Array) -> Array:
    """Return values in the column's type: float32, or whole numbers with NULL where there is none."""
    if tables.SAMPLES.type_of(column) == tables.WHOLE:
        missing = np.isnan(values)
        return np.ma.masked_array(np.where(missing, 0, values).astype(np.int64), missing)
    return values.astype(np.float32)


def read_telemetry(source: ImportFile, folder: Path) -> ImportReport:
    """Put a telemetry table into the spool. Raises Mismatch when one of its laps is there."""
    race = source.race(source.said("meta_session"))
    with closing(SampleSorter(folder)) as sorter:
        sorter.take(source.sound(lambda sheet: readings(sheet, source.file.path.stem)))
        key = race.key(source.file.kind, source.said("meta_event"))
        loaded = next(iter(source.loaded.sessions_of_race(key, race.date)), None)
        first_ns = sorter.first_ns()
        began = time.strftime("%Y%m%d-%H%M%S", time.gmtime(first_ns // 1_000_000_000))
        session = loaded.name if loaded else race.session(began, key)
        laps = sorter.laps()
        _check_new(source, session, laps)
        imported = Imported(session, dated(key, race.date), race, source.file.sha256)
        cars = _slots(source.loaded.cars(session), laps)
        telemetry = Telemetry(imported, loaded is None, first_ns, cars, sorter.begins_ns())
        written = telemetry.write(source.spool, source.refusals.kept(sorter.samples()))
    return source.report(session, race, laps=written, samples=source.spool.rows(tables.SAMPLES))


def _check_new(source: ImportFile, session: str, laps: Iterable[tuple[str, int]]) -> None:
    there = source.loaded.laps(session)
    for car, lap in laps:
        name = lap_name(car, lap)
        if name in there:
            loaded = LoadedFile(session, there[name], "", "")
            raise conflict(source.file, f"{session}/{name}", loaded, _HINT)


def _slots(there: Mapping[str, int], laps: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the slot ids of the cars: those that they have, else the next."""
    slots = dict(there)
    for car, _ in laps:
        slots.setdefault(car, max(slots.values(), default=-1) + 1)
    return slots
