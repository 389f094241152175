"""Excerpts: the time around a marked moment, kept for good."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Layouts, read_head
from rig.errors import Exhausted
from rig.regular import is_regular
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd import ring as rings
from rigd.gather.gather import gather
from rigd.gather.seated import seated
from rigd.gather.sessionstate import session_state
from rigd.ring import RingReader
from rigd.store.marks import ROW_BYTES, Marks
from rigd.store.naming import excerpt_name
from rigd.store.sessions import RingSessions
from rigd.store.store import Store

_SETTLE_NS: Final = 2_000_000_000
"""What was captured is durable after this, unless the disk refuses."""
_BATCH: Final = 256
_TOGETHER: Final = 8
"""Cars gathered in one pass."""
_ROWS: Final = 40_000
"""Rows gathered in one pass: 36 MB. Of a mark of 20 minutes it is a car at a time."""
_DONE: Final = object()


@dataclass
class _Stretch:
    """The part of a marked time that lies in one session."""

    start_s: float = np.inf
    end_s: float = -np.inf
    cars: set[int] = field(default_factory=set)
    players: set[int] = field(default_factory=set)
    """Those of them that were the rig's own car."""
    ticks: int = 0


class Excerpts:
    """Keeps what was marked, from the ring."""

    def __init__(
        self,
        ring: RingReader,
        store: Store,
        sessions: RingSessions,
        room: Callable[[], int] = lambda: 1 << 62,
    ) -> None:
        self._ring, self._store, self._sessions = ring, store, sessions
        self._room = room
        """Bytes that excerpts may still take."""
        self._working: Iterator[None] | None = None

    def keep(self, marks: Marks) -> bool:
        """Do one piece of the work on the oldest marked moment whose time has come; True when there was one.

        A piece is a look at the marked time, or the excerpts of some cars: a second at most.
        """
        if self._working is None:
            now_ns = time.time_ns()
            due = [moment for moment in marks.pending() if now_ns > _until_ns(moment) + _SETTLE_NS]
            if not due:
                return False
            self._working = self._pieces(marks, due[-1])
        if next(self._working, _DONE) is _DONE:
            self._working = None
        return True

    def _pieces(self, marks: Marks, moment: laps_pb2.Moment) -> Iterator[None]:
        """Keep a moment, and pause after each piece. What a killed archiver had written is there already."""
        try:
            for number, stretch in self._stretches(moment).items():
                yield
                for lap in self._laps(moment, number, stretch):
                    moment.laps.append(lap)
                    yield
            moment.status = laps_pb2.MOMENT_STATUS_KEPT if moment.laps else laps_pb2.MOMENT_STATUS_LOST
            moment.detail = "" if moment.laps else "the ring had let go of it before it could be kept"
        except Exhausted as error:
            moment.status, moment.detail = laps_pb2.MOMENT_STATUS_REFUSED, error.message
        marks.put(moment)

    def _stretches(self, moment: laps_pb2.Moment) -> dict[int, _Stretch]:
        """Return what the ring holds of the marked time, by the number of the session."""
        start_ns, until_ns = moment.time_ns - int(moment.before_s * 1e9), _until_ns(moment)
        position = self._ring.bisect(rings.PHYSICS, lambda value: read_head(value).capture_time_ns < start_ns)
        layouts = Layouts(PHYSICS, whole=True)
        found: dict[int, _Stretch] = {}

        def see(_: int, data: Any) -> bool:
            head = read_head(data)
            if head.capture_time_ns >= until_ns:
                return False
            stretch = found.setdefault(head.session, _Stretch())
            view = layouts.of(head, data, 0, len(data)).view(data, 0)
            stretch.start_s = min(stretch.start_s, head.session_time)
            stretch.end_s = max(stretch.end_s, head.session_time)
            stretch.ticks += 1
            stretch.cars.update(view["id"].tolist())
            stretch.players.add(head.player)
            return True

        while (at := self._ring.visit(rings.PHYSICS, position, _BATCH, see)) > position:
            position = at
        return found

    def _laps(self, moment: laps_pb2.Moment, number: int, stretch: _Stretch) -> Iterator[str]:
        """Write the excerpts of one session car by car; gives their names. Raises Exhausted without room."""
        session = self._sessions.of(number, stretch.start_s, moment.time_ns)
        cars = sorted(stretch.cars & set(moment.cars) if moment.cars else stretch.cars)
        laps = [_lap(moment, session, car, stretch) for car in cars]
        for lap in laps:
            if lap.player:
                lap.user = seated(self._ring, number, stretch.start_s, stretch.end_s)
        session_state(self._ring, number, stretch.end_s).fill_in(laps)
        together = max(1, min(_TOGETHER, _ROWS // max(stretch.ticks, 1)))
        for at in range(0, len(laps), together):
            part = laps[at : at + together]
            wanted = [lap for lap in part if not self._store.folder.settled(lap.name)]
            for gathered in gather(self._ring, wanted, session) if wanted else ():
                self._check_room(stretch.ticks * ROW_BYTES)
                self._store.write(gathered, self._room())
                self._pin(gathered.header.lap.name)
            for lap in part:
                self._pin(lap.name)  # also those that a killed archiver had written and not yet pinned
                yield lap.name

    def _pin(self, lap: str) -> None:
        folder = self._store.folder
        if is_regular(folder.path(lap)) and not folder.pinned(lap):
            self._store.pin(lap, pinned=True)

    def _check_room(self, size: int) -> None:
        """Raise Exhausted when an excerpt of about that many bytes has no room."""
        if (room := self._room()) < size:
            raise Exhausted(f"an excerpt has about {size} bytes, marks have room for {room}", limit=room)


def _until_ns(moment: laps_pb2.Moment) -> int:
    return moment.time_ns + int(moment.after_s * 1e9)


def _lap(moment: laps_pb2.Moment, session: session_pb2.Session, car: int, stretch: _Stretch) -> lap_pb2.Lap:
    return lap_pb2.Lap(
        name=excerpt_name(session.name, moment.name.removeprefix("marks/"), car),
        kind=lap_pb2.LAP_KIND_EXCERPT,
        car=car,
        player=car in stretch.players,
        start_time=stretch.start_s,
        end_time=float(np.nextafter(stretch.end_s, np.inf)),
        session=session.ring_session,
        track_name=session.track_name,
        track_length=session.track_length,
    )
