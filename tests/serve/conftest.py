"""A real server on a real ring, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import rigclient
from rigd.serve.server import Server, Settings
from tests.serve.author import Remote, Scribe


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
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Address of a server on `tmp_path`, with or without a ring in it."""
    server = Server(Settings(tmp_path, "127.0.0.1:0"))
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop()


@pytest.fixture
async def rig(author: Remote, address: str) -> AsyncIterator[rigclient.aio.AsyncRig]:
    async with rigclient.aio.connect(address) as connected:
        yield connected
