"""Servers of the same stream: each follows rigd's recorder and sends the same twelve channels another way.

    python -m tests.bench.peers.servers KIND DATA WHERE [durable]

KIND is `grpc` (a service as one writes it at first: protobuf messages built for every subscriber), `foxglove`
(Foxglove's SDK, a WebSocket server in Rust), `redis` or `mosquitto` (hands each tick to the daemon). WHERE is
a port; for Redis it is its socket. With `durable` it has ticks once they are committed, else from the tail.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import foxglove
import grpc.aio
import redis.asyncio
import uvloop
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from rig.channels import PHYSICS, Channel
from rig.columns import Layouts
from rig.v1 import physics_pb2, telemetry_pb2, telemetry_pb2_grpc
from rigd import ring as rings
from rigd.serve.feed import Feed
from rigd.serve.recent import Tick
from rigd.serve.selection import Cars, Selections
from tests.bench.subscribers import TWELVE

TOPIC: Final = "physics"
_REDIS_HOLDS: Final = 1000


class Follower:
    """Follows a recorder's ticks: out of the live tail, or once they are committed."""

    def __init__(self, data: Path, *, durable: bool = False) -> None:
        self._feed, self._durable = Feed(data), durable

    async def ticks(self) -> AsyncIterator[Tick]:
        """Every tick from now on."""
        feed, position = self._feed, self._feed.head(rings.PHYSICS, durable=self._durable)
        while True:
            for tick in feed.after(rings.PHYSICS, position, durable=self._durable):
                position = tick.seq
                yield tick
            await feed.changed(rings.PHYSICS, durable=self._durable)

    async def responses(self) -> AsyncIterator[bytes]:
        """The twelve channels of every tick, byte for byte what rigd's server sends."""
        selections = Selections(PHYSICS, lambda seq: self._feed.cursor_field(rings.PHYSICS, seq))
        selection = selections.take(selections.read(TWELVE, Cars()))
        async for tick in self.ticks():
            yield selection.message(tick)


class Plain(telemetry_pb2_grpc.TelemetryServiceServicer):
    """A stream of messages, built by the generated classes from the tick's columns. No other is asked for."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._layouts = Layouts(PHYSICS, whole=True)

    async def StreamPhysics(
        self, request: telemetry_pb2.StreamPhysicsRequest, context: Any
    ) -> AsyncIterator[telemetry_pb2.StreamPhysicsResponse]:
        wanted = PHYSICS.pick(request.channels)
        async for tick in self._follower.ticks():
            yield telemetry_pb2.StreamPhysicsResponse(ticks=[self._built(tick, wanted)])

    def _built(self, tick: Tick, wanted: tuple[Channel, ...]) -> physics_pb2.Physics:
        assert tick.head is not None
        view = self._layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)
        message = physics_pb2.Physics(**tick.head._asdict())
        for channel in wanted:
            getattr(message, channel.name).extend(view[channel.name].ravel().tolist())
        return message


async def serve_grpc(follower: Follower, where: str) -> None:
    server = grpc.aio.server()
    plain = Plain(follower)  # type: ignore[abstract]
    telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(plain, server)
    server.add_insecure_port(f"127.0.0.1:{where}")
    await server.start()
    up()
    await server.wait_for_termination()


async def serve_foxglove(follower: Follower, where: str) -> None:
    message = telemetry_pb2.StreamPhysicsResponse.DESCRIPTOR
    files = descriptor_pb2.FileDescriptorSet(file=_files(message.file, {}).values())
    schema = foxglove.Schema(name=message.full_name, encoding="protobuf", data=files.SerializeToString())
    foxglove.set_log_level("CRITICAL")  # it tells of every client that goes
    foxglove.start_server(host="127.0.0.1", port=int(where))
    channel = foxglove.Channel(f"/{TOPIC}", schema=schema, message_encoding="protobuf")
    up()
    async for response in follower.responses():
        channel.log(response)


def _files(
    file: FileDescriptor, found: dict[str, descriptor_pb2.FileDescriptorProto]
) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """A contract with all that it imports, as Foxglove wants it."""
    for needed in file.dependencies:
        _files(needed, found)
    found[file.name] = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(found[file.name])
    return found


async def serve_redis(follower: Follower, where: str) -> None:
    stream = redis.asyncio.Redis(unix_socket_path=where)
    up()
    async for response in follower.responses():
        await stream.xadd(TOPIC, {b"tick": response}, maxlen=_REDIS_HOLDS, approximate=True)


async def serve_mosquitto(follower: Follower, where: str) -> None:
    client = mqtt(int(where))
    up()
    async for response in follower.responses():
        client.publish(TOPIC, response)


def mqtt(port: int, **callbacks: Any) -> Client:
    """A client of mosquitto on the running event loop."""
    client, loop = Client(CallbackAPIVersion.VERSION2), asyncio.get_running_loop()
    for name, callback in callbacks.items():
        setattr(client, name, callback)
    client.connect("127.0.0.1", port)
    connection: Any = client.socket()
    loop.add_reader(connection, client.loop_read)
    return client


SERVERS: Final = {
    "grpc": serve_grpc,
    "foxglove": serve_foxglove,
    "redis": serve_redis,
    "mosquitto": serve_mosquitto,
}


def up() -> None:
    """Say so."""
    print("up", flush=True)


async def main(kind: str, data: str, where: str, *words: str) -> None:
    await SERVERS[kind](Follower(Path(data), durable="durable" in words), where)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
