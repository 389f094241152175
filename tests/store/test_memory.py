"""What reading laps costs the server: the largest lap that an archiver writes, four times at once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from rig.channels import LAP, PHYSICS, SCORING
from rig.v1 import lap_pb2, laps_pb2, laps_pb2_grpc
from rigd.gather.gather import MOST_ROWS
from tests.stage import Stage, stage
from tests.store import lap_store

READERS = 4
MOST_MB = 256


def columns(table: object, rows: int) -> lap_store.Columns:
    """Every channel, full of numbers that do not repeat."""
    rng = np.random.default_rng(3)
    made: lap_store.Columns = {}
    for channel in (*table.channels, *LAP.channels):  # type: ignore[attr-defined]
        shape = (rows,) if channel.width == 1 else (rows, channel.width)
        raw = rng.random(shape, np.float32)
        made[channel.name] = (raw > 0.5 if channel.dtype.kind == "b" else raw * 1e6).astype(channel.dtype)
    clock = np.arange(rows) * 3600 / rows
    return made | {"session_time": clock, "lap_time": clock}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Stage, lap_pb2.Lap]]:
    """A server of that lap."""
    with stage() as here:
        lap = lap_store.lap(bytes=0)
        kept = lap_store.LapStore(here.data)
        kept.put(lap, columns(PHYSICS, MOST_ROWS), columns(SCORING, 5 * 3600), plain=True)
        kept.close()
        here.serve()
        yield here, lap


def peak_mb(pid: int) -> float:
    """Most memory that a process ever had, mapped files included."""
    words = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()
    return int(words[0]) / 1024


@pytest.mark.parametrize(
    "wish",
    [
        laps_pb2.ReadLapRequest(),
        laps_pb2.ReadLapRequest(encoding=laps_pb2.ENCODING_COLUMNS),
        laps_pb2.ReadLapRequest(lap_time=laps_pb2.Range(until=3000.0)),
    ],
    ids=["whole", "plain", "rows"],
)
def test_the_largest_lap_four_times_at_once(
    served: tuple[Stage, lap_pb2.Lap], wish: laps_pb2.ReadLapRequest
) -> None:
    here, lap = served
    asked = laps_pb2.ReadLapRequest(name=lap.name)
    asked.MergeFrom(wish)
    sizes: list[int] = []

    def read() -> None:
        with grpc.insecure_channel(here.address) as channel:
            stub = laps_pb2_grpc.LapServiceStub(channel)
            sizes.append(sum(response.ByteSize() for response in stub.ReadLap(asked)))

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(sizes) == READERS
    assert len(set(sizes)) == 1
    assert peak_mb(here.running[0].pid) < MOST_MB
