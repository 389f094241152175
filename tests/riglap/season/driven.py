"""Seasons that tests drive: every lap time is known, and so is who must be first."""

from collections.abc import Mapping, Sequence

from rig.v1 import season_pb2, session_pb2
from riglap.season import SeasonLap, SeasonSession, season
from riglap.season.factors import NAMES

NAMED = ("A. Alder", "B. Birch", "C. Cedar", "D. Dogwood", "E. Elm", "F. Fir")
RACE = session_pb2.SESSION_KIND_RACE
QUALIFYING = session_pb2.SESSION_KIND_QUALIFYING
DAY_NS = 86_400_000_000_000
FIRST_NS = 1_795_182_300_000_000_000


def laps(driver: str, times: Sequence[float], car: int, **more: object) -> list[SeasonLap]:
    """The laps of a driver, one after the other from 0 s on; `more` is of every lap."""
    ends = [sum(times[: at + 1]) for at in range(len(times))]
    return [
        SeasonLap(car=car, number=at + 1, driver=driver, lap_time=time, end_time=end, **more)  # type: ignore[arg-type]
        for at, (time, end) in enumerate(zip(times, ends, strict=True))
    ]


def session(
    driven: Sequence[SeasonLap], nth: int = 1, track: str = "Meander Valley", kind: int = RACE
) -> SeasonSession:
    """The nth session, a day after the one before."""
    name = f"sessions/202611{nth:02d}-120000-meander-{kind}-5f3a-{nth}"
    number = 10 if kind == RACE else 5
    return SeasonSession(name, track, kind, number, FIRST_NS + nth * DAY_NS, tuple(driven))


def race(
    times: Mapping[str, Sequence[float]],
    nth: int = 1,
    track: str = "Meander Valley",
    kind: int = RACE,
    **more: object,
) -> SeasonSession:
    """A session of one class, cars in the order of the drivers."""
    more = {"vehicle_class": "GT3"} | more
    driven = [
        lap for car, (driver, own) in enumerate(times.items()) for lap in laps(driver, own, car, **more)
    ]
    return session(driven, nth, track, kind)


def driver_of(told: season_pb2.Season, name: str) -> season_pb2.SeasonDriver:
    """What is told of a driver."""
    (found,) = (one for one in told.drivers if one.driver == name)
    return found


def factor(told: season_pb2.Season, name: str, driver: str) -> float:
    """A factor of a driver, -1 where there is none."""
    found = driver_of(told, driver).factors[NAMES.index(name)]
    return found.score if found.HasField("score") else -1.0


def order(told: season_pb2.Season, name: str) -> list[str]:
    """Drivers by a factor, the best first."""
    return sorted((one.driver for one in told.drivers), key=lambda one: -factor(told, name, one))


def even(paces: Sequence[float], count: int = 12) -> dict[str, list[float]]:
    """Everybody's laps, a tenth up and down around their pace; the first one is slower."""
    return {
        name: [pace + 8.0 + at, *(pace + (0.1 if lap % 2 else -0.1) for lap in range(count - 1))]
        for at, (name, pace) in enumerate(zip(NAMED, paces, strict=False))
    }


__all__ = ["NAMED", "QUALIFYING", "RACE", "driver_of", "even", "factor", "laps", "order", "race", "season"]
