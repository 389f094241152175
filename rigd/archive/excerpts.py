"""Excerpts: the time around a marked moment, kept for good."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Layouts, read_head
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd import ring as rings
from rigd.archive.gather import gather
from rigd.archive.index import Index
from rigd.archive.keep import keep
from rigd.archive.marks import Marks
from rigd.archive.naming import excerpt_name
from rigd.archive.scene import scene
from rigd.archive.sessions import Sessions
from rigd.archive.store import Store
from rigd.ring import RingReader

_SETTLE_NS: Final = 2_000_000_000
"""What was captured is durable after this, unless the disk refuses."""
_BATCH: Final = 256
_TOGETHER: Final = 8
"""Cars gathered in one pass."""


@dataclass
class _Stretch:
    """The part of a marked time that lies in one session."""

    start_s: float = np.inf
    end_s: float = -np.inf
    cars: set[int] = field(default_factory=set)


class Excerpts:
    """Keeps what was marked, from the ring."""

    def __init__(self, ring: RingReader, store: Store, index: Index, sessions: Sessions) -> None:
        self._ring, self._store, self._index, self._sessions = ring, store, index, sessions

    def keep(self, marks: Marks) -> bool:
        """Keep the marked moments whose time has come; True when there was one."""
        due = [moment for moment in marks.pending() if time.time_ns() > _until_ns(moment) + _SETTLE_NS]
        for moment in due:
            moment.laps[:] = [
                name for part in self._stretches(moment).items() for name in self._excerpt(moment, *part)
            ]
            kept = laps_pb2.MOMENT_STATUS_KEPT if moment.laps else laps_pb2.MOMENT_STATUS_LOST
            moment.status = kept
            marks.put(moment)
        return bool(due)

    def _stretches(self, moment: laps_pb2.Moment) -> dict[int, _Stretch]:
        """What the ring holds of the marked time, by the number of the session."""
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
            stretch.cars.update(view["id"].tolist())
            return True

        while (at := self._ring.visit(rings.PHYSICS, position, _BATCH, see)) > position:
            position = at
        return found

    def _excerpt(self, moment: laps_pb2.Moment, number: int, stretch: _Stretch) -> list[str]:
        """Write the excerpts of one session; returns their names."""
        session = self._sessions.of(number, stretch.start_s, moment.time_ns)
        cars = sorted(stretch.cars & set(moment.cars) if moment.cars else stretch.cars)
        laps = [_lap(moment, session, car, stretch) for car in cars]
        scene(self._ring, number, stretch.end_s).introduce(laps)
        wanted = [lap for lap in laps if not self._store.settled(lap.name)]
        for at in range(0, len(wanted), _TOGETHER):
            for gathered in gather(self._ring, wanted[at : at + _TOGETHER], session):
                keep(self._store, self._index, gathered)
        for lap in laps:  # also those that a killed archiver had written and not yet pinned
            if self._store.path(lap.name).exists():
                self._store.pin(lap.name, pinned=True)
                self._index.set_pinned(lap.name, True)
        return [lap.name for lap in laps]


def _until_ns(moment: laps_pb2.Moment) -> int:
    return moment.time_ns + int(moment.after_s * 1e9)


def _lap(moment: laps_pb2.Moment, session: session_pb2.Session, car: int, stretch: _Stretch) -> lap_pb2.Lap:
    return lap_pb2.Lap(
        name=excerpt_name(session.name, moment.name.removeprefix("marks/"), car),
        kind=lap_pb2.LAP_KIND_EXCERPT,
        car=car,
        start_time=stretch.start_s,
        end_time=float(np.nextafter(stretch.end_s, np.inf)),
        session=session.ring_session,
        track_name=session.track_name,
        track_length=session.track_length,
    )
