"""The blocking connection: calls, pages and streams, whatever they are about."""

import atexit
import contextlib
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

import grpc
from google.protobuf.message import Message

from rig.errors import RigError
from rig.v1 import access_pb2, access_pb2_grpc, laps_pb2_grpc, rig_pb2, rig_pb2_grpc, telemetry_pb2_grpc
from rigclient import waiting
from rigclient.acknowledging import Acknowledger
from rigclient.opening import opened
from rigclient.paired import PairedRig
from rigclient.route import Route
from rigclient.wire import translated

if TYPE_CHECKING:
    from rigclient.resume import Reception  # loads numpy, which `rig status` does without

METHOD: Final = "/rig.v1.TelemetryService/"
TIMEOUT_S: Final = 5.0

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Reconnecting is ours: gRPC's own backoff would keep a stream away for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A connection of its own for every Rig: gRPC would have all of a process share one.
    ("grpc.use_local_subchannel_pool", 1),
)

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Stream(Generic[T]):
    """An endless iterator that reconnects and goes on where it was. `close` ends it from any thread."""

    def __init__(
        self,
        call: Callable[[Any], Any],
        acknowledger: Acknowledger,
        reception: "Reception[T]",
        rig: "Connection",
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

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        if (running := self._running) is not None:
            running.cancel()
        with contextlib.suppress(ValueError):  # another thread waits in it, and is let go now
            self._items.close()

    def _follow(self) -> Generator[T]:
        while not self._closed:
            try:
                self._running = opened(self._call, self._reception.next_request())
            except ValueError:
                if self._closed:
                    return  # and the channel as well
                raise
            why = None
            try:
                yield from self._received(self._running)
            except grpc.RpcError as error:
                why = None if self._closed else self._rig._route.explained(error)
            finally:
                self._running.cancel()
                # In a cycle of objects the call would be alive when Python ends, and is waited for then: its
                # lock may be held by a thread of gRPC's that is no more. One `rig sync` of 150 hung so.
                self._running = None
            if why is not None:
                time.sleep(self._reception.recover(why))
                if self._silence.overdue():
                    waiting.disconnected(self._rig.address)

    def _received(self, responses: Iterator[Any]) -> Generator[T]:
        for data in responses:
            items = self._reception.take(data)
            for item, cursor in zip(items, self._reception.cursors(len(items)), strict=True):
                self._cursor = cursor
                yield item
            self._cursor = self._reception.cursor
            if items:
                self._silence.end()
            elif self._silence.overdue():
                self._say_what_is_awaited()
            if (done := self._reception.acknowledgement()) is not None:
                self._acknowledger.tell(done)
                if self._rig._route.due():
                    self._rig._learn()

    def _say_what_is_awaited(self) -> None:
        with contextlib.suppress(RigError):
            withheld = self._reception.withheld
            waiting.connected(self._rig.address, self._rig.status(), withheld=withheld)


_OPEN: Final["weakref.WeakSet[Connection]"] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Close what nobody has closed, while the threads of gRPC's that it takes are alive."""
    for connection in list(_OPEN):
        connection.close()


class Connection:
    """A channel to one rig, closed as a context manager. Errors come as those of `rig.errors`."""

    def __init__(self, rig: str | PairedRig) -> None:
        self._route = Route(rig)
        self.address: Final = self._route.name
        self._channel = self._route.open(grpc, CHANNEL_OPTIONS)
        self._rig: Any = rig_pb2_grpc.RigServiceStub(self._channel)
        self._access: Any = access_pb2_grpc.AccessServiceStub(self._channel)
        self._lap: Any = laps_pb2_grpc.LapServiceStub(self._channel)
        telemetry: Any = telemetry_pb2_grpc.TelemetryServiceStub(self._channel)
        self._acknowledger = Acknowledger(telemetry.StreamAcknowledgements)
        self._streams: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        _OPEN.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address}>"

    def status(self) -> rig_pb2.GetStatusResponse:
        """Return the state of recorder, archiver, server and ring."""
        status: rig_pb2.GetStatusResponse = self._ask(self._rig.GetStatus, rig_pb2.GetStatusRequest())
        return status

    def caller(self) -> access_pb2.GetCallerResponse:
        """Return who this is to the rig: user, scopes, expiry."""
        caller: access_pb2.GetCallerResponse = self._ask(
            self._access.GetCaller, access_pb2.GetCallerRequest()
        )
        return caller

    def seat(self) -> access_pb2.GetSeatResponse:
        """Return who is in the seat of the rig, and since when. Raises Denied."""
        seat: access_pb2.GetSeatResponse = self._ask(self._access.GetSeat, access_pb2.GetSeatRequest())
        return seat

    def call(self, method: str, request: Message, answer: type[M]) -> M:
        """Return the answer to any call of the contract that is no stream, such as
        `rig.v1.RigService/GetStatus`.
        """
        called: Any = self._channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        answered: M = self._ask(called, request)
        return answered

    def close(self) -> None:
        """Close the connection and end its streams."""
        for stream in list(self._streams):
            stream.close()
        self._acknowledger.close()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: Any, request: Any) -> Any:
        while True:
            try:
                answer = method(request, timeout=TIMEOUT_S)
                break
            except grpc.RpcError as error:
                if (why := self._route.explained(error)) is not None:
                    raise why from None
        if self._route.due():
            self._learn()
        return answer

    def _learn(self) -> None:
        """Keep what a paired rig announces of itself."""
        with contextlib.suppress(grpc.RpcError, ValueError):  # it may be closed meanwhile
            self._route.learn(self._access.GetCaller(access_pb2.GetCallerRequest(), timeout=TIMEOUT_S))

    def _parts(self, method: Any, request: Any) -> Generator[Any]:
        call = opened(method, request)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._route.explained(error) or translated(error, self.address) from None
        finally:
            call.cancel()

    def _stream(self, name: str, reception: "Reception[T]") -> Stream[T]:
        call: Any = self._channel.unary_stream(
            METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        stream = Stream(call, self._acknowledger, reception, self)
        self._streams.add(stream)
        return stream
