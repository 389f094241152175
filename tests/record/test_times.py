"""Line, lap time, sectors, laps that do not count: what the game shows, and what is told of it."""

import pytest

from rig.v1 import lap_pb2
from tests.record.script import LENGTH_M, SESSION, Game

# Line crossed, and the lap time.


def test_line_crossed_the_lap_is_told_with_its_official_time_a_second_later(game: Game) -> None:
    game.lap(7, 60.0)
    assert game.laps() == []
    game.run(0.8)
    assert game.laps() == []
    game.run(0.2)
    assert game.laps() == [
        lap_pb2.Lap(
            kind=lap_pb2.LAP_KIND_LAP,
            car=7,
            index=1,
            number=4,
            stint=1,
            driver="A. Alder",
            vehicle="Norden GT #7",
            vehicle_class="GT",
            team="Norden",
            start_time=100.0,
            end_time=160.0,
            lap_time=60.0,
            official=True,
            sector1=20.0,
            sector2=20.0,
            sector3=20.0,
            valid=True,
            complete=True,
            place=2,
            front_compound="Soft",
            rear_compound="Soft",
            session=SESSION,
            track_length=LENGTH_M,
        )
    ]
    closed = game.events[-1]
    assert (closed.session, closed.session_time, closed.seq) == (SESSION, 161.0, 0)


def test_a_lap_ends_where_the_next_begins_to_the_precision_of_the_games_clock(game: Game) -> None:
    game.run(60.0)
    game.cross(7, at=159.8763)
    game.run(60.0)
    game.cross(7, at=219.9)
    game.run(1.2)
    assert game.spans() == [(100.0, 159.8763), (159.8763, 219.9)]
    assert [lap.lap_time for lap in game.laps()] == pytest.approx([59.8763, 60.0237])


def test_the_official_time_wins_over_the_difference_of_the_clocks(game: Game) -> None:
    game.run(60.0)
    game.cross(7, time=60.0123)
    game.run(1.2)
    (lap,) = game.laps()
    assert (lap.lap_time, lap.official, lap.end_time - lap.start_time) == (60.0123, True, 60.0)


def test_a_time_that_comes_late_is_still_the_official_one(game: Game) -> None:
    game.run(60.0)
    game.cross(7, time=None)
    game.run(7.0)
    assert game.laps() == []
    game.say(7, 60.0004, 20.0, 40.0)
    game.run(0.2)
    (lap,) = game.laps()
    assert (lap.lap_time, lap.valid, lap.sector2) == (60.0004, True, 20.0)


def test_without_any_time_the_lap_is_told_after_ten_seconds_by_the_clocks(game: Game) -> None:
    game.run(60.0)
    game.cross(7, time=None)
    game.run(9.8)
    assert game.laps() == []
    game.run(0.2)
    (lap,) = game.laps()
    assert (lap.lap_time, lap.official, lap.valid, lap.complete) == (60.0, False, False, True)


def test_the_time_of_the_lap_before_is_not_taken_for_this_one(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(58.0)
    game.cross(7, time=None)
    game.run(10.0)
    first, second = game.laps()
    assert (first.lap_time, first.official) == (60.0, True)
    assert (second.lap_time, second.official) == (58.0, False)
    assert not second.HasField("sector1")


def test_a_time_that_stands_within_a_millisecond_is_taken_though_it_did_not_change(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(60.0)
    game.cross(7, time=None)
    game.run(1.0)
    assert [(lap.lap_time, lap.official) for lap in game.laps()] == [(60.0, True)] * 2


def test_a_cut_decided_within_a_second_of_the_line_takes_the_time_away(game: Game) -> None:
    game.lap(7, 60.0)
    game.lap(7, 60.0)
    game.run(0.4)
    game.say(7, -1.0)
    game.run(0.6)
    first, second = game.laps()
    assert first.valid
    assert (second.valid, second.official, second.lap_time) == (False, False, 60.0)


def test_the_place_of_a_lap_is_the_one_at_the_line(game: Game) -> None:
    game.run(60.0)
    game.cross(7)
    game.show(7, mPlace=1)
    game.run(0.2)
    game.show(7, mPlace=3)
    game.run(1.0)
    assert [lap.place for lap in game.laps()] == [1]


# Sectors.


def test_sectors_are_told_with_their_splits_as_they_are_entered(game: Game) -> None:
    game.lap(7, 60.0)
    found = [(one.lap_index, one.sector, one.split_time) for one in game.payloads("sector_completed")]
    assert found == [(1, 1, 20.0), (1, 2, 40.0)]


def test_a_split_that_trails_the_sector_is_waited_for(game: Game) -> None:
    game.run(20.0)
    game.sector(7, 2)
    game.run(0.8)
    assert game.payloads("sector_completed") == []
    game.sector(7, 2, 20.0)
    game.run(0.2)
    assert [one.split_time for one in game.payloads("sector_completed")] == [20.0]


def test_a_split_that_is_withheld_is_told_without_a_time_after_a_second(game: Game) -> None:
    game.run(20.0)
    game.sector(7, 2, -1.0)
    game.run(1.0)
    assert game.payloads("sector_completed") == []
    game.run(0.2)
    (completed,) = game.payloads("sector_completed")
    assert not completed.HasField("split_time")


def test_sectors_of_a_lap_without_official_splits_are_those_seen_on_the_way(game: Game) -> None:
    game.run(20.0)
    game.sector(7, 2, 20.0)
    game.run(20.0)
    game.sector(7, 3, 40.5)
    game.run(20.0)
    game.cross(7, time=None)
    game.run(10.0)
    (lap,) = game.laps()
    assert (lap.sector1, lap.sector2, lap.sector3) == (20.0, 20.5, 19.5)


def test_a_first_split_that_nobody_saw_leaves_two_sectors_out(game: Game) -> None:
    game.run(40.0)
    game.sector(7, 3, 40.0)
    game.run(20.0)
    game.cross(7, time=None)
    game.run(10.0)
    (lap,) = game.laps()
    assert (lap.HasField("sector1"), lap.HasField("sector2"), lap.HasField("sector3")) == (False, False, True)
    assert lap.sector3 == 20.0


def test_a_split_still_waited_for_at_the_line_is_told_before_the_lap(game: Game) -> None:
    game.run(59.8)
    game.sector(7, 3)
    game.run(0.2)
    game.cross(7, time=-1.0)
    game.show(7, mCountLapFlag=1)
    game.run(11.0)
    assert game.kinds()[2:] == ["sector_completed"] * 2 + ["lap_invalidated", "lap_closed"]
    assert [one.lap_index for one in game.payloads("sector_completed")] == [1, 1]


# Invalid laps.


def test_a_lap_that_stops_to_count_is_told_at_once_and_stays_invalid(game: Game) -> None:
    game.run(20.0)
    game.show(7, mCountLapFlag=1)
    game.run(0.2)
    assert [one.lap_index for one in game.payloads("lap_invalidated")] == [1]
    game.show(7, mCountLapFlag=2)
    game.run(39.8)
    game.cross(7)
    game.run(0.2)
    (lap,) = game.laps()
    assert (lap.valid, lap.official, lap.lap_time) == (False, False, 60.0)
    assert len(game.payloads("lap_invalidated")) == 1


def test_an_invalid_lap_keeps_the_split_seen_before_it_was_taken_away(game: Game) -> None:
    game.run(20.0)
    game.sector(7, 2, 20.0)
    game.run(10.0)
    game.show(7, mCountLapFlag=1, mCurSector1=-1.0)
    game.run(30.0)
    game.cross(7, time=-1.0)
    game.run(0.2)
    (lap,) = game.laps()
    assert (lap.sector1, lap.HasField("sector2")) == (20.0, False)


def test_the_lap_after_an_invalid_one_counts_again(game: Game) -> None:
    game.run(20.0)
    game.show(7, mCountLapFlag=0)
    game.lap(7, 60.0, time=None)
    game.lap(7, 60.0)
    game.run(1.0)
    assert [lap.valid for lap in game.laps()] == [False, True]


def test_a_time_withheld_at_the_line_makes_the_lap_invalid_without_a_wait(game: Game) -> None:
    game.lap(7, 60.0)
    game.lap(7, 60.0, time=-1.0)
    game.run(1.0)
    assert [lap.valid for lap in game.laps()] == [True, False]
    assert game.laps()[1].lap_time == 60.0


def test_identical_consecutive_lap_times_are_two_laps(game: Game) -> None:
    for _ in range(3):
        game.lap(7, 60.0)
    game.run(1.0)
    found = [(lap.index, lap.number, lap.lap_time, lap.official) for lap in game.laps()]
    assert found == [(1, 4, 60.0, True), (2, 5, 60.0, True), (3, 6, 60.0, True)]
