"""A short race of three cars and two classes, and an older session without valid laps."""

import functools
from typing import Any

from rig.v1 import lap_pb2, session_pb2
from tests.rigclient.lap_rig import LapRig
from tests.riglap import driven

OLD = "sessions/20261119-100000-meander-valley-practice-5f3a-1"

DRIVERS = {
    7: ("M. Birch", "Copper Racing #7", "Hypercar"),
    12: ("A. Alder", "Copper Racing #12", "GT3"),
    31: ("C. Cherry", "Amber Motorsport #31", "GT3"),
}


def laps() -> list[lap_pb2.Lap]:
    """Three laps of every car, among them an out lap, a pinned and an invalid one; last a piece of one."""
    made = []
    for car, (driver, vehicle, of) in DRIVERS.items():
        who = {"car": car, "driver": driver, "vehicle": vehicle, "vehicle_class": of}
        for index in (1, 2, 3):
            lap_time = 20.0 + car / 31 + 0.377 * (3 - index) - (2 if of == "Hypercar" else 0)
            made.append(_lap(index, lap_time, **who))
    made[3].out_lap = True
    made[8].valid = False
    made[0].pinned = True
    piece = _lap(4, 7.5, **who)
    piece.ClearField("lap_time")
    piece.ClearField("sector3")
    piece.complete = piece.valid = False
    return [*made, piece]


def _lap(index: int, lap_time: float, **who: Any) -> lap_pb2.Lap:
    start = driven.START_S + 25.0 * index
    lap = driven.info(index, lap_time=lap_time, **who)
    lap.sector1 = lap.sector2 = lap.sector3 = lap_time / 3
    lap.start_time, lap.end_time = start, start + lap_time
    return lap


def sessions() -> list[session_pb2.Session]:
    """The race, and before it a practice."""
    race = driven.session(
        status=session_pb2.SESSION_STATUS_RECORDING, laps=10, cars=3, bytes=3_400_000, best_lap_time=18.226
    )
    practice = session_pb2.Session(
        name=OLD,
        track_name="Meander Valley Grand",
        kind=session_pb2.SESSION_KIND_PRACTICE,
        source=session_pb2.SESSION_SOURCE_LIVE,
        status=session_pb2.SESSION_STATUS_COMPLETED,
        start_time_ns=1_795_090_000_000_000_000,
        end_time_ns=1_795_091_230_000_000_000,
        laps=1,
        cars=1,
        bytes=900,
    )
    return [race, practice]


@functools.cache
def files() -> tuple[bytes, ...]:
    """The lap files, with less than half of the usual samples, to be quick."""
    made = [driven.data(lap, driven.samples(lap.end_time - lap.start_time, rate=20)) for lap in laps()]
    old = driven.info(1, name=f"{OLD}/laps/car001-0001", car=1, valid=False)
    return (*made, driven.data(old, driven.samples(92.375, rate=5)))


def race() -> LapRig:
    """The rig that serves them."""
    return LapRig(sessions(), files())
