"""Dates and times as loggers write them; clocks and lap times in the heads of their files."""

import re
from datetime import UTC, datetime
from typing import Final

from rigclient.imports.text.cells import Malformed, time_ms

_FORMATS: Final = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%A, %B %d, %Y %I:%M %p",
    "%A, %B %d, %Y %I:%M:%S %p",
    "%A, %B %d, %Y %H:%M:%S",
    "%A, %B %d, %Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
)
_EARLIEST: Final = 1990
_CLOCK: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]+)?)")

NO_ZONE: Final = "the file states none; its clock is taken as UTC"
"""The fact of a session whose file has a date without a time zone."""


def wall_clock_ns(date: str, clock: str) -> int:
    """Return unix nanoseconds of a date and a time of day, read as UTC; 0 where they are none."""
    text = f"{date.strip()} {clock.strip()}"
    for one in _FORMATS:
        try:
            when = datetime.strptime(text, one).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(when.timestamp()) * 1_000_000_000 if when.year >= _EARLIEST else 0
    return 0


def seconds_of(text: str) -> float | None:
    """Return the seconds of 01:02.8, 62.774 or 00:02:03.202; None of anything else."""
    try:
        return time_ms("time", text.strip()) / 1000
    except Malformed:
        return None


def seconds_of_day(text: str) -> float:
    """Return the seconds since midnight of 113221.00, NaN of anything else."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return float("nan")
    hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3])
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 else float("nan")
