"""Laps that cars are held against while they drive: which is in force when, for one viewer and session.

A lap counts from ten seconds after it ended. By then it is archived, and whoever reads the past later finds
the same lap in force at the same tick. All of this reads files: it is for threads.
"""

import contextlib
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from rig.errors import Mismatch, RigError
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd.serve.laplookup import lap_of_file, listed_lap
from rigd.store.store import StoreReader
from rigd.store.viewer import Viewer
from riglap.alignment import align
from riglap.circuits.circuit import Circuit
from riglap.circuits.line import Floats
from riglap.circuits.shelf import Shelf
from riglap.compare import trace
from riglap.live import ReferenceTimes, reference_of

TAKEN_UP_NS: Final = 10_000_000_000
_SECOND_NS: Final = 1_000_000_000
_LATE_NS: Final = 600 * _SECOND_NS
"""Laps that were archived later than those after them are looked for so far back."""
_PAGE: Final = 1000
_FORMER: Final = 5
"""Laps of earlier sessions that are tried until one is good."""
NEVER_NS: Final = 1 << 63


class Who(NamedTuple):
    """Whose best lap: a driver's in a class; without a driver the class's in this session."""

    vehicle_class: str
    driver: str = ""


class LapInTime(NamedTuple):
    """A lap that may be somebody's best."""

    lap_time: float
    from_ns: int
    """Wall clock from which on it counts."""
    name: str


class InForce(NamedTuple):
    """What is in force, and until when."""

    reference: ReferenceTimes | None
    until_ns: int


class SessionReferences:
    """The references of one session of a ring. One thread at a time may call what reads files."""

    def __init__(self, store: StoreReader, shelf: Shelf, viewer: Viewer, ring: str, number: int) -> None:
        self._store, self._shelf, self._viewer = store, shelf, viewer
        self._ring, self._number = ring, number
        self.circuit: Circuit | None = None
        self._session: session_pb2.Session | None = None
        self._candidates: dict[Who, list[LapInTime]] = {}
        self._asked: set[Who] = set()
        """Drivers whose laps of earlier sessions are among the candidates."""
        self._names: set[str] = set()
        self._newest_ns = 0
        self._loaded: dict[str, ReferenceTimes | None] = {}
        self.version = 0
        """Grows when there are other laps than before."""

    def survey(self, state: session_pb2.SessionState, places: Floats, distance: Floats) -> None:
        """Find the circuit by its name and length, and by where cars are on it."""
        if self.circuit is None:
            self.circuit = self._shelf.find(state.track_name, state.track_length, places, distance)
            self.version += self.circuit is not None

    def refresh(self) -> None:
        """Take in laps that were archived since."""
        if self._session is None:
            self._session = self._found()
            self.version += self._session is not None
        if self._session is None:
            return
        since = max(self._newest_ns - _LATE_NS, 0)
        wanted = _valid(from_time_ns=since)
        for lap in self._laps(laps_pb2.ListLapsRequest(parent=self._session.name, filter=wanted)):
            self._newest_ns = max(self._newest_ns, lap.start_time_ns)
            if lap.name not in self._names:
                self._names.add(lap.name)
                self._add(lap)
                self.version += 1

    def knows(self, who: Iterable[Who], now_ns: int) -> bool:
        """Return whether `best` needs no file for any of these."""
        return all(self._ready(one, now_ns) for one in who)

    def best(self, who: Who, now_ns: int) -> InForce:
        """Return the reference in force at a wall clock."""
        candidates = self._candidates.setdefault(who, [])
        if who.driver and who not in self._asked and self._session is not None and self.circuit is not None:
            candidates += self._former(who, self._session, self.circuit)
            self._asked.add(who)
        for lap in sorted(candidates):
            if lap.from_ns <= now_ns and (reference := self.load(lap.name)):
                return InForce(reference, _next(candidates, now_ns, lap.lap_time))
        return InForce(None, _next(candidates, now_ns, math.inf))

    def has(self, name: str) -> bool:
        """Return whether `load` reads no file."""
        return not name or self.circuit is None or name in self._loaded

    def chosen(self, name: str, state: session_pb2.SessionState | None) -> ReferenceTimes | None:
        """Return the lap that a request names; None while the circuit is not known. Raises NotFound, also
        where there is none for the viewer, Mismatch for a lap of another circuit, and as reading it does.
        """
        lap = listed_lap(self._store, name, self._viewer)
        if state is not None and (lap.track_name, round(lap.track_length)) != (
            state.track_name,
            round(state.track_length),
        ):
            raise Mismatch(
                f"{name} is of {lap.track_name}, {lap.track_length:.0f} m; "
                f"this session is on {state.track_name}, {state.track_length:.0f} m"
            )
        return None if self.circuit is None else self._read(name, self.circuit)

    def _ready(self, who: Who, now_ns: int) -> bool:
        if self._session is None or self.circuit is None:
            return True  # there is nothing to read before the next refresh
        if who not in self._candidates or (who.driver and who not in self._asked):
            return False
        for lap in sorted(self._candidates[who]):
            if lap.from_ns <= now_ns:
                if lap.name not in self._loaded:
                    return False
                if self._loaded[lap.name]:
                    return True
        return True

    def _add(self, lap: lap_pb2.Lap) -> None:
        candidate = LapInTime(lap.lap_time, lap.end_time_ns + TAKEN_UP_NS, lap.name)
        for who in (Who(lap.vehicle_class), Who(lap.vehicle_class, lap.driver)):
            self._candidates.setdefault(who, []).append(candidate)

    def _former(self, who: Who, session: session_pb2.Session, circuit: Circuit) -> list[LapInTime]:
        """Return a driver's best laps of earlier sessions on this track."""
        wanted = _valid(
            track=circuit.track_name,
            driver=who.driver,
            vehicle_class=who.vehicle_class,
            until_time_ns=session.start_time_ns,
        )
        request = laps_pb2.ListLapsRequest(
            parent="sessions/-", filter=wanted, order_by="lap_time", page_size=4 * _FORMER
        )
        found = [
            LapInTime(lap.lap_time, 0, lap.name)
            for lap in self._store.index.list_laps(request, self._viewer).laps
            if (lap.driver, lap.vehicle_class) == (who.driver, who.vehicle_class)
            and lap.track_name == circuit.track_name
            and abs(lap.track_length - circuit.track_length) < 1.0
        ]
        return found[:_FORMER]

    def load(self, name: str) -> ReferenceTimes | None:
        """Return a lap as a reference; None for one that cannot be: it is not tried again."""
        if name not in self._loaded and self.circuit is not None:
            self._loaded[name] = None
            with contextlib.suppress(RigError, OSError):
                self._loaded[name] = self._read(name, self.circuit)
        return self._loaded.get(name)

    def _read(self, name: str, circuit: Circuit) -> ReferenceTimes:
        return reference_of(trace(align(lap_of_file(self._store, name), circuit)))

    def _found(self) -> session_pb2.Session | None:
        request = laps_pb2.ListSessionsRequest(page_size=_PAGE, imported=False)
        for session in self._store.index.list_sessions(request).sessions:
            if (session.ring, session.ring_session) == (self._ring, self._number):
                return session
        return None

    def _laps(self, request: laps_pb2.ListLapsRequest) -> Iterable[lap_pb2.Lap]:
        request.page_size = _PAGE
        while True:
            answer = self._store.index.list_laps(request, self._viewer)
            yield from answer.laps
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token


def _valid(**more: object) -> laps_pb2.LapFilter:
    return laps_pb2.LapFilter(
        valid=True,
        complete=True,
        damaged=False,
        kind=lap_pb2.LAP_KIND_LAP,
        **more,  # type: ignore[arg-type]
    )


def _next(candidates: list[LapInTime], now_ns: int, lap_time: float) -> int:
    """Return when a faster lap counts."""
    later = (lap.from_ns for lap in candidates if lap.from_ns > now_ns and lap.lap_time < lap_time)
    return min(later, default=NEVER_NS)
