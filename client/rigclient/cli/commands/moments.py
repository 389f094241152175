"""Moments as people write them: the one reader of times that commands take."""

import math
import time
from datetime import datetime, timedelta
from typing import Final

import click

from rigclient.requests import CLOCK_END_S

FORMS: Final = "20m, 2h or 3d ago, today, yesterday, 13:45, or 2026-11-20 13:45"

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAYS_AGO: Final = {"today": 0, "yesterday": 1}


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float:
    """Return the unix seconds of an option that takes a moment, 0 where it is not given."""
    if not value:
        return 0.0
    try:
        seconds = unix_s(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment; there are {FORMS}") from None
    if not 0 < seconds < CLOCK_END_S:
        word = "late" if seconds > 0 else "early"
        raise click.BadParameter(f"{value!r} is too {word}: clocks here go from 1970 to 2554")
    return seconds


def unix_s(text: str) -> float:
    """Return unix seconds, infinite where a datetime has none. Raises ValueError for words that are no
    moment.
    """
    words = text.strip().lower()
    ago = words.removesuffix("ago").rstrip()
    if ago[-1:] in _UNITS_S and ago[:-1].strip().isdecimal():
        return time.time() - float(ago[:-1]) * _UNITS_S[ago[-1]]
    when = _date(words)
    # The zone may lead out of what a datetime holds, from the year 1 to 9999.
    return when.timestamp() if 1 < when.year < 9999 else math.copysign(math.inf, when.year - 2)


def _date(words: str) -> datetime:
    """Return a local date and time: yesterday, yesterday 13:45, 13:45 of today, or as ISO 8601 writes it."""
    day, _, clock = words.partition(" ")
    now = datetime.now()
    if day in _DAYS_AGO:
        then = (now - timedelta(days=_DAYS_AGO[day])).date().isoformat()
        return datetime.fromisoformat(f"{then} {clock}".strip())
    if ":" in day and "-" not in day and not clock:
        return datetime.fromisoformat(f"{now.date().isoformat()} {day}")
    return datetime.fromisoformat(words.upper())
