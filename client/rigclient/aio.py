"""The asyncio client. Faster with uvloop, which the caller chooses."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

import grpc
import grpc.aio

from rig.v1 import event_pb2, rig_pb2, rig_pb2_grpc
from rigclient import requests
from rigclient.connection import CHANNEL_OPTIONS
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.resume import Reception, framed, unpack_events
from rigclient.wire import translated

_METHOD: Final = "/rig.v1.TelemetryService/"
_TIMEOUT_S: Final = 5.0

T = TypeVar("T")


class AsyncStream(Generic[T]):
    """An endless asynchronous iterator that reconnects and goes on where it was."""

    def __init__(self, call: Callable[[Any], Any], reception: Reception[T], address: str) -> None:
        self._call = call
        self._reception = reception
        self._address = address
        self._cursor = reception.cursor
        self._items = self._follow()

    @property
    def cursor(self) -> bytes:
        """Resume after the last item, or, in the middle of a message, after the message before."""
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
                    for item in items[:-1]:
                        yield item
                    self._cursor = self._reception.cursor
                    for item in items[-1:]:
                        yield item
                await running.code()
            except grpc.RpcError as error:
                await asyncio.sleep(self._reception.recover(translated(error, self._address)))
            finally:
                running.cancel()


class AsyncRig:
    """A connection to one rig, for asyncio. Use `connect`."""

    def __init__(self, address: str = requests.DEFAULT_ADDRESS) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        self._rig: Any = rig_pb2_grpc.RigServiceStub(self._channel)

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
            return await method(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise translated(error, self.address) from None

    def _stream(self, name: str, reception: Reception[T]) -> AsyncStream[T]:
        call: Any = self._channel.unary_stream(
            _METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        return AsyncStream(call, reception, self.address)


def connect(address: str = requests.DEFAULT_ADDRESS) -> AsyncRig:
    """A connection to the rig at `address` (host:port or unix:PATH). Connects on first use."""
    return AsyncRig(address)
