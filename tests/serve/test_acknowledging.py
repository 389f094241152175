"""Readers that acknowledge, stop, and come back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

import rigclient
from rig.errors import NotFound
from rig.v1 import rig_pb2, telemetry_pb2, telemetry_pb2_grpc
from rigclient.aio import AsyncRig
from rigclient.frames import Envelope
from rigclient.wire import translated
from rigd.serve import telemetry
from tests.serve.scripted_recorder import RemoteRecorder
from tests.serve.test_streams import take

NAME = b"reader"


@pytest.fixture
async def stub(recorder: RemoteRecorder, address: str) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield telemetry_pb2_grpc.TelemetryServiceStub(channel)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes a reader for stopped at once: so a test need not wait."""
    monkeypatch.setattr("rigd.serve.receipts.STALL_S", 0.1)


async def follower(rig: AsyncRig) -> rig_pb2.Follower:
    """The only follower, once it is there."""
    while not (followers := (await rig.status()).followers):
        await asyncio.sleep(0.01)
    return followers[0]


async def until_stalled(rig: AsyncRig) -> rig_pb2.Follower:
    while not (one := await follower(rig)).stalled:
        await asyncio.sleep(0.01)
    return one


async def records(call: Any) -> list[int]:
    """Numbers of the records in the next message, which may have none."""
    data = (await asyncio.wait_for(call.read(), 10)).SerializeToString()
    return [int.from_bytes(data[at + 1 : at + 9], "little") for at, _ in Envelope(data).records]


async def test_the_client_tells_how_far_it_is(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(5)
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, 5)
    coming = asyncio.ensure_future(anext(stream))  # asking for the next: the first five are dealt with
    while (await follower(rig)).acknowledged_seq == 0:
        await asyncio.sleep(0.01)
    recorder.ticks(1)
    await asyncio.wait_for(coming, 10)


async def test_who_does_not_acknowledge_is_not_said_to(
    recorder: RemoteRecorder, rig: AsyncRig, stub: Any
) -> None:
    recorder.ticks(1)
    call = stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(start=telemetry_pb2.Start(earliest=True)))
    await records(call)
    assert not (await follower(rig)).HasField("acknowledged_seq")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("delivery", "expected"),
    [(telemetry_pb2.DELIVERY_COMPLETE, list(range(2, 42))), (telemetry_pb2.DELIVERY_LATEST, [41])],
    ids=["every record", "the newest"],
)
async def test_a_reader_that_stopped_is_paused_and_goes_on_as_it_asked(
    recorder: RemoteRecorder, rig: AsyncRig, stub: Any, delivery: Any, expected: list[int]
) -> None:
    recorder.ticks(1)
    call = stub.StreamPhysics(
        telemetry_pb2.StreamPhysicsRequest(
            subscription=NAME, delivery=delivery, start=telemetry_pb2.Start(earliest=True)
        )
    )
    first = await asyncio.wait_for(call.read(), 10)
    await until_stalled(rig)
    for _ in range(40):
        recorder.ticks(1)
    paused = await follower(rig)
    assert (paused.seq, paused.lag) == (1, 40), "nothing was sent to it"
    await stub.Acknowledge(telemetry_pb2.AcknowledgeRequest(subscription=NAME, cursor=first.cursor))
    got: list[int] = []
    while len(got) < len(expected):
        message = await asyncio.wait_for(call.read(), 10)
        got += [tick.seq for tick in message.ticks]
        answer = telemetry_pb2.AcknowledgeRequest(subscription=NAME, cursor=message.cursor)
        await stub.Acknowledge(answer)
    assert got == expected
    assert (await follower(rig)).skipped == 40 - len(expected)
    assert not (await follower(rig)).stalled


@pytest.mark.usefixtures("impatient")
async def test_a_paused_reader_still_gets_a_word_a_second(
    recorder: RemoteRecorder, rig: AsyncRig, stub: Any
) -> None:
    recorder.ticks(1)
    request = telemetry_pb2.StreamPhysicsRequest(subscription=NAME, start=telemetry_pb2.Start(earliest=True))
    call = stub.StreamPhysics(request)
    await records(call)
    await until_stalled(rig)
    recorder.ticks(3)
    message = await asyncio.wait_for(call.read(), 10)
    assert (message.progress.head_seq, len(message.ticks)) == (4, 0)


async def test_an_unknown_name_cannot_be_acknowledged(
    recorder: RemoteRecorder, address: str, stub: Any
) -> None:
    recorder.ticks(1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Acknowledge(telemetry_pb2.AcknowledgeRequest(subscription=b"nobody"))
    assert isinstance(translated(refused.value, address), NotFound)


@pytest.mark.parametrize("name", [b"x" * 33, NAME], ids=["too long", "taken"])
async def test_a_name_that_cannot_be_is_refused(
    recorder: RemoteRecorder, rig: AsyncRig, address: str, stub: Any, name: bytes
) -> None:
    recorder.ticks(1)
    kept = stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(subscription=NAME))
    await follower(rig)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(subscription=name)).read()
    assert isinstance(translated(refused.value, address), rigclient.BadRequest)
    kept.cancel()


async def test_one_connection_has_few_streams_that_it_does_not_acknowledge(
    recorder: RemoteRecorder, rig: AsyncRig, address: str, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MAX_SILENT_STREAMS_PER_CLIENT", 2)
    recorder.ticks(1)
    start = telemetry_pb2.Start(earliest=True)

    def open_one(name: bytes = b"") -> Any:
        return stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(subscription=name, start=start))

    kept = [open_one(), open_one()]
    for call in kept:
        await records(call)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await open_one().read()
    error = translated(refused.value, address)
    assert isinstance(error, rigclient.Exhausted)
    assert "acknowledge them" in str(error)
    assert await records(open_one(NAME)) == [1]


async def test_what_is_acknowledged_in_a_stream_of_words_counts_until_one_is_wrong(
    recorder: RemoteRecorder, rig: AsyncRig, address: str, stub: Any
) -> None:
    recorder.ticks(1)
    request = telemetry_pb2.StreamPhysicsRequest(subscription=NAME, start=telemetry_pb2.Start(earliest=True))
    call = stub.StreamPhysics(request)
    message = await asyncio.wait_for(call.read(), 10)
    words = stub.StreamAcknowledgements()
    word = telemetry_pb2.StreamAcknowledgementsRequest
    await words.write(word(subscription=b"nobody", cursor=b"nonsense"))
    await words.write(word(subscription=NAME, cursor=message.cursor))
    while (await follower(rig)).acknowledged_seq == 0:
        await asyncio.sleep(0.01)
    await words.write(word(subscription=NAME, cursor=b"nonsense"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await words
    assert isinstance(translated(refused.value, address), rigclient.MalformedCursor)


async def test_one_connection_cannot_take_all_streams(
    recorder: RemoteRecorder, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "MAX_STREAMS_PER_CLIENT", 3)
    recorder.ticks(1)
    async with rigclient.aio.connect(address) as greedy, rigclient.aio.connect(address) as other:
        streams = [greedy.physics(["speed"], start="earliest") for _ in range(3)]
        for stream in streams:
            await take(stream, 1)
        with pytest.raises(rigclient.Exhausted, match="3 streams"):
            await take(greedy.physics(start="earliest"), 1)
        assert len(await take(other.physics(start="earliest"), 1)) == 1
