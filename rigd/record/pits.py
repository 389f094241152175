"""A car's stays in the pit lane, told from a flag that flickers."""

from dataclasses import dataclass, field
from math import inf
from typing import Final

from rig.v1 import event_pb2, lap_pb2, scoring_pb2
from rigd.record.moment import Moment
from rigd.record.row import CarRow

_ENTERING, _STOPPED = 2, 3
"""mPitState."""

_INSIDE_S: Final = 2.0
"""Inside for so long is a stay: mInPits flickers, that of remote cars for a second."""
_OUTSIDE_S: Final = 1.0
"""Outside for so long is the end of it."""


@dataclass
class Visit:
    """A stay in the pit lane. Session clocks; None while it has not happened."""

    enter_s: float
    stop_s: float | None = None
    exit_s: float | None = None

    def at(self, clock_s: float) -> bool:
        """Return whether the car was inside then."""
        return self.enter_s <= clock_s < (inf if self.exit_s is None else self.exit_s)

    def touches(self, start_s: float, end_s: float) -> bool:
        """Return whether the car was inside at some time from `start_s` to before `end_s`."""
        return self.enter_s < end_s and (self.exit_s is None or self.exit_s > start_s)

    def message(self) -> lap_pb2.PitVisit:
        """Return the stay as it goes over the wire."""
        return lap_pb2.PitVisit(enter_time=self.enter_s, stop_time=self.stop_s, exit_time=self.exit_s)


@dataclass
class Pits:
    """The stays of one car, as far back as a lap still asks for them."""

    stops: int
    """mNumPitstops as last seen."""
    inside_s: float | None = None
    """First update inside; a stay or a flicker, `visit` tells which."""
    outside_s: float | None = None
    """First update outside again; the end of the stay or a flicker."""
    visits: list[Visit] = field(default_factory=list)

    @property
    def visit(self) -> Visit | None:
        """The stay that is going on."""
        return self.visits[-1] if self.visits and self.visits[-1].exit_s is None else None

    @property
    def undecided(self) -> bool:
        """Nobody can tell yet whether the car came in, or whether it left."""
        return self.outside_s is not None or (self.inside_s is not None and self.visit is None)

    def due_s(self) -> float:
        """Return the session clock at which time alone decides something."""
        if self.outside_s is not None:
            return self.outside_s + _OUTSIDE_S
        if self.inside_s is not None and self.visit is None:
            return self.inside_s + _INSIDE_S
        return inf

    def see(self, row: CarRow, moment: Moment) -> Visit | None:
        """Follow the car; the stay that is over now."""
        inside = row.in_pits or row.pit_state == _STOPPED
        stopped = row.pit_state == _STOPPED or row.stops > self.stops
        self.stops = row.stops
        self._flicker(inside, moment.clock_s)
        if self.inside_s is None:
            return None
        sure = inside and (row.pit_state == _ENTERING or moment.clock_s >= self.inside_s + _INSIDE_S)
        if self.visit is None and (stopped or sure):
            self._enter(row.slot, self.inside_s, moment)
        if stopped:
            self._stop(row.slot, moment)
        return self._leave(row.slot, moment)

    def forget(self, before_s: float) -> None:
        """Release stays that ended before any lap that is still open began."""
        self.visits = [visit for visit in self.visits if visit.touches(before_s, inf)]

    def _flicker(self, inside: bool, clock_s: float) -> None:
        if inside:
            self.outside_s = None
            self.inside_s = clock_s if self.inside_s is None else self.inside_s
        elif self.inside_s is not None and self.outside_s is None:
            self.outside_s = clock_s

    def _enter(self, slot: int, enter_s: float, moment: Moment) -> None:
        self.visits.append(Visit(enter_s))
        entered = event_pb2.PitEntered(car=slot, enter_time=enter_s)
        moment.tell(scoring_pb2.TRIGGER_PIT, pit_entered=entered)

    def _stop(self, slot: int, moment: Moment) -> None:
        """Report a stop once per stay, though mPitState and mNumPitstops both tell it."""
        visit = self.visit
        if visit is not None and visit.stop_s is None:
            visit.stop_s = moment.clock_s
            stopped = event_pb2.PitStopped(car=slot, stop_time=moment.clock_s)
            moment.tell(scoring_pb2.TRIGGER_PIT, pit_stopped=stopped)

    def _leave(self, slot: int, moment: Moment) -> Visit | None:
        if self.outside_s is None or moment.clock_s < self.outside_s + _OUTSIDE_S:
            return None
        visit, exit_s = self.visit, self.outside_s
        self.inside_s = self.outside_s = None
        if visit is not None:
            visit.exit_s = exit_s
            left = event_pb2.PitExited(car=slot, visit=visit.message())
            moment.tell(scoring_pb2.TRIGGER_PIT, pit_exited=left)
        return visit
