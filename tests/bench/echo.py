"""The floor of a stream: a bare grpc.aio server that sends ready bytes to everyone at a rate.

python -m tests.bench.echo PORT BYTES RATE              the server
python -m tests.bench.echo PORT COUNT SECONDS read      readers; prints the messages they got
"""

import asyncio
import json
import sys
import time
from typing import Any

import grpc
import grpc.aio
import uvloop

_METHOD = "/bench.Echo/Stream"


class Echo:
    """Writes the same bytes to every stream, all in the same moment."""

    def __init__(self, size: int, rate: float) -> None:
        self._payload, self._period = bytes(size), 1 / rate
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
    until = time.monotonic() + seconds

    async def one(channel: grpc.aio.Channel) -> int:
        method: Any = channel.unary_stream(_METHOD)
        call, got = method(b""), 0
        while time.monotonic() < until:
            await call.read()
            got += 1
        call.cancel()
        return got

    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}") for _ in range(max(count // 4, 1))]
    counts = await asyncio.gather(*(one(channels[i % len(channels)]) for i in range(count)))
    print(json.dumps({"messages": sum(counts)}))


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[-1] == "read":
        uvloop.run(read(int(words[0]), int(words[1]), float(words[2])))
    else:
        uvloop.run(serve(int(words[0]), int(words[1]), float(words[2])))
