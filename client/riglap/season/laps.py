"""What a season is made of: sessions with their complete laps, and who was where after which lap.

A lap is flying when it counts, was driven without a yellow, and neither began nor ended in the pits. What
nobody knows does not speak against a lap. The warehouse's views say the same (`rigclient.warehouse.views`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from rig.v1 import lap_pb2, session_pb2


class SeasonLap(NamedTuple):
    """A lap from line to line that has a time. Times are seconds."""

    car: int
    """Slot id."""
    number: int
    """From 1."""
    driver: str
    lap_time: float
    end_time: float
    """Session clock."""
    vehicle_class: str = ""
    team: str = ""
    car_number: str = ""
    stint: int = 1
    place: int = 0
    """As the game says; 0: it does not."""
    valid: bool = True
    green: bool = True
    """False: there was a yellow."""
    through_pits: bool = False
    """It began or ended in the pit lane."""
    chequered: bool = False
    """It ended with the chequered flag."""
    pit_visits: int = 0
    pit_time: float = 0.0
    player: bool = False

    @property
    def flying(self) -> bool:
        """Return whether the lap tells how fast the driver is."""
        return self.valid and self.green and not self.through_pits


@dataclass(frozen=True)
class SeasonSession:
    """A session with its complete laps."""

    name: str
    """`sessions/{session}`. Names begin with date and clock, so they are in the order of time."""
    track: str
    kind: int
    """A SessionKind."""
    number: int
    """The game's session number."""
    start_time_ns: int
    """Wall clock; 0: nobody knows."""
    laps: tuple[SeasonLap, ...]

    @property
    def race(self) -> bool:
        """Return whether it is a race."""
        return self.kind == session_pb2.SESSION_KIND_RACE

    def by_car(self) -> "SeasonSession":
        """Return the session with numbers of cars in place of drivers, #7; what begins so stays, as #7.2."""
        return replace(self, laps=tuple(map(_numbered, self.laps)))

    @cached_property
    def cars(self) -> dict[int, list[SeasonLap]]:
        """The laps of every car in the order they ended."""
        found: defaultdict[int, list[SeasonLap]] = defaultdict(list)
        for lap in sorted(self.laps, key=lambda lap: (lap.end_time, lap.number)):
            found[lap.car].append(lap)
        return dict(found)

    @cached_property
    def places(self) -> dict[tuple[int, int], int]:
        """Place by car and lap number: the order in which cars completed as many laps; where not all of those
        are here, the game's own.
        """
        numbered: defaultdict[int, list[SeasonLap]] = defaultdict(list)
        for lap in self.laps:
            numbered[lap.number].append(lap)
        return {
            (lap.car, number): place
            for number, laps in numbered.items()
            for lap, place in zip(laps, _places(laps), strict=True)
        }


def _numbered(lap: SeasonLap) -> SeasonLap:
    number = f"#{lap.car_number}"
    return lap if not lap.car_number or lap.driver.startswith(number) else lap._replace(driver=number)


def _places(laps: list[SeasonLap]) -> list[int]:
    """Return the places of laps of one number; equal clocks have equal places."""
    if max(lap.place for lap in laps) > len(laps):
        return [lap.place for lap in laps]
    first: dict[float, int] = {}
    for place, end_time in enumerate(sorted(lap.end_time for lap in laps), start=1):
        first.setdefault(end_time, place)
    return [first[lap.end_time] for lap in laps]


def season_sessions(
    sessions: Iterable[session_pb2.Session], laps: Iterable[lap_pb2.Lap]
) -> list[SeasonSession]:
    """Return the sessions that have complete laps, in the order of time, of what the rig's index tells."""
    of_session: defaultdict[str, list[SeasonLap]] = defaultdict(list)
    for lap in laps:
        if lap.complete and lap.HasField("lap_time") and lap.kind != lap_pb2.LAP_KIND_EXCERPT:
            of_session[lap.name.partition("/laps/")[0]].append(season_lap(lap))
    return ordered(_session(session, of_session) for session in sessions if session.name in of_session)


def ordered(sessions: Iterable[SeasonSession]) -> list[SeasonSession]:
    """Return sessions in the order of time."""
    return sorted(sessions, key=lambda session: session.name)


def _session(session: session_pb2.Session, laps: Mapping[str, list[SeasonLap]]) -> SeasonSession:
    return SeasonSession(
        session.name,
        session.track_name,
        session.kind,
        session.number,
        session.start_time_ns,
        tuple(laps[session.name]),
    )


def season_lap(lap: lap_pb2.Lap) -> SeasonLap:
    """Return a complete lap of the index."""
    return SeasonLap(
        car=lap.car,
        number=lap.number + 1,
        driver=lap.driver,
        lap_time=lap.lap_time,
        end_time=lap.end_time,
        vehicle_class=lap.vehicle_class,
        team=lap.team,
        car_number=lap.car_number,
        stint=lap.stint,
        place=lap.place,
        valid=lap.valid,
        green=lap.green or not lap.HasField("green"),
        through_pits=lap.out_lap or lap.in_lap,
        chequered=lap.chequered,
        pit_visits=len(lap.pit_visits),
        pit_time=_pit_time(lap),
        player=lap.player,
    )


def _pit_time(lap: lap_pb2.Lap) -> float:
    """Return the time in the pit lane, without what two clocks of the session round off."""
    stays = (v.exit_time - v.enter_time for v in lap.pit_visits if v.HasField("exit_time"))
    return round(sum(stays), 6)
