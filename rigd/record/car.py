"""A slot of the session and its car: who drives, which lap is running, which ones wait for their time."""

from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from rig.v1 import event_pb2, lap_pb2, scoring_pb2
from rigd.record.lap import Ended, RunningLap
from rigd.record.moment import Moment
from rigd.record.pits import Pits, Visit
from rigd.record.row import CarRow

_ABSENT_S: Final = 2.0
"""Missing from scoring for longer is gone; one update may always miss a car."""


@dataclass
class Slot:
    """A slot of the session. It outlives its cars, so that laps and stints are counted through.

    All attributes are plain values, or made of such: `vars` gives what is to be kept, `restored` takes it.
    """

    slot: int
    here: bool = False
    away_s: float | None = None
    """First update that missed the car."""
    vehicle: str = ""
    vehicle_class: str = ""
    team: str = ""
    driver: str = ""
    player: bool = False
    place: int = 0
    finish: int = 0
    penalties: int = 0
    flags: list[int] = field(default_factory=list)
    garage: bool = False
    pits: Pits = field(default_factory=lambda: Pits(0))
    number: int = 0
    """mTotalLaps as last followed; `start_s` and `last` are the game's words of the same update."""
    start_s: float | None = None
    last: list[float] = field(default_factory=list)
    laps: int = 0
    """Laps and pieces of laps so far: the index of the last one."""
    free_s: float = -inf
    """No lap may begin before this: the last one ended here, or the car left its garage."""
    stint: int = 0
    stint_s: float = 0.0
    stint_laps: int = 0
    driving: bool = False
    """A stint is running."""
    running: RunningLap | None = None
    ended: list[Ended] = field(default_factory=list)

    @staticmethod
    def restored(state: dict[str, Any]) -> "Slot":
        """Return a slot from its attributes as plain values. Raises KeyError or TypeError for those of
        another version.
        """
        pits, running = state["pits"], state["running"]
        visits = [Visit(**visit) for visit in pits["visits"]]
        nested = {
            "pits": Pits(**{**pits, "visits": visits}),
            "running": None if running is None else RunningLap(**running),
            "ended": [Ended.restored(ended) for ended in state["ended"]],
        }
        return Slot(**{**state, **nested})

    def due_s(self, clock_s: float) -> float:
        """Return the session clock at which the car is to be looked at even if its row stays as it is."""
        lap = self.running
        ended_s = self.ended[0].due_s(clock_s) if self.ended else inf
        return min(ended_s, self.pits.due_s(), lap.due_s() if lap else inf)

    def see(self, row: CarRow, moment: Moment) -> None:
        """Follow the car's row of an update. The same row again changes nothing, unless something is due."""
        if self.here and (row.vehicle != self.vehicle or row.laps < self.number):
            self.leave(moment)
        self.away_s = None
        if not self.here:
            self._join(row, moment)
        self._follow(row, moment)
        self._close(moment)

    def miss(self, moment: Moment) -> None:
        """Note that the update does not have the car."""
        if self.away_s is None:
            self.away_s = moment.clock_s
        elif moment.clock_s > self.away_s + _ABSENT_S:
            self.leave(moment)

    def leave(self, moment: Moment) -> None:
        """Note that the car is gone since the first update that missed it, or since this one."""
        self.finish_up(moment)
        moment.tell(car_left=event_pb2.CarLeft(car=self.slot))

    def finish_up(self, moment: Moment) -> None:
        """Close what is open, with what is known."""
        end_s = moment.clock_s if self.away_s is None else self.away_s
        self._end(end_s, moment)
        self._close(moment, now=True)
        self._end_stint(moment)
        self.free_s = max(self.free_s, end_s)
        self.here, self.away_s, self.pits = False, None, Pits(0)

    def _follow(self, row: CarRow, moment: Moment) -> None:
        self._follow_state(row, moment)
        self._follow_lap(row, moment)
        self._follow_pits(row, moment)
        self._follow_garage(row, moment)
        if self.running is not None and row.laps == self.number:
            self.running.see(row, moment)
        self._follow_driver(row, moment)
        self._latch_tyres(moment)
        for ended in self.ended:
            ended.hear(row)

    # In and out.

    def _join(self, row: CarRow, moment: Moment) -> None:
        self.here, self.garage, self.pits = True, row.garage, Pits(row.stops)
        self.vehicle, self.vehicle_class, self.team = row.vehicle, row.vehicle_class, row.team
        self.driver, self.place, self.finish = row.driver, row.place, row.finish
        self.penalties, self.flags = row.penalties, row.flags
        self._hear(row)
        joined = event_pb2.CarJoined(
            car=self.slot, driver=row.driver, vehicle=row.vehicle, vehicle_class=row.vehicle_class
        )
        moment.tell(scoring_pb2.TRIGGER_STATUS, car_joined=joined)
        if not row.garage:
            self._start_stint(moment)
            start_s = moment.clock_s if row.start_s is None else row.start_s
            self._begin(row, start_s, moment, from_line=row.laps > 0 or not row.in_pits)

    def _follow_garage(self, row: CarRow, moment: Moment) -> None:
        if row.garage == self.garage:
            return
        self.garage = row.garage
        changed = event_pb2.GarageChanged(car=self.slot, inside=row.garage)
        moment.tell(scoring_pb2.TRIGGER_PIT, garage_changed=changed)
        if row.garage:
            self._end(moment.clock_s, moment, to_garage=True)
            self._end_stint(moment)
        else:
            self._start_stint(moment)
            self.free_s = moment.clock_s
            self._begin(row, row.start_s or moment.clock_s, moment, from_line=False, from_garage=True)

    # Laps.

    def _follow_lap(self, row: CarRow, moment: Moment) -> None:
        lap = self.running
        if lap is not None and row.laps > self.number:
            if row.start_s is None or row.start_s <= lap.start_s:
                return  # the count is ahead of the clock it goes with: wait for both
            self._cross(row, row.start_s, lap, moment)
        elif lap is not None and row.start_s not in (None, self.start_s):
            self._restart(row, moment)
        self._hear(row)

    def _hear(self, row: CarRow) -> None:
        self.number, self.last = row.laps, row.last
        self.start_s = self.start_s if row.start_s is None else row.start_s

    def _cross(self, row: CarRow, line_s: float, lap: RunningLap, moment: Moment) -> None:
        """Handle that the line was crossed at `line_s`, or several times by then."""
        lap.moved = True
        if row.laps > self.number + 1:
            self._catch_up(row, line_s, lap, moment)
        else:
            self._end(line_s, moment, complete=lap.from_line)
        self._begin(row, line_s, moment, from_line=True).moved = True  # who crosses the line drives
        moment.trigger |= scoring_pb2.TRIGGER_LAP_COMPLETE | scoring_pb2.TRIGGER_SECTOR_COMPLETE

    def _catch_up(self, row: CarRow, line_s: float, lap: RunningLap, moment: Moment) -> None:
        """Handle crossings that nobody saw. The last lap is known by its time, if that fits; the rest
        is a piece.
        """
        start_s = line_s - row.last[2]
        if row.last[2] == 0.0 or start_s <= lap.start_s:
            self._end(line_s, moment)
            return
        self._end(start_s, moment)
        self._begin(row._replace(laps=row.laps - 1, sector=0), start_s, moment, from_line=True)
        self._end(line_s, moment, complete=True)

    def _restart(self, row: CarRow, moment: Moment) -> None:
        """Begin the same lap anew, as the game let it: with the green flag, or somewhere on the track."""
        assert row.start_s is not None
        self._end(row.start_s, moment)
        self._begin(row, row.start_s, moment, from_line=row.laps == 0 and not row.in_pits)

    def _begin(
        self, row: CarRow, start_s: float, moment: Moment, *, from_line: bool, from_garage: bool = False
    ) -> RunningLap:
        begin_s = max(start_s, self.free_s)
        self.running = RunningLap(
            index=self.laps + 1,
            number=row.laps,
            start_s=begin_s,
            from_line=from_line and begin_s == start_s,
            from_garage=from_garage,
            sector=row.sector,
            told=max(row.sector - 1, 0),
            drivers=[self.driver],
            user=moment.user if row.player else "",
        )
        return self.running

    def _end(self, end_s: float, moment: Moment, *, complete: bool = False, to_garage: bool = False) -> None:
        """End the running lap. A piece in which the car stood is none."""
        lap, self.running = self.running, None
        if lap is None:
            return
        lap.tell_sectors(self.slot, moment, now=True)
        self.free_s = max(self.free_s, end_s)
        if complete or (lap.moved and end_s > lap.start_s):
            self._keep(lap, end_s, moment, complete, to_garage)

    def _keep(self, lap: RunningLap, end_s: float, moment: Moment, complete: bool, to_garage: bool) -> None:
        self.laps += 1
        self.stint_laps += complete
        lap.tyres = lap.tyres or moment.tyres(self.slot)
        said = list(self.last)
        self.ended.append(
            Ended(lap, end_s, complete, to_garage, self.stint, self.place, self.player, said, said)
        )

    def _latch_tyres(self, moment: Moment) -> None:
        """Take the tyres at the first update outside the pits: inside, the game's index runs through
        all there are.
        """
        lap = self.running
        if lap is not None and lap.tyres is None and self.pits.inside_s is None:
            lap.tyres = moment.tyres(self.slot) or []

    def _close(self, moment: Moment, *, now: bool = False) -> None:
        """Tell, in order, of laps whose time is known and of which it is sure whether they met the pits."""
        while self.ended and (now or self._settled(moment.clock_s)):
            closed = event_pb2.LapClosed(lap=self._message(self.ended.pop(0), moment))
            moment.tell(lap_closed=closed)
        open_s = [ended.lap.start_s for ended in self.ended]
        open_s += [self.running.start_s] if self.running else [moment.clock_s]
        self.pits.forget(open_s[0])

    def _settled(self, clock_s: float) -> bool:
        return not self.pits.undecided and self.ended[0].settled(clock_s)

    def _message(self, ended: Ended, moment: Moment) -> lap_pb2.Lap:
        lap = ended.message(self.pits.visits)
        lap.car, lap.session, lap.track_length = self.slot, moment.session, moment.track_length
        lap.vehicle, lap.vehicle_class, lap.team = self.vehicle, self.vehicle_class, self.team
        return lap

    # Stints, drivers, and the rest.

    def _follow_pits(self, row: CarRow, moment: Moment) -> None:
        """Follow the pits: a stint ends with a stop, unless another driver has begun one in the same stay."""
        visit = self.pits.see(row, moment)
        if visit and visit.stop_s is not None and self.driving and self.stint_s < visit.enter_s:
            self._end_stint(moment)
            self._start_stint(moment)

    def _follow_driver(self, row: CarRow, moment: Moment) -> None:
        if row.driver in ("", self.driver):
            return
        changed = event_pb2.DriverChanged(car=self.slot, driver=row.driver, former_driver=self.driver)
        moment.tell(scoring_pb2.TRIGGER_DRIVER_CHANGE, driver_changed=changed)
        self.driver = row.driver
        if self.running is not None:
            self.running.drivers.append(row.driver)
            self._end_stint(moment)
            self._start_stint(moment)

    def _start_stint(self, moment: Moment) -> None:
        self.stint, self.stint_s, self.stint_laps, self.driving = self.stint + 1, moment.clock_s, 0, True
        started = event_pb2.StintStarted(car=self.slot, stint=self.stint, driver=self.driver)
        moment.tell(stint_started=started)

    def _end_stint(self, moment: Moment) -> None:
        if self.driving:
            self.driving = False
            ended = event_pb2.StintEnded(car=self.slot, stint=self.stint, laps=self.stint_laps)
            moment.tell(stint_ended=ended)

    def _follow_state(self, row: CarRow, moment: Moment) -> None:
        if row.place != self.place:
            moved = event_pb2.PositionChanged(car=self.slot, place=row.place, former_place=self.place)
            moment.tell(scoring_pb2.TRIGGER_POSITION_CHANGE, position_changed=moved)
        if row.finish != self.finish:
            changed = event_pb2.FinishStatusChanged(car=self.slot, finish_status=row.finish)
            moment.tell(scoring_pb2.TRIGGER_STATUS, finish_status_changed=changed)
        if row.penalties != self.penalties:
            moment.trigger |= scoring_pb2.TRIGGER_STATUS
        if row.flags != self.flags:
            moment.trigger |= scoring_pb2.TRIGGER_FLAG
        self.place, self.finish = row.place, row.finish
        self.penalties, self.flags, self.player = row.penalties, row.flags, row.player
