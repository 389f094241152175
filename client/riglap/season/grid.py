"""Who started where: the order of the qualifying before a race."""

from collections.abc import Iterable, Mapping
from typing import Final

from rig.v1 import session_pb2
from riglap.season.laps import SeasonSession
from riglap.season.results import results

_BEFORE_NS: Final = 4 * 86_400 * 1_000_000_000
"""A weekend with a day before it: a qualifying farther back is that of another event."""


def grid_of(race: SeasonSession, sessions: Iterable[SeasonSession]) -> Mapping[str, int]:
    """Return places by driver in the last qualifying on the track before the race; empty where there is
    none.
    """
    found = [one for one in sessions if _is_before(one, race)]
    if not found:
        return {}
    order = results(max(found, key=lambda one: one.start_time_ns), {})
    return {driver: car.place for car in reversed(order) if car.HasField("best") for driver in car.drivers}


def _is_before(one: SeasonSession, race: SeasonSession) -> bool:
    return (
        one.kind == session_pb2.SESSION_KIND_QUALIFYING
        and one.track == race.track
        and 0 < race.start_time_ns - one.start_time_ns <= _BEFORE_NS
    )
