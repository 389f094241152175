"""A real server over a real folder of laps, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest

from rig.v1 import laps_pb2_grpc
from rigd.serve.limits import Limits
from rigd.serve.server import Server, Settings
from tests.serve.author import Remote, Scribe
from tests.store.shelf import Clerk, Shelf


@pytest.fixture(scope="session")
def scribe() -> Iterator[Scribe]:
    writing = Scribe()
    yield writing
    writing.stop()


@pytest.fixture
def author(tmp_path: Path, scribe: Scribe) -> Iterator[Remote]:
    made = Remote(scribe, tmp_path)
    yield made
    made.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


@pytest.fixture
def clerk(shelf: Shelf) -> Iterator[Clerk]:
    """Someone who carries out orders."""
    made = Clerk(shelf.data)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def limits() -> Limits:
    """Of that server; a test has others by its parameters."""
    return Limits()


@pytest.fixture
async def address(tmp_path: Path, limits: Limits) -> AsyncIterator[str]:
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
