"""Questions to the index, as SQL over its tables: filters, orders, pages, the best of each.

Statements are put together from words of this file; whatever a caller says goes beside them, as a value.
"""

# ruff: noqa: S608

import json
import math
import re
from typing import Final, NamedTuple

from rig.errors import BadRequest
from rig.v1 import laps_pb2, session_pb2
from rigd.store.paging import Paging
from rigd.store.viewer import EVERYTHING, Viewer
from rigd.store.where import Value, Where

LATEST_NS: Final = 2**63 - 1
"""Greatest number of the database: the year 2262."""

ABSENT: Final = math.inf
"""What the index holds for a time that a lap does not have: longer than any, so it sorts last."""

IMPORTED: Final = f"""
SELECT seat.id FROM seat JOIN session ON session.name = seat.session
WHERE session.source = {int(session_pb2.SESSION_SOURCE_IMPORT)}
"""
"""Seats of files of other programs."""

_PARENT: Final = re.compile(r"sessions/([a-z0-9-]+)")
_FLAGS: Final = ("valid", "complete", "pinned", "damaged", "player", "synced")


class OrderColumn(NamedTuple):
    """What rows are ordered by."""

    sql: str
    kind: type
    descending: bool = False


ORDERS: Final = {
    "start_time": OrderColumn("lap.start_ns", int),
    "lap_time": OrderColumn("lap.lap_time", float),
    "car": OrderColumn("seat.car", int),
    "number": OrderColumn("lap.number", int),
    "driver": OrderColumn("seat.driver", str),
    "place": OrderColumn("lap.place", int),
    "sector1": OrderColumn("lap.sector1", float),
    "sector2": OrderColumn("lap.sector2", float),
    "sector3": OrderColumn("lap.sector3", float),
}
"""Fields of `order_by`. A start is a wall clock, drivers are compared in lower case."""

_GROUPS: Final = {
    laps_pb2.BEST_OF_SESSION: "seat.session",
    laps_pb2.BEST_OF_CLASS: "seat.session, seat.class",
    laps_pb2.BEST_OF_CAR: "seat.session, seat.car",
    laps_pb2.BEST_OF_DRIVER: "seat.session, seat.driver",
    laps_pb2.BEST_OF_TRACK: "seat.track, seat.class",
}


class Statement(NamedTuple):
    """SQL with its values."""

    sql: str
    values: list[Value]


class LapQuery:
    """A ListLapsRequest of what there is for a viewer. Raises BadRequest for what cannot be meant,
    MalformedToken for a foreign token.
    """

    def __init__(self, request: laps_pb2.ListLapsRequest, viewer: Viewer = EVERYTHING) -> None:
        self.seats = _seats(request)
        self._laps = _laps(request.filter)
        self._laps.also(viewer.laps())
        self.seats.also(viewer.sessions("session"))  # implied, but it tells how few laps may be theirs
        self._order = read_order(request.order_by)
        if request.best_of and request.best_of not in _GROUPS:
            raise BadRequest(f"best_of is {request.best_of}", hint=f"0 to {max(_GROUPS)}")
        self._group = _GROUPS.get(request.best_of)
        self.paging = Paging(request, [column.kind for column in self._order])

    def page(self, narrow: bool) -> Statement:
        """Return the numbers of the laps of the page and one more, each with the values it is ordered by.

        `narrow`: few seats match, so their laps are gathered and sorted. Otherwise laps are taken in order
        and looked at one by one, which ends early because most of them match.
        """
        keys = ", ".join(column.sql for column in self._order)
        rows = self._best(keys) if self._group else self._all(keys, narrow)
        after = self._after()
        order = ", ".join(f"{column.sql}{' DESC' * column.descending}" for column in self._order)
        return Statement(
            f"{rows.sql} AND {after} ORDER BY {order} LIMIT ?",
            [*rows.values, *after.values, self.paging.size + 1],
        )

    def _all(self, keys: str, narrow: bool) -> Statement:
        """Return the rows in any order: a plus before a column keeps the database from its index."""
        column = "lap.seat" if narrow else "+lap.seat"
        among = f"{column} IN (SELECT id FROM seat WHERE {self.seats})" if self.seats.terms else "1"
        return Statement(
            f"SELECT lap.id, {keys} FROM lap CROSS JOIN seat ON seat.id = lap.seat "
            f"WHERE {among} AND {self._laps}",
            self.seats.values + self._laps.values,
        )

    def _best(self, keys: str) -> Statement:
        ranked = best(self._group or "", str(self.seats), str(self._laps))
        return Statement(
            f"SELECT lap.id, {keys} FROM ({ranked}) AS best "
            "CROSS JOIN lap ON lap.id = best.id CROSS JOIN seat ON seat.id = lap.seat WHERE best.rank = 1",
            self._laps.values + self.seats.values,
        )

    def _after(self) -> Where:
        """Return the rows after the position of the token: ahead in one column, equal in all before it."""
        where = Where()
        if self.paging.after is None:
            return where
        ways: list[str] = []
        equal: list[str] = []
        values: list[Value] = []
        for column, value in zip(self._order, self.paging.after, strict=True):
            ways.append(" AND ".join([*equal, f"{column.sql} {'<' if column.descending else '>'} ?"]))
            values += [*self.paging.after[: len(equal)], value]
            equal.append(f"{column.sql} = ?")
        lead = self._order[0]
        # Implied by the rest, but this is what the database can use an index for.
        where.add(f"{lead.sql} {'<=' if lead.descending else '>='} ?", self.paging.after[0])
        where.add(f"({' OR '.join(ways)})", *values)
        return where


def best(group: str, seats: str = "1", laps: str = "1") -> str:
    """Return SQL for laps with their rank by time within `group`, from 1; the earlier of equal ones is
    better.

    Only the best lap of each seat can be the best of anything more, and an index knows it: 4000 look-ups
    where ranking 100,000 laps would take ten times as long.
    """
    order = "lap_time, start_ns, name"
    own = f"SELECT id FROM lap WHERE lap.seat = seat.id AND lap.counted AND {laps} ORDER BY {order} LIMIT 1"
    return (
        f"SELECT found.id AS id, row_number() OVER (PARTITION BY {group} ORDER BY {order}) AS rank "
        f"FROM seat CROSS JOIN lap AS found ON found.id = ({own}) WHERE {seats}"
    )


class SessionQuery:
    """A ListSessionsRequest of what there is for a viewer, newest first."""

    def __init__(self, request: laps_pb2.ListSessionsRequest, viewer: Viewer = EVERYTHING) -> None:
        self.paging = Paging(request, [int, str])
        self._where = Where()
        self._where.part("track", request.track)
        _among(self._where, request.kind, request.source)
        _imported(self._where, request)
        _between(self._where, request.from_time_ns, request.until_time_ns)
        self._where.also(viewer.sessions("session.name"))
        if self.paging.after:
            self._where.add("(start_ns, name) < (?, ?)", *self.paging.after)

    def page(self) -> Statement:
        """Return the names and messages of the sessions of the page and one more."""
        return Statement(
            f"SELECT start_ns, name, message FROM session WHERE {self._where} "
            "ORDER BY start_ns DESC, name DESC LIMIT ?",
            [*self._where.values, self.paging.size + 1],
        )


def read_order(text: str) -> list[OrderColumn]:
    """Return the columns of an `order_by`, and the name as the last, so that no two rows are equal."""
    chosen: dict[str, OrderColumn] = {}
    for words in [part.split() for part in text.split(",")] if text.strip() else [["start_time"]]:
        name = words[0] if words else ""
        if name not in ORDERS or words[1:] not in ([], ["desc"]) or name in chosen:
            raise BadRequest(
                f"order_by has {' '.join(words)!r}",
                hint=f"each of {', '.join(ORDERS)} once at most, with or without ' desc'",
                order_by=text,
            )
        chosen[name] = _falling(ORDERS[name]) if len(words) > 1 else ORDERS[name]
    *_, last = chosen.values()
    return [*chosen.values(), OrderColumn("lap.name", str, last.descending)]


def _falling(column: OrderColumn) -> OrderColumn:
    """Return the column from its greatest value on. A time that is absent stands last in either direction."""
    sql = f"iif({column.sql} < 9e999, {column.sql}, -9e999)" if column.kind is float else column.sql
    return OrderColumn(sql, column.kind, descending=True)


def _seats(request: laps_pb2.ListLapsRequest) -> Where:
    """Return what a filter says of who drove what, where."""
    where, wanted = Where(), request.filter
    if request.parent != "sessions/-":
        if not _PARENT.fullmatch(request.parent):
            raise BadRequest(
                f"parent is {request.parent!r}", hint="sessions/{session}, or sessions/- for all"
            )
        where.add("session = ?", request.parent)
    for column in ("track", "vehicle", "driver"):
        where.part(column, getattr(wanted, column))
    where.part("class", wanted.vehicle_class)
    if wanted.cars:
        where.add("car IN (SELECT value FROM json_each(?))", json.dumps(list(wanted.cars)))
    sessions = Where()
    _among(sessions, wanted.session_kind, wanted.source)
    _imported(sessions, wanted)
    if sessions.terms:
        where.add(f"session IN (SELECT name FROM session WHERE {sessions})", *sessions.values)
    return where


def _among(where: Where, kind: int, source: int) -> None:
    if kind:
        where.add("kind = ?", kind)
    if source:
        where.add("source = ?", source)


def _imported(where: Where, wanted: laps_pb2.ListSessionsRequest | laps_pb2.LapFilter) -> None:
    """Ask for imports, or for what was recorded, where a filter says which."""
    if wanted.HasField("imported"):
        where.add(f"source {'=' if wanted.imported else '<>'} ?", session_pb2.SESSION_SOURCE_IMPORT)


def _laps(wanted: laps_pb2.LapFilter) -> Where:
    """Return what a filter says of the laps themselves."""
    where = Where()
    for flag in _FLAGS:
        if wanted.HasField(flag):
            where.add(f"lap.{flag} = ?", int(getattr(wanted, flag)))
    if wanted.kind:
        where.add("lap.kind = ?", wanted.kind)
    if wanted.user:
        where.add("lap.user = ?", wanted.user)
    for bound, sign in (("min_lap_time", ">="), ("max_lap_time", "<=")):
        if wanted.HasField(bound):  # type: ignore[arg-type]
            where.add(f"lap.lap_time < ? AND lap.lap_time {sign} ?", ABSENT, _seconds(wanted, bound))
    _between(where, wanted.from_time_ns, wanted.until_time_ns, "lap.")
    return where


def _seconds(wanted: laps_pb2.LapFilter, bound: str) -> float:
    value: float = getattr(wanted, bound)
    if math.isnan(value):
        raise BadRequest(f"filter.{bound} is nan", hint="seconds")
    return value


def _between(where: Where, from_ns: int, until_ns: int, table: str = "") -> None:
    if from_ns:
        where.add(f"{table}start_ns >= ?", min(from_ns, LATEST_NS))
    if until_ns:
        where.add(f"{table}start_ns < ?", min(until_ns, LATEST_NS))
