"""Pause, session end, drivers, slots, lost updates, triggers: what the game shows, and what is told of it."""

import numpy as np
import pytest

from rig.v1 import event_pb2, scoring_pb2
from rigd.record.laps import LapTracker
from rigd.sources.rf2.layout import VEHICLE_SCORING
from tests.record.script import LENGTH_M, SESSION, Game

POSITION, PIT, FLAG = (
    scoring_pb2.TRIGGER_POSITION_CHANGE,
    scoring_pb2.TRIGGER_PIT,
    scoring_pb2.TRIGGER_FLAG,
)
SECTOR, LAP = scoring_pb2.TRIGGER_SECTOR_COMPLETE, scoring_pb2.TRIGGER_LAP_COMPLETE
DRIVER, STATUS = scoring_pb2.TRIGGER_DRIVER_CHANGE, scoring_pb2.TRIGGER_STATUS


# Pause, restart, next session.


def test_a_pause_changes_nothing(game: Game) -> None:
    game.run(30.0)
    seen = len(game.updates)
    for _ in range(50):
        game.see()
    assert all(not update.events and not update.changed for update in game.updates[seen:])
    game.run(30.0)
    game.cross(7)
    game.run(1.0)
    assert game.spans() == [(100.0, 160.0)]


@pytest.mark.parametrize("killed", [False, True])
def test_a_clock_that_steps_back_a_little_changes_nothing(game: Game, killed: bool) -> None:
    game.run(30.0)
    before = game.records()
    game.cross(7)
    game.run(0.2)
    if killed:
        game.restart()
    update = game.see(before, game.clock - 0.7)
    assert (update.events, update.changed, update.triggers.tolist()) == ([], {}, [0])
    game.run(1.0)
    assert game.spans() == [(100.0, 130.0)]
    assert game.payloads("car_left") == []


def test_buffers_just_cleared_are_no_update(game: Game) -> None:
    game.run(1.0)
    for _ in range(20):
        game.tick += 1
        game.see(np.zeros(0, VEHICLE_SCORING))
    game.run(1.0)
    assert game.kinds() == ["car_joined", "stint_started"]


def test_session_end_closes_what_waits_with_what_is_known_and_what_runs_as_a_piece(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(0.4)
    game.end()
    done, piece = game.laps()
    assert (done.complete, done.official, done.lap_time) == (True, True, 60.0)
    assert (piece.complete, piece.start_time, piece.end_time) == (False, 160.0, 160.4)
    assert [(one.stint, one.laps) for one in game.payloads("stint_ended")] == [(1, 1)]


def test_session_end_without_a_time_takes_the_clocks(game: Game) -> None:
    game.run(60.0)
    game.cross(7, time=None)
    game.run(5.0)
    game.end()
    assert (game.laps()[0].lap_time, game.laps()[0].official) == (60.0, False)


def test_a_session_is_ended_once(game: Game) -> None:
    game.run(30.0)
    game.end()
    found = len(game.events)
    game.restart()
    game.end()
    assert len(game.events) == found


def test_bytes_of_another_session_or_no_bytes_of_ours_are_ignored(game: Game) -> None:
    game.run(30.0)
    for saved in (game.saved, {7: b"", 8: b"3 1.0 {}", 9: b"\xff", 10: b"3 1.0 nonsense", 11: b"3 x []"}):
        laps = LapTracker(SESSION + 1 if saved is game.saved else SESSION, LENGTH_M, saved)
        kinds = [event.WhichOneof("kind") for event in laps.see(game.records(), 131.0, dict).events]
        assert kinds == ["car_joined", "stint_started"]


# Who is in the car, and which car is in the slot.


def test_driver_swap_the_lap_is_the_ones_who_ended_it(game: Game) -> None:
    game.run(20.0)
    game.show(7, mInPits=True, mPitState=3)
    game.run(5.0)
    game.show(7, mDriverName=b"B. Birch")
    game.run(15.0)
    game.show(7, mInPits=False, mPitState=0)
    game.run(20.0)
    game.cross(7)
    game.run(1.0)
    (changed,) = game.payloads("driver_changed")
    assert (changed.driver, changed.former_driver) == ("B. Birch", "A. Alder")
    (lap,) = game.laps()
    assert (lap.driver, list(lap.former_drivers), lap.stint) == ("B. Birch", ["A. Alder"], 2)
    assert [(one.stint, one.driver) for one in game.payloads("stint_started")] == [
        (1, "A. Alder"),
        (2, "B. Birch"),
    ]


def test_drivers_who_take_turns_are_each_named_once(game: Game) -> None:
    for driver in (b"B. Birch", b"C. Cedar", b"B. Birch", b"A. Alder"):
        game.run(10.0)
        game.show(7, mDriverName=driver)
    game.run(10.0)
    game.cross(7)
    game.run(1.2)
    (lap,) = game.laps()
    assert (lap.driver, list(lap.former_drivers)) == ("A. Alder", ["B. Birch", "C. Cedar"])


def test_the_player_is_who_sits_there_at_the_end(game: Game) -> None:
    game.run(30.0)
    game.show(7, mIsPlayer=True)
    game.run(30.0)
    game.cross(7)
    game.run(1.0)
    assert [lap.player for lap in game.laps()] == [True]


def test_a_car_missing_from_one_update_is_still_there(game: Game) -> None:
    game.join(9)
    game.run(10.0)
    row = game.rows.pop(7)
    game.run(2.0)
    game.rows[7] = row
    game.run(48.0)
    game.cross(7)
    game.run(1.0)
    assert game.payloads("car_left") == []
    assert game.spans() == [(100.0, 160.0)]


def test_a_car_that_leaves_ends_its_lap_where_it_was_missed_first(game: Game) -> None:
    game.join(9)
    game.run(10.0)
    game.leave(7)
    game.run(3.0)
    assert [one.car for one in game.payloads("car_left")] == [7]
    assert game.spans() == [(100.0, 110.2)]
    assert [lap.complete for lap in game.laps()] == [False]


def test_a_slot_that_is_taken_again_counts_its_laps_on(game: Game) -> None:
    game.join(9)
    game.run(10.0)
    game.leave(7)
    game.run(10.0)
    game.join(7, mVehicleName=b"Sund GT #12", mDriverName=b"D. Dogwood", mLapStartET=90.0)
    game.run(60.0)
    game.cross(7, time=None)
    game.run(11.0)
    assert [one.vehicle for one in game.payloads("car_joined")] == [
        "Norden GT #7",
        "Norden GT #9",
        "Sund GT #12",
    ]
    found = [(lap.index, lap.stint, lap.vehicle, lap.driver) for lap in game.laps()]
    assert found == [(1, 1, "Norden GT #7", "A. Alder"), (2, 2, "Sund GT #12", "D. Dogwood")]
    assert game.spans()[1][0] >= game.spans()[0][1]
    assert [lap.complete for lap in game.laps()] == [False, False]  # the second did not begin where it says


@pytest.mark.parametrize("fields", [{"mVehicleName": b"Sund GT #12"}, {"mTotalLaps": 0}])
def test_slot_reuse_from_one_update_to_the_next_is_one_car_gone_and_another_come(
    game: Game, fields: dict[str, object]
) -> None:
    game.run(10.0)
    game.show(7, mLapStartET=110.0, **fields)
    game.run(1.0)
    assert game.kinds()[2:] == ["lap_closed", "stint_ended", "car_left", "car_joined", "stint_started"]
    game.run(10.0)
    game.end()
    assert game.spans() == [(100.0, 110.2), (110.2, 121.0)]


def test_updates_lost_over_two_lines_the_last_lap_is_rebuilt_from_its_time(game: Game) -> None:
    game.run(30.0)
    game.lose(100.0)
    game.show(7, mTotalLaps=6, mLapStartET=219.0, mSector=1)
    game.say(7, 58.5, 20.0, 40.0)
    game.run(1.2)
    assert game.spans() == [(100.0, 160.5), (160.5, 219.0)]
    piece, lap = game.laps()
    assert (piece.number, piece.complete, lap.number, lap.complete) == (4, False, 5, True)
    assert (lap.lap_time, lap.official, lap.sector3) == (58.5, True, 18.5)


@pytest.mark.parametrize("time", [-1.0, 0.0, 500.0])
def test_updates_lost_over_two_lines_without_a_time_that_fits_leave_a_piece(game: Game, time: float) -> None:
    game.run(30.0)
    game.lose(100.0)
    game.show(7, mTotalLaps=6, mLapStartET=219.0)
    game.say(7, time)
    game.run(60.0)
    game.cross(7)
    game.run(1.2)
    assert game.spans() == [(100.0, 219.0), (219.0, 290.0)]
    assert [(lap.number, lap.complete) for lap in game.laps()] == [(4, False), (6, True)]


def test_a_lap_count_ahead_of_its_clock_waits_for_it(game: Game) -> None:
    game.run(60.0)
    game.show(7, mTotalLaps=5, mCountLapFlag=1)
    game.run(0.2)
    game.show(7, mLapStartET=160.1, mCountLapFlag=2)
    game.say(7, 60.1)
    game.run(2.0)
    assert game.spans() == [(100.0, 160.1)]
    assert (game.laps()[0].complete, game.laps()[0].valid) == (True, True)


# Places, finish, flags: what is told, and why a row is written.


def test_place_and_finish_are_told_with_what_was_before(game: Game) -> None:
    game.show(7, mPlace=1)
    game.run(0.2)
    game.show(7, mFinishStatus=1)
    game.run(0.2)
    assert game.payloads("position_changed") == [event_pb2.PositionChanged(car=7, place=1, former_place=2)]
    assert [one.finish_status for one in game.payloads("finish_status_changed")] == [1]


def test_finished_cars_keep_lapping(game: Game) -> None:
    game.show(7, mFinishStatus=1)
    game.lap(7, 60.0)
    game.lap(7, 90.0)
    game.run(1.0)
    assert [lap.lap_time for lap in game.laps()] == [60.0, 90.0]


@pytest.mark.parametrize(
    ("fields", "trigger"),
    [
        ({"mSector": 2}, SECTOR),
        ({"mTotalLaps": 5, "mLapStartET": 100.1}, LAP | SECTOR),
        ({"mPlace": 1}, POSITION),
        ({"mPitState": 3}, PIT),
        ({"mInGarageStall": True}, PIT),
        ({"mFlag": 6}, FLAG),
        ({"mUnderYellow": True}, FLAG),
        ({"mDriverName": b"B. Birch"}, DRIVER),
        ({"mCountLapFlag": 1}, STATUS),
        ({"mNumPenalties": 1}, STATUS),
        ({"mFinishStatus": 2}, STATUS),
        ({"mPlace": 1, "mFlag": 6}, POSITION | FLAG),
        ({"mFuelFraction": 7, "mLapDist": 55.0, "mHeadlights": 1}, 0),
    ],
)
def test_rows_say_why_they_are_written(game: Game, fields: dict[str, object], trigger: int) -> None:
    game.join(9)
    game.run(0.2)
    game.show(7, **fields)
    game.run(0.2)
    assert game.updates[-1].triggers.tolist() == [trigger, 0]
    game.run(0.2)
    assert game.updates[-1].triggers.tolist() == [0, 0]


def test_a_car_that_joins_is_a_reason_to_write_its_row() -> None:
    game = Game()
    game.join(7)
    game.see()
    game.join(9)
    game.run(0.2)
    assert [update.triggers.tolist() for update in game.updates] == [[STATUS], [0, STATUS]]
    assert game.updates[0].triggers.dtype == np.uint32
