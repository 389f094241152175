"""A real server over a real folder of laps, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest

from rig.v1 import laps_pb2_grpc
from rigd.serve.limits import Quotas
from rigd.serve.server import Server, Settings
from tests.serve.conftest import recorder as recorder
from tests.serve.conftest import recorder_process as recorder_process
from tests.store.lap_store import CommandThread, LapStore


@pytest.fixture
def lap_store(tmp_path: Path) -> Iterator[LapStore]:
    made = LapStore(tmp_path)
    yield made
    made.close()


@pytest.fixture
def command_thread(lap_store: LapStore) -> Iterator[CommandThread]:
    """What carries out commands, as the archiver does."""
    made = CommandThread(lap_store.data)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def limits() -> Quotas:
    """Of that server; a test has others by its parameters."""
    return Quotas()


@pytest.fixture
async def address(tmp_path: Path, limits: Quotas) -> AsyncIterator[str]:
    """A server on `tmp_path`, with or without laps and a ring in it."""
    server = Server(Settings(tmp_path, "127.0.0.1:0", limits=limits))
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop()


@pytest.fixture
async def stub(address: str) -> AsyncIterator["laps_pb2_grpc.LapServiceAsyncStub"]:
    """The service of that server."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield laps_pb2_grpc.LapServiceStub(channel)
