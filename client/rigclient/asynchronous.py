"""The connection for asyncio: calls, pages and streams, whatever they are about."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from rig.errors import RigError
from rig.v1 import access_pb2, access_pb2_grpc, laps_pb2_grpc, rig_pb2, rig_pb2_grpc, telemetry_pb2_grpc
from rigclient import waiting
from rigclient.acknowledging import AsyncAcknowledger
from rigclient.connection import CHANNEL_OPTIONS, METHOD, TIMEOUT_S
from rigclient.paired import PairedRig
from rigclient.resume import Reception
from rigclient.route import Route
from rigclient.wire import translated

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class AsyncStream(Generic[T]):
    """An endless asynchronous iterator that reconnects and goes on where it was."""

    def __init__(
        self,
        call: Callable[[Any], Any],
        acknowledger: AsyncAcknowledger,
        reception: Reception[T],
        rig: "AsyncConnection",
    ) -> None:
        self._call = call
        self._acknowledger = acknowledger
        self._reception = reception
        self._rig = rig
        self._silence = waiting.Silence()
        self._running: Any = None
        self._closed = False
        self._cursor = reception.cursor
        self._items = self._follow()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._rig.address}, {self.reconnects} reconnects>"

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
        """End the stream, also for a task that waits for its next item."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
        if not self._items.ag_running:  # type: ignore[attr-defined]
            await self._items.aclose()

    async def _follow(self) -> AsyncGenerator[T]:
        while not self._closed:
            running = self._running = self._call(self._reception.next_request())
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
                        if self._rig._route.due():
                            await self._rig._learn()
                await running.code()
            except asyncio.CancelledError:
                # A call that `close` has cancelled says so like a task that somebody cancelled.
                task = asyncio.current_task()
                if not self._closed or (task is not None and task.cancelling()):
                    raise
                return
            except grpc.RpcError as error:
                if (why := await self._rig._explained(error)) is None:
                    continue
                await asyncio.sleep(self._reception.recover(why))
                if self._silence.overdue():
                    waiting.disconnected(self._rig.address)
            finally:
                running.cancel()

    async def _say_what_is_awaited(self) -> None:
        with contextlib.suppress(RigError):
            withheld = self._reception.withheld
            waiting.connected(self._rig.address, await self._rig.status(), withheld=withheld)


class AsyncConnection:
    """A channel to one rig, closed as a context manager. Errors come as those of `rig.errors`."""

    def __init__(self, rig: str | PairedRig) -> None:
        self._route = Route(rig)
        self.address: Final = self._route.name
        self._channel = self._route.open(grpc.aio, CHANNEL_OPTIONS)
        self._rig: Any = rig_pb2_grpc.RigServiceStub(self._channel)
        self._access: Any = access_pb2_grpc.AccessServiceStub(self._channel)
        self._lap: Any = laps_pb2_grpc.LapServiceStub(self._channel)
        telemetry: Any = telemetry_pb2_grpc.TelemetryServiceStub(self._channel)
        self._acknowledger = AsyncAcknowledger(telemetry.StreamAcknowledgements)
        self._streams: weakref.WeakSet[AsyncStream[Any]] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address}>"

    async def status(self) -> rig_pb2.GetStatusResponse:
        """Return the state of recorder, archiver, server and ring."""
        status: rig_pb2.GetStatusResponse = await self._ask(self._rig.GetStatus, rig_pb2.GetStatusRequest())
        return status

    async def caller(self) -> access_pb2.GetCallerResponse:
        """Return who this is to the rig: user, scopes, expiry."""
        caller: access_pb2.GetCallerResponse = await self._ask(
            self._access.GetCaller, access_pb2.GetCallerRequest()
        )
        return caller

    async def call(self, method: str, request: Message, answer: type[M]) -> M:
        """Return the answer to any call of the contract that is no stream, such as
        `rig.v1.RigService/GetStatus`.
        """
        called: Any = self._channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        answered: M = await self._ask(called, request)
        return answered

    async def close(self) -> None:
        """Close the connection and end its streams."""
        for stream in list(self._streams):
            await stream.close()
        self._acknowledger.close()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, method: Any, request: Any) -> Any:
        while True:
            try:
                answer = await method(request, timeout=TIMEOUT_S)
                break
            except grpc.RpcError as error:
                if (why := await self._explained(error)) is not None:
                    raise why from None
        if self._route.due():
            await self._learn()
        return answer

    async def _explained(self, error: grpc.RpcError) -> RigError | None:
        return await asyncio.to_thread(self._route.explained, error)

    async def _learn(self) -> None:
        """Keep what a paired rig announces of itself."""
        with contextlib.suppress(grpc.RpcError, grpc.aio.UsageError):  # it may be closed meanwhile
            told = await self._access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT_S)
            await asyncio.to_thread(self._route.learn, told)

    async def _parts(self, method: Any, request: Any) -> AsyncGenerator[Any]:
        call = method(request)
        try:
            async for part in call:
                yield part
        except grpc.RpcError as error:
            raise await self._explained(error) or translated(error, self.address) from None
        finally:
            call.cancel()

    def _stream(self, name: str, reception: Reception[T]) -> AsyncStream[T]:
        call: Any = self._channel.unary_stream(
            METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        stream = AsyncStream(call, self._acknowledger, reception, self)
        self._streams.add(stream)
        return stream
