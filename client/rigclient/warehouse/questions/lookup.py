"""Laps, drivers and sessions looked up by the words people use."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from dataclasses import replace
from typing import Any, Final, NamedTuple

from rig.errors import BadRequest, NotFound
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.choice import FROM, Choice, LapCondition
from rigclient.warehouse.questions.laps import LapKey
from rigclient.warehouse.questions.suggestions import suggestion

BEST: Final = "best"
"""In place of a lap: the best one of its session that counts."""

_SHOWN: Final = 5


class SessionSummary(NamedTuple):
    """A session with complete laps."""

    rig_id: str
    name: str
    track: str
    kind: str
    laps: int
    start_time_ns: int | None


def sessions(destination: Destination, choice: Choice, limit: int) -> list[SessionSummary]:
    """Return the sessions that have such complete laps, newest first, at most `limit`."""
    where = choice.where() & "L.COMPLETE"
    sql = (
        f"SELECT L.RIG_ID, L.SESSION, MAX(L.TRACK), MAX(S.KIND), COUNT(*), MAX(S.START_TIME_NS) {FROM} "
        f"WHERE {where.sql} GROUP BY L.RIG_ID, L.SESSION "
        f"ORDER BY COALESCE(MAX(S.START_TIME_NS), 0) DESC, L.SESSION LIMIT {limit}"
    )
    return [SessionSummary(*row) for row in destination.rows(sql, where.params)]


def find_lap(destination: Destination, text: str) -> LapKey:
    """Return a lap by its name, after a part of its session's name and a slash where other sessions have one
    of that name: 8c3b-1/car013-0008, 8c3b-1/best. Raises NotFound, BadRequest.
    """
    part, _, own = text.removeprefix("sessions/").replace("/laps/", "/").rpartition("/")
    where = LapCondition("CONTAINS(SESSION, ?)", (part,))
    found = _best(destination, where) if own == BEST else _named(destination, where, own)
    if not found:
        raise NotFound(
            f"no lap is named {text!r}", hint="`rig warehouse laps` lists them, such as 8c3b-1/car013-0008"
        )
    if len(found) > 1:
        few = ", ".join(f"{session}/{lap}" for _, session, lap in found[:_SHOWN])
        raise BadRequest(
            f"{text!r} may be {few}{', ...' * (len(found) > _SHOWN)}", hint="give more of the session's name"
        )
    return LapKey(*found[0])


def _named(destination: Destination, where: LapCondition, own: str) -> list[Any]:
    sql = f"SELECT RIG_ID, SESSION, LAP FROM LAPS WHERE {where.sql} AND LAP = ? ORDER BY SESSION"
    return destination.rows(f"{sql} LIMIT {_SHOWN + 1}", [*where.params, own])


def _best(destination: Destination, where: LapCondition) -> list[Any]:
    sql = (
        f"SELECT RIG_ID, SESSION, LAP FROM BEST_LAPS_V WHERE {where.sql} ORDER BY COUNTED, LAP_INDEX LIMIT 1"
    )
    return destination.rows(sql, where.params)


def find_driver(destination: Destination, choice: Choice, text: str) -> str:
    """Return the driver of the car with the number `text`, else whose name is `text`, has it as a word, or as
    a part. Raises NotFound, BadRequest.
    """
    number = text.removeprefix("#")
    wanted = replace(choice, driver=text)
    names = number.isdecimal() and _drivers(destination, replace(choice, cars=(number,)))
    names = names or _drivers(destination, wanted)
    exact = _nearest(names, text)
    if not names:
        raise NotFound(suggestion(destination, wanted))
    if len(names) > 1 and not exact:
        few = ", ".join(names[:_SHOWN])
        raise BadRequest(
            f"{text!r} may be {few}{', ...' * (len(names) > _SHOWN)}", hint="give more of the name"
        )
    return (exact or names)[0]


def _drivers(destination: Destination, choice: Choice) -> list[str]:
    where = choice.where()
    sql = f"SELECT DISTINCT L.DRIVER {FROM} WHERE {where.sql} AND L.DRIVER IS NOT NULL ORDER BY L.DRIVER"
    return [str(name) for (name,) in destination.rows(f"{sql} LIMIT 1000", where.params)]


def _nearest(names: list[str], text: str) -> list[str]:
    """Return the name that is `text` in any case, else the only one that has it as a word."""
    wanted = text.lower()
    whole = [name for name in names if name.lower() == wanted]
    words = [name for name in names if wanted in name.lower().split()]
    return whole or (words if len(words) == 1 else [])
