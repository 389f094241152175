"""Readers of one server in lockstep: python -m tests.budget.readers DATA READERS TICKS [tail]

A tick is appended, the server sends it to all, and the next one waits until every reader has it; with `tail`
it is in the live tail alone. What the server calls meanwhile is a window of DATA/windows.json. Prints the
bytes of a message.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc.aio

from rigclient import requests
from tests.budget.trace import mark
from tests.serve.scripted_recorder import RemoteRecorder, ScriptedRecorder

_WARM_TICKS: Final = 30
METHOD: Final = "/rig.v1.TelemetryService/StreamPhysics"


@asynccontextmanager
async def traced_server(data: Path, out: Path) -> AsyncIterator[tuple[int, int]]:
    """Process id and port of a server under the tracer, which writes `out` when the server has ended."""
    words = ("-m", "tests.budget.trace", str(out), sys.executable, "-m", "tests.budget.server", str(data))
    tracer = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    assert tracer.stdout is not None
    pid, port = map(int, (await tracer.stdout.readline()).split())
    try:
        yield pid, port
    finally:
        os.kill(pid, signal.SIGTERM)
        await tracer.wait()


async def lockstep(
    recorder: ScriptedRecorder | RemoteRecorder,
    streams: list[Any],
    ticks: int,
    after_tick: Callable[[], None] = lambda: None,
) -> int:
    """Append ticks one by one, and after each say that all have it; bytes of the last message."""
    size = 0
    for _ in range(ticks):
        recorder.ticks(1)
        messages = await asyncio.gather(*(stream.read() for stream in streams))
        size = len(messages[0])
        after_tick()
    return size


async def measure(data: Path, readers: int, ticks: int, *, tail: bool) -> int:
    """Send `ticks` to each of the readers, a window each; bytes of a message."""
    recorder = ScriptedRecorder(data, tail=tail)
    recorder.ticks(1)
    recorder.hold()
    async with traced_server(data, data / "windows.json") as (pid, port):
        channels = [
            grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.use_local_subchannel_pool", 1),))
            for _ in range(readers)
        ]
        calls: list[Any] = [channel.unary_stream(METHOD) for channel in channels]
        request = requests.physics(start="earliest").SerializeToString()
        streams = [call(request) for call in calls]
        await asyncio.gather(*(stream.read() for stream in streams))
        await lockstep(recorder, streams, _WARM_TICKS)
        mark(pid)
        size = await lockstep(recorder, streams, ticks, lambda: mark(pid))
        for channel in channels:
            await channel.close()
    recorder.close()
    return size


if __name__ == "__main__":
    place, readers, ticks, *tail = sys.argv[1:]
    print(asyncio.run(measure(Path(place), int(readers), int(ticks), tail=bool(tail))))
