"""Telemetry of the GR Cup: a row per value (long), or a row per moment with most cells blank (wide).

Rows come as they were received: late, in bursts, backwards in time. They are sorted on the disk.
"""

import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from rigclient.imports.recording import (
    Head,
    MappedColumn,
    Progress,
    RecordedLap,
    RecordedSession,
    Recording,
    Refuse,
)
from rigclient.imports.signals.distance import along
from rigclient.imports.signals.geography import local_metres
from rigclient.imports.text.sheet import RefusedLine, Sheet, SheetRow, columns_of
from rigclient.imports.timing import longform
from rigclient.imports.timing.longform import LAP, TARGETS, readings, wide_readings
from rigclient.imports.timing.sample_sorter import Sample, SampleSorter

Array = np.ndarray[Any, np.dtype[Any]]

_CLOSE_NS: Final = 1_000_000_000
"""Between the last sample of a lap and the first of the next, where they follow each other."""
_EVERY: Final = 20_000
"""Rows between two words about how far it is."""
_LATITUDE, _LONGITUDE = "VBOX_Lat_Min", "VBOX_Long_Minutes"
"""Degrees, whatever their names say."""
_RACE_DIGITS: Final = 2
_WIDE: Final = ("lap", "timestamp", "speed", "gear", "aps")
"""A table with these columns, and no names of values, is the wide form."""


class GrCupTelemetry:
    """Telemetry of the GR Cup, in its three forms."""

    name: str = "GR Cup telemetry"
    program: str = "TRD data logger"

    def recognises(self, head: Head) -> bool:
        """Return whether the header has the columns of one of the forms."""
        columns = set(columns_of(head.first, longform.NEEDED))
        return columns >= set(longform.NEEDED) or columns >= set(_WIDE)

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return the session that the file is of. Its race is in the file where that has a column for it."""
        folder = tempfile.TemporaryDirectory(prefix="rig-import-")
        try:
            sorter = SampleSorter(Path(folder.name))
            sorter.take(self._values(path, refuse, progress))
            return [self._recording(path, sorter, folder, refuse)]
        except BaseException:
            folder.cleanup()
            raise

    def _values(self, path: Path, refuse: Refuse, progress: Progress) -> Iterator[longform.LoggedValue]:
        with path.open("rb") as file:
            sheet = Sheet(str(path), file, longform.NEEDED)
            parse = readings if set(sheet.columns) >= set(longform.NEEDED) else wide_readings
            for at, row in enumerate(parse(sheet, path.stem)):
                if at % _EVERY == 0:
                    progress(sheet.bytes_read)
                if isinstance(row, RefusedLine):
                    refuse(*row)
                else:
                    yield row
            progress(sheet.bytes_read)

    def _recording(
        self, path: Path, sorter: SampleSorter, folder: "tempfile.TemporaryDirectory[str]", refuse: Refuse
    ) -> Recording:
        first = _first_row(path)
        number = _race_number(first.get("meta_session") if first else "")
        event = first.get("meta_event") if first else ""
        session = RecordedSession(
            track="",
            kind="race" if number else "",
            number=number,
            start_time_ns=sorter.first_ns(),
            identity=("telemetry", event),
            facts={"meta_event": event} if event else {},
        )
        names = sorter.names()
        return Recording(
            self.name,
            session,
            _SortedLaps(sorter, folder, refuse),
            rate_hz=sorter.rate_hz(),
            mapped=tuple(_mapped(names)),
            left=tuple(name for name in names if name not in (*TARGETS, LAP, _LATITUDE, _LONGITUDE)),
        )


def _first_row(path: Path) -> SheetRow | None:
    with path.open("rb") as file:
        rows = Sheet(str(path), file, longform.NEEDED).rows()
        return next((row for row in rows if isinstance(row, SheetRow)), None)


def _race_number(stated: str) -> int:
    """Return 1 of R1; 0 for what tells no race."""
    digits = stated.removeprefix("R")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _RACE_DIGITS else 0


def _mapped(names: Iterable[str]) -> Iterator[MappedColumn]:
    for name in names:
        if name in TARGETS:
            yield MappedColumn(name, TARGETS[name].unit, TARGETS[name].channel)
        elif name in (_LATITUDE, _LONGITUDE):
            yield MappedColumn(name, "deg", "position", "degrees, whatever the name says")


@dataclass
class _Driven:
    """The samples of a lap as arrays."""

    car: str
    lap: int
    times_ns: Array
    """The logger's clock."""
    received_ns: Array
    values: dict[str, Array]

    def followed_by(self, other: "_Driven | None") -> bool:
        """Return whether the other is the car's next lap and no sample is missing in between."""
        if other is None or (other.car, other.lap) != (self.car, self.lap + 1):
            return False
        return bool(0 <= other.times_ns[0] - self.times_ns[-1] <= _CLOSE_NS)


class _SortedLaps:
    """The laps of a file, out of the folder in which its values are sorted."""

    def __init__(
        self, sorter: SampleSorter, folder: "tempfile.TemporaryDirectory[str]", refuse: Refuse
    ) -> None:
        self._sorter, self._folder = sorter, folder
        self._laps = _laps(sorter, refuse)

    def __iter__(self) -> Iterator[RecordedLap]:
        return self

    def __next__(self) -> RecordedLap:
        return next(self._laps)

    def close(self) -> None:
        """Delete the folder."""
        self._laps.close()
        self._sorter.close()
        self._folder.cleanup()


def _laps(sorter: SampleSorter, refuse: Refuse) -> Generator[RecordedLap]:
    """Yield the laps by car; one between two others is complete, until the next one's first sample."""
    slots: dict[str, int] = {}
    begins = sorter.begins_ns()
    before: _Driven | None = None
    this: _Driven | None = None
    for after in chain(_driven(sorter.samples(), refuse), [None]):
        if this is not None:
            slot = slots.setdefault(this.car, len(slots))
            yield _lap(slot, begins[this.car], before, this, after)
        before, this = this, after


def _driven(samples: Iterable[Sample | RefusedLine], refuse: Refuse) -> Iterator[_Driven]:
    def sound() -> Iterator[Sample]:
        for row in samples:
            if isinstance(row, RefusedLine):
                refuse(*row)
            else:
                yield row

    for (car, lap), rows in groupby(sound(), lambda sample: (sample.car, sample.lap)):
        some = list(rows)
        names = dict.fromkeys(name for sample in some for name in sample.values)
        yield _Driven(
            car,
            lap,
            np.array([sample.time_ns for sample in some], np.int64),
            np.array([sample.received_ns for sample in some], np.int64),
            {
                name: np.array([sample.values.get(name, np.nan) for sample in some], np.float64)
                for name in names
            },
        )


def _lap(slot: int, zero_ns: int, before: _Driven | None, lap: _Driven, after: _Driven | None) -> RecordedLap:
    complete = lap.followed_by(after) and before is not None and before.followed_by(lap)
    end_ns = int(after.times_ns[0] if complete and after else lap.times_ns[-1])
    begin_ns = int(lap.times_ns[0])
    samples = _channels(lap)
    return RecordedLap(
        car=slot,
        index=lap.lap,
        start_s=(begin_ns - zero_ns) / 1e9,
        end_s=(end_ns - zero_ns) / 1e9,
        number=max(lap.lap - 1, 0),
        driver=lap.car,
        vehicle=lap.car,
        lap_time_s=(end_ns - begin_ns) / 1e9 if complete else None,
        complete=complete,
        samples=samples,
        others={name: values for name, values in lap.values.items() if name not in TARGETS and name != LAP},
    )


def _channels(lap: _Driven) -> dict[str, Array]:
    """Return the channels of a lap, each with all its rows."""
    times = (lap.times_ns - lap.times_ns[0]) / 1e9
    nothing = np.full(len(times), np.nan)
    told = {name: lap.values.get(name, nothing) * target.factor for name, target in TARGETS.items()}
    ahead, left = told.pop("accx_can"), told.pop("accy_can")
    channels = {
        "lap_time": times,
        "capture_time_ns": lap.received_ns.astype(np.uint64),
        "local_acceleration": np.stack([left, nothing, ahead], axis=1).astype(np.float32),
        "position": _positions(lap, times),
    }
    for name, values in told.items():
        target = TARGETS[name]
        channels[target.channel] = _held(values) if target.whole else values.astype(np.float32)
    return channels | {"distance": along(times, told["Laptrigger_lapdist_dls"]).astype(np.float32)}


def _held(values: Array) -> Array:
    """Return whole numbers, the one before where there is none; before the first that one."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values), np.int32)
    last = np.searchsorted(known, np.arange(len(values)), side="right").clip(1) - 1
    return np.asarray(values[known[last]].astype(np.int32))


def _positions(lap: _Driven, times: Array) -> Array:
    """Return positions [m], on the line between two that the logger told."""
    nothing = np.full(len(times), np.nan)
    flat = local_metres(lap.values.get(_LATITUDE, nothing), lap.values.get(_LONGITUDE, nothing))
    known = np.isfinite(flat).all(axis=1)
    found = np.full((len(times), 3), np.nan, np.float32)
    if known.any():
        found[:, 0], found[:, 2] = (np.interp(times, times[known], flat[known, at]) for at in (0, 1))
        found[:, 1] = 0.0
    return found


DIALECT: Final = GrCupTelemetry()
