"""A server that is asked to stop says so, its streams end with where to go on, and nobody holds it up."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rig.errors import Draining
from rig.v1 import telemetry_pb2, telemetry_pb2_grpc
from rigclient.wire import translated
from rigd.serve.server import Server, Settings
from tests.serve.scripted_recorder import RemoteRecorder
from tests.serve.without_room import without_room

Serving = health_pb2.HealthCheckResponse


@pytest.fixture
async def server(recorder: RemoteRecorder, tmp_path: Path) -> AsyncIterator[Server]:
    """A server that a test stops itself."""
    recorder.ticks(10)
    made = Server(Settings(tmp_path, "127.0.0.1:0"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened


EARLIEST = telemetry_pb2.Start(earliest=True)


def follow(channel: grpc.aio.Channel, start: telemetry_pb2.Start = EARLIEST, **wishes: Any) -> Any:
    """A stream, as a program without the library asks for it."""
    stub: Any = telemetry_pb2_grpc.TelemetryServiceStub(channel)
    return stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(start=start, **wishes))


async def ended(stream: Any) -> tuple[list[int], bytes, Draining]:
    """The records that still come, the last cursor and what the stream ends with."""
    seqs, cursor = list[int](), b""

    async def read() -> None:
        nonlocal cursor
        async for response in stream:
            seqs.extend(tick.seq for tick in response.ticks)
            cursor = response.cursor

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read()
    error = translated(caught.value, "here")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert isinstance(error, Draining)
    return seqs, cursor, error


@pytest.mark.parametrize("wishes", [{}, {"ticks_per_message": 64}, {"max_rate_hz": 1.0}])
async def test_a_stream_ends_with_all_it_has_and_its_cursor(
    recorder: RemoteRecorder, server: Server, channel: grpc.aio.Channel, wishes: dict[str, Any]
) -> None:
    ending = asyncio.create_task(ended(follow(channel, **wishes)))
    while not any(one.status().seq == 10 for one in server.streams.followers):
        await asyncio.sleep(0.01)
    await server.stop()
    seqs, cursor, error = await ending
    assert base64.urlsafe_b64decode(error.facts["cursor"]) == cursor
    assert seqs == ([1] if "max_rate_hz" in wishes else list(range(1, 11)))


async def test_a_stream_that_brought_nothing_yet_ends_with_a_cursor(
    recorder: RemoteRecorder, server: Server, channel: grpc.aio.Channel, tmp_path: Path
) -> None:
    stream = follow(channel, telemetry_pb2.Start())
    ending = asyncio.create_task(ended(stream))
    while not server.streams.followers:
        await asyncio.sleep(0.01)
    await server.stop()
    seqs, cursor, _ = await ending
    assert not seqs
    recorder.ticks(3)
    again = Server(Settings(tmp_path, "127.0.0.1:0"))
    await again.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{again.port}") as later:
        response = await follow(later, telemetry_pb2.Start(cursor=cursor)).read()
        assert response.ticks[0].seq == 11
    await again.stop()


async def test_the_health_says_so_before_any_stream_ends(server: Server, channel: grpc.aio.Channel) -> None:
    said: list[str] = []

    async def watch() -> None:
        stub = health_pb2_grpc.HealthStub(channel)
        with contextlib.suppress(grpc.aio.AioRpcError):
            watched = stub.Watch(health_pb2.HealthCheckRequest())
            while (answer := await watched.read()) is not grpc.aio.EOF:
                said.append(Serving.ServingStatus.Name(answer.status))

    watching = asyncio.create_task(watch())
    ending = asyncio.create_task(ended(follow(channel)))
    while not said or not server.streams.followers:
        await asyncio.sleep(0.01)
    ending.add_done_callback(lambda _: said.append("streams ended"))
    await server.stop()
    await asyncio.gather(watching, ending)
    assert said == ["SERVING", "NOT_SERVING", "streams ended"]


async def test_readers_that_have_stopped_do_not_hold_it_up(
    recorder: RemoteRecorder, server: Server, channel: grpc.aio.Channel
) -> None:
    recorder.ticks(5000)
    silent = follow(channel)
    await silent.read()  # and never again
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        await asyncio.wait_for(server.stop(), 60)
    silent.cancel()


async def test_those_who_watch_hear_of_the_end_whoever_else_watches(
    server: Server, channel: grpc.aio.Channel
) -> None:
    address = f"127.0.0.1:{server.port}"
    watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watched.read()).status == Serving.SERVING
    async with grpc.aio.insecure_channel(address) as leaves:  # and has left before the end
        other = health_pb2_grpc.HealthStub(leaves).Watch(health_pb2.HealthCheckRequest())
        await other.read()
        other.cancel()
    async with without_room(server.port, "/grpc.health.v1.Health/Watch"):
        late = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await asyncio.wait_for(late.read(), 30)).status == Serving.SERVING
        stopping = asyncio.create_task(server.stop())
        for one in (watched, late):
            assert (await asyncio.wait_for(one.read(), 30)).status == Serving.NOT_SERVING
        await asyncio.wait_for(stopping, 60)


@pytest.mark.parametrize("method", ["Check", "Watch"])
async def test_the_health_of_what_is_not_there(channel: grpc.aio.Channel, method: str) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    nothing = health_pb2.HealthCheckRequest(service="rig.v1.NoService")
    if method == "Watch":
        assert (await stub.Watch(nothing).read()).status == Serving.SERVICE_UNKNOWN
        return
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(nothing)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
