"""How sessions end, and what they add up to for a driver."""

import pytest

from rig.v1 import lap_pb2, season_pb2, session_pb2
from riglap.season import season_sessions
from tests.riglap.season.driven import NAMED, QUALIFYING, driver_of, even, laps, race, season, session

A, B, C, D, *_ = NAMED
FINISHED, RETIRED = season_pb2.RESULT_STATUS_FINISHED, season_pb2.RESULT_STATUS_RETIRED


def test_a_race_goes_by_laps_then_by_time() -> None:
    times = {A: [100.0] * 4, B: [90.0] * 3, C: [99.0] * 4, D: [99.0, 99.0, 99.0, 100.5]}
    (told,) = season([race(times)]).rounds
    assert [car.driver for car in told.results] == [C, D, A, B]
    assert [car.laps_down for car in told.results] == [0, 0, 0, 1]
    assert [car.gap for car in told.results[:3]] == pytest.approx([0.0, 1.5, 4.0])
    assert [car.to_next for car in told.results[1:3]] == pytest.approx([1.5, 2.5])
    assert not told.results[3].HasField("gap")
    assert told.results[0].laps_led == 1  # B led the three before


def test_all_else_goes_by_the_best_lap() -> None:
    times = {A: [100.0, 98.0], B: [97.0, 99.0, 99.0], C: [96.5]}
    told = season([race(times, kind=QUALIFYING)], kind=QUALIFYING)
    assert [car.driver for car in told.rounds[0].results] == [C, B, A]
    assert [car.gap for car in told.rounds[0].results] == pytest.approx([0.0, 0.5, 1.5])
    assert not told.standings
    assert any("no points" in note for note in told.notes)


def test_places_within_classes_stand_beside_those_of_all() -> None:
    driven = [
        *laps(A, [90.0] * 3, 1, vehicle_class="LMP2"),
        *laps(B, [95.0] * 3, 2, vehicle_class="GT3"),
        *laps(C, [91.0] * 3, 3, vehicle_class="LMP2"),
        *laps(D, [96.0] * 3, 4, vehicle_class="GT3"),
    ]
    told = season([session(driven)])
    assert [(car.driver, car.place, car.class_place) for car in told.rounds[0].results] == [
        (A, 1, 1),
        (C, 2, 2),
        (B, 3, 1),
        (D, 4, 2),
    ]
    assert (driver_of(told, B).wins, driver_of(told, B).class_wins) == (0, 1)
    assert [(row.vehicle_class, row.driver, row.points) for row in told.standings] == [
        ("GT3", B, 25.0),
        ("GT3", D, 18.0),
        ("LMP2", A, 25.0),
        ("LMP2", C, 18.0),
    ]


@pytest.mark.parametrize("marked", [True, False])
def test_who_does_not_come_home_has_retired(marked: bool) -> None:
    times = {A: [100.0] * 8, B: [101.0] * 8, C: [100.0] * 3}
    driven = race(times).laps
    if marked:
        driven = tuple(lap._replace(chequered=lap.number == 8) for lap in driven)
    told = season([session(driven)])
    assert [car.status for car in told.rounds[0].results] == [FINISHED, FINISHED, RETIRED]
    assert driver_of(told, C).retirements == 1
    assert driver_of(told, C).rounds[0].retired


def test_everybody_who_drove_a_car_has_its_place() -> None:
    shared = laps(A, [100.0] * 3, 7) + [
        lap._replace(driver=B, number=lap.number + 3, end_time=lap.end_time + 300.0)
        for lap in laps(B, [99.0] * 3, 7)
    ]
    told = season([session(shared + laps(C, [101.0] * 6, 8))])
    assert list(told.rounds[0].results[0].drivers) == [A, B]
    assert told.rounds[0].results[0].driver == B
    assert [(driver_of(told, name).wins, driver_of(told, name).laps) for name in (A, B)] == [(1, 3), (1, 3)]
    assert {row.driver: row.points for row in told.standings} == {A: 25.0, B: 25.0, C: 18.0}


def test_the_qualifying_before_a_race_is_its_grid() -> None:
    grid = race({A: [90.0], C: [88.0], D: [89.0]}, nth=1, kind=QUALIFYING)
    elsewhere = race({B: [80.0]}, nth=1, track="Elsewhere", kind=QUALIFYING)
    told = season([grid, elsewhere, race({A: [100.0] * 3, B: [101.0] * 3, C: [102.0] * 3}, nth=2)])
    assert {car.driver: car.grid for car in told.rounds[0].results} == {A: 2, B: 0, C: 1}
    assert driver_of(told, A).places_gained == 1
    assert driver_of(told, C).places_gained == -2
    assert driver_of(told, C).poles == 1
    late = season([grid, race({A: [100.0] * 3, C: [102.0] * 3}, nth=9)])
    assert not any(car.grid for car in late.rounds[0].results)


def test_pace_is_of_flying_laps_within_107_percent_of_the_best() -> None:
    times = [110.0, 100.0, 101.0, 102.0, 101.0, 100.0, 108.0, 140.0]
    (driver,) = season([race({A: times})]).drivers
    told = driver.rounds[0]
    assert (told.laps, told.pace_laps) == (8, 5)
    assert (told.best, told.mean) == pytest.approx((100.0, 100.8))
    assert told.spread == pytest.approx(0.8366600265)


def test_an_incident_is_a_lap_that_was_lost_by_one_alone() -> None:
    paces = even([100.0, 101.0, 102.0, 103.0])
    for name in paces:
        paces[name][4] += 40.0  # a safety car of which nobody has told
    paces[A][7] += 12.0
    driven = race(paces).laps
    driven = tuple(lap._replace(valid=False) if (lap.driver, lap.number) == (B, 6) else lap for lap in driven)
    told = season([session(driven)])
    assert [driver_of(told, name).incidents for name in (A, B, C)] == [1, 1, 0]
    assert driver_of(told, A).rounds[0].slow_laps == 1
    assert driver_of(told, B).rounds[0].invalid_laps == 1
    under_yellow = tuple(lap._replace(green=lap.number != 8) for lap in race(paces).laps)
    assert driver_of(season([session(under_yellow)]), A).incidents == 0


def test_cars_stand_in_place_of_drivers() -> None:
    driven = race({A: [100.0] * 3, "#21.2": [101.0] * 3, C: [102.0] * 3}).laps
    numbered = tuple(lap._replace(car_number={A: "7", "#21.2": "21"}.get(lap.driver, "")) for lap in driven)
    told = season([session(numbered)], by_car=True)
    assert [car.driver for car in told.rounds[0].results] == ["#7", "#21.2", C]


def test_laps_of_the_index_become_a_season() -> None:
    name = "sessions/20261120-134500-meander-race-5f3a-1"
    one = session_pb2.Session(name=name, track_name="Meander", kind=session_pb2.SESSION_KIND_RACE, number=10)
    lap = lap_pb2.Lap(name=f"{name}/laps/car003-0001", car=3, driver=A, lap_time=90.0, end_time=95.0)
    lap.complete = lap.valid = True
    lap.pit_visits.add(enter_time=80.0, exit_time=92.5)
    piece = lap_pb2.Lap(name=f"{name}/laps/car003-0002", car=3, driver=A, end_time=120.0)
    (made,) = season_sessions([one], [lap, piece])
    assert (made.track, len(made.laps)) == ("Meander", 1)
    assert (made.laps[0].number, made.laps[0].pit_time, made.laps[0].flying) == (1, 12.5, True)
    lap.green = False
    assert not season_sessions([one], [lap])[0].laps[0].flying


def test_a_season_of_nothing_is_empty() -> None:
    told = season([])
    assert (told.laps, len(told.rounds), len(told.drivers), told.HasField("quality")) == (0, 0, 0, False)
