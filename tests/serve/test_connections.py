"""What connections may take: silent ones are closed, too many are refused, and clients notice neither."""

import asyncio
import contextlib
import itertools
import logging
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import rigclient
from rig.v1 import rig_pb2, rig_pb2_grpc, telemetry_pb2, telemetry_pb2_grpc
from rigclient.aio import AsyncRig
from rigclient.wire import translated
from rigd.serve import connections, interceptor, telemetry
from rigd.serve.limits import USUAL, Quotas
from rigd.serve.server import Server, Settings
from tests.faults.hostile import UNREADABLE, called, methods
from tests.serve.scripted_recorder import RemoteRecorder
from tests.serve.test_streams import take
from tests.serve.without_room import without_room

HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@contextlib.asynccontextmanager
async def serving(data: Path, address: str = "127.0.0.1:0", **limits: int) -> AsyncIterator[str]:
    server = Server(Settings(data, address, limits=Quotas(**limits)))
    await server.start()
    yield address.replace(":0", f":{server.port}")
    await server.stop()


@contextlib.contextmanager
def silent(address: str, count: int) -> Iterator[list[socket.socket]]:
    """Connections that say they are HTTP/2, and nothing more."""
    host, _, port = address.rpartition(":")
    with contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=60)) for _ in range(count)
        ]
        for line in lines:
            with contextlib.suppress(OSError):  # closed already
                line.sendall(HTTP2)
        yield lines


def ended(line: socket.socket) -> bool:
    """Read until the other side closes."""
    with contextlib.suppress(ConnectionResetError):
        while line.recv(1 << 16):
            pass
    return True


async def answered(rig: AsyncRig) -> None:
    """Ask until there is an answer."""
    for attempt in itertools.count():
        try:
            await rig.status()
        except rigclient.Unavailable:
            assert attempt < 600
            await asyncio.sleep(0.1)
        else:
            return


async def test_a_silent_connection_is_closed_and_a_client_that_was_silent_asks_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 1)
    async with serving(tmp_path) as address, rigclient.aio.connect(address) as rig:
        await rig.status()
        with silent(address, 1) as (line,):
            assert await asyncio.to_thread(ended, line)
        for _ in range(3):
            await rig.status()
            await asyncio.sleep(1.1)
        await rig.status()


async def test_a_stream_that_has_nothing_to_say_is_not_idle(
    recorder: RemoteRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 1)
    recorder.ticks(1)
    async with serving(tmp_path) as address, rigclient.aio.connect(address) as rig:
        stream = rig.events()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(2.5)
        recorder.event()
        assert (await asyncio.wait_for(waiting, 60)).seq == 1
        assert stream.reconnects == 0
        await stream.close()


async def test_more_connections_than_the_limit_are_closed_and_a_client_comes_in_when_they_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 2)
    async with serving(tmp_path, connections=4) as address, rigclient.aio.connect(address) as rig:
        with silent(address, 6) as lines:
            await answered(rig)
            for line in lines:
                assert await asyncio.to_thread(ended, line)


def test_connections_leave_files_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert (connections.limit(), raised) == (192, [])
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1 << 20))
    assert (connections.limit(), raised) == (USUAL.connections, [(1088, 1 << 20)])
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert connections.limit() == USUAL.connections


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
async def test_a_malformed_request_is_the_callers_fault_and_not_worth_a_line_in_the_log(
    address: str, method: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def refusal() -> Any:
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            list(called(channel, method, UNREADABLE))
        return caught.value

    with caplog.at_level(logging.WARNING):
        error = await asyncio.to_thread(refusal)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(translated(error, address), rigclient.BadRequest)
    assert error.details().startswith("the request's 11 bytes are not what this call takes")
    assert caplog.records == []


async def test_more_calls_than_the_limit_are_refused_by_name(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interceptor, "MAX_CALLS_PER_CLIENT", 3)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = telemetry_pb2_grpc.TelemetryServiceStub(channel)
        words = telemetry_pb2.StreamAcknowledgementsRequest(subscription=b"nobody")
        calls = [stub.StreamAcknowledgements() for _ in range(3)]
        for call in calls:
            await call.write(words)
        beyond = stub.StreamAcknowledgements()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await beyond
        found = translated(refused.value, address)
        assert isinstance(found, rigclient.Exhausted)
        assert "has 3 calls open, which is the limit" in found.message
        await calls[0].done_writing()
        await calls[0]
        calls[0] = stub.StreamAcknowledgements()
        await calls[0].done_writing()
        await calls[0]


async def test_clients_of_a_socket_do_not_share_the_streams_of_one(
    recorder: RemoteRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MAX_STREAMS_PER_CLIENT", 2)
    recorder.ticks(1)
    async with (
        serving(tmp_path, f"unix:{tmp_path}/s") as address,
        rigclient.aio.connect(address) as one,
        rigclient.aio.connect(address) as other,
    ):
        streams = [rig.physics(start="earliest") for rig in (one, other) for _ in range(2)]
        for stream in streams:
            assert len(await take(stream, 1)) == 1
            await stream.close()


async def test_who_asks_for_a_check_and_reads_nothing_makes_room(
    recorder: RemoteRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_SILENCE_S", 0.5)
    recorder.ticks(10)
    server = Server(Settings(tmp_path, "127.0.0.1:0"))
    await server.start()
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        without_room(server.port, "/rig.v1.RigService/Verify"),
    ):
        for _ in range(600):
            with contextlib.suppress(grpc.aio.AioRpcError):  # a check runs already
                answer = await rig_pb2_grpc.RigServiceStub(channel).Verify(rig_pb2.VerifyRequest()).read()
                assert answer is not grpc.aio.EOF
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("nobody else may check")
    await server.stop()
