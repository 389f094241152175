"""A car's scoring row as plain values, and which rows of an update differ from the last one."""

from math import inf, isfinite
from typing import Any, Final, NamedTuple

import numpy as np

from rigd.record.encoder import text
from rigd.sources.rf2.layout import VEHICLE_SCORING

Array = np.ndarray[Any, np.dtype[Any]]

_MOVING_MPS: Final = 1.0
"""A car on the grid or on its jacks stays below; nobody drives so slowly."""
_COUNTS: Final = 2
"""mCountLapFlag: the lap and its time count."""
_SECTOR: Final = {1: 1, 2: 2, 0: 3}
_GHOST: Final = "Transparent Trainer"

_WATCHED: Final = (
    "mID",
    "mDriverName",
    "mVehicleName",
    "mTotalLaps",
    "mSector",
    "mFinishStatus",
    "mLastSector1",
    "mLastSector2",
    "mLastLapTime",
    "mCurSector1",
    "mCurSector2",
    "mNumPitstops",
    "mNumPenalties",
    "mIsPlayer",
    "mControl",
    "mInPits",
    "mPlace",
    "mLapStartET",
    "mPitState",
    "mFlag",
    "mUnderYellow",
    "mCountLapFlag",
    "mInGarageStall",
)


def _places(name: str) -> Array:
    field = VEHICLE_SCORING.fields[name]  # type: ignore[index]
    return np.arange(field[1], field[1] + field[0].itemsize)


_BYTES: Final = np.concatenate([_places(name) for name in _WATCHED])
"""Places of the watched fields within a record: 165 of its 584 bytes."""


class CarRow(NamedTuple):
    """A car at one update. A time in s that is not positive or not finite is 0: none."""

    slot: int
    driver: str
    vehicle: str
    vehicle_class: str
    team: str
    laps: int
    """Completed, as the game counts."""
    sector: int
    """1 to 3; 0 for a number that is no sector."""
    start_s: float | None
    """Session clock at which the running lap began."""
    current: list[float]
    """Times at the splits of the running lap."""
    last: list[float]
    """Times at the two splits and at the line of the last lap."""
    counts: bool
    moving: bool
    garage: bool
    in_pits: bool
    pit_state: int
    stops: int
    place: int
    player: bool
    control: int
    """Who has the wheel: -1 nobody, 0 the local player, 1 the game's driver, 2 remote, 3 a replay."""
    finish: int
    penalties: int
    flags: list[int]
    """mFlag and mUnderYellow."""


class CarRows:
    """The rows of the update at hand."""

    def __init__(self) -> None:
        self.of: dict[int, int] = {}
        """Row by slot id: the first one where the game repeats an id; ghosts are no cars."""
        self._records: Array = np.zeros(0, VEHICLE_SCORING)
        self._moving: Array = np.zeros(0, bool)
        self._seen: Array = np.zeros((0, 0), np.uint8)

    def take(self, records: Array) -> list[int]:
        """Return slot ids of the cars with a watched field that differs from the last update. 20 µs for 40
        cars.
        """
        self._records = records
        self._moving = np.square(records["mLocalVel"]).sum(axis=1) > _MOVING_MPS**2
        before, self._seen = self._seen, self._packed()
        if len(before) == len(self._seen):
            differ = (self._seen != before).any(axis=1)
        else:
            differ = np.ones(len(records), bool)
        if not differ.any():
            return []
        self.of = _cars(records)
        return [slot for slot, at in self.of.items() if differ[at]]

    def _packed(self) -> Array:
        """Return all that is watched of each row, shape (rows, bytes)."""
        raw = np.ascontiguousarray(self._records).view(np.uint8).reshape(len(self._records), -1)
        return np.concatenate([raw.take(_BYTES, axis=1), self._moving.view(np.uint8)[:, None]], axis=1)

    def read(self, slot: int) -> CarRow:
        """Return the row of a car."""
        at = self.of[slot]
        record = self._records[at]
        return CarRow(
            slot=slot,
            driver=_text(record, "mDriverName"),
            vehicle=_text(record, "mVehicleName"),
            vehicle_class=_text(record, "mVehicleClass"),
            team=_text(record, "mPitGroup"),
            laps=int(record["mTotalLaps"]),
            sector=_SECTOR.get(int(record["mSector"]), 0),
            start_s=_clock(record["mLapStartET"]),
            current=[_time(record[name]) for name in ("mCurSector1", "mCurSector2")],
            last=[_time(record[name]) for name in ("mLastSector1", "mLastSector2", "mLastLapTime")],
            counts=int(record["mCountLapFlag"]) == _COUNTS,
            moving=bool(self._moving[at]),
            garage=bool(record["mInGarageStall"]),
            in_pits=bool(record["mInPits"]),
            pit_state=int(record["mPitState"]),
            stops=int(record["mNumPitstops"]),
            place=int(record["mPlace"]),
            player=bool(record["mIsPlayer"]),
            control=int(record["mControl"]),
            finish=int(record["mFinishStatus"]),
            penalties=int(record["mNumPenalties"]),
            flags=[int(record["mFlag"]), int(record["mUnderYellow"])],
        )


def _cars(records: Array) -> dict[int, int]:
    rows: dict[int, int] = {}
    names = zip(records["mID"].tolist(), records["mDriverName"].tolist(), strict=True)
    for at, (slot, driver) in enumerate(names):
        if text(driver) != _GHOST:
            rows.setdefault(slot, at)
    return rows


def _text(record: Any, name: str) -> str:
    return text(record[name], record.dtype[name].itemsize)


def _clock(value: Any) -> float | None:
    return float(value) if isfinite(value) else None


def _time(value: Any) -> float:
    return float(value) if 0.0 < value < inf else 0.0
