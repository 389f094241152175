"""The asyncio client. Faster with uvloop, which the caller chooses."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Generic, TypeVar, cast

import grpc
import grpc.aio

from rig import sockets
from rig.errors import RigError
from rig.v1 import (
    event_pb2,
    lap_pb2,
    laps_pb2,
    laps_pb2_grpc,
    rig_pb2,
    rig_pb2_grpc,
    session_pb2,
    telemetry_pb2_grpc,
)
from rigclient import losses, requests, waiting
from rigclient import queries as laps
from rigclient.acknowledging import AsyncAcknowledger
from rigclient.connection import CHANNEL_OPTIONS, TIMEOUT_S
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.queries import Progress
from rigclient.resume import Reception, framed, unpack_events
from rigclient.wire import translated
from riglap.lap import Lap, ScoringRows, Updates

_METHOD: Final = "/rig.v1.TelemetryService/"
T = TypeVar("T")


class AsyncStream(Generic[T]):
    """An endless asynchronous iterator that reconnects and goes on where it was."""

    def __init__(
        self,
        call: Callable[[Any], Any],
        acknowledger: AsyncAcknowledger,
        reception: Reception[T],
        rig: "AsyncRig",
    ) -> None:
        self._call = call
        self._acknowledger = acknowledger
        self._reception = reception
        self._rig = rig
        self._silence = waiting.Silence()
        self._cursor = reception.cursor
        self._items = self._follow()

    @property
    def cursor(self) -> bytes:
        """Resume after the last item; between ticks collected into one message, after the message before."""
        return self._cursor

    @property
    def reconnects(self) -> int:
        """Times the stream went on after it was away."""
        return self._reception.reconnects

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items  # not self: one coroutine less on every item

    async def __anext__(self) -> T:
        return await self._items.__anext__()

    async def close(self) -> None:
        """End the stream."""
        await self._items.aclose()

    async def _follow(self) -> AsyncGenerator[T]:
        while True:
            running = self._call(self._reception.next_request())
            try:
                while (data := await running.read()) is not grpc.aio.EOF:
                    items = self._reception.take(data)
                    for item, cursor in zip(items, self._reception.cursors(len(items)), strict=True):
                        self._cursor = cursor
                        yield item
                    self._cursor = self._reception.cursor
                    if items:
                        self._silence.end()
                    elif self._silence.overdue():
                        await self._say_what_is_awaited()
                    if (done := self._reception.acknowledgement()) is not None:
                        self._acknowledger.tell(done)
                await running.code()
            except grpc.RpcError as error:
                await asyncio.sleep(self._reception.recover(translated(error, self._rig.address)))
                if self._silence.overdue():
                    waiting.disconnected(self._rig.address)
            finally:
                running.cancel()

    async def _say_what_is_awaited(self) -> None:
        with contextlib.suppress(RigError):
            waiting.connected(self._rig.address, await self._rig.status())


class AsyncRig:
    """A connection to one rig, for asyncio. Use `connect`."""

    def __init__(self, address: str) -> None:
        sockets.check(address)
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        self._rig: Any = rig_pb2_grpc.RigServiceStub(self._channel)
        self._laps: Any = laps_pb2_grpc.LapServiceStub(self._channel)
        telemetry: Any = telemetry_pb2_grpc.TelemetryServiceStub(self._channel)
        self._acknowledger = AsyncAcknowledger(telemetry.StreamAcknowledgements)

    def physics(self, *args: Any, reconnect: bool = True, **wishes: Any) -> AsyncStream[PhysicsFrame]:
        """Telemetry ticks. Takes what `requests.physics` takes: channels, cars, max_rate_hz, start, ..."""
        decoder = framed(Decoder(PhysicsFrame))
        reception = Reception(requests.physics(*args, **wishes), decoder, reconnect)
        return self._stream("StreamPhysics", reception)

    def scoring(self, *args: Any, reconnect: bool = True, **wishes: Any) -> AsyncStream[ScoringFrame]:
        """Scoring updates. Takes what `requests.scoring` takes."""
        decoder = framed(Decoder(ScoringFrame))
        reception = Reception(requests.scoring(*args, **wishes), decoder, reconnect)
        return self._stream("StreamScoring", reception)

    def events(
        self, start: requests.Start = "now", *, reconnect: bool = True
    ) -> AsyncStream[event_pb2.Event]:
        """Events; what is missing comes as an event with a gap."""
        return self._stream("StreamEvents", Reception(requests.events(start), unpack_events, reconnect))

    async def status(self) -> rig_pb2.GetStatusResponse:
        """State of the rig."""
        status: rig_pb2.GetStatusResponse = await self._ask(self._rig.GetStatus, rig_pb2.GetStatusRequest())
        return status

    async def channels(self) -> list[rig_pb2.ChannelInfo]:
        """The rig's channel registry."""
        answer = await self._ask(self._rig.ListChannels, rig_pb2.ListChannelsRequest())
        return list(answer.channels)

    async def losses(self, session: str = "", stream: str = "") -> rig_pb2.GetLossesResponse:
        """What a session was to bring and what of it is missing, with every gap; "": the newest session, all
        streams. Raises NotFound, Corrupt.
        """
        pages = losses.Pages(losses.get_losses(session, stream))
        while pages.take(await self._ask(self._rig.GetLosses, pages.request)):
            pass
        return pages.answer

    def verify(self, *, deep: bool = False) -> AsyncIterator[rig_pb2.VerifyResponse]:
        """Check everything that the rig keeps, `deep` with every lap that its ring still holds: how far that
        is, and what is found. Raises Exhausted while another check runs.
        """
        return self._parts(self._rig.Verify, rig_pb2.VerifyRequest(deep=deep))

    def sessions(self, **filters: Any) -> AsyncIterator[session_pb2.Session]:
        """Sessions, newest first, asked for as they are used. Takes what `laps.list_sessions` takes."""
        return self._pages(self._laps.ListSessions, laps.list_sessions(**filters), "sessions")

    async def session(self, name: str) -> session_pb2.Session:
        """One session. Raises NotFound."""
        request = laps_pb2.GetSessionRequest(name=laps.session_name(name))
        return cast(session_pb2.Session, (await self._ask(self._laps.GetSession, request)).session)

    def laps(self, session: str | None = None, **filters: Any) -> AsyncIterator[lap_pb2.Lap]:
        """Laps of a session, or of all, asked for as they are used. Takes what `laps.list_laps` takes."""
        return self._pages(self._laps.ListLaps, laps.list_laps(session, **filters), "laps")

    async def lap_info(self, name: str) -> lap_pb2.Lap:
        """What a lap is, without its samples. Raises NotFound."""
        answer = await self._ask(self._laps.GetLap, laps_pb2.GetLapRequest(name=name))
        return cast(lap_pb2.Lap, answer.lap)

    async def lap(self, name: str, *args: Any, progress: Progress | None = None, **wishes: Any) -> Lap:
        """A lap, or a part of it. Takes what `laps.read_lap` takes: channels, lap_time, distance, ...

        `progress` is told the bytes as they arrive. Raises NotFound, MissingChannel, Corrupt.
        """
        request = laps.read_lap(name, *args, **wishes)
        total = (await self.lap_info(name)).bytes if progress and laps.whole(request) else 0
        reading = laps.Reading(total, progress)
        async for response in self._parts(self._laps.ReadLap, request):
            reading.take(response)
        return reading.lap()

    async def lap_file(self, name: str) -> bytes:
        """The bytes of a lap's file, as it lies on the rig. Raises NotFound, Corrupt."""
        reading = laps.Reading()
        async for part in self._parts(self._laps.ReadLap, laps.read_lap(name)):
            reading.take(part)
        return reading.data()

    async def lap_scoring(self, name: str, *args: Any, **wishes: Any) -> ScoringRows:
        """Scoring updates of a lap. Takes what `laps.read_scoring` takes; raises as `lap` does."""
        updates = Updates()
        async for part in self._parts(self._laps.ReadScoring, laps.read_scoring(name, *args, **wishes)):
            updates.take(part.columns)
        return updates.rows()

    async def mark(self, *args: Any, **wishes: Any) -> laps_pb2.Moment:
        """Keep the time around a moment. Takes what `laps.mark` takes. Raises CursorExpired."""
        return cast(laps_pb2.Moment, (await self._ask(self._laps.Mark, laps.mark(*args, **wishes))).mark)

    def marks(self) -> AsyncIterator[laps_pb2.Moment]:
        """Moments that were marked, newest first, asked for as they are used."""
        request = laps_pb2.ListMarksRequest(page_size=laps.PAGE)
        return self._pages(self._laps.ListMarks, request, "marks")

    async def pin(self, name: str) -> lap_pb2.Lap:
        """Keep a lap whatever else has to go. Raises NotFound, Unavailable."""
        answer = await self._ask(self._laps.PinLap, laps_pb2.PinLapRequest(name=name))
        return cast(lap_pb2.Lap, answer.lap)

    async def unpin(self, name: str) -> lap_pb2.Lap:
        """Let a lap go like any other. Raises as `pin` does."""
        answer = await self._ask(self._laps.UnpinLap, laps_pb2.UnpinLapRequest(name=name))
        return cast(lap_pb2.Lap, answer.lap)

    async def delete_lap(self, name: str) -> None:
        """Delete a lap for good. Raises NotFound, Pinned, Unavailable."""
        await self._ask(self._laps.DeleteLap, laps_pb2.DeleteLapRequest(name=name))

    async def mark_synced(self, digests: Mapping[str, str]) -> list[str]:
        """Tell that a warehouse has these laps, by name with their digests, at most 200 at a time.

        Returns the names of those that are gone or have another digest. Raises Exhausted, Unavailable.
        """
        request = laps.mark_synced(digests)
        return list((await self._ask(self._laps.MarkLapsSynced, request)).unmarked)

    async def close(self) -> None:
        """Close the connection and end its streams."""
        await self._channel.close()

    async def __aenter__(self) -> "AsyncRig":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise translated(error, self.address) from None

    async def _pages(self, method: Any, request: Any, what: str) -> AsyncGenerator[Any]:
        while True:
            answer = await self._ask(method, request)
            for item in getattr(answer, what):
                yield item
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def _parts(self, method: Any, request: Any) -> AsyncGenerator[Any]:
        call = method(request)
        try:
            async for part in call:
                yield part
        except grpc.RpcError as error:
            raise translated(error, self.address) from None
        finally:
            call.cancel()

    def _stream(self, name: str, reception: Reception[T]) -> AsyncStream[T]:
        call: Any = self._channel.unary_stream(
            _METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        return AsyncStream(call, self._acknowledger, reception, self)


def connect(rig: str = "") -> AsyncRig:
    """A connection to a rig: host:port, unix:PATH, or the name of one on this machine; "": the one that
    answers here. Connects on first use. Raises BadRequest for what is no address, and where several answer.
    """
    return AsyncRig(sockets.resolve(rig))
