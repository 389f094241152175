"""The laps of a season: fetched here, added up by `riglap.season`, as those of a rig's index are."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from rig.errors import BadRequest
from rig.v1 import season_pb2, session_pb2
from rigclient.queries import enum_number, words
from rigclient.warehouse.destination import Destination, Value
from riglap.season.laps import SeasonLap, SeasonSession, ordered
from riglap.season.season import MOST_LAPS

_COLUMNS: Final = (
    "L.CAR, L.LAP_NUMBER + 1, COALESCE(L.DRIVER, ''), L.LAP_TIME, L.END_TIME, "
    "COALESCE(L.VEHICLE_CLASS, ''), COALESCE(L.TEAM, ''), COALESCE(L.CAR_NUMBER, ''), COALESCE(L.STINT, 1), "
    "COALESCE(L.PLACE, 0), COALESCE(L.VALID, TRUE), COALESCE(L.GREEN, TRUE), "
    "COALESCE(L.OUT_LAP, FALSE) OR COALESCE(L.IN_LAP, FALSE), COALESCE(L.FLAG, '') = 'FF', "
    "COALESCE(L.PIT_VISITS, 0), COALESCE(L.PIT_TIME, 0), COALESCE(L.PLAYER, FALSE)"
)
"""In the order of the fields of a SeasonLap. What nobody knows does not speak against a lap."""
_SESSION: Final = "L.RIG_ID, L.SESSION, L.TRACK, S.KIND, S.SESSION_NUMBER, S.START_TIME_NS"
_OF_SESSION: Final = 6


def sessions_of(destination: Destination, wanted: season_pb2.SeasonFilter) -> list[SeasonSession]:
    """Return the sessions that pass, in the order of time; with races all qualifying. Parts of names pass for
    sessions. Raises BadRequest for more laps than a season may have.
    """
    found: defaultdict[tuple[Any, ...], list[SeasonLap]] = defaultdict(list)
    for row in _rows(destination, wanted):
        found[row[:_OF_SESSION]].append(SeasonLap(*row[_OF_SESSION:]))
    return ordered(_session(key, laps) for key, laps in found.items())


def _session(key: tuple[Any, ...], laps: list[SeasonLap]) -> SeasonSession:
    _, name, track, kind, number, start_time_ns = key
    return SeasonSession(
        f"sessions/{name}",
        track or "",
        enum_number(session_pb2.SessionKind, kind or ""),
        number or 0,
        start_time_ns or 0,
        tuple(laps),
    )


def _rows(destination: Destination, wanted: season_pb2.SeasonFilter) -> list[tuple[Any, ...]]:
    parts = list(_conditions(wanted))
    sql = (
        f"SELECT {_SESSION}, {_COLUMNS} FROM LAPS L "
        "JOIN SESSIONS S ON S.RIG_ID = L.RIG_ID AND S.SESSION = L.SESSION "
        f"WHERE {' AND '.join(part for part, _ in parts)} LIMIT {MOST_LAPS + 1}"
    )
    rows = destination.rows(sql, [value for _, values in parts for value in values])
    if len(rows) > MOST_LAPS:
        raise BadRequest(
            f"more than {MOST_LAPS} laps pass the filter", hint="name a track, a class or a span of time"
        )
    return rows


def _conditions(wanted: season_pb2.SeasonFilter) -> Iterator[tuple[str, tuple[Value, ...]]]:
    yield "L.KIND = 'lap' AND L.COMPLETE AND L.LAP_TIME IS NOT NULL", ()
    kinds = _kinds(wanted.session_kind)
    yield f"S.KIND IN ({', '.join('?' * len(kinds))})", kinds
    for column, part in (("L.TRACK", wanted.track), ("L.VEHICLE_CLASS", wanted.vehicle_class)):
        if part:
            yield f"CONTAINS(LOWER({column}), ?)", (part.lower(),)
    if wanted.source:
        yield "S.SOURCE = ?", (_word(session_pb2.SessionSource, wanted.source),)
    if wanted.sessions:
        named = " OR ".join("CONTAINS(L.SESSION, ?)" for _ in wanted.sessions)
        yield f"({named})", tuple(name.removeprefix("sessions/") for name in wanted.sessions)
    yield from _span(wanted)


def _span(wanted: season_pb2.SeasonFilter) -> Iterator[tuple[str, tuple[Value, ...]]]:
    if wanted.from_time_ns:
        yield "COALESCE(S.START_TIME_NS, 0) >= ?", (wanted.from_time_ns,)
    if wanted.until_time_ns:
        yield "COALESCE(S.START_TIME_NS, 0) < ?", (wanted.until_time_ns,)


def _kinds(kind: int) -> tuple[str, ...]:
    """Return the words of the sessions that are fetched: races want the qualifying before them."""
    word = _word(session_pb2.SessionKind, kind) or "race"
    return ("race", "qualifying") if word == "race" else (word,)


def _word(enum: Any, number: int) -> str:
    return next((word for word, value in words(enum).items() if value == number), "")
