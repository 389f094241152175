"""Factors from 0 to 100: how much of the field of the class a driver beats in one respect.

Each part is a figure of the season; its score is the share of the class that is worse in it, ties half, times
100. A factor is the mean of its parts, weighted:

    pace          0.6 race pace     mean gap of the laps at pace to the class's best of the session [%]
                  0.4 best lap      mean gap of the best lap to the class's best [%]
    consistency   0.7 spread        mean standard deviation of the laps at pace [% of the lap time]
                  0.3 at pace       share of the flying laps within 107 % of the own best [%]
    racecraft     0.5 beyond pace   places in the class better than the order of the mean pace
                  0.3 gained        places gained from the end of lap 3 to the finish
                  0.2 incidents     laps that did not count or were lost, in a hundred
    tyre care     1.0 fade          mean growth of the lap time within stints, less the class's median [%/lap]
    starts        1.0 gained        places gained up to the end of lap 3, from the grid; where that is not
                                    known from the end of lap 1

Places are counted against what the class gains from such a place on average, which a line through all its
races says: who leads can gain none, who is last can lose none. Races that were not finished count in neither
part of racecraft that is of places: a broken car is not the driver's craft. A part that is not known leaves
its weight to the others. A factor takes two drivers, and of its driver ten laps at pace.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from rig.v1 import season_pb2
from riglap.season.fields import mean, scores

LEAST_LAPS: Final = 10
"""Laps at pace of the season that a factor takes."""

PACE: Final = "pace"
CONSISTENCY: Final = "consistency"
RACECRAFT: Final = "racecraft"
TYRE_CARE: Final = "tyre care"
STARTS: Final = "starts"
NAMES: Final = (PACE, CONSISTENCY, RACECRAFT, TYRE_CARE, STARTS)

Driver = season_pb2.SeasonDriver


Values = dict[int, float]
"""Figures by the position of their driver in the field."""


class _Part(NamedTuple):
    factor: str
    name: str
    weight: float
    unit: str
    less_is_better: bool
    values: Callable[[Mapping[int, Driver]], Values]


def _each(value: Callable[[Driver], float | None]) -> Callable[[Mapping[int, Driver]], Values]:
    """Return the figures that every driver has by itself."""
    return lambda field: {at: told for at, one in field.items() if (told := value(one)) is not None}


def _of_driver(name: str) -> Callable[[Mapping[int, Driver]], Values]:
    return _each(lambda driver: getattr(driver, name) if driver.HasField(name) else None)  # type: ignore[arg-type]


def _of_rounds(name: str) -> Callable[[Mapping[int, Driver]], Values]:
    return _each(lambda driver: mean(getattr(one, name) for one in driver.rounds if one.HasField(name)))  # type: ignore[arg-type]


def _at_pace(driver: Driver) -> float | None:
    flying = driver.pace_laps + sum(one.slow_laps for one in driver.rounds)
    return 100.0 * driver.pace_laps / flying if flying else None


def _incidents(driver: Driver) -> float | None:
    return 100.0 * driver.incidents / driver.laps if driver.laps else None


def _gained(
    name: str, began: Callable[[season_pb2.DriverRound], float]
) -> Callable[[Mapping[int, Driver]], Values]:
    """Return mean gains of places, against what the class gains from the place where each `began`."""

    def values(field: Mapping[int, Driver]) -> Values:
        rows = [
            (at, began(one), float(getattr(one, name)))
            for at, driver in field.items()
            for one in driver.rounds
            if one.HasField(name)  # type: ignore[arg-type]
        ]
        return _against_line(rows)

    return values


def _against_line(rows: Sequence[tuple[int, float, float]]) -> Values:
    """Return the mean over each driver's rows of the gain, less that of a line through all rows."""
    if not rows:
        return {}
    drivers, began, gains = (np.array(column) for column in zip(*rows, strict=True))
    apart = began - began.mean()
    slope = float(apart @ gains) / float(apart @ apart) if apart.any() else 0.0
    over = gains - gains.mean() - slope * apart
    return {int(at): float(over[drivers == at].mean()) for at in np.unique(drivers)}


_PARTS: Final = (
    _Part(PACE, "race pace", 0.6, "%", True, _of_driver("pace_gap")),
    _Part(PACE, "best lap", 0.4, "%", True, _of_driver("best_gap")),
    _Part(CONSISTENCY, "spread", 0.7, "%", True, _of_driver("spread_percent")),
    _Part(CONSISTENCY, "at pace", 0.3, "%", False, _each(_at_pace)),
    _Part(
        RACECRAFT,
        "beyond pace",
        0.5,
        "places",
        False,
        _gained("beyond_pace", lambda one: one.class_place + one.beyond_pace),
    ),
    _Part(
        RACECRAFT,
        "gained",
        0.3,
        "places",
        False,
        _gained("gained_later", lambda one: one.place + one.gained_later),
    ),
    _Part(RACECRAFT, "incidents", 0.2, "per 100 laps", True, _each(_incidents)),
    _Part(TYRE_CARE, "fade", 1.0, "%/lap", True, _of_rounds("fade")),
    _Part(
        STARTS, "gained", 1.0, "places", False, _gained("gained_at_start", lambda one: one.place + one.gained)
    ),
)


def add_factors(field: Sequence[Driver]) -> None:
    """Add the factors to the drivers of one class."""
    judged = {at: driver for at, driver in enumerate(field) if driver.pace_laps >= LEAST_LAPS}
    found = [(part, part.values(judged)) for part in _PARTS]
    scored = [(part, values, scores(values, less_is_better=part.less_is_better)) for part, values in found]
    for at, driver in enumerate(field):
        own = [(part, values.get(at), score.get(at)) for part, values, score in scored]
        driver.factors.extend(_factor(name, [one for one in own if one[0].factor == name]) for name in NAMES)


def _factor(name: str, found: Iterable[tuple[_Part, float | None, float | None]]) -> season_pb2.Factor:
    parts = list(found)
    whole = sum(part.weight for part, _, score in parts if score is not None)
    told = [
        season_pb2.FactorPart(
            name=part.name,
            value=value,
            unit=part.unit,
            score=score,
            weight=0.0 if score is None else part.weight / whole,
            brings=0.0 if score is None else score * part.weight / whole,
        )
        for part, value, score in parts
    ]
    total = sum(part.brings for part in told)
    return season_pb2.Factor(name=name, score=total if whole else None, parts=told)
