"""A connection that is closed ends what it has open: streams stop, and nobody waits for ever."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

import rigclient
from rig.errors import RigError
from rig.v1 import event_pb2, telemetry_pb2, telemetry_pb2_grpc
from rigclient import aio
from tests.stage import until


class Endless(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Streams of one event, after which nothing comes until the client goes."""

    def __init__(self) -> None:
        self.acknowledged = threading.Semaphore(0)
        self.left = threading.Semaphore(0)

    def StreamEvents(self, request: Any, context: Any) -> Iterator[telemetry_pb2.StreamEventsResponse]:
        gone = threading.Event()
        context.add_callback(gone.set)
        context.add_callback(self.left.release)  # of a client that goes at once gRPC leaves this at its yield
        yield telemetry_pb2.StreamEventsResponse(cursor=b"c" * 24, events=[event_pb2.Event(seq=7)])
        gone.wait(60)

    def StreamAcknowledgements(
        self, words: Any, context: Any
    ) -> telemetry_pb2.StreamAcknowledgementsResponse:
        for _ in words:
            self.acknowledged.release()
        return telemetry_pb2.StreamAcknowledgementsResponse()


@pytest.fixture
def endless() -> Iterator[tuple[Endless, str]]:
    service = Endless()  # type: ignore[abstract]
    server = grpc.server(futures.ThreadPoolExecutor(8))
    telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(service, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service, address
    server.stop(0).wait()


def test_closing_the_blocking_client_ends_its_streams(endless: tuple[Endless, str]) -> None:
    service, address = endless
    rig = rigclient.connect(address)
    streams = [rig.events(), rig.events()]
    taken: list[int] = []
    readers = [
        threading.Thread(target=lambda stream=stream: taken.extend(event.seq for event in stream))
        for stream in streams
    ]
    for reader in readers:
        reader.start()
    assert all(service.acknowledged.acquire(timeout=60) for _ in streams)
    rig.close()
    for reader in readers:
        reader.join(60)
    assert not any(reader.is_alive() for reader in readers)
    assert taken == [7, 7]
    assert all(service.left.acquire(timeout=60) for _ in streams)
    assert list(streams[0]) == []


async def test_closing_the_client_for_asyncio_ends_its_streams(endless: tuple[Endless, str]) -> None:
    service, address = endless
    rig = aio.connect(address)

    async def read(stream: aio.AsyncStream[event_pb2.Event]) -> list[int]:
        return [event.seq async for event in stream]

    streams = [rig.events(), rig.events()]
    reading = [asyncio.create_task(read(stream)) for stream in streams]
    for _ in streams:
        assert await asyncio.to_thread(service.acknowledged.acquire, timeout=60)
    await rig.close()
    assert await asyncio.wait_for(asyncio.gather(*reading), 60) == [[7], [7]]
    for _ in streams:
        assert await asyncio.to_thread(service.left.acquire, timeout=60)
    assert [event async for event in streams[0]] == []


async def test_closed_twice_is_closed(endless: tuple[Endless, str]) -> None:
    _, address = endless
    with rigclient.connect(address) as rig:
        rig.close()
    async with aio.connect(address) as other:
        await other.close()


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection of cycles: only what nothing refers to goes."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def calls() -> list[Any]:
    """Calls of gRPC's blocking client that are alive."""
    return [one for one in gc.get_objects() if type(one).__name__ == "_MultiThreadedRendezvous"]


def test_calls_of_closed_streams_are_gone_at_once(endless: tuple[Endless, str], uncollected: None) -> None:
    # One that lives until Python ends, in a cycle, may keep it from ending.
    _, address = endless
    before = len(calls())
    with rigclient.connect(address) as rig:
        stream = rig.events()
        assert next(stream).seq == 7
        stream.close()
        assert list(stream) == []
        with pytest.raises(RigError):
            list(rig.verify())
        with pytest.raises(RigError):
            list(rig.scoring(reconnect=False))
        open_stream = rig.events()
        next(open_stream)
    until(lambda: len(calls()) == before)


def test_a_connection_that_nobody_closes_is_closed_at_the_end(endless: tuple[Endless, str]) -> None:
    service, address = endless
    script = f"import rigclient; rig = rigclient.connect({address!r}); s = rig.events(); print(next(s).seq)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "7\n", "")
    assert service.left.acquire(timeout=60)
