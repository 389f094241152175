"""Lap beacons: a row per car each time it crosses the line, with the wall clock.

    expire_at,lap,meta_event,...,timestamp,vehicle_id,vehicle_number
    "meta_source",...,"timestamp","vehicle_id","outing","lap","value","expire_at"
    expire_at,lap,...,timestamp,value,vehicle_id

`value` is the lap's time in milliseconds in files of lap times, the clock once more in others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rigclient.imports.text import cells
from rigclient.imports.text.sheet import RefusedLine, Sheet, SheetRow, parsed

NEEDED: Final = ("lap", "timestamp", "vehicle_id", "meta_session")
"""A table with these columns, and no values of telemetry, holds beacons."""


_DAY_NS: Final = 86_400_000_000_000
_APART_NS: Final = 14 * _DAY_NS
"""From the middle one of a file's beacons: a logger whose clock was never set tells another year."""


@dataclass(frozen=True)
class Beacon:
    """A crossing of the line."""

    line: int
    vehicle: str
    lap: int | None
    """As the logger counts, which may be one or two ahead of the timing; None when it has lost count."""
    time_ns: int
    """Wall clock, unix time."""
    lap_time_ms: int | None


def beacons(sheet: Sheet) -> Iterator[Beacon | RefusedLine]:
    """Yield the crossings of a file, in the order of its rows, which is not that of time."""
    return parsed(sheet.rows(), _beacon)


def together(rows: Iterable[Beacon | RefusedLine]) -> Iterator[Beacon | RefusedLine]:
    """Yield the crossings of one meeting; those that are weeks away from most of them are refused."""
    kept = list(rows)
    times = sorted(row.time_ns for row in kept if isinstance(row, Beacon))
    middle_ns = times[len(times) // 2] if times else 0
    for row in kept:
        if isinstance(row, Beacon) and abs(row.time_ns - middle_ns) > _APART_NS:
            yield RefusedLine(
                row.line, "a date of its own", f"timestamp is {_days(row, middle_ns)} from the others"
            )
        else:
            yield row


def _days(beacon: Beacon, middle_ns: int) -> str:
    return f"{abs(beacon.time_ns - middle_ns) // _DAY_NS} days"


def _beacon(row: SheetRow) -> Beacon:
    lap = cells.whole("lap", row["lap"])
    value = row.get("value")
    return Beacon(
        line=row.line,
        vehicle=row["vehicle_id"],
        lap=lap if lap < cells.UNKNOWN_LAP else None,
        time_ns=cells.moment_ns("timestamp", row["timestamp"]),
        lap_time_ms=cells.whole("value", value) if value.isascii() and value.isdigit() else None,
    )
