"""A season out of a warehouse, and what its views say of the same laps, in every kind of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.v1 import season_pb2, session_pb2
from rigclient.warehouse import Destination, loading, schema, tables
from rigclient.warehouse.questions.season import sessions_of
from rigclient.warehouse.spool import Spool
from riglap.season import SeasonLap, SeasonSession, season
from tests.riglap.season.driven import NAMED, QUALIFYING, even, laps, race, session
from tests.warehouse.empty import EmptyWarehouse

RIG = "a1b2"
KINDS: dict[int, str] = {QUALIFYING: "qualifying", session_pb2.SESSION_KIND_RACE: "race"}
A, B, C, D, *_ = NAMED


def raced() -> list[SeasonSession]:
    """Two races with their qualifying: classes, a shared car, a retired one, yellows, pits, flags."""
    first = race(even([100.0, 101.0, 102.0, 103.0]), 2).laps
    marked = [
        lap._replace(chequered=lap.number == 12 and lap.driver != D, green=lap.number != 5) for lap in first
    ]
    stopped = [
        lap._replace(through_pits=True, pit_visits=1, pit_time=31.5)
        if (lap.driver, lap.number) == (B, 7)
        else lap
        for lap in marked
    ]
    mixed = [
        *laps(A, [90.0, *[88.0 + 0.1 * lap for lap in range(9)]], 1, vehicle_class="LMP2", car_number="7"),
        *(lap._replace(valid=lap.number != 4) for lap in laps(B, [97.0] * 9, 2, vehicle_class="GT3")),
        *laps(C, [96.0] * 4, 3, vehicle_class="GT3"),
        *(
            lap._replace(number=lap.number + 4, end_time=lap.end_time + 384.0)
            for lap in laps(D, [96.5] * 4, 3, vehicle_class="GT3")
        ),
        *laps(NAMED[4], [95.0] * 3, 4, vehicle_class="GT3", player=True),
    ]
    return [
        race({A: [92.0], B: [91.0]}, 1, kind=QUALIFYING),
        session(stopped, 2),
        session(mixed, 3, "Harbour"),
    ]


def load(there: Destination, folder: Path, sessions: list[SeasonSession]) -> None:
    spool = Spool(folder)
    spool.put(tables.SESSIONS, map(_session, sessions))
    spool.put(tables.LAPS, [_lap(one, lap) for one in sessions for lap in one.laps])
    loading.load(there, loading.Load(spool.id, RIG, "laps", 0, 1, spool.parts()))


def _session(one: SeasonSession) -> dict[str, Any]:
    return {
        "RIG_ID": RIG,
        "SESSION": one.name.removeprefix("sessions/"),
        "TRACK": one.track,
        "KIND": KINDS[one.kind],
        "SESSION_NUMBER": one.number,
        "SOURCE": "demo",
        "START_TIME_NS": one.start_time_ns,
    }


def _lap(one: SeasonSession, lap: SeasonLap) -> dict[str, Any]:
    return {
        "RIG_ID": RIG,
        "SESSION": one.name.removeprefix("sessions/"),
        "LAP": f"car{lap.car:03d}-{lap.number:04d}",
        "KIND": "lap",
        "CAR": lap.car,
        "CAR_NUMBER": lap.car_number or None,
        "LAP_INDEX": lap.number,
        "LAP_NUMBER": lap.number - 1,
        "STINT": lap.stint,
        "DRIVER": lap.driver,
        "VEHICLE_CLASS": lap.vehicle_class,
        "TRACK": one.track,
        "END_TIME": lap.end_time,
        "LAP_TIME": lap.lap_time,
        "VALID": lap.valid,
        "COMPLETE": True,
        "OUT_LAP": False,
        "IN_LAP": lap.through_pits,
        "GREEN": lap.green,
        "FLAG": "FF" if lap.chequered else None,
        "PIT_VISITS": lap.pit_visits,
        "PIT_TIME": lap.pit_time,
        "PLAYER": lap.player,
        "SAMPLES": 0,
        "DIGEST": "0" * 16,
    }


@pytest.fixture
def filled(warehouse: EmptyWarehouse, tmp_path: Path) -> Iterator[Destination]:
    with warehouse.open() as there:
        schema.prepare(there)
        load(there, tmp_path / "spool", raced())
        yield there


def test_a_warehouse_gives_the_season_and_its_views_say_the_same(filled: Destination) -> None:
    expected = season(raced())
    found = season(sessions_of(filled, season_pb2.SeasonFilter()))
    assert found == expected
    assert [car.grid for car in found.rounds[0].results] == [2, 1, 0, 0]
    assert _results(filled) == [_told(one, car) for one in expected.rounds for car in one.results]
    assert _drivers(filled) == {
        (one.driver, one.vehicle_class): (
            (one.starts, one.wins, one.podiums, one.class_wins, one.class_podiums, one.retirements),
            (one.best_finish, one.mean_finish, one.mean_class_finish, one.laps, one.laps_led, one.pace_laps),
        )
        for one in expected.drivers
    }
    _filters(filled)


def _filters(there: Destination) -> None:
    def rounds(**words: Any) -> list[str]:
        wanted = season_pb2.SeasonFilter(**words)
        return [one.track_name for one in season(sessions_of(there, wanted)).rounds]

    assert rounds(track="harb") == ["Harbour"]
    assert rounds(sessions=["5f3a-2"]) == ["Meander Valley"]
    assert rounds(from_time_ns=raced()[2].start_time_ns) == ["Harbour"]
    assert rounds(until_time_ns=raced()[2].start_time_ns) == ["Meander Valley"]
    assert rounds(source=session_pb2.SESSION_SOURCE_LIVE) == []
    assert rounds(vehicle_class="lmp", source=session_pb2.SESSION_SOURCE_DEMO) == ["Harbour"]


def _results(there: Destination) -> list[tuple[Any, ...]]:
    sql = (
        "SELECT SESSION, CAR, DRIVER, PLACE, CLASS_PLACE, RETIRED, LAPS, LAPS_DOWN, TOTAL_TIME, GAP, "
        "TO_NEXT, BEST, LAPS_LED, PIT_VISITS FROM SEASON_RESULTS_V ORDER BY SESSION, PLACE"
    )
    return [_rounded(row) for row in there.rows(sql)]


def _told(one: season_pb2.SeasonRound, car: season_pb2.SessionResult) -> tuple[Any, ...]:
    def known(name: str) -> Any:
        return getattr(car, name) if car.HasField(name) else None  # type: ignore[arg-type]

    return _rounded(
        (
            one.session.removeprefix("sessions/"),
            *(
                car.car,
                car.driver,
                car.place,
                car.class_place,
                car.status == season_pb2.RESULT_STATUS_RETIRED,
            ),
            *(car.laps, car.laps_down, car.total_time, known("gap"), known("to_next"), known("best")),
            *(car.laps_led, car.pit_visits),
        )
    )


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(round(value, 6) if isinstance(value, float) else value for value in row)


def _drivers(there: Destination) -> dict[tuple[str, str], tuple[tuple[Any, ...], tuple[Any, ...]]]:
    sql = (
        "SELECT DRIVER, VEHICLE_CLASS, STARTS, WINS, PODIUMS, CLASS_WINS, CLASS_PODIUMS, RETIREMENTS, "
        "BEST_FINISH, MEAN_FINISH, MEAN_CLASS_FINISH, LAPS, LAPS_LED, PACE_LAPS FROM SEASON_DRIVERS_V"
    )
    return {row[:2]: (row[2:8], tuple(map(float, row[8:]))) for row in there.rows(sql)}
