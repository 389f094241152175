"""Lap beacons: a row per car each time it crosses the line, with the wall clock.

    expire_at,lap,meta_event,...,timestamp,vehicle_id,vehicle_number
    "meta_source",...,"timestamp","vehicle_id","outing","lap","value","expire_at"
    expire_at,lap,...,timestamp,value,vehicle_id

`value` is the lap's time in milliseconds in files of lap times, the clock once more in others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rigclient.warehouse.imports import cells
from rigclient.warehouse.imports.sheet import Refused, Row, Sheet, parsed

NEEDED: Final = ("lap", "timestamp", "vehicle_id", "meta_session")
"""A table with these columns, and no values of telemetry, holds beacons."""


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


def beacons(sheet: Sheet) -> Iterator[Beacon | Refused]:
    """The crossings of a file in its order, which is none."""
    return parsed(sheet.rows(), _beacon)


def _beacon(row: Row) -> Beacon:
    lap = cells.whole("lap", row["lap"])
    value = row.get("value")
    return Beacon(
        line=row.line,
        vehicle=row["vehicle_id"],
        lap=lap if lap < cells.UNKNOWN_LAP else None,
        time_ns=cells.moment_ns("timestamp", row["timestamp"]),
        lap_time_ms=cells.whole("value", value) if value.isascii() and value.isdigit() else None,
    )
