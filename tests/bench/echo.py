"""The floor of a stream: a bare grpc.aio server that sends ready bytes to everyone at a rate.

python -m tests.bench.echo PORT BYTES RATE              the server
python -m tests.bench.echo PORT COUNT SECONDS read      readers; prints how old the bytes were

The bytes begin with the monotonic clock at which they were made.
"""

import asyncio
import json
import struct
import sys
import time
from typing import Any

import grpc
import grpc.aio
import numpy as np
import uvloop

from rigclient.connection import CHANNEL_OPTIONS

_METHOD = "/bench.Echo/Stream"
_STAMP = struct.Struct("<d")


class Echo:
    """Writes the same bytes to every stream, all in the same moment."""

    def __init__(self, size: int, rate: float) -> None:
        self._padding, self._period = bytes(size - _STAMP.size), 1 / rate
        self._payload = b""
        self._waiters: list[asyncio.Future[None]] = []

    async def stream(self, _request: bytes, context: Any) -> None:
        """One stream, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            await waiter
            await context.write(self._payload)

    async def beat(self) -> None:
        """Wake everyone at the rate."""
        due = time.monotonic()
        while True:
            due += self._period
            await asyncio.sleep(max(due - time.monotonic(), 0))
            self._payload = _STAMP.pack(time.monotonic()) + self._padding
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


async def serve(port: int, size: int, rate: float) -> None:
    """Serve until killed."""
    echo, server = Echo(size, rate), grpc.aio.server()
    handler: Any = grpc.unary_stream_rpc_method_handler(echo.stream)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Echo", {"Stream": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("up", flush=True)
    await echo.beat()


async def read(port: int, count: int, seconds: float) -> None:
    """Read `count` streams for so long."""
    warm, until = time.monotonic() + 1, time.monotonic() + seconds
    ages: list[float] = []

    async def one(channel: grpc.aio.Channel) -> None:
        method: Any = channel.unary_stream(_METHOD)
        call = method(b"")
        while (now := time.monotonic()) < until:
            data = await call.read()
            if now > warm:
                ages.append(time.monotonic() - _STAMP.unpack_from(data)[0])
        call.cancel()

    where, options = f"127.0.0.1:{port}", CHANNEL_OPTIONS
    channels = [grpc.aio.insecure_channel(where, options) for _ in range(max(count // 4, 1))]
    await asyncio.gather(*(one(channels[i % len(channels)]) for i in range(count)))
    p50, p99 = np.percentile(np.array(ages) * 1e3, [50, 99])
    print(json.dumps({"p50_ms": p50, "p99_ms": p99}))


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[-1] == "read":
        uvloop.run(read(int(words[0]), int(words[1]), float(words[2])))
    else:
        uvloop.run(serve(int(words[0]), int(words[1]), float(words[2])))
