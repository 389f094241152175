"""What a season says of each driver."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

from rig.v1 import season_pb2
from riglap.season.drive import Drive
from riglap.season.factors import add_factors
from riglap.season.fields import grouped, mean

PODIUM: Final = 3
_LEAST_ROUNDS: Final = 4
"""Of a trend: a line through three says nothing."""
_SLOWEST: Final = 1e9


def season_drivers(rounds: Iterable[Sequence[Drive]]) -> list[season_pb2.SeasonDriver]:
    """Return the drivers by class, the fastest first."""
    rounds = list(rounds)
    every = [one for drives in rounds for one in drives]
    bests = _best_laps(rounds)
    drivers = [
        _driver(found, bests)
        for found in grouped(every, lambda one: (one.vehicle_class, one.driver)).values()
    ]
    for field in grouped(drivers, lambda one: one.vehicle_class).values():
        add_factors(field)
    return sorted(drivers, key=lambda one: (one.vehicle_class, _pace_gap(one), one.mean_finish, one.driver))


class Honours(NamedTuple):
    """Places of a driver in the class; of all where there are no classes."""

    wins: int
    podiums: int
    best: int
    mean: float


def honours(driver: season_pb2.SeasonDriver) -> Honours:
    """Return the places to show beside others of the class."""
    if not driver.HasField("mean_class_finish"):
        return Honours(driver.wins, driver.podiums, driver.best_finish, driver.mean_finish)
    best = min(one.class_place for one in driver.rounds if one.class_place)
    return Honours(driver.class_wins, driver.class_podiums, best, driver.mean_class_finish)


def _pace_gap(driver: season_pb2.SeasonDriver) -> float:
    return driver.pace_gap if driver.HasField("pace_gap") else _SLOWEST


def _best_laps(rounds: Iterable[Sequence[Drive]]) -> set[tuple[int, str, float]]:
    """Return round, class and time of the fastest laps."""
    return {
        (field[0].round.round, name, min(times))
        for drives in rounds
        for name, field in grouped(drives, lambda one: one.vehicle_class).items()
        if (times := [one.round.best for one in field if one.round.HasField("best")])
    }


def _driver(found: Sequence[Drive], bests: set[tuple[int, str, float]]) -> season_pb2.SeasonDriver:
    told = [one.round for one in found]
    driver = season_pb2.SeasonDriver(
        driver=found[0].driver,
        vehicle_class=found[0].vehicle_class,
        player=any(one.result.player for one in found),
        starts=len(found),
        wins=sum(one.place == 1 for one in told),
        podiums=sum(one.place <= PODIUM for one in told),
        class_wins=sum(one.class_place == 1 for one in told),
        class_podiums=sum(0 < one.class_place <= PODIUM for one in told),
        poles=sum(one.grid == 1 for one in told),
        fastest_laps=sum((one.round, found[0].vehicle_class, one.best) in bests for one in told),
        retirements=sum(one.retired for one in told),
        best_finish=min(one.place for one in told),
        mean_finish=sum(one.place for one in told) / len(told),
        mean_class_finish=mean(one.class_place for one in told if one.class_place),
        laps=sum(one.laps for one in told),
        laps_led=sum(one.result.laps_led for one in found),
        pace_laps=sum(one.pace_laps for one in told),
        places_gained=sum(one.gained for one in told),
        incidents=sum(one.invalid_laps + one.slow_laps for one in told),
        pit_time=sum(one.pit_time for one in told),
        rounds=told,
    )
    _add_pace(driver, [one.round for one in found if one.pace.telling])
    return driver


def _add_pace(driver: season_pb2.SeasonDriver, telling: Sequence[season_pb2.DriverRound]) -> None:
    """Add what rounds with enough laps at pace tell."""
    figures = {
        "pace_gap": mean(one.pace_gap for one in telling),
        "best_gap": mean(one.best_gap for one in driver.rounds if one.HasField("best_gap")),
        "spread": mean(one.spread for one in telling),
        "spread_percent": mean(100.0 * one.spread / one.mean for one in telling),
        "trend": _trend([one.pace_gap for one in telling]),
    }
    for name, value in figures.items():
        if value is not None:
            setattr(driver, name, value)


def _trend(gaps: Sequence[float]) -> float | None:
    """Return the median slope between any two rounds, which one bad race does not turn."""
    if len(gaps) < _LEAST_ROUNDS:
        return None
    return median((b - a) / (later - at) for (at, a), (later, b) in combinations(enumerate(gaps), 2))
