"""One driver's session: the figures that are compared and added up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from rig.v1 import season_pb2
from riglap.season.fields import grouped, scores
from riglap.season.laps import SeasonSession
from riglap.season.pace import SessionPace, paces

OPENING_LAPS: Final = 3
"""What belongs to the start."""


@dataclass(frozen=True)
class Drive:
    """A driver in a car of a session."""

    driver: str
    result: season_pb2.SessionResult
    """Of the car."""
    pace: SessionPace
    round: season_pb2.DriverRound
    """What is told of it; figures against the class are added when all of the class are there."""

    @property
    def vehicle_class(self) -> str:
        """Return the class of the car."""
        return self.result.vehicle_class

    @property
    def retired(self) -> bool:
        """Return whether the car did not finish the race."""
        return self.result.status == season_pb2.RESULT_STATUS_RETIRED


def drives(number: int, session: SeasonSession, results: Sequence[season_pb2.SessionResult]) -> list[Drive]:
    """Return who drove in round `number`, the best place first. Who drove several cars of a class is told of
    in the one with the best place.
    """
    found: dict[tuple[str, str], Drive] = {}
    pace = paces(session)
    for result in results:
        for driver in result.drivers:
            one = Drive(driver, result, pace[result.car, driver], season_pb2.DriverRound(round=number))
            found.setdefault((result.vehicle_class, driver), one)
    for one in found.values():
        _tell(one, session)
    for field in grouped(found.values(), lambda one: one.vehicle_class).values():
        _compare(field)
    return list(found.values())


def _tell(one: Drive, session: SeasonSession) -> None:
    """Note what the driver's own laps tell."""
    result, pace, told = one.result, one.pace, one.round
    told.place, told.class_place, told.grid = result.place, result.class_place, result.grid
    told.retired = one.retired
    told.laps, told.pace_laps = len(pace.laps), len(pace.at_pace)
    told.invalid_laps, told.slow_laps = pace.invalid, pace.slow
    told.pit_time = sum(lap.pit_time for lap in pace.laps)
    for name in ("best", "mean", "spread"):
        if (value := getattr(pace, name)) is not None:
            setattr(told, name, value)
    if session.race:
        _tell_gains(one, session.places)


def _tell_gains(one: Drive, places: Mapping[tuple[int, int], int]) -> None:
    """Note places gained: in the laps that the driver drove at the start, and afterwards."""
    result, told = one.result, one.round
    start = result.grid or places.get((result.car, 1), 0)
    opened = places.get((result.car, OPENING_LAPS), 0)
    own = {lap.number for lap in one.pace.laps}
    if start:
        told.gained = start - result.place
    if start and opened and own >= set(range(1, OPENING_LAPS + 1)):
        told.gained_at_start = start - opened
    if opened and not one.retired:
        told.gained_later = opened - result.place


def _compare(field: Sequence[Drive]) -> None:
    """Note what the laps of a class tell against each other."""
    telling = {at: one for at, one in enumerate(field) if one.pace.telling}
    _gaps({at: one.round.mean for at, one in telling.items()}, field, "pace_gap")
    bests = {at: one.round.best for at, one in enumerate(field) if one.round.HasField("best")}
    _gaps(bests, field, "best_gap")
    for at, score in scores({at: one.round.mean for at, one in telling.items()}, less_is_better=True).items():
        field[at].round.pace_score = score
    _beyond_pace([one for one in telling.values() if one.round.place and not one.retired])
    fades = {at: fade for at, one in telling.items() if (fade := one.pace.fade) is not None}
    for at, fade in fades.items():
        field[at].round.fade = fade - median(fades.values())


def _gaps(times: Mapping[int, float], field: Sequence[Drive], name: str) -> None:
    least = min(times.values(), default=0.0)
    for at, time in times.items():
        setattr(field[at].round, name, 100.0 * (time / least - 1.0))


def _beyond_pace(field: Iterable[Drive]) -> None:
    """Note how many places better than its pace each came home, among those that finished."""
    finished = sorted(field, key=lambda one: one.result.place)
    fastest = sorted(finished, key=lambda one: one.round.mean)
    for place, one in enumerate(finished):
        one.round.beyond_pace = fastest.index(one) - place
