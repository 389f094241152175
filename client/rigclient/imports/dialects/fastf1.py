"""Summaries made with FastF1: a row per lap, pandas' time spans, no samples.

driver,team,lap_time,lap_time_seconds,compound,tyre_life,sector_1,sector_2,sector_3
NOR,McLaren,0 days 00:01:15.227000,75.227,SOFT,2.0,0 days 00:00:27.606000,...
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.errors import BadRequest
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.text.cells import Malformed, maybe_number
from rigclient.imports.text.sheet import RefusedLine, Sheet, SheetRow, parsed

_NEEDED: Final = ("driver", "lap_time", "sector_1", "sector_2", "sector_3")
_SPAN: Final = re.compile(r"([0-9]{1,3}) days? ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
_COMPOUND: Final = re.compile(r"[A-Z]{1,16}")
_MOST_CARS: Final = 104
"""Of a session: no game has more slots."""


class FastF1:
    """Tables of lap times made with FastF1."""

    name: str = "FastF1 CSV"
    program: str = "FastF1"

    def recognises(self, head: Head) -> bool:
        """Return whether its first row has pandas' time spans under such a header."""
        lines = head.text.splitlines()[:3]
        names = [name.strip().strip('"') for name in lines[0].split(",")] if lines else []
        return set(_NEEDED) <= set(names) and any(_SPAN.search(line) for line in lines[1:])

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return the laps, all of them official. Raises BadRequest without any."""
        with path.open("rb") as file:
            sheet = Sheet("it", file, _NEEDED)
            laps = list(_laps(sheet, refuse))
            progress(sheet.bytes_read)
            left = tuple(name for name in sheet.columns if name == "lap_time_seconds")
        if not laps:
            raise BadRequest("it has no lap that can be used", hint="lap_time is 0 days 00:01:15.227000")
        return [Recording(self.name, RecordedSession(""), iter(laps), left=left)]


def _laps(sheet: Sheet, refuse: Refuse) -> Iterator[RecordedLap]:
    """Yield the laps; those of one driver follow each other."""
    cars, ends = dict[str, int](), dict[str, tuple[int, float]]()
    for row in parsed(sheet.rows(), _lap):
        if isinstance(row, RefusedLine):
            refuse(row.line, row.reason, row.detail)
            continue
        if row.driver not in cars and len(cars) == _MOST_CARS:
            raise BadRequest(f"it has more than {_MOST_CARS} drivers", limit=_MOST_CARS)
        row.car = cars.setdefault(row.driver, len(cars))
        before, end = ends.get(row.driver, (0, 0.0))
        row.index, row.number, row.start_s = before + 1, before, end
        row.end_s = end + (row.lap_time_s or 0.0)
        ends[row.driver] = (row.index, row.end_s)
        yield row


def _lap(row: SheetRow) -> RecordedLap:
    lap_time = _seconds("lap_time", row["lap_time"])
    if lap_time is None:
        raise Malformed("no time", "lap_time is empty")
    compound = row.get("compound")
    if compound and not _COMPOUND.fullmatch(compound):
        raise Malformed("no compound", f"compound is {compound!r}")
    life = maybe_number("tyre_life", row.get("tyre_life"))
    first, second, third = (_seconds(name, row[name]) for name in _NEEDED[2:])
    return RecordedLap(
        car=0,
        index=1,
        start_s=0.0,
        end_s=lap_time,
        driver=row["driver"],
        team=row.get("team"),
        lap_time_s=lap_time,
        official=True,
        sectors_s=(first, second, third),
        compounds=(compound, compound),
        facts={} if life is None else {"tyre_life": f"{life:g}"},
    )


def _seconds(name: str, text: str) -> float | None:
    """Return the seconds of 0 days 00:01:15.227000; None of an empty cell or NaT. Raises Malformed."""
    if text in ("", "NaT"):
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Malformed("no time", f"{name} is {text!r}, which is no time such as 0 days 00:01:15.227000")
    days, hours, minutes, seconds = (int(found[at]) for at in range(1, 5))
    micros = int((found[5] or "").ljust(9, "0")) // 1000
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return (whole * 1_000_000 + micros) / 1_000_000


DIALECT: Final = FastF1()
