"""Whether laps that came over from the old collector are what its files say, read anew and by other means.

Each old file is read as plain CSV, its laps by their number and its rows by their clock, and every column
that became a channel is compared with the channel in the lap file, in the column's own unit. A channel holds
seven digits: a greater difference is none of rounding.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from rigclient.imports.channels.column import ABSOLUTE_ZERO, CELSIUS, To, source_of
from rigclient.imports.collector.columns import CLOCK, LAP, as_column, known_columns, stated
from rigclient.imports.collector.files import CollectorFile, LapGroup
from riglap.lap import Lap

Array = np.ndarray[Any, np.dtype[Any]]

_DIGITS: Final = 2.0**-23
"""Share of a value that a channel of 32 bits leaves out."""
_EXACT_S: Final = 1e-9
_WORDS: Final = {"true": 1.0, "false": 0.0}
_PLACES: Final = ("position_xyz_0", "pos_x")

LapOf = Callable[[int], Lap | None]
"""Returns the lap with so many before it; None where none came over."""


class ColumnDifference(NamedTuple):
    """How far a column and its channel are apart where they are farthest."""

    column: str
    channel: str
    unit: str
    """Of the column, and of `difference`."""
    difference: float
    allowed: float
    """By the digits of the channel."""
    rows: int
    """That were compared."""

    @property
    def same(self) -> bool:
        """Whether the column came over whole."""
        return self.difference <= self.allowed


@dataclass
class LapVerification:
    """One lap, as the old files have it and as the lap file does."""

    number: int
    """Laps before it."""
    files: tuple[str, ...]
    """Names of the old files."""
    driver: str = ""
    rows: int = 0
    """Of the old file that has the positions."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows of it that make no sample, by reason."""
    samples: int | None = None
    """In the lap file; None where there is none."""
    old_time_s: float | None = None
    """As the old files state it; None where they state none."""
    new_time_s: float | None = None
    old_sectors_s: tuple[float, ...] = ()
    new_sectors_s: tuple[float, ...] = ()
    differences: list[ColumnDifference] = field(default_factory=list)

    @property
    def worst(self) -> ColumnDifference | None:
        """The column that is farthest from its channel, by what is allowed to it."""
        return max(self.differences, key=lambda one: one.difference / (one.allowed or 1.0), default=None)

    def troubles(self) -> Iterator[str]:
        """Yield what differs, in words; nothing where the lap came over whole."""
        if self.samples is None:
            yield "there is no lap file"
            return
        if self.rows - self.left_out.total() != self.samples:
            yield f"{self.samples} samples of {self.rows} rows, {self.left_out.total()} left out"
        if not _same_times((self.old_time_s,), (self.new_time_s,)):
            yield f"the lap time was {self.old_time_s}, and is {self.new_time_s}"
        if self.old_sectors_s and not _same_times(self.old_sectors_s, self.new_sectors_s):
            yield f"the sectors were {self.old_sectors_s}, and are {self.new_sectors_s}"
        for one in self.differences:
            if not one.same:
                yield f"{one.column} and {one.channel} differ by {one.difference:g} {one.unit}".rstrip()


def _same_times(old: Sequence[float | None], new: Sequence[float | None]) -> bool:
    """Return whether times are the same, where the old files state one."""
    if len(old) != len(new):
        return False
    pairs = [(one, other) for one, other in zip(old, new, strict=True) if one is not None]
    return all(other is not None and abs(one - other) < _EXACT_S for one, other in pairs)


@dataclass
class _OldLap:
    """The rows of a lap in one old file."""

    file: CollectorFile
    number: int
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    clocks: list[float] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)

    def column(self, name: str) -> Array:
        """Return a column, NaN where a cell is no number."""
        at = self.file.columns.index(name)
        return np.array([_number(row[at]) for row in self.cells], np.float64)

    def last(self, name: str) -> float | None:
        """Return what the last row says."""
        if name not in self.file.columns or not self.cells:
            return None
        value = _number(self.cells[-1][self.file.columns.index(name)])
        return value if np.isfinite(value) else None


def _number(cell: str) -> float:
    text = cell.strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def verify_session(groups: Sequence[LapGroup], lap_of: LapOf) -> Iterator[LapVerification]:
    """Yield every lap of a session of the collector, compared with its lap file."""
    current: list[_OldLap] = []
    for following in _and_none(_old_laps(groups)):
        if current:
            yield _verified(current, following, lap_of)
        current = following


def _and_none(laps: Iterator[list[_OldLap]]) -> Iterator[list[_OldLap]]:
    yield from laps
    yield []


def _old_laps(groups: Sequence[LapGroup]) -> Iterator[list[_OldLap]]:
    """Yield what the files have of each lap, in the order of the laps, one in memory."""
    for group in groups:
        waiting = [_read(file) for file in group.files]
        current = [next(laps, None) for laps in waiting]
        while any(current):
            number = min(lap.number for lap in current if lap is not None)
            yield [lap for lap in current if lap is not None and lap.number == number]
            current = [
                next(laps, None) if lap is not None and lap.number == number else lap
                for lap, laps in zip(current, waiting, strict=True)
            ]


def _read(file: CollectorFile) -> Iterator[_OldLap]:
    """Yield the rows of a file lap by lap; those that are no row are counted with the lap before them."""
    at_lap, at_clock = file.columns.index(LAP), file.columns.index(CLOCK)
    lap = _OldLap(file, file.first_lap)
    with file.path.open(newline="", encoding="utf-8", errors="replace") as opened:
        rows = csv.reader(opened)
        next(rows, None)
        for row in rows:
            if not any(row):
                continue
            number = _number(row[at_lap]) if len(row) == len(file.columns) else np.nan
            if np.isfinite(number) and int(number) != lap.number:
                yield lap
                lap = _OldLap(file, int(number))
            _take(lap, row, at_clock)
    yield lap


def _take(lap: _OldLap, row: list[str], at_clock: int) -> None:
    lap.rows += 1
    clock = _number(row[at_clock]) if len(row) == len(lap.file.columns) else np.nan
    if not np.isfinite(clock):
        lap.left_out["no row, or no clock"] += 1
    elif lap.clocks and clock == lap.clocks[-1]:
        lap.left_out["a repeated clock"] += 1
    elif lap.clocks and clock < lap.clocks[-1]:
        lap.left_out["the clock runs backwards"] += 1
    else:
        lap.clocks.append(clock)
        lap.cells.append(row)


def _verified(files: Sequence[_OldLap], following: Sequence[_OldLap], lap_of: LapOf) -> LapVerification:
    base = _base(files)
    number = base.number
    new = lap_of(number)
    found = LapVerification(number, tuple(one.file.path.name for one in files), rows=base.rows)
    found.left_out = base.left_out
    if following and following[0].number == number + 1:
        found.old_time_s, found.old_sectors_s = _told(following)
    if new is None:
        return found
    info = new.info
    found.driver, found.samples, found.new_time_s = info.driver, len(new), info.lap_time
    told = [one for one in (info.sector1, info.sector2, info.sector3) if one is not None]
    found.new_sectors_s = tuple(told)
    found.differences = [one for file in files for one in _differences(file, new)]
    return found


def _base(files: Sequence[_OldLap]) -> _OldLap:
    """Return the file whose rows are the samples."""
    placed = [one for one in files if set(_PLACES) & set(one.file.columns)]
    return max(placed or files, key=lambda one: len(one.cells))


def _told(files: Sequence[_OldLap]) -> tuple[float | None, tuple[float, ...]]:
    """Return lap time and sectors of the lap before, as the rows of a lap tell them; those of an invalid lap
    are below 0.
    """
    said = [
        next((value for one in files if (value := one.last(name)) is not None), -1.0)
        for name in ("last_laptime", "last_sector1", "last_sector2")
    ]
    time_s, one, two = said
    if time_s <= 0:
        return None, ()
    return time_s, (one, two - one, time_s - two) if 0 < one < two < time_s else ()


def _differences(old: _OldLap, new: Lap) -> Iterator[ColumnDifference]:
    """Yield every column of a file that is a channel of the lap, compared at the clocks that both have."""
    clocks = np.array(old.clocks)
    shared, at_old, at_new = np.intersect1d(clocks, new["elapsed_time"], return_indices=True)
    if not len(shared):
        return
    for name, targets in known_columns(old.file.columns).items():
        values = old.column(name)
        for to in targets:
            if to.channel in new and np.isfinite(values).any():
                yield _difference(name, to, values[at_old], _component(new, to)[at_new])


def _component(lap: Lap, to: To) -> Array:
    values = np.asarray(lap[to.channel], np.float64)
    return values if values.ndim == 1 else values[:, to.at]


def _difference(name: str, to: To, old: Array, new: Array) -> ColumnDifference:
    meant = stated(to, old)
    source = source_of(name, meant, old)
    back = as_column(name, (new - source.offset) / source.factor)
    cold = (source.channel.unit == CELSIUS) & (old * source.factor + source.offset <= ABSOLUTE_ZERO)
    known = np.isfinite(old) & ~cold
    apart = np.abs(np.where(known, back - old, 0.0))
    worst = float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0
    lost = known & ~np.isfinite(back)
    largest = float(np.max(np.abs(new[np.isfinite(new)]), initial=0.0)) + abs(source.offset)
    allowed = 2 * _DIGITS * largest / abs(source.factor)
    return ColumnDifference(
        name, to.channel, source.unit, float("inf") if lost.any() else worst, allowed, int(known.sum())
    )
