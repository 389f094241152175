"""Endurance lap charts of timing services: a row per lap and car, with sectors and intermediates.

    NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; ...;FLAG_AT_FL;...;IM1a_time;IM1a_elapsed;...
    021;1;2;1:42.637;...;GF;...;24.855;24.855;...

The rows of a car stand together, its laps in order. A row must fit the one before it, or it is refused: where
a time, a sector or the running total is wrong nobody can tell which.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed
from rigclient.imports.text.sheet import RefusedLine, Sheet, SheetRow, parsed

NEEDED: Final = (
    "NUMBER",
    "LAP_NUMBER",
    "LAP_TIME",
    "S1",
    "S2",
    "S3",
    "ELAPSED",
    "HOUR",
    "CROSSING_FINISH_LINE_IN_PIT",
)
"""A table with these columns is an endurance lap chart."""
COLUMNS: Final = (
    *NEEDED,
    "FLAG_AT_FL",
    "LAP_IMPROVEMENT",
    "PIT_TIME",
    "KPH",
    "TOP_SPEED",
    "DRIVER_NUMBER",
    "DRIVER_NAME",
    "CLASS",
    "TEAM",
    "MANUFACTURER",
)
"""All that is read of one; charts of older years have no flags."""

_LINE: Final = "FL"
"""The finish line among the intermediates."""
_ROUNDING_MS: Final = 2
"""Three sectors that are each rounded to the millisecond."""
_UNDECIDED: Final = 100
"""Rows that wait for two to agree on the start of the race; then the last of them is believed."""
_DAY_MS: Final = 86_400_000
_GREEN: Final = "GF"
_FINISH: Final = "FF"
"""It hides whether the lap was green."""
_COMMA: Final = re.compile(r"((?:[0-9]+:){0,2}-?[0-9]+),([0-9]+)")
"""A time or a number with a decimal comma."""
_IN_PIT: Final = "B"
_BEST: Final = ("2", "3")
"""LAP_IMPROVEMENT of a driver's best lap, and of the best of all."""


class Intermediate(NamedTuple):
    """A timing line within the lap."""

    name: str
    time_ms: int | None
    """Since the line before; absent where one of the two did not see the car."""
    elapsed_ms: int
    """Since the lap began."""


@dataclass(frozen=True)
class ChartLap:
    """A row. Times are milliseconds, and absent where the timing lost the car."""

    line: int
    number: str
    """As painted on the car."""
    entry: int
    """Position of the car in the chart, from 0. Two cars may have the same number."""
    lap: int
    lap_time_ms: int
    best: bool
    """The timing's best lap of that driver: what is faster was not counted."""
    sectors_ms: tuple[int | None, int | None, int | None]
    elapsed_ms: int
    """Since the start of the race, when the lap ended."""
    hour_ms: int
    """Local clock when the lap ended, since midnight."""
    flag: str
    """Shown at the line when the lap ended: GF green, FCY full-course yellow, SF safety car, RF red, FF
    finish; empty where the chart does not say.
    """
    green: bool | None
    """Green at both ends of the lap; None where nobody can know. Every flag but GF and FF is against it."""
    in_pit: bool
    """Crossed the line in the pit lane."""
    pit_time_ms: int | None
    kph: float | None
    top_speed_kph: float | None
    driver_number: int
    driver: str
    car_class: str
    team: str
    manufacturer: str
    intermediates: tuple[Intermediate, ...]

    @property
    def started_ms(self) -> int:
        """Local clock of the start of the race, since midnight."""
        return (self.hour_ms - self.elapsed_ms) % _DAY_MS


@dataclass
class _ChartCar:
    """A car of the chart, and its laps so far."""

    position: int
    laps: set[int] = field(default_factory=set)
    first: ChartLap | None = None
    last: ChartLap | None = None

    def add(self, lap: ChartLap) -> ChartLap:
        """Return the lap as this car's. Raises Malformed where it does not fit."""
        before = self.last if self.last is not None and self.last.lap == lap.lap - 1 else None
        _check_total(lap, before)
        self.laps.add(lap.lap)
        self.last = replace(lap, entry=self.position, green=_green(lap, before))
        self.first = self.first or self.last
        return self.last

    def first_is(self, lap: ChartLap) -> bool:
        """Return whether the lap is the first of this car once more."""
        return self.first is not None and (self.first.lap, self.first.hour_ms) == (lap.lap, lap.hour_ms)

    def can_have(self, lap: ChartLap) -> bool:
        """Return whether the lap may be of this car: it lacks it, and after the lap before it the totals
        fit.
        """
        if lap.lap in self.laps:
            return False
        last = self.last
        if last is None or last.lap != lap.lap - 1:
            return True
        return abs(last.elapsed_ms + lap.lap_time_ms - lap.elapsed_ms) <= _ROUNDING_MS


def laps(sheet: Sheet) -> Iterator[ChartLap | RefusedLine]:
    """Yield the laps of a chart in its order, in their place the rows that are refused."""
    lines = _timing_lines(sheet.columns)
    rows = parsed(sheet.rows(), lambda row: _lap(row, lines))
    return _Chart().fitted(_Start().agreed(rows))


class _Chart:
    """The cars of a chart, as its rows come."""

    def __init__(self) -> None:
        self._cars: dict[str, list[_ChartCar]] = {}
        self._count = 0
        self._waiting: ChartLap | None = None
        """A first lap of a number that has one already: of another car, if the rows go on from it."""

    def fitted(self, rows: Iterable[ChartLap | RefusedLine]) -> Iterator[ChartLap | RefusedLine]:
        """Yield the laps car by car, and in their place what fits no car."""
        for row in rows:
            if isinstance(row, RefusedLine):
                yield row
                continue
            yield from self._settle(row)
            if self._begins_again(row):
                self._waiting = row
            else:
                yield self._taken(row)
        yield from self._settle(None)

    def _begins_again(self, lap: ChartLap) -> bool:
        known = self._cars.get(lap.number, [])
        return bool(known) and lap.lap == 1 and all(1 in entry.laps for entry in known)

    def _settle(self, following: ChartLap | None) -> Iterator[ChartLap | RefusedLine]:
        """Yield what the waiting row was, now that the one after it is here."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if following is not None and self._goes_on(waiting, following):
            yield self._taken(waiting, self._enter(waiting.number))
        else:
            yield _repeated(waiting)

    def _goes_on(self, first: ChartLap, following: ChartLap) -> bool:
        """Return whether the lap after a first lap can be of the same car, and of none that is known."""
        known = self._cars[first.number]
        if following.number != first.number or any(entry.first_is(first) for entry in known):
            return False
        if any(entry.can_have(following) for entry in known):
            return False
        return _ChartCar(0, {first.lap}, first, first).can_have(following)

    def _taken(self, lap: ChartLap, entry: _ChartCar | None = None) -> ChartLap | RefusedLine:
        try:
            return (entry or self._car(lap)).add(lap)
        except Malformed as error:
            return RefusedLine(lap.line, error.reason, error.detail)

    def _car(self, lap: ChartLap) -> _ChartCar:
        """Return the car of that number that lacks the lap; the one that began last, where several do."""
        known = self._cars.get(lap.number)
        if known is None:
            return self._enter(lap.number)
        for entry in reversed(known):
            if lap.lap not in entry.laps:
                return entry
        raise Malformed("a repeated lap", f"car {lap.number} has a lap {lap.lap} already")

    def _enter(self, number: str) -> _ChartCar:
        entry = _ChartCar(self._count)
        self._count += 1
        self._cars.setdefault(number, []).append(entry)
        return entry


class _Start:
    """When the race began: clock and total of every row tell it, and what two of them tell is it."""

    def __init__(self) -> None:
        self._ms: int | None = None
        self._undecided: list[ChartLap] = []

    def agreed(self, rows: Iterable[ChartLap | RefusedLine]) -> Iterator[ChartLap | RefusedLine]:
        """Yield the rows in their order; those that tell another start are refused."""
        for row in rows:
            if isinstance(row, RefusedLine) or self._ms is not None:
                yield self._checked(row)
                continue
            if len(self._undecided) == _UNDECIDED or any(
                _close(row, other.started_ms) for other in self._undecided
            ):
                self._ms = row.started_ms
            self._undecided.append(row)
            if self._ms is not None:
                yield from map(self._checked, self._undecided)
        if self._ms is None and self._undecided:
            self._ms = self._undecided[0].started_ms
            yield from map(self._checked, self._undecided)

    def _checked(self, row: ChartLap | RefusedLine) -> ChartLap | RefusedLine:
        if isinstance(row, RefusedLine) or self._ms is None or _close(row, self._ms):
            return row
        detail = f"HOUR less ELAPSED is {_clock(row.started_ms)}, of other rows {_clock(self._ms)}"
        return RefusedLine(row.line, "clock and total do not agree", detail)


def _close(lap: ChartLap, started_ms: int) -> bool:
    away = abs(lap.started_ms - started_ms)
    return min(away, _DAY_MS - away) <= _ROUNDING_MS


def _timing_lines(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the intermediates in their order; the finish line, which is the lap itself, left
    out.
    """
    known = set(columns)
    names = (name.removesuffix("_time") for name in columns if name.endswith("_time"))
    return tuple(name for name in names if f"{name}_elapsed" in known and name != _LINE)


def _lap(row: SheetRow, lines: tuple[str, ...]) -> ChartLap:
    """Return the lap that one row tells. Raises Malformed."""
    row = _with_points(row) if "," in row["LAP_TIME"] else row
    sectors = tuple(cells.maybe_time_ms(name, row[name]) for name in ("S1", "S2", "S3"))
    lap = ChartLap(
        line=row.line,
        number=cells.car_number("NUMBER", row["NUMBER"]),
        entry=0,
        lap=cells.lap_number("LAP_NUMBER", row["LAP_NUMBER"]),
        lap_time_ms=cells.time_ms("LAP_TIME", row["LAP_TIME"]),
        best=row.get("LAP_IMPROVEMENT") in _BEST,
        sectors_ms=sectors,  # type: ignore[arg-type]
        elapsed_ms=cells.time_ms("ELAPSED", row["ELAPSED"]),
        hour_ms=cells.clock_ms("HOUR", row["HOUR"]),
        flag=row.get("FLAG_AT_FL").upper(),
        green=None,
        in_pit=row["CROSSING_FINISH_LINE_IN_PIT"] == _IN_PIT,
        pit_time_ms=cells.maybe_time_ms("PIT_TIME", row.get("PIT_TIME")),
        kph=cells.maybe_number("KPH", row.get("KPH")),
        top_speed_kph=cells.maybe_number("TOP_SPEED", row.get("TOP_SPEED")),
        driver_number=cells.whole("DRIVER_NUMBER", row.get("DRIVER_NUMBER", "1")),
        driver=row.get("DRIVER_NAME"),
        car_class=row.get("CLASS"),
        team=row.get("TEAM"),
        manufacturer=row.get("MANUFACTURER"),
        intermediates=tuple(_intermediates(row, lines)),
    )
    _check_lap(lap)
    return lap


def _with_points(row: SheetRow) -> SheetRow:
    """Return a row with points for decimal commas, which its lap time tells. There is no comma between
    thousands.
    """
    return SheetRow(
        row.line,
        {
            name: _COMMA.sub(r"\1.\2", cell) if _COMMA.fullmatch(cell) else cell
            for name, cell in row.cells.items()
        },
    )


def _intermediates(row: SheetRow, lines: tuple[str, ...]) -> Iterator[Intermediate]:
    for name in lines:
        elapsed = cells.maybe_time_ms(f"{name}_elapsed", row[f"{name}_elapsed"])
        since = cells.maybe_time_ms(f"{name}_time", row[f"{name}_time"])
        if elapsed is not None:
            yield Intermediate(name, since, elapsed)


def _check_lap(lap: ChartLap) -> None:
    """Raise Malformed unless lap time, sectors and intermediates of a row fit together."""
    if lap.lap_time_ms == 0:
        raise Malformed("no time", "LAP_TIME is zero")
    s1, s2, s3 = lap.sectors_ms
    if s1 is not None and s2 is not None and s3 is not None:
        total = s1 + s2 + s3
        if abs(total - lap.lap_time_ms) > _ROUNDING_MS:
            detail = f"S1 + S2 + S3 is {_seconds(total)}, LAP_TIME {_seconds(lap.lap_time_ms)}"
            raise Malformed("sectors do not make the lap", detail)
    before = 0
    for line in lap.intermediates:
        if not before <= line.elapsed_ms <= lap.lap_time_ms + _ROUNDING_MS:
            detail = f"{line.name}_elapsed is {_seconds(line.elapsed_ms)} after {_seconds(before)}"
            raise Malformed("intermediates out of order", detail)
        before = line.elapsed_ms


def _check_total(lap: ChartLap, before: ChartLap | None) -> None:
    """Raise Malformed unless the running total grows by the lap's own time; of a first lap it is that
    time.
    """
    if before is None and lap.lap != 1:
        return  # the lap before is missing or was refused
    total = (before.elapsed_ms if before else 0) + lap.lap_time_ms
    if abs(total - lap.elapsed_ms) > _ROUNDING_MS:
        detail = f"ELAPSED is {_seconds(lap.elapsed_ms)}, the laps make {_seconds(total)}"
        raise Malformed("total does not fit the laps", detail)


def _green(lap: ChartLap, before: ChartLap | None) -> bool | None:
    """Return whether the lap was green: none under another flag, nor the one after it; None where nobody
    knows.
    """
    begin = _GREEN if lap.lap == 1 else before.flag if before else ""
    if {begin, lap.flag} - {_GREEN, _FINISH, ""}:
        return False
    return True if begin == lap.flag == _GREEN else None


def _repeated(lap: ChartLap) -> RefusedLine:
    return RefusedLine(lap.line, "a repeated lap", f"car {lap.number} has a lap {lap.lap} already")


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _clock(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest / 1000:06.3f}"
