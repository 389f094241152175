"""What an editor completes: `mypy` and `pyright` check these lines, nobody runs them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from matplotlib.figure import Figure

import rigclient
from rig.infos import LapInfo, LapKind, SessionInfo
from rigclient import aio
from rigclient.aio import AsyncLaps, AsyncRig, AsyncStream
from rigclient.blocking import Laps, Rig
from rigclient.frames import PhysicsCar, PhysicsFrame, ScoringCar, ScoringFrame
from riglap.lap import Lap, ScoringRows

Array = np.ndarray[Any, np.dtype[Any]]


def streams(rig: Rig, since: datetime) -> None:
    physics = rig.physics(
        ["speed"],
        "player",
        start=timedelta(minutes=5),
        max_rate_hz=10,
        delivery="latest",
        ticks_per_message=5,
        gzip=True,
        reconnect=False,
    )
    assert_type(physics, rigclient.Stream[PhysicsFrame])
    assert_type(physics.cursor, bytes)
    frame = next(physics)
    assert_type(frame.speed, Array)
    assert_type(frame.session_time, float)
    assert_type(frame.player, PhysicsCar | None)
    for car in frame:
        assert_type(car, PhysicsCar)
        assert_type(car.speed, np.float32)
        assert_type(car.gear, np.int32)
        assert_type(car.tyre_temp, Array)
    scoring = next(rig.scoring(cars=[7, 12], start=since))
    assert_type(scoring, ScoringFrame)
    assert_type(scoring.car(7), ScoringCar | None)
    rig.events(start=physics.cursor)
    rig.physics(start="running_lap")
    rig.physics(starts="now")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    rig.physics(delivery="fastest")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def laps(rig: Rig) -> None:
    found = rig.laps("98c4", driver="birch", valid=True, best_of="car", since=timedelta(days=1), kind="lap")
    assert_type(found, Laps)
    assert_type(found[0], LapInfo)
    assert_type(found[:3], Laps)
    assert_type(found.pick_driver("birch").pick_class("GT3").pick_valid().pick_car(7), Laps)
    assert_type(found.pick_fastest(), LapInfo | None)
    assert_type([info.lap_time for info in found], list[float | None])
    assert_type(found[0].kind, LapKind)
    assert_type(rig.session("98c4"), SessionInfo)
    rig.laps(drivers="birch")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def one(rig: Rig, info: LapInfo) -> None:
    lap = rig.lap(info, ["speed"], distance=(0.0, 500.0), step_m=1.0)
    assert_type(lap, Lap)
    assert_type(rig.lap("best"), Lap)
    assert_type(lap.speed, Array)
    assert_type(lap.info, LapInfo)
    assert_type(lap.scoring, ScoringRows)
    assert_type(lap.plot(["speed"], against=[rig.lap()], path=Path("laps.png")), Figure)


async def the_same(rig: AsyncRig) -> None:
    assert_type(rig.physics(["speed"]), AsyncStream[PhysicsFrame])
    assert_type(rig.laps(valid=True), AsyncLaps)
    assert_type(await rig.laps().pick_fastest(), LapInfo | None)
    assert_type([info async for info in rig.laps()], list[LapInfo])
    assert_type(await rig.lap("best"), Lap)
    assert_type(aio.connect(), AsyncRig)
