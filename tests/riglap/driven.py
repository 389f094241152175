"""Laps nobody drove: a speed that rises and falls around a lap, and what follows from it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rig.lapfile import pack
from rig.v1 import archive_pb2, event_pb2, lap_pb2, session_pb2
from riglap.lap import Lap

Array = np.ndarray[Any, np.dtype[Any]]

SESSION = "sessions/20261120-134500-meander-valley-race-5f3a-2"
START_S = 100.25
LENGTH_M = 4600.0


def info(index: int = 3, *, car: int = 12, lap_time: float = 92.375, **facts: Any) -> lap_pb2.Lap:
    """A complete, valid lap; `facts` are fields that differ."""
    lap = lap_pb2.Lap(
        name=f"{SESSION}/laps/car{car:03}-{index:04}",
        kind=lap_pb2.LAP_KIND_LAP,
        car=car,
        index=index,
        number=index - 1,
        stint=1,
        driver="A. Alder",
        vehicle="Copper Racing #12",
        vehicle_class="GT3",
        team="Copper Racing",
        start_time=START_S,
        end_time=START_S + lap_time,
        lap_time=lap_time,
        official=True,
        sector1=30.125,
        sector2=31.25,
        sector3=lap_time - 61.375,
        valid=True,
        complete=True,
        place=4,
        session=2,
        track_length=LENGTH_M,
        track_name="Meander Valley Grand",
        start_time_ns=1_795_180_000_000_000_000,
        bytes=123_456,
    )
    for name, value in facts.items():
        if value is None:
            lap.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(lap, name, value)
    return lap


def session(**facts: Any) -> session_pb2.Session:
    """The session of all these laps."""
    return session_pb2.Session(
        name=SESSION,
        track_name="Meander Valley Grand",
        track_length=LENGTH_M,
        kind=session_pb2.SESSION_KIND_RACE,
        source=session_pb2.SESSION_SOURCE_DEMO,
        start_time_ns=1_795_180_000_000_000_000,
        **facts,
    )


def samples(lap_time: float = 92.375, rate: int = 50, seed: int = 1) -> dict[str, Array]:
    """Telemetry of the whole lap, all kinds and widths of columns in it."""
    rng = np.random.default_rng(seed)
    into = np.arange(0.0042, lap_time, 1 / rate)
    share = into / lap_time
    pace = 52 + 22 * np.sin(14 * np.pi * share) + 9 * np.sin(38 * np.pi * share + seed)
    driven = np.cumsum(pace) / rate
    speed = pace * LENGTH_M / driven[-1]
    push = np.gradient(speed, 1 / rate)
    temps = 85 + 10 * np.sin(6 * np.pi * share[:, None] + np.arange(12)) + rng.normal(0, 0.2, (len(into), 12))
    return {
        "seq": np.arange(len(into), dtype="<u8") + 5000,
        "session_time": START_S + into,
        "lap_time": into,
        "distance": (driven * LENGTH_M / driven[-1]).astype("<f4"),
        "speed": speed.astype("<f4"),
        "engine_rpm": (4000 + 3500 * ((speed / 18) % 1)).astype("<f4"),
        "throttle": np.clip(push / 12, 0, 1).astype("<f4"),
        "brake": np.clip(-push / 25, 0, 1).astype("<f4"),
        "steering": np.sin(30 * share).astype("<f4"),
        "physical_steering_range": np.full(len(into), np.radians(540), "<f4"),
        "gear": (1 + speed // 14).astype("<i4"),
        "local_acceleration": np.stack([8 * np.sin(30 * share), share, -push], axis=1).astype("<f4"),
        "tyre_temp": temps.astype("<f4"),
        "tyre_pressure": rng.normal(170, 1, (len(into), 4)).astype("<f4"),
        "surface_type": rng.integers(0, 6, (len(into), 4)).astype("<u4"),
        "speed_limiter": into < 2.0,
    }


def scoring(lap_time: float = 92.375) -> dict[str, Array]:
    """A scoring update a second."""
    at = np.arange(0.4, lap_time, 1.0)
    return {
        "seq": np.arange(len(at), dtype="<u8") + 70,
        "session_time": START_S + at,
        "lap_time": at,
        "place": np.where(at < 40, 5, 4).astype("<u4"),
        "time_behind_leader": (12 - at / 30).astype("<f4"),
        "in_pits": at < 2.0,
    }


def data(
    lap: lap_pb2.Lap | None = None,
    columns: Mapping[str, Array] | None = None,
    updates: Mapping[str, Array] | None = None,
) -> bytes:
    """A lap file with an event and a gap in it."""
    lap = lap or info()
    moved = event_pb2.PositionChanged(car=lap.car, place=4, former_place=5)
    header = archive_pb2.LapHeader(
        lap=lap,
        session=session(),
        events=[event_pb2.Event(seq=9, session_time=140.0, position_changed=moved)],
        gaps=[event_pb2.Gap(first_seq=5100, last_seq=5101, count=2, reason=event_pb2.GAP_REASON_MISSED)],
    )
    chosen = samples(lap.lap_time) if columns is None else columns
    return pack(header, chosen, scoring(lap.lap_time) if updates is None else updates)


def lap(
    facts: lap_pb2.Lap | None = None,
    columns: Mapping[str, Array] | None = None,
    updates: Mapping[str, Array] | None = None,
) -> Lap:
    """The same, read."""
    return Lap.from_bytes(data(facts, columns, updates))
