"""The lap that is being driven is read from the ring, as if it had a file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from rig.v1 import laps_pb2
from tests.store.lap_store import LapStore, session
from tests.store.test_finding import refused
from tests.store.test_reading import blocks, joined, read
from tests.store.test_reading import refused as stream_refused

TICKS = 700
SESSION = "sessions/running"
NAME = f"{SESSION}/laps/car007-running"
NUMBERS = np.arange(500, TICKS + 1)
"""Ticks of the lap that began at 10 s."""


@pytest.fixture
def driven(tmp_path: Path, lap_store: LapStore) -> str:
    """A ring, and its session in the index; the ring's id."""
    words = [sys.executable, "-m", "tests.store.drive", str(tmp_path), str(TICKS)]
    ring = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    lap_store.store.index.put_session(session(SESSION, ring=ring, ring_session=1))
    lap_store.store.index.put_session(session("sessions/over", ring=ring, ring_session=0))
    lap_store.store.index.put_session(session("sessions/elsewhere", ring="0011223344556677", ring_session=1))
    return ring


async def test_the_running_lap_is_known(driven: str, stub: Any) -> None:
    found = (await stub.GetLap(laps_pb2.GetLapRequest(name=NAME))).lap
    assert (found.name, found.car, found.running, found.driver) == (NAME, 7, True, "Driver 7")
    assert (found.start_time, found.samples) == (10.0, len(NUMBERS))


async def test_the_running_lap_is_read_as_any_other(driven: str, stub: Any) -> None:
    whole = await blocks(stub, name=NAME)
    assert whole.header.lap.name == NAME
    assert whole.header.session.name == SESSION
    assert np.array_equal(whole.column("speed"), NUMBERS)
    part = await blocks(stub, name=NAME, channels=["speed"], lap_time={"from": 0.5, "until": 1.0})
    assert np.array_equal(part.column("speed"), NUMBERS[25:50])
    plain = await read(stub, name=NAME, channels=["speed"], encoding=laps_pb2.ENCODING_COLUMNS)
    assert plain[0].lap.running
    assert np.array_equal(joined(plain)["speed"], NUMBERS)


async def test_the_scoring_of_the_running_lap_is_read_too(driven: str, stub: Any) -> None:
    request = laps_pb2.ReadScoringRequest(name=NAME, channels=["id"], lap_time=laps_pb2.Range(until=1.1))
    found = joined([message async for message in stub.ReadScoring(request)])
    assert found["id"].tolist() == [7] * 6
    assert np.allclose(found["lap_time"], np.arange(6) * 0.2)


@pytest.mark.parametrize(
    "name",
    [
        f"{SESSION}/laps/car008-running",
        f"{SESSION}/laps/car7-running",
        f"{SESSION}/laps/car9999999999-running",
        "sessions/over/laps/car007-running",
        "sessions/elsewhere/laps/car007-running",
        "sessions/unknown/laps/car007-running",
    ],
)
async def test_only_what_is_driven_in_the_running_session_runs(driven: str, stub: Any, name: str) -> None:
    error = await refused(stub.GetLap(laps_pb2.GetLapRequest(name=name)))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    error = await stream_refused(stub.ReadLap(laps_pb2.ReadLapRequest(name=name)))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_running_lap_cannot_be_pinned(driven: str, stub: Any) -> None:
    error = await refused(stub.PinLap(laps_pb2.PinLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_without_a_ring_nothing_runs(lap_store: LapStore, stub: Any) -> None:
    error = await refused(stub.GetLap(laps_pb2.GetLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
