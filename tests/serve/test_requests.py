"""Bad requests get a clear error of the tree, and so does a server without a ring."""

import asyncio
import re
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import rigclient
from rig.v1 import telemetry_pb2, telemetry_pb2_grpc
from rigclient.aio import AsyncRig
from rigd.serve.cursor import Cursor
from rigd.serve.server import Server, Settings
from tests.rig.cursors import old
from tests.serve.scripted_recorder import RecorderProcess, RemoteRecorder

S = telemetry_pb2.StreamPhysicsRequest


async def refused(address: str, request: S) -> grpc.aio.AioRpcError:
    """The error that a raw request ends with."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = telemetry_pb2_grpc.TelemetryServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(stub.StreamPhysics(request).read(), 10)
        return caught.value


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"channels": ["egine_rpm"]}, "'egine_rpm'.*did you mean 'engine_rpm'"),
        ({"max_rate_hz": -1.0}, "max_rate_hz is -1.0"),
        ({"max_rate_hz": float("nan")}, "max_rate_hz is nan"),
        ({"cars": {"ids": [1], "player": True}}, "exclude each other"),
        ({"start": {"cursor": b"nonsense"}}, "a cursor has 44 bytes, this one has 8"),
        ({"start": {"cursor": b"rc\1" + b"x" * 21}}, "are no cursor"),
        ({"start": {"cursor": b"x" * 44}}, "were changed, or another rig made it"),
        ({"ticks_per_message": 65}, "the limit is 64"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_the_value_and_a_hint(
    recorder: RemoteRecorder, address: str, wishes: dict[str, object], words: str
) -> None:
    recorder.ticks(1)
    error = await refused(address, S(**wishes))  # type: ignore[arg-type]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert re.search(words, error.details() or "")


@pytest.mark.parametrize(
    "cursor",
    [Cursor(b"12345678", 1, 1), "scoring", "ahead"],
    ids=["another ring", "another stream", "ahead of the ring"],
)
async def test_a_foreign_cursor_is_refused(
    recorder: RemoteRecorder, rig: AsyncRig, cursor: Cursor | str
) -> None:
    recorder.ticks(3)
    ring = bytes.fromhex(recorder.identity())
    given = {"scoring": Cursor(ring, 2, 1), "ahead": Cursor(ring, 1, 99)}
    packed = old(given[cursor] if isinstance(cursor, str) else cursor)
    with pytest.raises(rigclient.ForeignCursor):
        await asyncio.wait_for(anext(rig.physics(start=packed)), 10)


async def test_scoring_has_no_running_lap(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.update(entries=True)
    with pytest.raises(rigclient.BadRequest, match="only physics"):
        await asyncio.wait_for(anext(rig.scoring(start="running_lap")), 10)


async def test_a_car_that_is_not_there_has_no_running_lap(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(1)
    with pytest.raises(rigclient.BadRequest, match="not on track"):
        await asyncio.wait_for(anext(rig.physics(cars=[99], start="running_lap")), 10)


async def test_without_a_ring_a_stream_is_unavailable_and_says_why(address: str, tmp_path: Path) -> None:
    async with rigclient.aio.connect(address) as rig:
        with pytest.raises(rigclient.RingMissing, match=f"no ring in {tmp_path}/ring"):
            await asyncio.wait_for(anext(rig.physics()), 10)
        status = await rig.status()
        assert not status.HasField("ring")
        assert not status.HasField("recorder")


async def test_a_ring_that_comes_later_is_found(
    address: str, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    recorder = RemoteRecorder(recorder_process, tmp_path)
    recorder.ticks(2)
    async with rigclient.aio.connect(address) as rig:
        for _ in range(100):
            if (await rig.status()).HasField("ring"):
                break
            await asyncio.sleep(0.05)
        frame = await asyncio.wait_for(anext(rig.physics(start="earliest")), 10)
        assert frame.seq == 1
    recorder.close()


async def test_nobody_at_the_address_is_unavailable_and_says_what_to_do() -> None:
    async with rigclient.aio.connect("127.0.0.1:1") as rig:
        with pytest.raises(rigclient.Unavailable, match=r"no rig answers at 127.0.0.1:1.*rigd run"):
            await rig.status()


async def test_status_tells_the_span_and_the_durable_cursor(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(5)
    for _ in range(100):
        span = (await rig.status()).ring.spans[0]
        if span.last_seq == 5:
            break
        await asyncio.sleep(0.02)
    assert (span.first_seq, span.last_seq) == (1, 5)
    recorder.ticks(1)
    frame = await asyncio.wait_for(anext(rig.physics(start=span.cursor)), 10)
    assert frame.seq == 6


async def test_channels_are_listed_from_the_registry(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    found = {channel.name: channel for channel in await rig.channels() if channel.stream == 1}
    assert (found["brake_temp"].unit, found["brake_temp"].width) == ("°C", 4)


async def test_health_and_reflection_are_served(recorder: RemoteRecorder, address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="rig.v1.TelemetryService"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        listed = await call.read()
        names = {service.name for service in listed.list_services_response.service}
        assert {"rig.v1.TelemetryService", "rig.v1.RigService", "grpc.health.v1.Health"} <= names


WRONG = {
    "127.0.0.1:65536": "'65536' is no port",
    "127.0.0.1:99999999999999999999": "is no port",
    "127.0.0.1:": "the port is missing",
    "127.0.0.1:-1": "is no port",
    "127.0.0.1:\u0664\u0665": "is no port",
    ":7340": "names no host",
    "unix:": "names no file",
    "unix:/tmp/\0": "names no file",
    "unix:/" + "x" * 107: "has 108 bytes",
}


def serve_at(address: str) -> None:
    Server(Settings(Path("/nowhere"), address))


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_address_is_refused_by_server_and_clients(address: str) -> None:
    for use in (serve_at, rigclient.connect, rigclient.aio.connect):
        with pytest.raises(rigclient.BadRequest, match=WRONG[address]):
            use(address)


@pytest.mark.parametrize("address", ["127.0.0.1:7340", "localhost:1", "[::1]:7340", "unix:/tmp/x.sock"])
def test_loopback_and_unix_sockets_are_served_in_clear(address: str) -> None:
    assert Settings(Path("/nowhere"), address).plain == (address,)


@pytest.mark.parametrize("address", ["0.0.0.0:7340", "[::]:7340", "192.168.1.2:7340", "rig.local:7340"])
def test_every_other_address_is_served_over_tls(address: str) -> None:
    assert Settings(Path("/nowhere"), address).beyond == (address,)
