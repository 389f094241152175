"""A small language for what a game shows: verbs change the rows, `run` shows them to the machine."""

from typing import Any

import numpy as np

from rig.v1 import event_pb2, lap_pb2
from rigd.record.laps import LapTracker, Update
from rigd.sources.rf2.layout import VEHICLE_SCORING

SESSION = 3
LENGTH_M = 5000.0
HERTZ = 5
SOFT = ("Soft", "Soft")

Array = np.ndarray[Any, np.dtype[Any]]


class Game:
    """Cars by slot id, a clock that moves 0.2 s per update, and the machine that watches.

    Clocks and times in s. Fields are set by the game's own names.
    """

    def __init__(self, clock: float = 100.0) -> None:
        self.tick = round(clock * HERTZ)
        self.rows: dict[int, Array] = {}
        self.tyres: dict[int, tuple[str, str]] = {}
        self.user = ""
        """Who is in the seat."""
        self.machine = LapTracker(SESSION, LENGTH_M)
        self.saved: dict[int, bytes] = {}
        self.events: list[event_pb2.Event] = []
        self.updates: list[Update] = []

    @property
    def clock(self) -> float:
        return self.tick / HERTZ

    # What happens.

    def join(self, slot: int, **fields: Any) -> None:
        """A car that drives, its lap begun now."""
        row = self.rows[slot] = np.zeros(1, VEHICLE_SCORING)
        self.tyres[slot] = SOFT
        self.show(slot, mID=slot, mDriverName=b"A. Alder", mVehicleName=b"Norden GT #%d" % slot)
        self.show(slot, mVehicleClass=b"GT", mPitGroup=b"Norden", mPlace=1, mSector=1, mLapStartET=self.clock)
        self.show(slot, mCountLapFlag=2, mLastSector1=-1.0, mLastSector2=-1.0, mLastLapTime=-1.0)
        row["mLocalVel"][0, 2] = -50.0
        self.show(slot, **fields)

    def leave(self, slot: int) -> None:
        del self.rows[slot]

    def show(self, slot: int, **fields: Any) -> None:
        for name, value in fields.items():
            self.rows[slot][name] = value

    def stand(self, slot: int) -> None:
        self.rows[slot]["mLocalVel"] = 0.0

    def drive(self, slot: int) -> None:
        self.rows[slot]["mLocalVel"][0, 2] = -50.0

    def sector(self, slot: int, sector: int, split: float | None = None) -> None:
        """Into sector 2 or 3; the split's time comes along unless it is None."""
        self.show(slot, mSector=sector % 3)
        if split is not None:
            self.show(slot, **{f"mCurSector{sector - 1}": split})

    def cross(self, slot: int, time: float | None = 0.0, at: float | None = None) -> None:
        """Over the line. `time` is what the game says of the lap: 0 the true one, None nothing new yet."""
        row = self.rows[slot][0]
        at = self.clock if at is None else at
        true = at - float(row["mLapStartET"])
        splits = row["mCurSector1"], row["mCurSector2"]
        self.show(slot, mTotalLaps=row["mTotalLaps"] + 1, mLapStartET=at, mSector=1, mCountLapFlag=2)
        self.show(slot, mCurSector1=0.0, mCurSector2=0.0)
        if time is not None:
            self.say(slot, time or true, *splits)

    def say(self, slot: int, time: float, first: float = -1.0, second: float = -1.0) -> None:
        """The game gives the time of the last lap."""
        self.show(slot, mLastLapTime=time, mLastSector1=first, mLastSector2=second)

    def lap(self, slot: int, seconds: float, time: float | None = 0.0) -> None:
        """Drive to the line, splits at a third and two thirds of the way."""
        for sector in (2, 3):
            self.run(seconds / 3)
            self.sector(slot, sector, self.clock - float(self.rows[slot]["mLapStartET"][0]))
        self.run(seconds / 3)
        self.cross(slot, time)

    # What the machine sees of it.

    def records(self) -> Array:
        return np.concatenate([np.zeros(0, VEHICLE_SCORING), *self.rows.values()])

    def run(self, seconds: float = 0.2) -> None:
        """Let the clock run, an update every 0.2 s."""
        for _ in range(max(round(seconds * HERTZ), 1)):
            self.tick += 1
            self.see()

    def lose(self, seconds: float) -> None:
        """The same without updates: no recorder ran."""
        self.tick += round(seconds * HERTZ)

    def see(self, records: Array | None = None, clock: float | None = None) -> Update:
        """One update, of the rows as they are."""
        records = self.records() if records is None else records
        clock = self.clock if clock is None else clock
        update = self.machine.see(records, clock, lambda: self.tyres, self.user)
        return self._keep(update)

    def end(self) -> Update:
        return self._keep(self.machine.end(self.clock))

    def restart(self) -> None:
        """Kill the recorder; another one goes on."""
        self.machine = LapTracker(SESSION, LENGTH_M, self.saved)

    def _keep(self, update: Update) -> Update:
        self.updates.append(update)
        self.events += update.events
        self.saved.update(update.changed)
        return update

    # What was told.

    def payloads(self, kind: str) -> list[Any]:
        """Payloads of the events of a kind, in order."""
        return [getattr(event, kind) for event in self.events if event.WhichOneof("kind") == kind]

    def kinds(self) -> list[str]:
        return [event.WhichOneof("kind") or "" for event in self.events]

    def laps(self, slot: int = 7) -> list[lap_pb2.Lap]:
        return [closed.lap for closed in self.payloads("lap_closed") if closed.lap.car == slot]

    def spans(self, slot: int = 7) -> list[tuple[float, float]]:
        return [(lap.start_time, lap.end_time) for lap in self.laps(slot)]

    def triggers(self) -> list[list[int]]:
        """Of every update that had one."""
        return [update.triggers.tolist() for update in self.updates if update.triggers.any()]
