"""A stream that brings nothing says what is awaited."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator

import pytest

import rigclient
from tests.stage import Stage, stage, until

SAID = "waiting for the game (absent)"


@pytest.fixture(scope="module")
def gameless() -> Iterator[Stage]:
    """Recorder and server, and no game."""
    with stage() as here:
        here.record()
        here.serve()
        with rigclient.connect(here.address) as rig:
            until(lambda: _recorded(rig))
        yield here


def _recorded(rig: rigclient.Rig) -> bool:
    try:
        return rig.status().HasField("recorder")
    except rigclient.Unavailable:
        return False


def test_the_library_says_it_once(gameless: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with rigclient.connect(gameless.address) as rig:
        stream = rig.physics(["speed"])
        waiting = threading.Thread(target=list, args=(stream,))
        waiting.start()
        until(lambda: SAID in caplog.text)
        stream.close()
        waiting.join()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"connected to the rig at {gameless.address}; {SAID}: ")
    assert "Start the game" in record.getMessage()


async def test_the_library_for_asyncio_says_it(gameless: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with rigclient.aio.connect(gameless.address) as rig:
        waiting = asyncio.ensure_future(rig.physics(["speed"]).__anext__())
        while SAID not in caplog.text:
            await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_rig_tail_says_it_on_standard_error(gameless: Stage, form: tuple[str, ...]) -> None:
    words = ("rigclient", "--rig", gameless.address, "tail", *form)
    tail = gameless.start(*words, stderr=subprocess.PIPE)
    assert tail.stderr is not None
    assert SAID in tail.stderr.readline()
    gameless.stop(tail)
    assert tail.communicate()[0] == ""


def test_a_rig_that_went_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with stage() as here:
        here.record()
        server = here.serve()
        here.game(2, 50, 600)
        with rigclient.connect(here.address) as rig:
            until(lambda: _recorded(rig))
            stream = rig.physics(["speed"])
            next(stream)
            here.stop(server)
            waiting = threading.Thread(target=list, args=(stream,))
            waiting.start()
            until(lambda: f"no rig answers at {here.address} any more" in caplog.text)
            stream.close()
            waiting.join()
