"""The blocking client."""

import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, TypeVar

import grpc

from rig.v1 import event_pb2, rig_pb2, rig_pb2_grpc
from rigclient import requests
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.resume import Reception, framed, unpack_events
from rigclient.wire import translated

_METHOD: Final = "/rig.v1.TelemetryService/"
_TIMEOUT_S: Final = 5.0

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Reconnecting is ours: gRPC's own backoff would keep a stream away for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

T = TypeVar("T")
P = ParamSpec("P")


class Stream(Generic[T]):
    """An endless iterator that reconnects and goes on where it was. `close` ends it from any thread."""

    def __init__(self, call: Callable[[Any], Any], reception: Reception[T], address: str) -> None:
        self._call = call
        self._reception = reception
        self._address = address
        self._running: Any = None
        self._closed = False
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

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()

    def _follow(self) -> Generator[T]:
        while not self._closed:
            self._running = self._call(self._reception.next_request())
            try:
                for data in self._running:
                    items = self._reception.take(data)
                    yield from items[:-1]
                    self._cursor = self._reception.cursor
                    yield from items[-1:]
            except grpc.RpcError as error:
                if self._closed:
                    return
                time.sleep(self._reception.recover(translated(error, self._address)))
            finally:
                self._running.cancel()


class Rig:
    """A connection to one rig. Use `connect`."""

    def __init__(self, address: str = requests.DEFAULT_ADDRESS) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        self._rig = rig_pb2_grpc.RigServiceStub(self._channel)

    def physics(self, *args: Any, reconnect: bool = True, **wishes: Any) -> Stream[PhysicsFrame]:
        """Telemetry ticks. Takes what `requests.physics` takes: channels, cars, max_rate_hz, start, ..."""
        decoder = framed(Decoder(PhysicsFrame))
        reception = Reception(requests.physics(*args, **wishes), decoder, reconnect)
        return self._stream("StreamPhysics", reception)

    def scoring(self, *args: Any, reconnect: bool = True, **wishes: Any) -> Stream[ScoringFrame]:
        """Scoring updates. Takes what `requests.scoring` takes."""
        decoder = framed(Decoder(ScoringFrame))
        reception = Reception(requests.scoring(*args, **wishes), decoder, reconnect)
        return self._stream("StreamScoring", reception)

    def events(self, start: requests.Start = "now", *, reconnect: bool = True) -> Stream[event_pb2.Event]:
        """Events; what is missing comes as an event with a gap."""
        return self._stream("StreamEvents", Reception(requests.events(start), unpack_events, reconnect))

    def status(self) -> rig_pb2.GetStatusResponse:
        """State of the rig."""
        status: rig_pb2.GetStatusResponse = self._ask(self._rig.GetStatus, rig_pb2.GetStatusRequest())
        return status

    def channels(self) -> list[rig_pb2.ChannelInfo]:
        """The rig's channel registry."""
        return list(self._ask(self._rig.ListChannels, rig_pb2.ListChannelsRequest()).channels)

    def close(self) -> None:
        """Close the connection and end its streams."""
        self._channel.close()

    def __enter__(self) -> "Rig":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise translated(error, self.address) from None

    def _stream(self, name: str, reception: Reception[T]) -> Stream[T]:
        call: Any = self._channel.unary_stream(
            _METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        return Stream(call, reception, self.address)


def connect(address: str = requests.DEFAULT_ADDRESS) -> Rig:
    """A connection to the rig at `address` (host:port or unix:PATH). Connects on first use."""
    return Rig(address)
