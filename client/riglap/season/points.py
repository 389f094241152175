"""How places become points, and points a championship."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rig.errors import BadRequest
from rig.v1 import season_pb2
from riglap.season.drive import Drive
from riglap.season.fields import grouped

_TEN: Final = (25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0)
_CLASSIFIED: Final = 0.75
DEFAULT: Final = "default"
PRESETS: Final = {
    rule.name: rule
    for rule in (
        season_pb2.PointsRule(name=DEFAULT, points=_TEN, by_class=True, classified=_CLASSIFIED),
        season_pb2.PointsRule(
            name="f1", points=_TEN, fastest_lap=1, fastest_lap_places=10, by_class=True, classified=0.9
        ),
        season_pb2.PointsRule(
            name="motogp",
            points=(25, 20, 16, 13, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1),
            by_class=True,
            classified=_CLASSIFIED,
        ),
        season_pb2.PointsRule(
            name="indycar",
            points=(50, 40, 35, 32, 30, 28, 26, 24, 22, 20, *range(19, 4, -1)),
            pole=1,
            by_class=True,
        ),
    )
}
"""Rules by name. The default is the ten places of Formula 1 without its extras; f1 adds the point for the
fastest lap, as from 2019 to 2024.
"""
MOST_PLACES: Final = 100
_MOST_POINTS: Final = 1e6


def preset(name: str) -> season_pb2.PointsRule:
    """Return a rule by its name. Raises BadRequest."""
    if name not in PRESETS:
        raise BadRequest(f"there is no points rule {name!r}", hint=f"{', '.join(PRESETS)}, or a TOML file")
    return PRESETS[name]


def check(rule: season_pb2.PointsRule) -> None:
    """Raise BadRequest for a rule by which nobody can count."""
    if not 0 < len(rule.points) <= MOST_PLACES:
        raise BadRequest(
            f"points of {len(rule.points)} places", hint=f"from 1 to {MOST_PLACES}, the first place first"
        )
    for name, value in (("pole", rule.pole), ("fastest_lap", rule.fastest_lap), *_named(rule)):
        if not (math.isfinite(value) and 0.0 <= value <= _MOST_POINTS):
            raise BadRequest(f"{name} is {value:g}", hint=f"from 0 to {_MOST_POINTS:g} points")
    if not 0.0 <= rule.classified <= 1.0:
        raise BadRequest(f"classified is {rule.classified:g}", hint="a share of the winner's laps, 0 to 1")


def _named(rule: season_pb2.PointsRule) -> Iterable[tuple[str, float]]:
    return ((f"points of place {at}", value) for at, value in enumerate(rule.points, start=1))


class _Scored(NamedTuple):
    """A driver's points of a round."""

    driver: str
    vehicle_class: str
    """Empty where one table is for all."""
    points: season_pb2.RoundPoints
    player: bool


def standings(rounds: Sequence[Sequence[Drive]], rule: season_pb2.PointsRule) -> list[season_pb2.Standing]:
    """Return the championship of these races, a table after the other. Equal points are decided by the number
    of first places, of second ones, and so on.
    """
    scored = [one for drives in rounds for one in _scored(drives, rule)]
    tables = grouped(scored, lambda one: one.vehicle_class)
    return [row for name in sorted(tables) for row in _table(tables[name], len(rounds), rule)]


def _scored(drives: Sequence[Drive], rule: season_pb2.PointsRule) -> Iterable[_Scored]:
    fields = grouped(drives, lambda one: one.vehicle_class if rule.by_class else "")
    for name, field in fields.items():
        cars = list(dict.fromkeys(one.result.car for one in field))
        for one in field:
            place = cars.index(one.result.car) + 1
            told = season_pb2.RoundPoints(
                round=one.round.round, place=place, points=_points(one, field, place, rule)
            )
            yield _Scored(one.driver, name, told, one.result.player)


def _points(one: Drive, field: Sequence[Drive], place: int, rule: season_pb2.PointsRule) -> float:
    if one.result.laps < rule.classified * max(other.result.laps for other in field):
        return 0.0
    points = rule.points[place - 1] if place <= len(rule.points) else 0.0
    if one.result.grid and one.result.grid == min(o.result.grid for o in field if o.result.grid):
        points += rule.pole
    bests = [other.round.best for other in field if other.round.HasField("best")]
    fastest = one.round.HasField("best") and one.round.best == min(bests)
    return points + rule.fastest_lap * (fastest and place <= (rule.fastest_lap_places or place))


def _table(scored: Iterable[_Scored], rounds: int, rule: season_pb2.PointsRule) -> list[season_pb2.Standing]:
    rows = [
        _row(driver, found, rounds, rule) for driver, found in grouped(scored, lambda s: s.driver).items()
    ]
    rows.sort(key=_rank)
    for place, row in enumerate(rows, start=1):
        row.place, row.behind = place, rows[0].points - row.points
    return rows


def _row(
    driver: str, scored: Sequence[_Scored], rounds: int, rule: season_pb2.PointsRule
) -> season_pb2.Standing:
    told = [one.points for one in scored]
    missed = rounds - len(told)
    for one in sorted(told, key=lambda one: one.points)[: max(rule.dropped - missed, 0)]:
        one.dropped = True
    return season_pb2.Standing(
        driver=driver,
        vehicle_class=scored[0].vehicle_class,
        points=sum(one.points for one in told if not one.dropped),
        rounds=told,
        wins=sum(one.place == 1 for one in told),
    )


def _rank(row: season_pb2.Standing) -> tuple[float | str, ...]:
    places = Counter(one.place for one in row.rounds)
    return (-row.points, *(-places[place] for place in range(1, MOST_PLACES + 1)), row.driver)
