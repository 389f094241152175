"""A real server on a real ring, in the test's own event loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import rigclient
from rigd.serve.server import Server, Settings
from tests.serve.scripted_recorder import RecorderProcess, RemoteRecorder


@pytest.fixture(scope="session")
def recorder_process() -> Iterator[RecorderProcess]:
    writing = RecorderProcess()
    yield writing
    writing.stop()


@pytest.fixture
def recorder(tmp_path: Path, recorder_process: RecorderProcess) -> Iterator[RemoteRecorder]:
    made = RemoteRecorder(recorder_process, tmp_path)
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
async def rig(recorder: RemoteRecorder, address: str) -> AsyncIterator[rigclient.aio.AsyncRig]:
    async with rigclient.aio.connect(address) as connected:
        yield connected
