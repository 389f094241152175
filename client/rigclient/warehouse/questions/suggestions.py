"""Suggestions where nothing was found: which of the conditions is to blame, and what there is."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

import dataclasses
import difflib
from typing import Any, Final

from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.choice import CAR, FROM, Choice

_WITHOUT: Final = {"green": "not known to be green", "valid": "not valid", "telemetry": "without telemetry"}
"""Conditions that name nothing: what the laps are that fail them."""
_VALUES: Final = {
    "cars": ("car", CAR),
    "driver": ("driver", "L.DRIVER"),
    "vehicle_class": ("class", "L.VEHICLE_CLASS"),
    "session": ("session", "L.SESSION"),
    "race": ("race", "CASE WHEN S.KIND = 'race' THEN S.SESSION_NUMBER - 9 END"),
    "source": ("source", "S.SOURCE"),
    "track": ("track", "L.TRACK"),
}
"""Conditions that name something: the word for it, and where it stands. Narrow ones are to blame first."""
_MOST: Final = 500
_SHOWN: Final = 6


def suggestion(destination: Destination, choice: Choice, what: str = "lap") -> str:
    """Return a sentence: no lap of driver 'Bob' among those of track 'barber'; there are drivers Rob, ..."""
    for name in (*_WITHOUT, *_VALUES):
        if getattr(choice, name):
            without = dataclasses.replace(choice, **{name: _default(name)})
            if found := _excluded(destination, choice, without, name):
                return f"no {what} {found}"
    if not _count(destination, Choice()):
        return "the warehouse has no laps yet; `rig sync` and `rig warehouse load` bring some"
    tracks = _there(destination, Choice(), "track")
    return f"no {what} is like that; {_list('track', tracks, choice.track)}"


def _excluded(destination: Destination, choice: Choice, without: Choice, name: str) -> str:
    """Return what one condition excludes; empty when there is no lap without it either."""
    if name in _WITHOUT:
        count = _count(destination, without)
        return f"is like that: {_laps(count)} that would fit {_be(count)} {_WITHOUT[name]}" if count else ""
    there = _there(destination, without, name)
    if not there:
        return ""
    others = ", ".join(_asked(choice, other) for other in _VALUES if getattr(without, other))
    among = f" among those of {others}" if others else ""
    return f"of {_asked(choice, name)}{among}; {_list(name, there, getattr(choice, name))}"


def nearest(wanted: str, names: list[str]) -> list[str]:
    """Return the names, those that are most like `wanted` first; numbers in their order."""
    close = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=_SHOWN, cutoff=0.4)
    return sorted(names, key=lambda name: close.index(name.lower()) if name.lower() in close else len(close))


def _default(name: str) -> Any:
    return next(field.default for field in dataclasses.fields(Choice) if field.name == name)


def _laps(count: int) -> str:
    return "the only lap" if count == 1 else f"the {count} laps"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _count(destination: Destination, choice: Choice) -> int:
    where = choice.where()
    ((count,),) = destination.rows(f"SELECT COUNT(*) {FROM} WHERE {where.sql}", where.params)
    return int(count)


def _there(destination: Destination, choice: Choice, name: str) -> list[str]:
    """Return the values of one condition's column among the laps that pass the other conditions."""
    _, column = _VALUES[name]
    where = choice.where()
    sql = f"SELECT DISTINCT V FROM (SELECT {column} AS V {FROM} WHERE {where.sql}) X WHERE V IS NOT NULL"
    return [str(value) for (value,) in destination.rows(f"{sql} ORDER BY V LIMIT {_MOST}", where.params)]


def _asked(choice: Choice, name: str) -> str:
    """Return what was asked for: driver 'Bob', or cars 7, 8."""
    word, value = _VALUES[name][0], getattr(choice, name)
    if isinstance(value, tuple):
        return f"{word}{'s' * (len(value) > 1)} {', '.join(value)}"
    return f"{word} {value!r}" if isinstance(value, str) else f"{word} {value}"


def _list(name: str, there: list[str], wanted: Any) -> str:
    word = _VALUES[name][0]
    text = wanted[0] if isinstance(wanted, tuple) else str(wanted or "")
    shown = nearest(text, there)[:_SHOWN]
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    plural = "classes" if word == "class" else f"{word}s"
    return f"there {_be(len(there))} {word if len(there) == 1 else plural} {', '.join(shown)}{more}"
