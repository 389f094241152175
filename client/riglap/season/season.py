"""A season: what many sessions add up to. One definition, for the rig's index and for the warehouse.

Times are seconds, clocks unix nanoseconds, percentages are of the lap time.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rig.v1 import season_pb2, session_pb2
from riglap.season import forecast, validation
from riglap.season.drive import Drive, drives
from riglap.season.drivers import season_drivers
from riglap.season.grid import grid_of
from riglap.season.laps import SeasonSession
from riglap.season.points import DEFAULT, PRESETS, check, standings
from riglap.season.results import results

RACE: Final = session_pb2.SESSION_KIND_RACE
MOST_LAPS: Final = 50_000
"""Of a season: some hundred races of thirty cars, three seconds."""


def season(
    sessions: Sequence[SeasonSession],
    rule: season_pb2.PointsRule = PRESETS[DEFAULT],
    kind: int = RACE,
    *,
    by_car: bool = False,
) -> season_pb2.Season:
    """Return the season of the sessions of a kind (a SessionKind), which are in the order of time; qualifying
    among the others gives races their grid. With `by_car` numbers stand in place of drivers. Raises
    BadRequest for a rule by which nobody can count.
    """
    check(rule)
    sessions = [one.by_car() for one in sessions] if by_car else sessions
    counted = [one for one in sessions if one.kind == kind and one.laps]
    rounds = [_round(number, one, sessions) for number, one in enumerate(counted, start=1)]
    driven = [drives(told.round, one, told.results) for told, one in zip(rounds, counted, strict=True)]
    seen = forecast.observed(zip(rounds, driven, strict=True))
    return season_pb2.Season(
        rounds=rounds,
        points=rule,
        standings=standings(driven, rule) if kind == RACE else (),
        drivers=season_drivers(driven),
        forecasts=[one for name in sorted(seen) for one in forecast.forecasts(seen[name], name)],
        quality=validation.quality(seen.values()),
        laps=sum(len(one.laps) for one in counted),
        notes=_notes(kind, rounds, driven),
    )


def _round(number: int, one: SeasonSession, sessions: Sequence[SeasonSession]) -> season_pb2.SeasonRound:
    return season_pb2.SeasonRound(
        round=number,
        session=one.name,
        track_name=one.track,
        kind=one.kind,  # type: ignore[arg-type]
        number=one.number,
        start_time_ns=one.start_time_ns,
        results=results(one, grid_of(one, sessions) if one.race else {}),
    )


def _notes(
    kind: int, rounds: Sequence[season_pb2.SeasonRound], driven: Sequence[Sequence[Drive]]
) -> Iterator[str]:
    """Yield what a reader should know."""
    without = sum(not any(car.grid for car in one.results) for one in rounds)
    if kind != RACE:
        yield "there are no points: these sessions are no races"
    elif without:
        which = "no race has" if without == len(rounds) else f"{without} of {len(rounds)} races are without"
        yield f"{which} a qualifying before it: places gained count from the end of the first lap"
    if driven and not any(one.pace.telling for drives in driven for one in drives):
        yield "pace and factors take five laps at pace in a session: no driver has them"
