"""The blocking client."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

import grpc

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
from rigclient.acknowledging import Acknowledger
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.opening import opened
from rigclient.queries import Progress
from rigclient.resume import Reception, framed, unpack_events
from rigclient.wire import translated
from riglap.lap import Lap, ScoringRows, Updates

_METHOD: Final = "/rig.v1.TelemetryService/"
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
P = ParamSpec("P")


class Stream(Generic[T]):
    """An endless iterator that reconnects and goes on where it was. `close` ends it from any thread."""

    def __init__(
        self, call: Callable[[Any], Any], acknowledger: Acknowledger, reception: Reception[T], rig: "Rig"
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
        if self._running is not None:
            self._running.cancel()

    def _follow(self) -> Generator[T]:
        while not self._closed:
            self._running = opened(self._call, self._reception.next_request())
            try:
                for data in self._running:
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
            except grpc.RpcError as error:
                if self._closed:
                    return
                time.sleep(self._reception.recover(translated(error, self._rig.address)))
                if self._silence.overdue():
                    waiting.disconnected(self._rig.address)
            finally:
                self._running.cancel()

    def _say_what_is_awaited(self) -> None:
        with contextlib.suppress(RigError):
            waiting.connected(self._rig.address, self._rig.status())


class Rig:
    """A connection to one rig. Use `connect`."""

    def __init__(self, address: str) -> None:
        sockets.check(address)
        self.address = address
        self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        self._rig = rig_pb2_grpc.RigServiceStub(self._channel)
        self._laps = laps_pb2_grpc.LapServiceStub(self._channel)
        telemetry = telemetry_pb2_grpc.TelemetryServiceStub(self._channel)
        self._acknowledger = Acknowledger(telemetry.StreamAcknowledgements)

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

    def losses(self, session: str = "", stream: str = "") -> rig_pb2.GetLossesResponse:
        """What a session was to bring and what of it is missing, with every gap; "": the newest session, all
        streams. Raises NotFound, Corrupt.
        """
        pages = losses.Pages(losses.get_losses(session, stream))
        while pages.take(self._ask(self._rig.GetLosses, pages.request)):
            pass
        return pages.answer

    def verify(self, *, deep: bool = False) -> Iterator[rig_pb2.VerifyResponse]:
        """Check everything that the rig keeps, `deep` with every lap that its ring still holds: how far that
        is, and what is found. Raises Exhausted while another check runs.
        """
        return self._parts(self._rig.Verify, rig_pb2.VerifyRequest(deep=deep))

    def sessions(self, **filters: Any) -> Iterator[session_pb2.Session]:
        """Sessions, newest first, asked for as they are used. Takes what `laps.list_sessions` takes."""
        return self._pages(self._laps.ListSessions, laps.list_sessions(**filters), "sessions")

    def session(self, name: str) -> session_pb2.Session:
        """One session. Raises NotFound."""
        request = laps_pb2.GetSessionRequest(name=laps.session_name(name))
        return cast(session_pb2.Session, self._ask(self._laps.GetSession, request).session)

    def laps(self, session: str | None = None, **filters: Any) -> Iterator[lap_pb2.Lap]:
        """Laps of a session, or of all, asked for as they are used. Takes what `laps.list_laps` takes."""
        return self._pages(self._laps.ListLaps, laps.list_laps(session, **filters), "laps")

    def lap_info(self, name: str) -> lap_pb2.Lap:
        """What a lap is, without its samples. Raises NotFound."""
        return cast(lap_pb2.Lap, self._ask(self._laps.GetLap, laps_pb2.GetLapRequest(name=name)).lap)

    def lap(self, name: str, *args: Any, progress: Progress | None = None, **wishes: Any) -> Lap:
        """A lap, or a part of it. Takes what `laps.read_lap` takes: channels, lap_time, distance, ...

        `progress` is told the bytes as they arrive. Raises NotFound, MissingChannel, Corrupt.
        """
        request = laps.read_lap(name, *args, **wishes)
        total = self.lap_info(name).bytes if progress and laps.whole(request) else 0
        reading = laps.Reading(total, progress)
        for response in self._parts(self._laps.ReadLap, request):
            reading.take(response)
        return reading.lap()

    def lap_file(self, name: str) -> bytes:
        """The bytes of a lap's file, as it lies on the rig. Raises NotFound, Corrupt."""
        reading = laps.Reading()
        for part in self._parts(self._laps.ReadLap, laps.read_lap(name)):
            reading.take(part)
        return reading.data()

    def lap_scoring(self, name: str, *args: Any, **wishes: Any) -> ScoringRows:
        """Scoring updates of a lap. Takes what `laps.read_scoring` takes; raises as `lap` does."""
        updates = Updates()
        for part in self._parts(self._laps.ReadScoring, laps.read_scoring(name, *args, **wishes)):
            updates.take(part.columns)
        return updates.rows()

    def mark(self, *args: Any, **wishes: Any) -> laps_pb2.Moment:
        """Keep the time around a moment. Takes what `laps.mark` takes. Raises CursorExpired."""
        return cast(laps_pb2.Moment, self._ask(self._laps.Mark, laps.mark(*args, **wishes)).mark)

    def marks(self) -> Iterator[laps_pb2.Moment]:
        """Moments that were marked, newest first, asked for as they are used."""
        request = laps_pb2.ListMarksRequest(page_size=laps.PAGE)
        return self._pages(self._laps.ListMarks, request, "marks")

    def pin(self, name: str) -> lap_pb2.Lap:
        """Keep a lap whatever else has to go. Raises NotFound, Unavailable."""
        return cast(lap_pb2.Lap, self._ask(self._laps.PinLap, laps_pb2.PinLapRequest(name=name)).lap)

    def unpin(self, name: str) -> lap_pb2.Lap:
        """Let a lap go like any other. Raises as `pin` does."""
        return cast(lap_pb2.Lap, self._ask(self._laps.UnpinLap, laps_pb2.UnpinLapRequest(name=name)).lap)

    def delete_lap(self, name: str) -> None:
        """Delete a lap for good. Raises NotFound, Pinned, Unavailable."""
        self._ask(self._laps.DeleteLap, laps_pb2.DeleteLapRequest(name=name))

    def mark_synced(self, digests: Mapping[str, str]) -> list[str]:
        """Tell that a warehouse has these laps, by name with their digests, at most 200 at a time.

        Returns the names of those that are gone or have another digest. Raises Exhausted, Unavailable.
        """
        request = laps.mark_synced(digests)
        return list(self._ask(self._laps.MarkLapsSynced, request).unmarked)

    def close(self) -> None:
        """Close the connection and end its streams."""
        self._acknowledger.close()
        self._channel.close()

    def __enter__(self) -> "Rig":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise translated(error, self.address) from None

    def _pages(self, method: Any, request: Any, what: str) -> Iterator[Any]:
        while True:
            answer = self._ask(method, request)
            yield from getattr(answer, what)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def _parts(self, method: Any, request: Any) -> Iterator[Any]:
        call = opened(method, request)
        try:
            yield from call
        except grpc.RpcError as error:
            raise translated(error, self.address) from None
        finally:
            call.cancel()

    def _stream(self, name: str, reception: Reception[T]) -> Stream[T]:
        call: Any = self._channel.unary_stream(
            _METHOD + name, request_serializer=lambda request: request.SerializeToString()
        )
        return Stream(call, self._acknowledger, reception, self)


def connect(rig: str = "") -> Rig:
    """A connection to a rig: host:port, unix:PATH, or the name of one on this machine; "": the one that
    answers here. Connects on first use. Raises BadRequest for what is no address, and where several answer.
    """
    return Rig(sockets.resolve(rig))
