"""Subscribers of one server, in a process of their own, each with a connection of its own.

    python -m tests.bench.peers.clients KIND WHERE COUNTS SECONDS [PID...]

More and more of them join: COUNTS is `1,8,32,100`. Prints, for each count, how old the ticks were when they
came, and what the server's processes and this one used of a CPU per message. KIND `tail` and `ring` have no
server: they follow the recorder of WHERE, and show how old a tick is when the fastest server could have it,
captured or committed.
"""

import asyncio
import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc.aio
import numpy as np
import redis.asyncio
import uvloop
import websockets

from rig.channels import PHYSICS
from rig.columns import Layouts
from rig.v1 import telemetry_pb2, telemetry_pb2_grpc
from rigclient.aio import AsyncRig
from rigclient.connection import CHANNEL_OPTIONS
from rigclient.frames import Decoder, Envelope, PhysicsFrame
from tests.bench.peers.servers import TOPIC, Follower, mqtt
from tests.bench.subscribers import TWELVE
from tests.stage import cpu_s

_SETTLE, _WARM = 0.35, 0.75
"""Parts of a measurement's time that pass before it, and before the first: connections grow meanwhile."""
_FOXGLOVE_HEAD: Final = struct.Struct("<BIQ")
"""Kind, subscription, time: before the message."""

See = Callable[[float], None]
"""Told the stamp of each tick."""


class Reader:
    """Takes the bytes of a response apart, as the client library does."""

    def __init__(self) -> None:
        self._decoder = Decoder(PhysicsFrame)

    def stamp(self, data: bytes) -> float:
        """When the game closed the frame."""
        (frame,) = self._decoder.frames(data, Envelope(data))
        return float(frame.last_impact_time[0])


async def follow_ours(where: str, see: See) -> None:
    async for frame in AsyncRig(f"127.0.0.1:{where}").physics(TWELVE):
        see(float(frame.last_impact_time[0]))


async def follow_grpc(where: str, see: See) -> None:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{where}", CHANNEL_OPTIONS)
    stub: Any = telemetry_pb2_grpc.TelemetryServiceStub(channel)
    async for response in stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(channels=TWELVE)):
        see(response.ticks[0].last_impact_time[0])


async def follow_redis(where: str, see: See) -> None:
    stream, reader, last = redis.asyncio.Redis(port=int(where)), Reader(), b"$"
    while True:
        answer: Any = await stream.xread({TOPIC: last}, block=0)
        ((_, entries),) = answer
        for _, fields in entries:
            see(reader.stamp(fields[b"tick"]))
        last = entries[-1][0]


async def follow_foxglove(where: str, see: See) -> None:
    reader, protocol = Reader(), websockets.Subprotocol("foxglove.sdk.v1")
    async with websockets.connect(f"ws://127.0.0.1:{where}", subprotocols=[protocol]) as connection:
        async for message in connection:
            if isinstance(message, bytes):
                see(reader.stamp(message[_FOXGLOVE_HEAD.size :]))
            elif (said := json.loads(message))["op"] == "advertise":
                wanted = {"id": 1, "channelId": said["channels"][0]["id"]}
                await connection.send(json.dumps({"op": "subscribe", "subscriptions": [wanted]}))


async def follow_mosquitto(where: str, see: See) -> None:
    reader = Reader()

    def joined(client: Any, *_: Any) -> None:
        client.subscribe(TOPIC)
        asyncio.get_running_loop().call_soon(client.loop_write)

    mqtt(int(where), on_connect=joined, on_message=lambda _, __, said: see(reader.stamp(said.payload)))
    await asyncio.Future()


async def follow_gateway(where: str, see: See) -> None:
    """A page; `where` is the port and the name of the rig."""
    port, _, rig = where.partition("/")
    reader, entry = Reader(), {"stream": "physics", "channels": list(TWELVE), "rate": 0}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.ws_connect(f"/live/{rig}", compress=0) as socket,
    ):
        await socket.send_str(json.dumps({"follow": [entry]}))
        async for message in socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                see(reader.stamp(message.data[1:]))


async def follow_tail(where: str, see: See) -> None:
    await _follow(Follower(Path(where)), see)


async def follow_ring(where: str, see: See) -> None:
    await _follow(Follower(Path(where), durable=True), see)


async def _follow(follower: Follower, see: See) -> None:
    layouts = Layouts(PHYSICS, whole=True)
    async for tick in follower.ticks():
        assert tick.head is not None
        layout = layouts.of(tick.head, tick.data, 0, len(tick.data))
        see(float(layout.view(tick.data, 0)["last_impact_time"][0]))


FOLLOWERS: Final = {
    "ours": follow_ours,
    "grpc": follow_grpc,
    "redis": follow_redis,
    "foxglove": follow_foxglove,
    "mosquitto": follow_mosquitto,
    "gateway": follow_gateway,
    "tail": follow_tail,
    "ring": follow_ring,
}


class Watch:
    """Ages of what came."""

    def __init__(self) -> None:
        self.ages: list[float] = []

    def see(self, stamp: float) -> None:
        self.ages.append(time.monotonic() - stamp)

    async def measure(self, count: int, seconds: float, pids: list[int]) -> dict[str, float]:
        """What `count` subscribers see for so long."""
        self.ages = []
        before, own, began = sum(map(cpu_s, pids)), time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        ages, passed = self.ages, time.monotonic() - began
        used, own = sum(map(cpu_s, pids)) - before, time.process_time() - own
        assert ages, "nothing came"
        p50, p99 = np.percentile(np.array(ages) * 1e3, [50, 99])
        return {
            "p50_ms": p50,
            "p99_ms": p99,
            "server_us": 1e6 * used / len(ages),
            "client_us": 1e6 * own / len(ages),
            "per_s": len(ages) / count / passed,
        }


async def main(kind: str, where: str, counts: list[int], seconds: float, pids: list[int]) -> Any:
    """Let them join, and tell what they saw."""
    watch, seen, settle_s = Watch(), {}, _WARM * seconds
    following: list[asyncio.Task[None]] = []
    for count in counts:
        more = range(count - len(following))
        following += [asyncio.create_task(FOLLOWERS[kind](where, watch.see)) for _ in more]
        await asyncio.sleep(settle_s)
        settle_s = _SETTLE * seconds
        check(following)
        seen[count] = await watch.measure(count, seconds, pids)
    check(following)
    return seen


def check(following: list[asyncio.Task[None]]) -> None:
    """Raise what ended a subscriber: none should end."""
    for task in following:
        if task.done():
            task.result()


if __name__ == "__main__":
    which, at, numbers, span = sys.argv[1:5]
    joined, served_by = [int(n) for n in numbers.split(",")], [int(p) for p in sys.argv[5:]]
    seen = uvloop.new_event_loop().run_until_complete(main(which, at, joined, float(span), served_by))
    print(json.dumps(seen), flush=True)
    os._exit(0)  # not through the loop's end: a blocked read of redis-py, once cancelled, waits for ever
