"""TelemetryService: requests become subscriptions. Messages leave as the bytes the ring holds."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import Any, Final

import grpc

from rig import parse
from rig.channels import PHYSICS, SCORING
from rig.columns import Layouts, field, read_head
from rig.errors import BadRequest, Exhausted, ForeignCursor, NotFound
from rig.v1 import scoring_pb2, telemetry_pb2
from rigd import ring as rings
from rigd.auth.caller import CALLER
from rigd.auth.lease import LEASE
from rigd.serve.accounts import Accounts
from rigd.serve.connections import ANY_SOCKET
from rigd.serve.cursor import Cursor
from rigd.serve.derived import Derived, DerivedChannels
from rigd.serve.feed import Feed
from rigd.serve.limits import (
    MAX_SILENT_STREAMS_OVER_SOCKETS,
    MAX_SILENT_STREAMS_PER_CLIENT,
    MAX_STREAMS_PER_CLIENT,
    MAX_SUBSCRIPTION_BYTES,
    MAX_TICKS_PER_MESSAGE,
)
from rigd.serve.recent import Tick, capture_ns
from rigd.serve.seats import Seats
from rigd.serve.selection import Asked, Cars, Selection, Selections
from rigd.serve.subscription import StreamOptions, Subscription

SERVICE: Final = "rig.v1.TelemetryService"

_EVENTS_FIELD: Final = 2
_ENTRIES_FIELD: Final = scoring_pb2.Scoring.ENTRY_LIST_FIELD_NUMBER
_LOOK_BACK: Final = 64
"""Scoring updates searched for the entry list in force: it is written every ten seconds, which is 50."""

Context = Any
TableRequest = telemetry_pb2.StreamPhysicsRequest | telemetry_pb2.StreamScoringRequest
AnyRequest = TableRequest | telemetry_pb2.StreamEventsRequest


class TelemetryService:
    """The three streams over one feed."""

    def __init__(self, feed: Feed, seats: Seats, accounts: Accounts | None = None) -> None:
        self._feed, self._seats, self._accounts = feed, seats, accounts or Accounts()
        self._derived = DerivedChannels(feed, feed.path.parent)
        self._selections = {
            stream: Selections(table, partial(feed.cursor_field, stream))
            for stream, table in ((rings.PHYSICS, PHYSICS), (rings.SCORING, SCORING))
        }
        self.followers: set[Subscription] = set()
        self._named: dict[tuple[str, bytes], Subscription] = {}
        """By the token of who reads, and the name that they chose: nobody speaks for another's stream."""

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a server. Responses are bytes already, so they are not serialized again."""
        streams: dict[str, tuple[Any, Any]] = {
            "StreamPhysics": (self._physics, telemetry_pb2.StreamPhysicsRequest),
            "StreamScoring": (self._scoring, telemetry_pb2.StreamScoringRequest),
            "StreamEvents": (self._events, telemetry_pb2.StreamEventsRequest),
        }
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            name: grpc.unary_stream_rpc_method_handler(behavior, request.FromString)
            for name, (behavior, request) in streams.items()
        }
        handlers["Acknowledge"] = grpc.unary_unary_rpc_method_handler(
            self._acknowledge,
            telemetry_pb2.AcknowledgeRequest.FromString,
            telemetry_pb2.AcknowledgeResponse.SerializeToString,
        )
        handlers["StreamAcknowledgements"] = grpc.stream_unary_rpc_method_handler(
            self._acknowledgements,
            telemetry_pb2.StreamAcknowledgementsRequest.FromString,
            telemetry_pb2.StreamAcknowledgementsResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _physics(self, request: telemetry_pb2.StreamPhysicsRequest, context: Context) -> Awaitable[None]:
        return self._table(rings.PHYSICS, request, context)

    def _scoring(self, request: telemetry_pb2.StreamScoringRequest, context: Context) -> Awaitable[None]:
        return self._table(rings.SCORING, request, context)

    async def _events(self, request: telemetry_pb2.StreamEventsRequest, context: Context) -> None:
        position = self._start(rings.EVENTS, request.start, Cars())
        options = StreamOptions(acknowledges=bool(request.subscription), durable_only=request.durable_only)
        with self._accounts.stream(0):
            await self._follow(rings.EVENTS, position, _Events(self._feed), options, context, request)

    async def _table(self, stream: bytes, request: TableRequest, context: Context) -> None:
        options, cars = _options(request), _cars(request.cars)
        if stream == rings.PHYSICS and self._seats.permit(CALLER.get()) is not None:
            cars = cars._replace(player=True)
        position = self._start(stream, request.start, cars)
        selections = self._selections[stream]
        wanted = selections.read(request.channels, cars)
        derived = await self._take_derived(wanted, request, position)
        try:
            selection = selections.take(wanted, derived)
        except BaseException:
            self._release(derived)
            raise
        if request.compression == telemetry_pb2.COMPRESSION_GZIP:
            context.set_compression(grpc.Compression.Gzip)
        cut = selection if stream == rings.PHYSICS else _Scoring(self._feed, selection)
        try:
            with self._accounts.stream(len(set(request.channels)) or len(selection.channels)):
                await self._follow(stream, position, cut, options, context, request)
        finally:
            selections.release(selection)
            self._release(derived)

    async def _take_derived(self, wanted: Asked, request: TableRequest, position: int) -> Derived | None:
        """Return what makes the channels that are not recorded; None where none is asked for."""
        lap = getattr(request, "delta_reference", "")
        if not wanted.derived and not lap:
            return None
        viewer = await self._derived.work(self._seats.viewer, CALLER.get())
        return await self._derived.take(wanted.derived, viewer, lap, position)

    def _release(self, derived: Derived | None) -> None:
        if derived is not None:
            self._derived.release(derived)

    def close(self) -> None:
        """Let go of the thread that reads for derived channels."""
        self._derived.close()

    async def _follow(
        self,
        stream: bytes,
        position: int,
        cut: Any,
        options: StreamOptions,
        context: Context,
        request: AnyRequest,
    ) -> None:
        peer, channels = context.peer(), len(getattr(request, "channels", ()))
        lease, permit = LEASE.get(), self._seats.permit(CALLER.get())
        subscription = Subscription(self._feed, stream, position, cut, options, peer, channels, lease, permit)
        self._admit(subscription, request.subscription)
        try:
            # In a task of its own: gRPC's would go down through seven calls at every turn.
            await asyncio.ensure_future(subscription.run(context.write))
        finally:
            self.followers.discard(subscription)
            self._named.pop(_own(request.subscription), None)

    def _admit(self, newcomer: Subscription, name: bytes) -> None:
        """Take in a subscription, and keep it under its name. Raises Exhausted and BadRequest."""
        most = self._accounts.limits().streams
        if len(self.followers) >= most:
            raise Exhausted(f"{most} streams are open, which is the limit", limit=most)
        self._limit(newcomer)
        if len(name) > MAX_SUBSCRIPTION_BYTES or _own(name) in self._named:
            raise BadRequest(
                f"{name.hex()} cannot name this stream",
                hint=f"choose up to {MAX_SUBSCRIPTION_BYTES} random bytes for each stream",
            )
        self.followers.add(newcomer)
        if name:
            self._named[_own(name)] = newcomer

    def _limit(self, newcomer: Subscription) -> None:
        """Raise Exhausted for a connection that has enough streams."""
        own = [one for one in self.followers if one.peer == newcomer.peer]
        local = newcomer.peer.startswith(ANY_SOCKET)
        if not local and len(own) >= MAX_STREAMS_PER_CLIENT:
            raise Exhausted(
                f"this connection has {MAX_STREAMS_PER_CLIENT} streams, which is the limit",
                hint="ask for more cars and channels in one stream",
                limit=MAX_STREAMS_PER_CLIENT,
            )
        silent = sum(not one.acknowledges for one in own)
        most = MAX_SILENT_STREAMS_OVER_SOCKETS if local else MAX_SILENT_STREAMS_PER_CLIENT
        if not newcomer.acknowledges and silent >= most:
            raise Exhausted(
                f"this connection has {silent} streams that it does not acknowledge, which is the limit",
                hint="acknowledge them, or ask for more cars and channels in one stream",
                limit=most,
            )

    async def _acknowledge(
        self, request: telemetry_pb2.AcknowledgeRequest, _context: Context
    ) -> telemetry_pb2.AcknowledgeResponse:
        if _own(request.subscription) not in self._named:
            raise NotFound(f"no open stream is named {request.subscription.hex()!r}")
        self._note(request)
        return telemetry_pb2.AcknowledgeResponse()

    async def _acknowledgements(
        self, requests: AsyncIterator[telemetry_pb2.StreamAcknowledgementsRequest], _context: Context
    ) -> telemetry_pb2.StreamAcknowledgementsResponse:
        """Hear what a client says until the server ends; else its words would keep the connection open."""
        hearing = asyncio.ensure_future(self._hear(requests))
        try:
            await asyncio.wait((hearing, self._feed.drained), return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                hearing.result()
        finally:
            hearing.cancel()
        return telemetry_pb2.StreamAcknowledgementsResponse()

    async def _hear(self, requests: AsyncIterator[telemetry_pb2.StreamAcknowledgementsRequest]) -> None:
        async for request in requests:
            self._note(request)

    def _note(
        self, said: telemetry_pb2.AcknowledgeRequest | telemetry_pb2.StreamAcknowledgementsRequest
    ) -> None:
        subscription = self._named.get(_own(said.subscription))
        if subscription is None:
            return
        cursor = self._read(said.cursor)
        # Not by the feed, which would begin a read of the ring: what was sent there stood in it.
        if cursor[:2] != self._feed.cursor(subscription.stream, 0)[:2]:
            raise ForeignCursor("the cursor belongs to another ring or stream", hint="acknowledge your own")
        subscription.acknowledge(cursor.seq)

    def _read(self, cursor: bytes) -> Cursor:
        """A cursor; those that programs on this machine kept of release 0.1 go on. Raises MalformedCursor."""
        return self._feed.cursors.read(cursor, old=not CALLER.get().token)

    def _start(self, stream: bytes, start: telemetry_pb2.Start, cars: Cars) -> int:
        """The position a request begins at: the number of the record before its first. Raises Denied for a
        past that is not the caller's; from a cursor on it is passed over.
        """
        position = self._position(stream, start, cars)
        caller = CALLER.get()
        if start.WhichOneof("at") not in (None, "cursor") and self._seats.permit(caller) is not None:
            first = self._feed.after(stream, position)
            if first:
                self._seats.check_past(caller, capture_ns(first[0].data))
        return position

    def _position(self, stream: bytes, start: telemetry_pb2.Start, cars: Cars) -> int:
        history = self._feed.history
        match start.WhichOneof("at"):
            case "cursor":
                return self._feed.position(self._read(start.cursor), stream)
            case "time_ns":
                return history.bisect(stream, lambda value: capture_ns(value) < start.time_ns)
            case "earliest":
                return history.earliest(stream)
            case "running_lap":
                return self._lap_start(stream, cars)
        return self._feed.head(stream)

    def _lap_start(self, stream: bytes, cars: Cars) -> int:
        """Return the position before the first tick of the running lap of the chosen car."""
        if stream != rings.PHYSICS:
            raise BadRequest("only physics can start at the running lap", hint="use time_ns")
        if not self._feed.head(stream):
            return 0
        newest = self._feed.newest(stream)
        assert newest.head is not None
        began_s, session = self._lap_began(newest, cars), newest.head.session

        def before(value: Any) -> bool:
            head = read_head(value)
            return (head.session, head.session_time) < (session, began_s)

        return self._feed.history.bisect(stream, before)

    def _lap_began(self, tick: Tick, cars: Cars) -> float:
        assert tick.head is not None
        layouts = Layouts(PHYSICS, whole=True)
        view = layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)
        ids, starts = view["id"], view["lap_start_time"]
        wanted = cars.ids[0] if cars.ids else tick.head.player
        if wanted in ids:
            return float(starts[ids == wanted][0])
        if cars.ids or cars.player or not len(starts):
            raise BadRequest("the chosen car is not on track, so it has no running lap", hint="use time_ns")
        return float(starts.min())


class _Events:
    """Events, whole."""

    prepare = None

    def __init__(self, feed: Feed, accounts: Accounts | None = None) -> None:
        self._feed, self._accounts = feed, accounts or Accounts()

    def __call__(self, tick: Tick) -> bytes:
        """Return the `events` field of a response."""
        return field(_EVENTS_FIELD, tick.data)

    def message(self, tick: Tick) -> bytes:
        """Return a whole response."""
        return self._feed.cursor_field(rings.EVENTS, tick.seq) + self(tick)

    def rest(self) -> None:
        """Keep nothing."""


class _Scoring:
    """Cuts scoring; the first record gets the entry list in force, unless it brings its own."""

    prepare = None

    def __init__(self, feed: Feed, selection: Selection) -> None:
        self._feed = feed
        self._selection = selection
        self._begun = False

    def __call__(self, tick: Tick) -> bytes:
        """Return the `ticks` field of a response."""
        return self._selection(tick if self._begun else self._completed(tick))

    def message(self, tick: Tick) -> bytes:
        """Return a whole response."""
        if self._begun:
            return self._selection.message(tick)
        return self._feed.cursor_field(rings.SCORING, tick.seq) + self(tick)

    def rest(self) -> None:
        """Release what is kept for others."""
        self._selection.rest()

    def _completed(self, tick: Tick) -> Tick:
        self._begun = True
        last = tick.seq
        for _ in range(_LOOK_BACK):  # a missed update has a number and no record
            found = self._feed.history.latest(rings.SCORING, last)
            if found is None:
                break
            message, last = parse.message(scoring_pb2.Scoring, found.data), found.seq - 1
            if message.HasField("entry_list"):
                own = found.seq == tick.seq
                entries = b"" if own else field(_ENTRIES_FIELD, message.entry_list.SerializeToString())
                return tick._replace(data=tick.data + entries)
        return tick


def _own(name: bytes) -> tuple[str, bytes]:
    """Return by what the caller's stream of that name is found."""
    return CALLER.get().token, name


def _cars(cars: telemetry_pb2.Cars) -> Cars:
    if cars.ids and cars.player:
        raise BadRequest("cars.ids and cars.player exclude each other", hint="give one of them")
    return Cars(tuple(sorted(set(cars.ids))), cars.player)


def _options(request: TableRequest) -> StreamOptions:
    rate = request.max_rate_hz
    if not (math.isfinite(rate) and rate >= 0):
        raise BadRequest(f"max_rate_hz is {rate}", hint="0 means every record", max_rate_hz=rate)
    if request.ticks_per_message > MAX_TICKS_PER_MESSAGE:
        raise BadRequest(
            f"ticks_per_message is {request.ticks_per_message}, the limit is {MAX_TICKS_PER_MESSAGE}"
        )
    return StreamOptions(
        latest=request.delivery == telemetry_pb2.DELIVERY_LATEST,
        max_rate_hz=rate,
        ticks_per_message=max(request.ticks_per_message, 1),
        acknowledges=bool(request.subscription),
        durable_only=request.durable_only,
    )
