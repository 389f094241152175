"""Telemetry in long form: a row per value, so that a sample of ten channels is ten rows.

    expire_at,lap,...,telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number
    meta_time,telemetry_name,telemetry_value

In the second form a file is one car's, and its lap is a value like any other. Rows come as they were
received: late, in bursts, backwards in time.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed
from rigclient.imports.text.sheet import RefusedLine, Sheet, SheetRow, parsed

NEEDED: Final = ("telemetry_name", "telemetry_value", "meta_time")
"""A table with these columns is telemetry in long form."""

LAP: Final = "lap"
"""Name of the value that is the lap, in files that have no column for it."""

_G: Final = 9.80665
_MOST: Final = 1e9
"""Of any value that has a channel; whole numbers are exact up to there."""
_CAR: Final = re.compile("[0-9A-Za-z][0-9A-Za-z_-]{0,39}")
_NAME: Final = re.compile("[^\\s\x00-\x1f][^\x00-\x1f]{0,63}")


class Target(NamedTuple):
    """Where a value goes: a channel, and the factor from its unit to the registry's."""

    channel: str
    unit: str
    factor: float = 1.0
    whole: bool = False
    """The channel counts."""


TARGETS: Final = {
    # g, forward and to the left positive; the car frame has +x left and +z rear.
    "accx_can": Target("local_acceleration", "g", -_G),
    "accy_can": Target("local_acceleration", "g", _G),
    "aps": Target("throttle", "%", 1 / 100),
    "ath": Target("throttle_applied", "%", 1 / 100),
    "gear": Target("gear", "", whole=True),
    "nmot": Target("engine_rpm", "rpm"),
    "speed": Target("speed", "km/h", 1 / 3.6),
    "Laptrigger_lapdist_dls": Target("game_distance", "m"),
}
"""Names of loggers that have a channel here. What has none stays as it was logged: a
brake's pressure in bar is no share of the pedal, degrees of a wheel no share of its lock.
"""


class LoggedValue(NamedTuple):
    """One value of one car at one moment."""

    line: int
    car: str
    """The vehicle, as the logger names it; car numbers change, and are 0 until somebody gave one."""
    lap: int | None
    """As the logger counts, from 0; None where another row of the car has to tell."""
    time_ns: int
    """The logger's clock."""
    received_ns: int
    """Wall clock at which the value arrived."""
    name: str
    value: float


def readings(sheet: Sheet, car: str) -> Iterator[LoggedValue | RefusedLine]:
    """Yield the values of a file in its order; `car` where the file does not tell whose they are."""
    known = set(sheet.columns)
    own_clock = "timestamp" if "timestamp" in known else "meta_time"
    lap = _column_lap if LAP in known else _lap_value
    whose = next((name for name in ("vehicle_id", "vehicle_number") if name in known), None)

    def reading(row: SheetRow) -> LoggedValue:
        return LoggedValue(
            line=row.line,
            car=_car(row, whose) if whose else car,
            lap=lap(row),
            time_ns=cells.moment_ns(own_clock, row[own_clock]),
            received_ns=cells.moment_ns("meta_time", row["meta_time"]),
            name=_name(row),
            value=_value(row),
        )

    return parsed(sheet.rows(), reading)


def wide_readings(sheet: Sheet, car: str) -> Iterator[LoggedValue | RefusedLine]:
    """Yield the values of a file in wide form, a row per moment with a cell per value, most of them blank."""
    whose = next((name for name in ("vehicle_id", "vehicle_number") if name in sheet.columns), None)
    names = [name for name in sheet.columns if name not in _NO_VALUES]
    for row in sheet.rows():
        if isinstance(row, RefusedLine):
            yield row
            continue
        try:
            lap = cells.lap_number(LAP, row[LAP].removesuffix(".0"), first=0)
            time_ns = cells.moment_ns("timestamp", row["timestamp"])
            own = _car(row, whose) if whose else car
            told = [(name, _number(name, row[name])) for name in names if row[name]]
        except Malformed as error:
            yield RefusedLine(row.line, error.reason, error.detail)
            continue
        for name, value in told:
            yield LoggedValue(row.line, own, lap, time_ns, time_ns, name, value)


_NO_VALUES: Final = frozenset({LAP, "timestamp", "vehicle_id", "vehicle_number", "meta_time", "outing"})
"""Columns of the wide form that tell when and whose."""


def _car(row: SheetRow, whose: str) -> str:
    text = row[whose]
    if not _CAR.fullmatch(text):
        raise Malformed("no car", f"{whose} is {text!r}, which tells no car")
    return text


def _column_lap(row: SheetRow) -> int | None:
    return cells.lap_number(LAP, row[LAP], first=0)


def _lap_value(row: SheetRow) -> int | None:
    """Return the lap of a row that tells one. The lap begins with that row; other rows are of the lap that
    was logged last.
    """
    if row["telemetry_name"] != LAP:
        return None
    return cells.lap_number(LAP, row["telemetry_value"].removesuffix(".0"), first=0)


def _name(row: SheetRow) -> str:
    text = row["telemetry_name"]
    if not _NAME.fullmatch(text):
        raise Malformed("no channel", f"telemetry_name is {text!r}, which names no channel")
    return text


def _value(row: SheetRow) -> float:
    """Return the value. Raises Malformed also for what the column of its name cannot hold."""
    return _number(row["telemetry_name"], row["telemetry_value"])


def _number(name: str, text: str) -> float:
    value = cells.number(name, text)
    target = TARGETS.get(name)
    if target is not None and abs(value) > _MOST:
        raise Malformed("no number", f"{name} is {text}, which no sensor tells")
    if target is not None and target.whole and not value.is_integer():
        raise Malformed("no number", f"{name} is {text!r}, which is no whole number")
    return value
