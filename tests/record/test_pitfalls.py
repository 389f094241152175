"""What others stumbled over, named after it, and what a broken game may show."""

import numpy as np
import pytest

from rigd.record.laps import LapTracker
from tests.record.script import LENGTH_M, SESSION, Game


@pytest.fixture
def game() -> Game:
    """Cars in slots 7 and 9, their laps begun at clock 100."""
    game = Game(100.0)
    game.join(7, mTotalLaps=4)
    game.join(9, mTotalLaps=4, mPlace=2)
    game.see()
    return game


def test_sector_numbers_are_1_2_0(game: Game) -> None:
    for shown in (2, 0):
        game.run(5.0)
        game.show(7, mSector=shown)
    game.run(2.0)
    assert [one.sector for one in game.payloads("sector_completed")] == [1, 2]


def test_sector_two_is_not_both_sectors(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(1.0)
    assert [(lap.sector1, lap.sector2, lap.sector3) for lap in game.laps()] == [(20.0, 20.0, 20.0)]


def test_sector_times_are_told_before_the_lap_is(game: Game) -> None:
    game.run(20.0)
    game.sector(7, 2, 20.0)
    game.run(0.2)
    assert [one.split_time for one in game.payloads("sector_completed")] == [20.0]


def test_a_split_of_the_lap_before_is_not_taken_for_this_laps(game: Game) -> None:
    game.lap(7, 60.0)
    game.show(7, mCurSector1=20.0, mCurSector2=40.0)
    game.run(1.0)
    game.show(7, mCurSector1=0.0, mCurSector2=0.0)
    game.run(58.0)
    game.cross(7, time=None)
    game.run(10.0)
    assert not game.laps()[1].HasField("sector1")


def test_a_sector_that_follows_the_line_late_is_not_the_new_laps(game: Game) -> None:
    game.lap(7, 60.0)
    game.show(7, mSector=0, mCurSector1=20.0, mCurSector2=40.0)
    game.run(0.2)
    game.show(7, mSector=1, mCurSector1=0.0, mCurSector2=0.0)
    game.run(20.0)
    game.sector(7, 2)
    game.run(2.0)
    second = [one for one in game.payloads("sector_completed") if one.lap_index == 2]
    assert [(one.sector, one.HasField("split_time")) for one in second] == [(1, False)]


def test_the_time_of_the_next_lap_is_not_taken_for_one_that_waits(game: Game) -> None:
    game.run(60.0)
    game.cross(7, time=None)
    game.run(5.0)
    game.cross(7)
    game.run(9.0)
    assert [(lap.lap_time, lap.official) for lap in game.laps()] == [(60.0, False), (5.0, True)]


def test_validity_is_decided_after_the_line(game: Game) -> None:
    game.lap(7, 60.0)
    game.lap(7, 55.0)
    game.run(0.8)
    assert [lap.lap_time for lap in game.laps()] == [60.0]
    game.say(7, 0.0)
    game.run(1.0)
    assert [lap.valid for lap in game.laps()] == [True, False]


def test_laps_of_the_same_time_are_all_told(game: Game) -> None:
    for _ in range(4):
        game.lap(7, 60.0)
    game.run(1.0)
    assert [lap.index for lap in game.laps()] == [1, 2, 3, 4]


def test_a_pause_does_not_end_a_stint(game: Game) -> None:
    game.run(10.0)
    for _ in range(100):
        game.see()
    game.run(10.0)
    assert game.payloads("stint_ended") == []


def test_the_pit_timer_does_not_outlive_its_car(game: Game) -> None:
    game.show(7, mInPits=True)
    game.run(1.8)
    game.show(7, mVehicleName=b"Sund GT #12")
    game.run(1.8)
    assert game.payloads("pit_entered") == []


def test_a_compound_that_fluctuates_in_the_pits_is_latched_outside(game: Game) -> None:
    game.show(7, mInPits=True, mPitState=2)
    game.run(60.0)
    game.cross(7)
    for compound in ("Medium", "Wet", "Hard"):
        game.tyres[7] = (compound, compound)
        game.run(0.2)
    game.show(7, mInPits=False, mPitState=0)
    game.run(2.0)
    game.tyres[7] = ("Wet", "Wet")
    game.lap(7, 60.0)
    game.run(1.0)
    assert game.laps()[1].front_compound == "Hard"


def test_compounds_are_not_asked_for_when_nothing_needs_them(game: Game) -> None:
    asked = []

    def compounds() -> dict[int, tuple[str, str]]:
        asked.append(1)
        return game.tyres

    machine = LapTracker(SESSION, LENGTH_M)
    for update in range(50):
        machine.see(game.records(), 100.0 + update, compounds)
    assert len(asked) == 1


def test_a_race_restart_keeps_no_old_pit_counts(game: Game) -> None:
    game.show(7, mNumPitstops=3, mInPits=True, mPitState=3)
    game.run(5.0)
    game.show(7, mNumPitstops=0, mTotalLaps=0, mInPits=False, mPitState=0, mLapStartET=game.clock)
    game.run(5.0)
    assert len(game.payloads("pit_stopped")) == 1
    assert game.payloads("pit_exited") == []


def test_cars_are_told_apart_by_id_whatever_their_order(game: Game) -> None:
    for _ in range(10):
        game.rows = dict(reversed(game.rows.items()))
        game.run(6.0)
    game.cross(7)
    game.run(1.0)
    game.rows = dict(reversed(game.rows.items()))
    game.cross(9, time=61.0, at=161.0)
    game.run(1.2)
    assert [(lap.car, lap.lap_time) for lap in game.laps(7) + game.laps(9)] == [(7, 60.0), (9, 61.0)]
    assert game.payloads("driver_changed") == game.payloads("position_changed") == []


def test_duplicate_names_are_two_cars(game: Game) -> None:
    game.show(9, mVehicleName=b"Norden GT #7")
    game.restart()
    game.machine = LapTracker(SESSION, LENGTH_M)
    game.events.clear()
    game.run(1.0)
    assert [one.car for one in game.payloads("car_joined")] == [7, 9]


def test_of_two_rows_with_one_id_the_first_counts(game: Game) -> None:
    game.rows[1000] = game.rows[7].copy()
    game.show(1000, mTotalLaps=9, mPlace=5, mDriverName=b"E. Elder")
    update = game.see(game.records(), 100.2)
    assert (update.events, update.triggers.tolist()) == ([], [0, 0, 0])


def test_the_ghost_is_no_car(game: Game) -> None:
    game.join(11, mDriverName=b"Transparent Trainer")
    game.run(5.0)
    assert 11 not in [one.car for one in game.payloads("car_joined")]
    assert game.updates[-1].triggers.tolist() == [0, 0, 0]


def test_numbers_that_are_not_finite_are_absent(game: Game) -> None:
    for value in (np.nan, np.inf, -np.inf):
        game.show(7, mLapStartET=value, mCurSector1=value, mLastLapTime=value, mLastSector1=value)
        game.show(7, mLocalVel=value)
        game.run(1.0)
    game.drive(7)
    game.run(57.0)
    game.cross(7, time=60.25, at=160.0)
    game.run(1.2)
    (lap,) = game.laps()
    assert (lap.start_time, lap.end_time, lap.lap_time, lap.official) == (100.0, 160.0, 60.25, True)


@pytest.mark.parametrize("time", [np.nan, np.inf])
def test_a_time_that_is_not_finite_is_none(game: Game, time: float) -> None:
    game.run(60.0)
    game.cross(7, time=time)
    game.run(10.0)
    assert [(lap.lap_time, lap.official) for lap in game.laps()] == [(60.0, False)]


def test_a_start_that_is_not_finite_at_the_line_is_waited_for(game: Game) -> None:
    game.run(60.0)
    game.cross(7)
    game.show(7, mLapStartET=np.nan)
    game.run(1.0)
    game.show(7, mLapStartET=160.0)
    game.run(1.0)
    assert game.spans() == [(100.0, 160.0)]


def test_a_start_that_moves_back_takes_no_time_from_the_lap_before(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(20.0)
    game.show(7, mLapStartET=130.0)
    game.run(20.0)
    game.end()
    assert game.spans() == [(100.0, 160.0), (160.0, 200.0)]


def test_unusual_bytes_of_enums_break_nothing(game: Game) -> None:
    game.show(7, mSector=55, mPitState=200, mFinishStatus=-7, mCountLapFlag=9)
    game.run(5.0)
    game.sector(7, 2, 5.0)
    game.run(5.0)
    game.cross(7)
    game.run(5.0)
    assert [one.finish_status for one in game.payloads("finish_status_changed")] == [-7]
    assert [lap.complete for lap in game.laps()] == [True]


def test_a_name_that_is_empty_for_a_moment_is_no_driver(game: Game) -> None:
    for name in (b"", b"A. Alder"):
        game.show(7, mDriverName=name)
        game.run(0.2)
    assert game.payloads("driver_changed") == []


def test_what_is_kept_of_a_car_does_not_grow(game: Game) -> None:
    sizes = []
    for _ in range(6):
        game.show(7, mInPits=True, mPitState=3)
        game.run(5.0)
        game.show(7, mInPits=False, mPitState=0)
        game.lap(7, 60.0)
        sizes.append(len(game.saved[7]))
    assert max(sizes[2:]) <= sizes[1] + 10


def test_names_may_be_in_the_old_code_page(game: Game) -> None:
    game.show(7, mDriverName="J. Öre".encode("cp1252"))
    game.run(0.2)
    assert [one.driver for one in game.payloads("driver_changed")] == ["J. Öre"]


def test_128_cars_are_followed() -> None:
    game = Game(100.0)
    for slot in range(128):
        game.join(slot, mPlace=slot + 1)
    game.see()
    game.lose(59.8)
    game.run(0.2)
    for slot in range(128):
        game.cross(slot)
    game.run(1.2)
    assert sorted(closed.lap.car for closed in game.payloads("lap_closed")) == list(range(128))


def test_a_recorder_killed_between_line_and_time_tells_the_lap_once(game: Game) -> None:
    game.run(60.0)
    game.cross(7)
    game.run(0.4)
    game.restart()
    game.lose(2.0)
    game.run(1.0)
    game.restart()
    game.run(1.0)
    assert [(lap.lap_time, lap.official) for lap in game.laps(7)] == [(60.0, True)]
    assert [one.car for one in game.payloads("car_joined")] == [7, 9]


def test_a_recorder_that_comes_late_takes_up_the_lap_where_the_game_says_it_began() -> None:
    game = Game(140.0)
    game.join(7, mTotalLaps=4, mLapStartET=100.0, mSector=0)
    game.run(20.0)
    game.cross(7)
    game.run(1.0)
    assert [(lap.start_time, lap.end_time, lap.complete) for lap in game.laps()] == [(100.0, 160.0, True)]
