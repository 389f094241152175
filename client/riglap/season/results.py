"""How a session ended: places, gaps, who retired. The warehouse's RESULTS_V says the same of the same laps.

A car of a race has retired when it did not take the chequered flag. Where the timekeeper has marked any lap
with the flag a car without such a lap did not take it. Where there are no marks a car has retired when it did
not cross the line for two of its usual laps before the first car's last crossing. Retired cars keep their
place by laps and time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

from rig.v1 import season_pb2
from riglap.season.laps import SeasonLap, SeasonSession

_USUAL_LAPS: Final = 2
_NO_TIME: Final = 1e9
"""Behind every car with a time [s]."""


def results(session: SeasonSession, grid: Mapping[str, int]) -> list[season_pb2.SessionResult]:
    """Return the cars in their order; `grid` has places in qualifying by driver."""
    cars = [_result(session, laps) for laps in session.cars.values()]
    cars.sort(key=_order(session))
    most = max((car.laps for car in cars), default=0)
    for place, car in enumerate(cars, start=1):
        car.place, car.laps_down = place, most - car.laps
    _class_places(cars)
    _grid_places(cars, grid)
    _gaps(session, cars)
    if session.race:
        _statuses(session, cars)
    return cars


def _result(session: SeasonSession, laps: Sequence[SeasonLap]) -> season_pb2.SessionResult:
    counted = [lap for lap in laps if lap.valid]
    best = min(counted, key=lambda lap: lap.lap_time, default=None)
    return season_pb2.SessionResult(
        car=laps[0].car,
        car_number=max(lap.car_number for lap in laps),
        driver=laps[-1].driver,
        drivers=dict.fromkeys(lap.driver for lap in laps),
        vehicle_class=max(lap.vehicle_class for lap in laps),
        team=max(lap.team for lap in laps),
        laps=max(lap.number for lap in laps),
        total_time=laps[-1].end_time,
        best=best and best.lap_time,
        best_lap_number=best and best.number,
        laps_led=sum(session.places[lap.car, lap.number] == 1 for lap in laps),
        pit_visits=sum(lap.pit_visits for lap in laps),
        pit_time=sum(lap.pit_time for lap in laps),
        player=any(lap.player for lap in laps),
    )


def _order(session: SeasonSession) -> Callable[[season_pb2.SessionResult], tuple[float, ...]]:
    if session.race:
        return lambda car: (-car.laps, car.total_time, car.car)
    return lambda car: (car.best if car.HasField("best") else _NO_TIME, car.car)


def _class_places(cars: Sequence[season_pb2.SessionResult]) -> None:
    seen: Counter[str] = Counter()
    for car in cars:
        if car.vehicle_class:
            seen[car.vehicle_class] += 1
            car.class_place = seen[car.vehicle_class]


def _grid_places(cars: Sequence[season_pb2.SessionResult], grid: Mapping[str, int]) -> None:
    """Number the cars of the race that were in qualifying from 1."""
    of_car = {
        car.car: min(grid[driver] for driver in car.drivers if driver in grid)
        for car in cars
        if not grid.keys().isdisjoint(car.drivers)
    }
    order = sorted(of_car, key=lambda car: of_car[car])
    for car in cars:
        car.grid = order.index(car.car) + 1 if car.car in of_car else 0


def _gaps(session: SeasonSession, cars: Sequence[season_pb2.SessionResult]) -> None:
    first = cars[0]
    for before, car in zip([None, *cars], cars, strict=False):
        if session.race:
            if car.laps == first.laps:
                car.gap = car.total_time - first.total_time
            if before and before.laps == car.laps:
                car.to_next = car.total_time - before.total_time
        elif car.HasField("best"):
            car.gap = car.best - first.best
            if before:
                car.to_next = car.best - before.best


def _statuses(session: SeasonSession, cars: Sequence[season_pb2.SessionResult]) -> None:
    marked = any(lap.chequered for lap in session.laps)
    winner = cars[0]
    for car in cars:
        laps = session.cars[car.car]
        if marked:
            retired = not any(lap.chequered for lap in laps)
        else:
            usual = median(lap.lap_time for lap in laps)
            retired = car.total_time + _USUAL_LAPS * usual < winner.total_time
        car.status = season_pb2.RESULT_STATUS_RETIRED if retired else season_pb2.RESULT_STATUS_FINISHED
