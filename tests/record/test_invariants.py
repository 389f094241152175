"""What holds whatever the game does: random stories, told to two machines, one of which is killed again and
again.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rig.v1 import lap_pb2
from rigd.record.laps import LapTracker, Update
from tests.record.script import HERTZ, LENGTH_M, SESSION, Array, Game

SLOTS = (7, 9)
slots = st.sampled_from(SLOTS)
steps = st.integers(1, 8)
within = st.sampled_from([0.0, 0.03125, 0.1, 0.2])
"""s after the last update, before the next one."""


class Twins(Game):
    """Shows every update to a second machine too, which lives on what it saved; both must tell the same."""

    def __init__(self) -> None:
        super().__init__(100.0)
        self.twin = LapTracker(SESSION, LENGTH_M)
        self.driven: dict[int, list[float]] = {slot: [] for slot in SLOTS}
        """Clocks of the updates that showed a car driving, outside its garage."""
        self.shown: Array = self.records()
        self.shown_at = self.clock

    def see(self, records: Array | None = None, clock: float | None = None) -> Update:
        self.shown = self.records() if records is None else records
        self.shown_at = self.clock if clock is None else clock
        update = super().see(self.shown, self.shown_at)
        self._compare(update, self.twin.see(self.shown, self.shown_at, lambda: self.tyres))
        for slot, row in self.rows.items():
            drives = not row["mInGarageStall"][0] and row["mLocalVel"][0, 2] < 0
            if drives and self.shown_at == self.clock:
                self.driven[slot].append(self.clock)
        return update

    def end(self) -> Update:
        update = super().end()
        self._compare(update, self.twin.end(self.clock))
        return update

    def kill(self) -> None:
        self.twin = LapTracker(SESSION, LENGTH_M, dict(self.saved))

    @staticmethod
    def _compare(one: Update, other: Update) -> None:
        assert one.events == other.events
        assert one.triggers.tolist() == other.triggers.tolist()
        assert one.changed == other.changed


class Stories(RuleBasedStateMachine):
    """A game of two slots. Every rule lets the clock run on; not `seen`, nobody recorded meanwhile."""

    @initialize()
    def begin(self) -> None:
        self.game = Twins()
        self.cars = 0
        self.began: dict[int, float | None] = dict.fromkeys(SLOTS)
        """Where a lap began if that was seen and nothing has come in between."""
        self.counts: dict[int, bool] = {}
        self.expected: list[tuple[int, float, float, float, bool]] = []
        """Slot, start, end, time and validity of laps about which there is no doubt."""
        self._come(SLOTS[0])

    def go(self, count: int, seen: bool = True) -> None:
        (self.game.run if seen else self.game.lose)(count / HERTZ)

    def _come(self, slot: int, **fields: Any) -> None:
        self.cars += 1
        self.game.join(slot, mVehicleName=b"Sund GT #%d" % self.cars, **fields)
        self.began[slot] = None
        self.go(1)

    def _on_track(self, slot: int) -> bool:
        return slot in self.game.rows and not self.game.rows[slot]["mInGarageStall"][0]

    @rule(count=steps, seen=st.booleans())
    def drive(self, count: int, seen: bool) -> None:
        self.go(count, seen)

    @rule()
    def kill(self) -> None:
        self.game.kill()

    @rule(slot=slots, after=within, extra=st.sampled_from([0.0, 0.25, -0.25]))
    def cross_and_wait(self, slot: int, after: float, extra: float) -> None:
        """The game's time comes with the line, and may differ from its own clocks."""
        if self._on_track(slot):
            self.go(2)
            self._cross(slot, after, extra, None)

    @rule(slot=slots, late=st.integers(1, 9), withheld=st.booleans())
    def cross_and_hear_late(self, slot: int, late: int, withheld: bool) -> None:
        if self._on_track(slot):
            self.go(2)
            self._cross(slot, 0.0, 0.0, late, withheld)

    def _cross(self, slot: int, after: float, extra: float, late: int | None, withheld: bool = False) -> None:
        game, began, counts = self.game, self.began[slot], self.counts.get(slot, True)
        at = game.clock + after
        true = at - float(game.rows[slot]["mLapStartET"][0])
        before = float(game.rows[slot]["mLastLapTime"][0])
        game.drive(slot)
        game.cross(slot, None if late else true + extra, at=at)
        said = true + extra
        if late:
            game.run(0.2 if withheld else float(late))
            said = -1.0 if withheld else true
            game.say(slot, said)
        game.run(1.2)
        game.lose(10.0)
        game.run(0.2)
        fits = said > 0.0 and (said != before or abs(said - true) <= 0.001)
        if began is not None:
            valid = fits and counts
            self.expected.append((slot, began, at, said if valid else true, valid))
        self.began[slot], self.counts[slot] = at, True

    @rule(slot=slots, after=within, count=steps, seen=st.booleans(), said=st.booleans())
    def cross(self, slot: int, after: float, count: int, seen: bool, said: bool) -> None:
        """One of many: maybe nobody sees it, maybe another one follows at once."""
        if self._on_track(slot):
            self.game.drive(slot)
            self.game.cross(slot, 0.0 if said else None, at=self.game.clock + after)
            self.go(count, seen)
            self.began[slot] = None

    @rule(slot=slots, split=st.booleans(), count=steps, seen=st.booleans())
    def sector(self, slot: int, split: bool, count: int, seen: bool) -> None:
        if self._on_track(slot):
            row = self.game.rows[slot][0]
            sector = {1: 2, 2: 3, 0: 3}[int(row["mSector"])]
            self.game.sector(slot, sector, self.game.clock - row["mLapStartET"] if split else None)
            self.go(count, seen)

    @rule(slot=slots, back=st.booleans())
    def cut(self, slot: int, back: bool) -> None:
        if self._on_track(slot):
            self.game.show(slot, mCountLapFlag=1)
            self.go(1)
            self.counts[slot] = False
            if back:
                self.game.show(slot, mCountLapFlag=2)

    @rule(slot=slots, inside=st.booleans(), state=st.integers(0, 5), stop=st.booleans(), count=steps)
    def pits(self, slot: int, inside: bool, state: int, stop: bool, count: int) -> None:
        """In or out, or a flicker: it depends on how long."""
        if slot in self.game.rows:
            row = self.game.rows[slot]
            self.game.show(slot, mInPits=inside, mPitState=state, mNumPitstops=row["mNumPitstops"] + stop)
            self.go(count)

    @rule(slot=slots, count=steps, seen=st.booleans(), found=st.booleans())
    def garage(self, slot: int, count: int, seen: bool, found: bool) -> None:
        if slot in self.game.rows:
            inside = not self.game.rows[slot]["mInGarageStall"][0]
            self.game.show(slot, mInGarageStall=inside)
            if found:
                self.game.show(slot, mLapStartET=self.game.clock + 0.1)
            (self.game.stand if inside else self.game.drive)(slot)
            self.go(count, seen)
            self.began[slot] = None

    @rule(slot=slots, count=steps, moving=st.booleans())
    def stand_or_drive(self, slot: int, count: int, moving: bool) -> None:
        if self._on_track(slot):
            (self.game.drive if moving else self.game.stand)(slot)
            self.go(count)

    @rule(slot=slots, after=within.filter(bool), count=steps, seen=st.booleans())
    def restart_the_lap(self, slot: int, after: float, count: int, seen: bool) -> None:
        if self._on_track(slot):
            self.game.show(slot, mLapStartET=self.game.clock + after, mSector=1)
            self.go(count, seen)
            self.began[slot] = None

    @rule(slot=slots, driver=st.sampled_from([b"A. Alder", b"B. Birch", b"C. Cedar"]), seen=st.booleans())
    def swap(self, slot: int, driver: bytes, seen: bool) -> None:
        if slot in self.game.rows:
            self.game.show(slot, mDriverName=driver)
            self.go(1, seen)

    @rule(slot=slots, place=st.integers(1, 2), finish=st.integers(0, 3), flag=st.sampled_from([0, 6]))
    def change_something(self, slot: int, place: int, finish: int, flag: int) -> None:
        if slot in self.game.rows:
            self.game.show(slot, mPlace=place, mFinishStatus=finish, mFlag=flag, mIsPlayer=place == 1)
            self.go(1)

    @precondition(lambda self: len(self.game.rows) == 2)
    @rule(slot=slots, count=st.integers(1, 14), seen=st.booleans())
    def leave(self, slot: int, count: int, seen: bool) -> None:
        self.game.leave(slot)
        self.began[slot] = None
        self.go(count, seen)

    @rule(slot=slots, garage=st.booleans(), laps=st.integers(0, 2))
    def come(self, slot: int, garage: bool, laps: int) -> None:
        """Another car, in an empty slot or in place of the one that was there."""
        self._come(slot, mInGarageStall=garage, mTotalLaps=laps)
        self.counts[slot] = True

    @rule()
    def pause(self) -> None:
        for _ in range(3):
            assert self._nothing(self.game.see(self.game.shown, self.game.shown_at))
        self.go(1)

    @rule()
    def step_back(self) -> None:
        assert self._nothing(self.game.see(self.game.shown, self.game.shown_at - 0.6))
        self.go(1)

    @staticmethod
    def _nothing(update: Update) -> bool:
        return not update.events and not update.changed and not update.triggers.any()

    @rule(slot=slots, name=st.sampled_from(["mLapStartET", "mCurSector1", "mLocalVel"]))
    def break_a_number(self, slot: int, name: str) -> None:
        if slot in self.game.rows:
            good = self.game.rows[slot].copy()
            self.game.show(slot, **{name: np.nan})
            self.go(1)
            self.game.rows[slot] = good
            self.go(1)

    @rule(slot=slots)
    def repeat_a_row(self, slot: int) -> None:
        if slot in self.game.rows:
            twice = self.game.rows[slot].copy()
            twice["mTotalLaps"] += 7
            self.game.tick += 1
            self.game.see(np.concatenate([self.game.records(), twice]))

    def teardown(self) -> None:
        self.game.run(0.2)
        self.game.end()
        for slot in SLOTS:
            laps = self.game.laps(slot)
            self._laps_are_ordered(laps)
            self._times_make_sense(laps)
            self._driving_is_in_a_lap(slot, laps)
            self._stints_follow_each_other(slot)
            self._stays_follow_each_other(slot)
        self._laps_are_as_expected()

    @staticmethod
    def _laps_are_ordered(laps: list[lap_pb2.Lap]) -> None:
        assert [lap.index for lap in laps] == list(range(1, len(laps) + 1))
        assert all(lap.start_time < lap.end_time for lap in laps)
        assert all(one.end_time <= two.start_time for one, two in pairwise(laps))
        assert all(one.stint <= two.stint for one, two in pairwise(laps))

    @staticmethod
    def _times_make_sense(laps: list[lap_pb2.Lap]) -> None:
        for lap in laps:
            assert lap.complete == lap.HasField("lap_time")
            assert lap.valid == lap.official <= lap.complete
            if all(lap.HasField(name) for name in ("sector1", "sector2", "sector3")):
                assert abs(lap.sector1 + lap.sector2 + lap.sector3 - lap.lap_time) <= 1e-6
            if lap.complete and not lap.official:
                assert lap.lap_time == lap.end_time - lap.start_time

    def _driving_is_in_a_lap(self, slot: int, laps: list[lap_pb2.Lap]) -> None:
        """Every moment of driving is in exactly one lap; so is what lies between two updates of driving."""
        clocks = [clock for clock in self.game.driven[slot] if clock < self.game.clock]
        between = [(one + two) / 2 for one, two in pairwise(clocks) if 0.0 < two - one < 0.21]
        for clock in [*clocks, *between]:
            assert sum(lap.start_time <= clock < lap.end_time for lap in laps) == 1, clock

    def _stints_follow_each_other(self, slot: int) -> None:
        found = [event for event in self.game.events if (event.WhichOneof("kind") or "").startswith("stint_")]
        numbers = [
            (event.WhichOneof("kind"), getattr(event, event.WhichOneof("kind") or "").stint)
            for event in found
            if getattr(event, event.WhichOneof("kind") or "").car == slot
        ]
        started = range(1, len(numbers) // 2 + 1)
        assert numbers == [(kind, stint) for stint in started for kind in ("stint_started", "stint_ended")]

    def _stays_follow_each_other(self, slot: int) -> None:
        open_s = None
        for event in self.game.events:
            if event.HasField("pit_entered") and event.pit_entered.car == slot:
                assert open_s is None
                open_s = event.pit_entered.enter_time
            elif event.HasField("pit_exited") and event.pit_exited.car == slot:
                assert open_s == event.pit_exited.visit.enter_time <= event.pit_exited.visit.exit_time
                open_s = None
            elif event.HasField("car_left") and event.car_left.car == slot:
                open_s = None

    def _laps_are_as_expected(self) -> None:
        found = {(lap.car, lap.start_time): lap for slot in SLOTS for lap in self.game.laps(slot)}
        for slot, start, end, time, valid in self.expected:
            lap = found[slot, start]
            assert (lap.end_time, lap.complete, lap.valid) == (end, True, valid)
            assert lap.lap_time == pytest.approx(time, abs=1e-9)


TestStories = Stories.TestCase
TestStories.settings = settings(stateful_step_count=30)
