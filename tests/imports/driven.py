"""A race whose every number is known: cars at constant speed on a track of 1200 m."""

from typing import Final, NamedTuple

import numpy as np

from rigclient.warehouse import Destination, loading, tables
from rigclient.warehouse.spool import Spool

RIG: Final = "a1b2"
SESSION: Final = "20261120-134500-meander-race-5f3a-2"
TRACK: Final = "Meander Valley Grand"
LENGTH_M: Final = 1200.0
RATE_HZ: Final = 50.0
START_NS: Final = 1_795_182_300_000_000_000


class Driven(NamedTuple):
    """A lap."""

    car: int
    driver: str
    nth: int
    speed: float
    green: bool | None = True
    valid: bool = True

    @property
    def lap_time(self) -> float:
        return LENGTH_M / self.speed

    @property
    def name(self) -> str:
        return f"car{self.car:03d}-{self.nth:04d}"


ALDER, BIRCH, OHARA = "A. Alder", "B. Birch", 'C. O\'Hara "the %"; DROP TABLE LAPS; --'
LAPS: Final = (
    Driven(3, ALDER, 1, 50.0),
    Driven(3, ALDER, 2, 60.0),
    Driven(3, ALDER, 3, 80.0, valid=False),
    Driven(12, BIRCH, 1, 48.0),
    Driven(12, BIRCH, 2, 48.0, green=False),
    Driven(12, BIRCH, 3, 50.0),
    Driven(40, OHARA, 1, 40.0, green=None),
)


def load(destination: Destination, spool: Spool) -> None:
    """Bring it, as a rig's laps are brought."""
    ended: dict[int, float] = {}
    rows = []
    for lap in LAPS:
        began = ended.get(lap.car, 0.0)
        ended[lap.car] = began + lap.lap_time
        samples = _samples(lap, began)
        named: dict[str, str | int] = {
            "RIG_ID": RIG,
            "SESSION": SESSION,
            "LAP": lap.name,
            "CAR": lap.car,
            "LAP_INDEX": lap.nth,
        }
        spool.add(tables.SAMPLES, named, samples)
        rows.append({**named, **_facts(lap, began), "SAMPLES": len(samples["SEQ"])})
    spool.put(tables.LAPS, rows)
    spool.put(tables.SESSIONS, [_session()])
    loading.load(destination, loading.Load(spool.id, RIG, "laps", 0, 1, spool.parts()))


def _samples(lap: Driven, began: float) -> dict[str, np.ndarray]:
    clock = np.arange(0.0, lap.lap_time, 1 / RATE_HZ)
    seqs = np.arange(1, len(clock) + 1) + 100_000 * (lap.nth + 10 * lap.car)
    return {
        "SEQ": seqs,
        "LAP_TIME": clock,
        "SESSION_TIME": clock + began,
        "CAPTURE_TIME_NS": START_NS + np.round((clock + began) * 1e9).astype(np.int64),
        "DISTANCE": (clock * lap.speed).astype(np.float32),
        "SPEED": np.full(len(clock), lap.speed, np.float32),
        "GEAR": np.where(clock * lap.speed < 600, 3, 4),
        "THROTTLE": np.full(len(clock), np.nan, np.float32),
    }


def _facts(lap: Driven, began: float) -> dict[str, object]:
    return {
        "KIND": "lap",
        "LAP_NUMBER": lap.nth - 1,
        "DRIVER": lap.driver,
        "VEHICLE": f"Copper {lap.car}",
        "VEHICLE_CLASS": "GT3",
        "START_TIME": began,
        "END_TIME": began + lap.lap_time,
        "LAP_TIME": lap.lap_time,
        "SECTOR1": lap.lap_time / 4,
        "SECTOR2": lap.lap_time / 4,
        "SECTOR3": lap.lap_time / 2,
        "OFFICIAL": True,
        "VALID": lap.valid,
        "COMPLETE": True,
        "OUT_LAP": False,
        "IN_LAP": False,
        "GREEN": lap.green,
        "PIT_VISITS": 0,
        "TOP_SPEED": lap.speed,
        "TRACK": TRACK,
        "START_TIME_NS": START_NS,
        "DIGEST": "0" * 16,
    }


def _session() -> dict[str, object]:
    return {
        "RIG_ID": RIG,
        "SESSION": SESSION,
        "TRACK": TRACK,
        "KIND": "race",
        "SESSION_NUMBER": 10,
        "SOURCE": "demo",
        "STATUS": "completed",
        "START_TIME_NS": START_NS,
    }
