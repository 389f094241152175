"""Every quota of a token, a user and an address: at the limit it goes, one past it is refused by name."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

import rigclient
from rig.channels import PHYSICS
from rig.v1 import laps_pb2, laps_pb2_grpc, rig_pb2, rig_pb2_grpc, telemetry_pb2, telemetry_pb2_grpc
from rigclient.wire import translated
from rigd.auth.caller import Scope
from rigd.serve.connections import Crowds
from rigd.serve.limits import FIXED, Quotas, table
from rigd.serve.server import Server
from rigd.store.folder import LapFolder
from rigd.store.marks import Marks
from rigd.store.paging import DEFAULT_PAGE, MAX_PAGE
from tests.serve.scripted_recorder import START_NS, RemoteRecorder
from tests.serve.secured import Secured, certificate, settings
from tests.store.lap_store import CommandThread, LapStore, lap, samples

ALL = (Scope.LIVE_ALL, Scope.LAPS_ALL)


class Rig:
    """A server over TLS whose limits can be changed while it runs."""

    def __init__(self, data: Path) -> None:
        self.settings = settings(data)
        self.server = Server(self.settings, latest=lambda: self.settings)
        self.secured = Secured(self.server, data)

    def limit(self, **limits: int) -> None:
        self.settings = replace(self.settings, limits=Quotas(**limits))

    @contextlib.asynccontextmanager
    async def caller(self, token: str | None = None, name: str = "engineer") -> AsyncIterator["Caller"]:
        """Somebody with a token: this one, or one of their own."""
        token = token or await self.secured.paired(*ALL, name=name)
        async with self.secured.channel(token) as channel:
            yield Caller(channel)

    @contextlib.asynccontextmanager
    async def local(self) -> AsyncIterator["Caller"]:
        async with grpc.aio.insecure_channel(self.secured.local) as channel:
            yield Caller(channel)


class Caller:
    """The services, to one caller."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.laps: Any = laps_pb2_grpc.LapServiceStub(channel)
        self.rig: Any = rig_pb2_grpc.RigServiceStub(channel)
        self.telemetry: Any = telemetry_pb2_grpc.TelemetryServiceStub(channel)

    async def stream(self, *channels: str) -> Any:
        """An open stream of physics, once it has sent something."""
        start = telemetry_pb2.Start(earliest=True)
        call = self.telemetry.StreamPhysics(
            telemetry_pb2.StreamPhysicsRequest(channels=channels, start=start)
        )
        await call.read()
        return call

    async def status(self) -> Any:
        return await self.rig.GetStatus(rig_pb2.GetStatusRequest())

    async def mark(self) -> Any:
        request = laps_pb2.MarkRequest(time_ns=START_NS + 1_000_000_000, before_s=1, after_s=1)
        return await self.laps.Mark(request)

    async def pin(self, name: str) -> Any:
        return await self.laps.PinLap(laps_pb2.PinLapRequest(name=name))


@pytest.fixture
async def rig(recorder: RemoteRecorder, tmp_path: Path) -> AsyncIterator[Rig]:
    recorder.ticks(100)
    made = Rig(tmp_path)
    await made.server.start()
    made.secured.shown = await asyncio.to_thread(certificate, made.secured.address)
    yield made
    await made.server.stop()


@pytest.fixture
def lap_store(tmp_path: Path) -> Iterator[LapStore]:
    made = LapStore(tmp_path)
    for index in range(1, 5):
        made.put(lap(index=index))
    made.close()
    command_thread = CommandThread(tmp_path)
    command_thread.start()
    yield made
    command_thread.stop()


@contextlib.contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    error = translated(caught.value, "here")
    assert type(error) is rigclient.Exhausted, error
    assert words in str(error)
    assert error.facts["limit"].isdigit()


async def test_streams_of_a_token(rig: Rig) -> None:
    rig.limit(streams_per_token=2)
    token = await rig.secured.paired(*ALL)
    async with rig.caller(token) as one, rig.caller(token) as same, rig.caller() as other, rig.local() as own:
        first, _ = await one.stream("speed"), await same.stream("speed")
        with refused("this token would have 3 streams, the limit is 2"):
            await one.stream("speed")
        with refused("this token would have 3 streams"):
            await one.telemetry.StreamEvents(telemetry_pb2.StreamEventsRequest()).read()
        await other.stream("speed")
        for _ in range(3):
            await own.stream("speed")
        first.cancel()
        await again(lambda: one.stream("speed"))


async def again(attempt: Any) -> None:
    """Try until it goes: the server notices in its own time who has left."""
    for _ in range(600):
        try:
            await attempt()
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("it was refused for good")


async def test_channels_of_a_token(rig: Rig) -> None:
    rig.limit(channels_per_token=3)
    async with rig.caller() as one, rig.caller() as other, rig.local() as own:
        await one.stream("speed", "gear")
        with refused("this token would have 4 channels in its streams, the limit is 3"):
            await one.stream("speed", "gear")
        await one.stream("speed")
        with refused(f"this token would have {len(PHYSICS.channels)} channels"):
            await other.stream()
        await own.stream()


async def test_streams_of_the_server(rig: Rig) -> None:
    rig.limit(streams=1)
    async with rig.caller() as one, rig.local() as own:
        await one.stream("speed")
        with refused("1 streams are open, which is the limit"):
            await own.stream("speed")


async def test_messages_of_a_token_in_a_second(rig: Rig) -> None:
    """Time makes up for what was sent, so one past the limit is not the first that is refused."""
    rig.limit(messages_per_second=20)
    async with rig.caller() as one, rig.caller() as other, rig.local() as own:
        for _ in range(20):
            await one.status()
        with refused("more than 20 messages in a second"):
            for _ in range(10_000):
                await one.status()
        await other.status()
        for _ in range(60):
            await own.status()
        await again(one.status)


async def test_so_are_those_of_a_stream_of_acknowledgements(rig: Rig) -> None:
    rig.limit(messages_per_second=20)
    async with rig.caller() as one:
        call = one.telemetry.StreamAcknowledgements()
        with refused("more than 20 messages in a second"):
            with contextlib.suppress(grpc.aio.AioRpcError):  # of a call that is over it says no more
                for _ in range(10_000):
                    await call.write(telemetry_pb2.StreamAcknowledgementsRequest(subscription=b"x"))
            await call


async def test_laps_that_a_token_reads(rig: Rig, lap_store: LapStore, tmp_path: Path) -> None:
    long = LapStore(tmp_path)
    columns = samples(200_000)
    long.put(lap(index=9), columns)
    long.close()
    rig.limit(reads_per_token=1)
    request = laps_pb2.ReadLapRequest(name=lap(index=9).name, encoding=laps_pb2.ENCODING_COLUMNS)
    async with rig.caller() as one, rig.caller() as other:
        reading = one.laps.ReadLap(request)
        await reading.read()
        with refused("this token would have 2 laps that it reads, the limit is 1"):
            await one.laps.ReadLap(request).read()
        await other.laps.ReadLap(request).read()
        reading.cancel()
        await again(lambda: one.laps.ReadLap(request).read())


async def test_who_has_stopped_reading_a_lap_makes_room(
    rig: Rig, lap_store: LapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = LapStore(tmp_path)
    long.put(lap(index=9), samples(200_000))
    long.close()
    rig.limit(reads=2, reads_per_token=2)
    monkeypatch.setattr("rigd.serve.connections.MAX_SILENCE_S", 0.5)
    request = laps_pb2.ReadLapRequest(name=lap(index=9).name, encoding=laps_pb2.ENCODING_COLUMNS)
    async with rig.caller() as silent, rig.caller() as other:
        stopped = [silent.laps.ReadLap(request) for _ in range(2)]
        for one in stopped:
            await one.read()  # and never again
        await again(lambda: other.laps.ReadLap(request).read())


async def test_marks_of_a_user(rig: Rig) -> None:
    rig.limit(marks_per_user=2)
    async with rig.caller(name="birch") as one, rig.caller(name="elm") as other, rig.local() as own:
        assert (await one.mark()).mark.user == "birch"
        await one.mark()
        with refused("2 marks of birch wait to be kept, the limit is 2"):
            await one.mark()
        await other.mark()
        for _ in range(3):
            assert (await own.mark()).mark.user == ""


async def test_marks_at_once_do_not_take_the_same_room(rig: Rig, tmp_path: Path) -> None:
    rig.limit(marks_per_user=2)
    async with rig.caller(name="birch") as one:
        answers = await asyncio.gather(*(one.mark() for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(answer, laps_pb2.MarkResponse) for answer in answers) == 2
    assert len(Marks(tmp_path).pending()) == 2


async def test_pins_of_a_user(rig: Rig, lap_store: LapStore, tmp_path: Path) -> None:
    rig.limit(pins_per_user=2)
    names = [lap(index=index).name for index in range(1, 5)]
    async with rig.caller(name="birch") as one, rig.caller(name="elm") as other, rig.local() as own:
        await own.pin(names[3])
        for name in (names[3], *names[:2], names[0]):  # what is pinned takes no more room
            assert (await one.pin(name)).lap.pinned
        with refused("birch would have 3 laps pinned, the limit is 2"):
            await one.pin(names[2])
        await other.pin(names[2])
        assert set(LapFolder(tmp_path / "laps").pinned_by("birch")) == set(names[:2])
        await own.laps.UnpinLap(laps_pb2.UnpinLapRequest(name=names[0]))
        await one.pin(names[0])


async def test_two_pins_at_once_do_not_take_the_same_room(
    rig: Rig, lap_store: LapStore, tmp_path: Path
) -> None:
    rig.limit(pins_per_user=2)
    async with rig.caller(name="birch") as one:
        calls = [one.pin(lap(index=index).name) for index in range(1, 5)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, laps_pb2.PinLapResponse) for answer in answers) == 2
    assert len(LapFolder(tmp_path / "laps").pinned_by("birch")) == 2


async def test_bytes_that_a_user_has_pinned(rig: Rig, lap_store: LapStore) -> None:
    names = [lap(index=index).name for index in range(1, 4)]
    sizes = [lap_store.store.folder.path(name).stat().st_size for name in names]
    async with rig.caller(name="birch") as one:
        rig.limit(pinned_bytes_per_user=sizes[0] + sizes[1])
        await one.pin(names[0])
        await one.pin(names[1])
        rig.limit(pinned_bytes_per_user=sum(sizes) - 1)
        with refused(f"birch would have {sum(sizes)} bytes pinned, the limit is {sum(sizes) - 1}"):
            await one.pin(names[2])
        rig.limit(pinned_bytes_per_user=sum(sizes))
        await one.pin(names[2])


async def test_rows_of_a_page(rig: Rig, tmp_path: Path) -> None:
    lap_store = LapStore(tmp_path)
    with lap_store.store.index.transaction():
        for index in range(MAX_PAGE + 1):
            lap_store.store.index.put_lap(lap(index=index))
    lap_store.close()
    async with rig.caller() as one:
        for asked, given in ((0, DEFAULT_PAGE), (MAX_PAGE, MAX_PAGE), (MAX_PAGE + 1, MAX_PAGE)):
            answer = await one.laps.ListLaps(laps_pb2.ListLapsRequest(parent="sessions/-", page_size=asked))
            assert len(answer.laps) == given
            assert answer.next_page_token


async def test_connections_of_an_address(rig: Rig) -> None:
    """Those that were there stay; gRPC does not tell of those that say nothing."""
    host, _, port = rig.secured.address.rpartition(":")

    def silent() -> socket.socket:
        return socket.create_connection((host, int(port)), timeout=60)

    def closed(line: socket.socket) -> bool:
        with contextlib.suppress(ConnectionResetError):
            while line.recv(1 << 16):
                pass
        return True

    async with rig.caller() as one:
        await one.stream("speed")
        rig.limit(connections_per_address=1)
        with silent() as line:
            assert await asyncio.to_thread(closed, line)
        await one.status()
        with silent() as line:
            line.settimeout(0.1)
            rig.limit(connections_per_address=2)
            await asyncio.sleep(0)
            with contextlib.suppress(TimeoutError):
                assert line.recv(1), "at the limit it stays open"


def test_of_ipv6_the_half_that_a_network_has_counts_as_one_address() -> None:
    """And what comes in over IPv4 counts as that."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        port = listening.getsockname()[1]
        ends = [stack.enter_context(socket.create_connection(("::1", port))) for _ in range(3)]
        accepted = [stack.enter_context(listening.accept()[0]) for _ in range(3)]
        crowds = Crowds([port])
        assert crowds.disperse(3) == {}
        assert crowds.disperse(2) == {"::/64": 1}
        assert len(ends) == len(accepted)


def test_the_page_has_every_limit_that_is_no_setting() -> None:
    from rigclient.assistant import bounds
    from rigd.serve import limits
    from rigd.store.catalog import limits as catalog
    from riglap.season import MOST_LAPS

    constants = [*vars(limits).items(), *vars(catalog).items()]
    named = {value for name, value in constants if name.startswith("MAX_")}
    of_others = {bounds.MAX_CALLS, bounds.MAX_SECONDS, MOST_LAPS}
    assert named | of_others == {one.most for one in FIXED}
    assert table().count("\n") == len(FIXED) + 2
