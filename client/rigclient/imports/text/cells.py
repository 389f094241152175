"""What stands in one cell of a timing sheet: a time, a clock, a number, a car's number.

Times are whole milliseconds, so that sums are exact. Each function raises Malformed for anything else.
"""

import re
from datetime import datetime
from typing import Final

_TIME: Final = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,3}):)?([0-9]{1,6})(?:\.([0-9]{1,3}))?")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,25})?(?:[eE][-+]?[0-9]{1,3})?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_CAR: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_DAY_MS: Final = 86_400_000

_EARLIEST_S: Final = 631_152_000
_LATEST_S: Final = 4_102_444_800
"""The years 1990 to 2099. Clocks that were never set tell 1970; nanoseconds of 64 bits end in 2262."""

UNKNOWN_LAP: Final = 32768
"""What a logger writes when it has lost count of the laps."""


class Malformed(Exception):
    """A row that cannot be loaded. `reason` is that of all rows of its kind, `detail` tells the value."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def time_ms(name: str, text: str) -> int:
    """Return the milliseconds of 3:46.084, 0:53.893, 53.893 or 1:02:03.004."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise Malformed("no time", f"{name} is {text!r}, which is no time such as 1:53.893")
    hours, minutes, seconds, fraction = match.groups()
    if (minutes and int(seconds) >= 60) or (hours and int(minutes) >= 60):
        raise Malformed("no time", f"{name} is {text!r}, with a part above 59")
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "").ljust(3, "0"))


def maybe_time_ms(name: str, text: str) -> int | None:
    """Return the same; None for an empty cell."""
    return time_ms(name, text) if text else None


def clock_ms(name: str, text: str) -> int:
    """Return the milliseconds since midnight of 13:42:35.322."""
    value = time_ms(name, text)
    if text.count(":") != 2 or value >= _DAY_MS:
        raise Malformed("no time", f"{name} is {text!r}, which is no clock such as 13:42:35.322")
    return value


def number(name: str, text: str) -> float:
    """Return a finite decimal number."""
    if _NUMBER.fullmatch(text) is None or abs(value := float(text)) == float("inf"):
        raise Malformed("no number", f"{name} is {text!r}, which is no number")
    return value


def maybe_number(name: str, text: str) -> float | None:
    """Return the same; None for an empty cell."""
    return number(name, text) if text else None


def lap_number(name: str, text: str, first: int = 1) -> int:
    """Return a lap's number, from `first`."""
    if _WHOLE.fullmatch(text) is None or int(text) < first:
        raise Malformed("no lap number", f"{name} is {text!r}, laps count from {first}")
    if int(text) >= UNKNOWN_LAP:
        raise Malformed("no lap number", f"{name} is {text}, which loggers write when they have lost count")
    return int(text)


def whole(name: str, text: str) -> int:
    """Return a whole number, from 0."""
    if _WHOLE.fullmatch(text) is None:
        raise Malformed("no number", f"{name} is {text!r}, which is no whole number")
    return int(text)


def car_number(name: str, text: str) -> str:
    """Return a car's number as it is painted on the car: 021 and 21 are two cars."""
    if _CAR.fullmatch(text) is None:
        raise Malformed("no car number", f"{name} is {text!r}, which is no car's number")
    return text


def moment_ns(name: str, text: str) -> int:
    """Return the unix nanoseconds of 2025-09-06T18:40:41.926Z; without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(text)
        seconds = (when if when.tzinfo else datetime.fromisoformat(f"{text}Z")).timestamp()
    except (ValueError, OverflowError):
        raise Malformed("no moment", f"{name} is {text!r}, which is no date and time") from None
    if not _EARLIEST_S <= seconds < _LATEST_S:
        raise Malformed("no moment", f"{name} is {text!r}, and no logger was running then")
    return round(seconds * 1e6) * 1000
