"""A lap: what is gathered while it is driven, and the wait for its time once it has ended."""

from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from rig.v1 import event_pb2, lap_pb2, scoring_pb2
from rigd.record.moment import Moment
from rigd.record.pits import Visit
from rigd.record.row import CarRow

_SETTLED_S: Final = 1.0
"""No time is taken earlier than this after the line: the game decides late about cuts."""
_WINDOW_S: Final = 10.0
"""The game's time is waited for as long as this; cuts are decided within 8 s."""
_SAME_S: Final = 0.001
"""The game's time and the difference of its clocks are the same time when they are as close as this."""
_NOBODY: Final = -1
_AI: Final = 1
_PERSONS: Final = (0, 2)
"""Values of mControl."""
_SPLIT_S: Final = 1.0
"""mSector changes first, the split's time may follow: waited for as long as this."""


@dataclass
class RunningLap:
    """A lap under way. Session clocks and times in s; a time of 0 is none."""

    index: int
    number: int
    start_s: float
    from_line: bool
    """It began where a lap begins: at the line, or with the race."""
    from_garage: bool
    sector: int
    told: int
    """Sectors completed and told."""
    drivers: list[str]
    """Who sat there, in order."""
    sector_s: float = 0.0
    """Clock of the update that showed the present sector."""
    counts: bool = True
    moved: bool = False
    splits: list[float] = field(default_factory=lambda: [0.0, 0.0])
    tyres: list[str] | None = None
    """Front and rear compound; None before the car was seen outside the pits, empty where nobody knew."""
    ai: bool = False
    """The game's driver had the wheel at some time."""
    person: bool = False
    """A person had the wheel, or the car is the player's."""
    undriven: bool = False
    """Nobody had the wheel at some time."""
    user: str = ""
    """Who was in the seat of the rig when its car began the lap; empty for other cars."""

    @property
    def ai_takeover(self) -> bool:
        """The game's driver had a car that a person drives. Opponents that it always drives are no such."""
        return self.ai and self.person

    def due_s(self) -> float:
        """Return the session clock at which a sector is reported without its time."""
        return self.sector_s + _SPLIT_S if self.told < self.sector - 1 else inf

    def see(self, row: CarRow, moment: Moment) -> None:
        """Follow an update of this lap."""
        self.moved |= row.moving
        self.ai |= row.control == _AI
        self.person |= row.control in _PERSONS or row.player
        self.undriven |= row.control == _NOBODY
        if self.counts and not row.counts:
            self.counts = False
            told = event_pb2.LapInvalidated(car=row.slot, lap_index=self.index)
            moment.tell(scoring_pb2.TRIGGER_STATUS, lap_invalidated=told)
        if row.sector and row.sector != self.sector:
            self._enter(row.sector, moment)
        for split in range(self.sector - 1):
            self.splits[split] = row.current[split] or self.splits[split]
        self.tell_sectors(row.slot, moment, moment.clock_s >= self.sector_s + _SPLIT_S)

    def tell_sectors(self, slot: int, moment: Moment, now: bool) -> None:
        """Tell of completed sectors: those whose time is known, or all of them `now`."""
        while self.told < self.sector - 1 and (now or self.splits[self.told]):
            split = self.splits[self.told]
            self.told += 1
            completed = event_pb2.SectorCompleted(
                car=slot, lap_index=self.index, sector=self.told, split_time=split or None
            )
            moment.tell(sector_completed=completed)

    def _enter(self, sector: int, moment: Moment) -> None:
        if sector < self.sector:  # set back on the track, or the sector followed the line late
            self.told, self.splits = sector - 1, [0.0, 0.0]
        self.sector, self.sector_s = sector, moment.clock_s
        moment.trigger |= scoring_pb2.TRIGGER_SECTOR_COMPLETE


@dataclass
class Ended:
    """A lap that has ended and is not yet told."""

    lap: RunningLap
    end_s: float
    complete: bool
    to_garage: bool
    stint: int
    place: int
    player: bool
    before: list[float]
    """Last lap's splits and time as the game showed them before the line."""
    said: list[float]
    """And as it last showed them since."""

    @staticmethod
    def restored(state: dict[str, Any]) -> "Ended":
        """Return an ended lap from its attributes as plain values."""
        return Ended(**{**state, "lap": RunningLap(**state["lap"])})

    @property
    def duration_s(self) -> float:
        """By the game's clocks."""
        return self.end_s - self.lap.start_s

    @property
    def official(self) -> bool:
        """The game gave a time, and it is this lap's: as long as ours, or new since the line."""
        said = self.said[2]
        fits = abs(said - self.duration_s) <= _SAME_S or said != self.before[2]
        return self.complete and self.lap.counts and said > 0.0 and fits

    def hear(self, row: CarRow) -> None:
        """Take what the game says of the last lap while this is the last one."""
        if row.laps == self.lap.number + 1:
            self.said = row.last

    def due_s(self, clock_s: float) -> float:
        """Return the session clock at which time alone may settle it."""
        settled_s = self.end_s + _SETTLED_S
        return settled_s if clock_s < settled_s else self.end_s + _WINDOW_S

    def settled(self, clock_s: float) -> bool:
        """Return whether its time is known or will not come."""
        if not self.complete or not self.lap.counts:
            return True
        if clock_s < self.end_s + _SETTLED_S:
            return False
        withheld = self.said[2] == 0.0 and self.before[2] > 0.0
        return self.official or withheld or clock_s >= self.end_s + _WINDOW_S

    def message(self, visits: list[Visit]) -> lap_pb2.Lap:
        """Return the lap without what only its car knows. `visits` are all stays of the car in the pit
        lane.
        """
        lap = self.lap
        touching = [visit for visit in visits if visit.touches(lap.start_s, self.end_s)]
        front, rear = lap.tyres or ("", "")
        return lap_pb2.Lap(
            kind=lap_pb2.LAP_KIND_LAP,
            index=lap.index,
            number=lap.number,
            stint=self.stint,
            driver=lap.drivers[-1],
            former_drivers=dict.fromkeys(name for name in lap.drivers if name != lap.drivers[-1]),
            player=self.player,
            start_time=lap.start_s,
            end_time=self.end_s,
            official=self.official,
            valid=self.official and not (lap.ai_takeover or lap.undriven),
            ai_takeover=lap.ai_takeover,
            undriven=lap.undriven,
            user=lap.user,
            complete=self.complete,
            out_lap=lap.from_garage or any(visit.at(lap.start_s) for visit in touching),
            in_lap=self.to_garage or any(visit.at(self.end_s) for visit in touching),
            pit_visits=[visit.message() for visit in touching],
            place=self.place,
            front_compound=front,
            rear_compound=rear,
            **self._times(),
        )

    def _times(self) -> dict[str, Any]:
        """Return lap and sector times as far as they are known. They sum to the lap, or one is left out."""
        if not self.complete:
            return {}
        lap_time = self.said[2] if self.official else self.duration_s
        first, second = (self._split(at) for at in (0, 1))
        times = {
            "lap_time": lap_time,
            "sector1": first,
            "sector2": second - first if first and second else 0.0,
            "sector3": lap_time - second if second else 0.0,
        }
        return {name: value for name, value in times.items() if value > 0.0}

    def _split(self, at: int) -> float:
        """Return a split as the game shows it, unless that is still the one of the lap before; else as
        seen on the way.
        """
        fresh = self.official or self.said[at] != self.before[at]
        return self.said[at] if fresh and self.said[at] else self.lap.splits[at]
