"""Endurance lap charts (23_AnalysisEnduranceWithSections): laps by their times, without samples."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from rigclient.imports.recording import (
    Head,
    Progress,
    Reading,
    RecordedLap,
    RecordedSession,
    Recording,
    Refuse,
)
from rigclient.imports.text.sheet import RefusedLine, Sheet, columns_of
from rigclient.imports.timing import charts
from rigclient.imports.timing.charts import COLUMNS, NEEDED, ChartLap
from rigclient.imports.timing.dating import Clocks

_MS: Final = 1_000_000
_KPH: Final = 3.6
_EVERY: Final = 2000
"""Rows between two words about how far it is."""


class Overview:
    """What has to be known of a whole chart before its first lap is told."""

    def __init__(self, laps: Iterable[ChartLap]) -> None:
        crossings = []
        self.started_ms: int = 0
        self._numbers: dict[int, str] = {}
        self._best_ms: dict[tuple[int, int], int] = {}
        for lap in laps:
            self.started_ms = lap.started_ms
            self._numbers.setdefault(lap.entry, lap.number)
            crossings.append(lap.started_ms + lap.elapsed_ms)
            if lap.best:
                self._best_ms[lap.entry, lap.driver_number] = lap.lap_time_ms
        self.crossings: Final[Clocks] = np.array(crossings, np.int64) * _MS
        """Local clock of every crossing of the line, nanoseconds since midnight."""

    def is_valid(self, lap: ChartLap) -> bool:
        """Return whether the lap counts: not the first, from the grid, nor one faster than the timing's
        best.
        """
        best = self._best_ms.get((lap.entry, lap.driver_number), 0)
        return lap.lap > 1 and lap.lap_time_ms >= best

    def car(self, entry: int) -> str:
        """Return a car's number; for the second car of that number 3.2, for the third 3.3."""
        number = self._numbers[entry]
        before = sum(1 for other, same in self._numbers.items() if other < entry and same == number)
        return f"{number}.{before + 1}" if before else number


class _Stints:
    """How often a car was in the pits, as its laps come."""

    def __init__(self) -> None:
        self._last: ChartLap | None = None
        self._stint = 1

    def next(self, lap: ChartLap) -> tuple[int, bool]:
        """Return the lap's stint, and whether it began in the pit lane as far as anybody knows."""
        last, self._last = self._last, lap
        if last is None or last.entry != lap.entry:
            self._stint = 1
            return 1, False
        self._stint += last.in_pit
        return self._stint, last.in_pit and last.lap == lap.lap - 1


class EnduranceCharts:
    """Charts of the timing services of endurance races."""

    name: str = "endurance chart"
    program: str = "Al Kamel timing"

    def recognises(self, head: Head) -> bool:
        """Return whether the header has the columns of a chart."""
        return set(NEEDED) <= set(columns_of(head.first, COLUMNS))

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return the chart as one session. It says no track, kind or date: its path does."""
        columns, rows = _read(path, lambda _: None)
        overview = Overview(row for row in rows if isinstance(row, ChartLap))
        session = RecordedSession(
            track="",
            kind="",
            local_clock_s=overview.started_ms / 1000,
            identity=("chart", overview.started_ms // 1000),
            whole=True,
        )
        left = tuple(
            name for name in columns if name not in COLUMNS and not name.endswith(("_time", "_elapsed"))
        )
        return [Recording(self.name, session, _laps(path, overview, refuse, progress), left=left)]


def _read(path: Path, progress: Progress) -> tuple[tuple[str, ...], Iterator[ChartLap | RefusedLine]]:
    """Return the columns, and the laps with what is refused of the rows."""
    file = path.open("rb")
    sheet = Sheet(str(path), file, COLUMNS)

    def rows() -> Iterator[ChartLap | RefusedLine]:
        with file:
            for at, row in enumerate(charts.laps(sheet)):
                if at % _EVERY == 0:
                    progress(sheet.bytes_read)
                yield row
            progress(sheet.bytes_read)

    return sheet.columns, rows()


def _laps(path: Path, overview: Overview, refuse: Refuse, progress: Progress) -> Iterator[RecordedLap]:
    stints = _Stints()
    for row in _read(path, progress)[1]:
        if isinstance(row, RefusedLine):
            refuse(*row)
        else:
            yield _lap(row, overview, *stints.next(row))


def _lap(lap: ChartLap, overview: Overview, stint: int, out_lap: bool) -> RecordedLap:
    s1, s2, s3 = map(_seconds, lap.sectors_ms)
    return RecordedLap(
        car=lap.entry,
        index=lap.lap,
        start_s=(lap.elapsed_ms - lap.lap_time_ms) / 1000,
        end_s=lap.elapsed_ms / 1000,
        number=lap.lap - 1,
        car_number=lap.number,
        driver=_driver(lap, overview),
        vehicle=lap.manufacturer,
        vehicle_class=lap.car_class,
        team=lap.team,
        lap_time_s=lap.lap_time_ms / 1000,
        official=True,
        sectors_s=(s1, s2, s3),
        valid=overview.is_valid(lap),
        out_lap=out_lap,
        in_lap=lap.in_pit,
        stint=stint,
        pit_s=_seconds(lap.pit_time_ms),
        readings=tuple(
            Reading(line.name, line.elapsed_ms / 1000, _seconds(line.time_ms)) for line in lap.intermediates
        ),
        flag=lap.flag,
        green=lap.green,
        top_speed_mps=None if lap.top_speed_kph is None else lap.top_speed_kph / _KPH,
        facts={} if lap.kph is None else {"KPH": f"{lap.kph:g}"},
    )


def _driver(lap: ChartLap, overview: Overview) -> str:
    """Return the driver's name; where the chart has none, the car's number stands for it."""
    nameless = f"#{overview.car(lap.entry)}"
    return lap.driver or (nameless if lap.driver_number == 1 else f"{nameless} driver {lap.driver_number}")


def _seconds(ms: int | None) -> float | None:
    """Return seconds, divided once so that the nearest number to the decimal one comes out."""
    return None if ms is None else ms / 1000


DIALECT: Final = EnduranceCharts()
