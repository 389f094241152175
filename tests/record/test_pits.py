"""Pit lane, stints, tyres, garage, teleport and green flag: what the game shows, and what is told of it."""

from rig.v1 import lap_pb2
from tests.record.script import Game

# Pits.


def test_pit_lane_entered_stopped_and_left(game: Game) -> None:
    game.run(50.0)
    game.show(7, mInPits=True, mPitState=2)
    game.run(10.0)
    game.show(7, mPitState=3)
    game.stand(7)
    game.run(20.0)
    game.show(7, mPitState=4, mNumPitstops=1)
    game.drive(7)
    game.run(5.0)
    game.show(7, mPitState=0, mInPits=False)
    game.run(1.2)
    assert [one.enter_time for one in game.payloads("pit_entered")] == [150.2]
    assert [one.stop_time for one in game.payloads("pit_stopped")] == [160.2]
    assert [one.visit for one in game.payloads("pit_exited")] == [
        lap_pb2.PitVisit(enter_time=150.2, stop_time=160.2, exit_time=185.2)
    ]


def test_a_flag_that_flickers_is_no_stay(game: Game) -> None:
    for inside in (True, False) * 5:
        game.show(7, mInPits=inside)
        game.run(1.8 if inside else 1.2)
    assert game.payloads("pit_entered") == game.payloads("pit_exited") == []


def test_a_flag_that_drops_shortly_does_not_end_a_stay_and_keeps_its_beginning(game: Game) -> None:
    for inside in (True, False, True, False, True):
        game.show(7, mInPits=inside)
        game.run(0.8)
    game.show(7, mInPits=False)
    game.run(2.0)
    assert [one.enter_time for one in game.payloads("pit_entered")] == [100.2]
    assert [one.visit.exit_time for one in game.payloads("pit_exited")] == [104.2]


def test_a_stay_is_told_after_two_seconds_with_the_clock_of_its_first_update(game: Game) -> None:
    game.show(7, mInPits=True)
    game.run(2.0)
    assert game.payloads("pit_entered") == []
    game.run(0.2)
    assert [one.enter_time for one in game.payloads("pit_entered")] == [100.2]
    assert game.events[-1].session_time == 102.2


def test_a_stop_known_by_its_count_alone_is_told(game: Game) -> None:
    game.show(7, mInPits=True)
    game.run(5.0)
    game.show(7, mNumPitstops=1)
    game.run(5.0)
    assert [one.stop_time for one in game.payloads("pit_stopped")] == [105.2]


def test_laps_before_in_and_after_the_pits_say_so(game: Game) -> None:
    game.lap(7, 60.0)
    game.run(58.0)
    game.show(7, mInPits=True, mPitState=2)
    game.run(2.0)
    game.cross(7)  # the line runs through the pit lane
    game.run(20.0)
    game.show(7, mInPits=False, mPitState=0)
    game.run(40.0)
    game.cross(7)
    game.lap(7, 60.0)
    game.run(1.0)
    found = [(lap.out_lap, lap.in_lap, len(lap.pit_visits)) for lap in game.laps()]
    assert found == [(False, False, 0), (False, True, 1), (True, False, 1), (False, False, 0)]
    assert game.laps()[2].pit_visits[0].exit_time == 240.2


def test_a_lap_that_ends_in_a_stay_not_yet_sure_waits_until_it_is(game: Game) -> None:
    game.show(7, mCountLapFlag=1)  # an invalid lap has nothing else to wait for
    game.run(59.0)
    game.show(7, mInPits=True)
    game.run(1.0)
    game.cross(7, time=-1.0)
    game.run(1.0)
    assert game.laps() == []
    game.run(0.2)
    assert [lap.in_lap for lap in game.laps()] == [True]


def test_a_new_stint_begins_after_a_stop_not_after_driving_through(game: Game) -> None:
    for state in (2, 3):
        game.lap(7, 60.0)
        game.show(7, mInPits=True, mPitState=state)
        game.run(10.0)
        game.show(7, mInPits=False, mPitState=0)
        game.run(2.0)
    assert [(one.stint, one.driver) for one in game.payloads("stint_started")] == [
        (1, "A. Alder"),
        (2, "A. Alder"),
    ]
    assert [(one.stint, one.laps) for one in game.payloads("stint_ended")] == [(1, 2)]
    game.lap(7, 60.0)
    game.run(1.0)
    assert [lap.stint for lap in game.laps()] == [1, 1, 2]


def test_the_compound_is_the_one_outside_the_pits(game: Game) -> None:
    game.run(60.0)
    game.show(7, mInPits=True, mPitState=2)
    game.cross(7)
    game.tyres[7] = ("Wet", "Hard")  # the index runs through all of them
    game.run(20.0)
    game.tyres[7] = ("Medium", "Hard")
    game.show(7, mInPits=False, mPitState=0)
    game.run(1.2)
    game.tyres[7] = ("Wet", "Wet")
    game.run(40.0)
    game.cross(7)
    game.run(1.2)
    found = [(lap.front_compound, lap.rear_compound) for lap in game.laps()]
    assert found == [("Soft", "Soft"), ("Medium", "Hard")]


def test_the_compound_of_a_lap_all_in_the_pits_is_that_at_its_end(game: Game) -> None:
    game.show(7, mInPits=True, mPitState=2)
    game.run(1.0)
    game.cross(7)
    game.run(30.0)
    game.tyres[7] = ("Wet", "Wet")
    game.cross(7)
    game.run(1.2)
    assert [lap.front_compound for lap in game.laps()] == ["Soft", "Wet"]


# Garage, teleport, green flag, restart of a lap.


def test_escape_to_the_garage_ends_the_lap_as_a_piece(game: Game) -> None:
    game.run(30.0)
    game.show(7, mInGarageStall=True, mInPits=True, mSector=0, mLapDist=10.0)
    game.stand(7)
    game.run(60.0)
    (piece,) = game.laps()
    assert (piece.start_time, piece.end_time) == (100.0, 130.2)
    assert (piece.complete, piece.in_lap, piece.valid) == (False, True, False)
    assert not piece.HasField("lap_time")
    assert [one.inside for one in game.payloads("garage_changed")] == [True]
    assert [one.stint for one in game.payloads("stint_ended")] == [1]


def test_out_of_the_garage_begins_an_out_lap_and_a_stint(game: Game) -> None:
    game.run(30.0)
    game.show(7, mInGarageStall=True, mInPits=True)
    game.run(60.0)
    game.show(7, mInGarageStall=False)
    game.run(20.0)
    game.show(7, mInPits=False)
    game.run(70.0)
    game.cross(7, time=-1.0)
    game.lap(7, 60.0)
    game.run(1.0)
    found = [(lap.index, lap.stint, lap.complete, lap.out_lap) for lap in game.laps()]
    assert found == [(1, 1, False, False), (2, 2, False, True), (3, 2, True, False)]
    assert game.spans() == [(100.0, 130.2), (190.2, 280.0), (280.0, 340.0)]


def test_the_garage_lets_a_lap_begin_where_the_game_says_if_that_is_later(game: Game) -> None:
    game.show(7, mInGarageStall=True)
    game.run(10.0)
    game.show(7, mInGarageStall=False, mLapStartET=110.5)
    game.run(50.0)
    game.cross(7)
    game.run(1.2)
    assert game.spans() == [(100.0, 100.2), (110.5, 160.0)]


def test_a_car_that_waits_in_its_garage_has_no_lap() -> None:
    game = Game(100.0)
    game.join(7, mInGarageStall=True, mInPits=True)
    game.stand(7)
    game.run(60.0)
    game.end()
    assert game.laps() == game.payloads("stint_started") == []


def test_a_teleport_on_the_track_ends_the_lap_as_a_piece_and_begins_another(game: Game) -> None:
    game.run(30.0)
    game.show(7, mLapStartET=130.1, mSector=2)
    game.run(30.0)
    game.cross(7, time=-1.0)
    game.run(1.2)
    assert game.spans() == [(100.0, 130.1), (130.1, 160.0)]
    assert [(lap.complete, lap.number, lap.index) for lap in game.laps()] == [(False, 4, 1), (False, 4, 2)]


def test_green_flag_the_race_begins_the_first_lap_and_the_grid_is_none() -> None:
    game = Game(1.0)
    game.join(7, mLapStartET=0.0)
    game.stand(7)
    game.run(7.0)
    game.show(7, mLapStartET=8.05)
    game.drive(7)
    game.run(62.0)
    game.cross(7, time=61.95, at=70.0)
    game.run(1.0)
    (lap,) = game.laps()
    assert (lap.index, lap.number, lap.start_time, lap.end_time) == (1, 0, 8.05, 70.0)
    assert (lap.complete, lap.valid, lap.lap_time) == (True, True, 61.95)


def test_green_flag_after_a_formation_lap_leaves_that_as_a_piece() -> None:
    game = Game(1.0)
    game.join(7, mLapStartET=0.0)
    game.run(90.0)
    game.show(7, mLapStartET=91.0)
    game.lap(7, 60.0)
    game.run(1.0)
    assert [(lap.index, lap.number, lap.complete) for lap in game.laps()] == [(1, 0, False), (2, 0, True)]
    assert game.spans() == [(0.0, 91.0), (91.0, 151.0)]


def test_a_first_lap_out_of_the_pits_is_not_from_line_to_line() -> None:
    for moves in (False, True):
        game = Game(100.0)
        game.join(7, mInPits=True)
        game.run(20.0)
        if moves:
            game.show(7, mLapStartET=120.0)
            game.run(5.0)
        game.show(7, mInPits=False)
        game.run(40.0)
        game.cross(7)
        game.run(2.0)
        assert [(lap.complete, lap.valid) for lap in game.laps()] == [(False, False)] * (1 + moves)


def test_who_crosses_the_line_drove_even_if_no_update_showed_it(game: Game) -> None:
    game.show(7, mInGarageStall=True)
    game.stand(7)
    game.run(5.0)
    game.show(7, mInGarageStall=False)
    game.run(0.2)
    game.lose(40.0)
    game.cross(7)
    game.run(0.2)
    game.show(7, mInGarageStall=True)
    game.run(2.0)
    assert game.spans() == [(100.0, 100.2), (105.2, 145.2), (145.2, 145.6)]
