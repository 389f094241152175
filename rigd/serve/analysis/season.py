"""Seasons out of the index: sessions and laps that a viewer has, added up by `riglap.season`."""

from collections.abc import Iterator
from typing import Final

from rig.errors import BadRequest, NotFound
from rig.v1 import lap_pb2, laps_pb2, season_pb2, session_pb2
from rigd.serve.limits import MAX_SEASON_SESSIONS
from rigd.store.index import IndexReader
from rigd.store.paging import MAX_PAGE
from rigd.store.viewer import Viewer
from riglap.season import MOST_LAPS, season, season_sessions
from riglap.season.points import DEFAULT, preset

_QUALIFYING_BEFORE_NS: Final = 4 * 86_400 * 1_000_000_000
"""A race takes its grid from a qualifying that began so long before it at the most."""


def season_of(index: IndexReader, request: season_pb2.GetSeasonRequest, viewer: Viewer) -> season_pb2.Season:
    """Return the season of what there is for a viewer. Raises BadRequest, NotFound where no lap passes."""
    wanted = request.filter
    kind = wanted.session_kind or session_pb2.SESSION_KIND_RACE
    if kind not in session_pb2.SessionKind.values():
        raise BadRequest(f"session_kind is {kind}", hint=", ".join(session_pb2.SessionKind.keys()[1:]))
    sessions = _sessions(index, wanted, kind, viewer)
    laps = _laps(index, sessions, wanted, viewer)
    rule = request.points if request.HasField("points") else preset(DEFAULT)
    told = season(season_sessions(sessions, laps), rule, kind, by_car=request.by_car)
    if not told.laps:
        word = session_pb2.SessionKind.Name(kind).removeprefix("SESSION_KIND_").lower().replace("_", " ")
        raise NotFound(
            f"no complete lap of a {word} session passes the filter",
            hint="`rig sessions` lists what there is; a season of practice has the kind practice",
        )
    return told


def _sessions(
    index: IndexReader, wanted: season_pb2.SeasonFilter, kind: int, viewer: Viewer
) -> list[session_pb2.Session]:
    """Return the sessions that pass; with races the qualifying before them."""
    if len(wanted.sessions) > MAX_SEASON_SESSIONS:
        raise BadRequest(f"{len(wanted.sessions)} sessions", hint=f"{MAX_SEASON_SESSIONS} at most")
    if wanted.sessions:
        return [_named(index, name, viewer) for name in dict.fromkeys(wanted.sessions)]
    found = list(_listed(index, wanted, kind, wanted.from_time_ns, viewer))
    if kind == session_pb2.SESSION_KIND_RACE:
        since = max(wanted.from_time_ns - _QUALIFYING_BEFORE_NS, 0)
        found += _listed(index, wanted, session_pb2.SESSION_KIND_QUALIFYING, since, viewer)
    return found


def _named(index: IndexReader, name: str, viewer: Viewer) -> session_pb2.Session:
    if (found := index.session(name, viewer)) is None:
        raise NotFound(f"there is no session {name!r}", name=name)
    return found


def _listed(
    index: IndexReader, wanted: season_pb2.SeasonFilter, kind: int, from_ns: int, viewer: Viewer
) -> Iterator[session_pb2.Session]:
    request = laps_pb2.ListSessionsRequest(
        track=wanted.track,
        kind=kind,  # type: ignore[arg-type]
        source=wanted.source,
        from_time_ns=from_ns,
        until_time_ns=wanted.until_time_ns,
        page_size=MAX_SEASON_SESSIONS,
    )
    answer = index.list_sessions(request, viewer)
    if answer.next_page_token:
        raise BadRequest(
            f"more than {MAX_SEASON_SESSIONS} sessions pass the filter",
            hint="name a track, a source or a span of time",
        )
    yield from answer.sessions


def _laps(
    index: IndexReader,
    sessions: list[session_pb2.Session],
    wanted: season_pb2.SeasonFilter,
    viewer: Viewer,
) -> list[lap_pb2.Lap]:
    found: list[lap_pb2.Lap] = []
    for session in sessions:
        for lap in _of_session(index, session.name, wanted.vehicle_class, viewer):
            if len(found) == MOST_LAPS:
                raise BadRequest(
                    f"more than {MOST_LAPS} laps pass the filter",
                    hint="name a track, a class or a span of time",
                )
            found.append(lap)
    return found


def _of_session(
    index: IndexReader, session: str, vehicle_class: str, viewer: Viewer
) -> Iterator[lap_pb2.Lap]:
    request = laps_pb2.ListLapsRequest(
        parent=session,
        filter=laps_pb2.LapFilter(vehicle_class=vehicle_class, complete=True, kind=lap_pb2.LAP_KIND_LAP),
        page_size=MAX_PAGE,
    )
    while True:
        page = index.list_laps(request, viewer)
        yield from page.laps
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
