"""LapService: sessions and laps, found, read, marked, kept and deleted.

The event loop streams live telemetry, so whatever reads a file or asks the index runs in a few threads beside
it. Nothing is written here but marks and commands: the archiver alone writes laps.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import grpc

from rig.errors import Denied, Exhausted, NotFound
from rig.v1 import laps_pb2
from rigd.auth.caller import CALLER, Scope
from rigd.auth.lease import LEASE
from rigd.ring import RingReader
from rigd.serve import connections
from rigd.serve.accounts import Accounts
from rigd.serve.feed import Feed
from rigd.serve.laplookup import listed_lap
from rigd.serve.laps import lapdata
from rigd.serve.laps.commands import LapCommands
from rigd.serve.laps.imports import Imports
from rigd.serve.laps.marking import Marking
from rigd.serve.laps.reader import LapReader, is_running
from rigd.serve.limits import MAX_SYNCED
from rigd.serve.seats import Seats
from rigd.serve.workers import Workers
from rigd.store.commands import CommandQueue
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer

SERVICE: Final = "rig.v1.LapService"

THREADS: Final = 4
"""For files and the index. Two cores are busy with two; two more wait for the disk."""

Context = Any


class LapService:
    """Answers from the index, the folder of laps and the ring."""

    def __init__(self, feed: Feed, data: Path, seats: Seats, accounts: Accounts | None = None) -> None:
        self._feed, self._seats = feed, seats
        self._accounts = accounts or Accounts()
        self._store = StoreReader(data)
        self._queue = CommandQueue(data)
        self._work = Workers(THREADS, "laps")
        self._reader = LapReader(self._store, self._queue)
        self._marking = Marking(feed, data, seats, self._accounts, self._queue)
        self._commands = LapCommands(self._store, self._queue, self._work)
        self._imports = Imports(data, self._queue, self._accounts, self._work)
        self._reads = 0
        self._pinning: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By user; of users with a token, so they are few."""

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a server. Streams send bytes that are ready, so they are not serialized
        again.
        """
        answers: dict[str, tuple[Any, Any]] = {
            "ListSessions": (self._list_sessions, laps_pb2.ListSessionsRequest),
            "GetSession": (self._get_session, laps_pb2.GetSessionRequest),
            "ListLaps": (self._list_laps, laps_pb2.ListLapsRequest),
            "GetLap": (self._get_lap, laps_pb2.GetLapRequest),
            "Mark": (self._mark, laps_pb2.MarkRequest),
            "ListMarks": (self._list_marks, laps_pb2.ListMarksRequest),
            "PinLap": (self._pin, laps_pb2.PinLapRequest),
            "UnpinLap": (self._unpin, laps_pb2.UnpinLapRequest),
            "DeleteLap": (self._delete, laps_pb2.DeleteLapRequest),
            "MarkLapsSynced": (self._mark_synced, laps_pb2.MarkLapsSyncedRequest),
        }
        streams: dict[str, tuple[Any, Any]] = {
            "ReadLap": (self._read_lap, laps_pb2.ReadLapRequest),
            "ReadScoring": (self._read_scoring, laps_pb2.ReadScoringRequest),
        }
        uploads: dict[str, tuple[Any, Any]] = {"ImportLap": (self._import, laps_pb2.ImportLapRequest)}
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods: dict[str, Any] = {
            name: unary(behavior, request.FromString, lambda response: response.SerializeToString())
            for name, (behavior, request) in answers.items()
        }
        methods |= {
            name: stream(behavior, request.FromString) for name, (behavior, request) in streams.items()
        }
        upload = grpc.stream_unary_rpc_method_handler
        methods |= {
            name: upload(behavior, request.FromString, lambda response: response.SerializeToString())
            for name, (behavior, request) in uploads.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def close(self) -> None:
        """Release threads and files."""
        self._work.close()
        self._queue.close()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for the rest of a lap, or for the archiver."""
        return bool(self._reads or self._commands.waiting)

    async def _viewer(self) -> Viewer:
        """Who calls, and so what there is."""
        caller = CALLER.get()
        return EVERYTHING if caller.may(Scope.LAPS_ALL) else await self._work(self._seats.viewer, caller)

    # Finding.

    async def _list_sessions(
        self, request: laps_pb2.ListSessionsRequest, _: Context
    ) -> laps_pb2.ListSessionsResponse:
        return await self._work(self._store.index.list_sessions, request, await self._viewer())

    async def _get_session(
        self, request: laps_pb2.GetSessionRequest, _: Context
    ) -> laps_pb2.GetSessionResponse:
        session = await self._work(self._store.index.session, request.name, await self._viewer())
        if session is None:
            raise NotFound(f"there is no session {request.name!r}", name=request.name)
        return laps_pb2.GetSessionResponse(session=session)

    async def _list_laps(self, request: laps_pb2.ListLapsRequest, _: Context) -> laps_pb2.ListLapsResponse:
        return await self._work(self._store.index.list_laps, request, await self._viewer())

    async def _get_lap(self, request: laps_pb2.GetLapRequest, _: Context) -> laps_pb2.GetLapResponse:
        viewer, ring = await self._viewer(), self._ring_of(request.name)
        if ring is not None:
            gathered = await self._work(self._reader.running, ring, request.name, viewer)
            return laps_pb2.GetLapResponse(lap=gathered.header.lap)
        return laps_pb2.GetLapResponse(lap=await self._work(listed_lap, self._store, request.name, viewer))

    # Reading.

    async def _read_lap(self, request: laps_pb2.ReadLapRequest, context: Context) -> None:
        lapdata.check(request)
        ring, viewer = self._ring_of(request.name), await self._viewer()
        await self._send(self._reader.samples(request, ring, viewer), context)

    async def _read_scoring(self, request: laps_pb2.ReadScoringRequest, context: Context) -> None:
        lapdata.check_scoring(request)
        ring, viewer = self._ring_of(request.name), await self._viewer()
        await self._send(self._reader.scoring(request, ring, viewer), context)

    def _ring_of(self, name: str) -> RingReader | None:
        """Return the ring, if the lap is read from there."""
        return self._feed.ring if is_running(name) else None

    async def _send(self, messages: Iterator[bytes], context: Context) -> None:
        """Make the messages in a thread, each while the one before is sent."""
        most = self._accounts.limits().reads
        if self._reads >= most:
            raise Exhausted(f"{most} laps are being read, which is the limit", limit=most)
        with self._accounts.read():
            await self._send_all(messages, context)

    async def _send_all(self, messages: Iterator[bytes], context: Context) -> None:
        made = self._work(next, messages, None)
        self._reads += 1
        try:
            while (message := await made) is not None:
                made = self._work(next, messages, None)
                LEASE.get().check()
                await connections.write(message, context)
        finally:
            made.cancel()
            self._reads -= 1

    # Marking.

    async def _mark(self, request: laps_pb2.MarkRequest, _: Context) -> laps_pb2.MarkResponse:
        moment = self._marking.moment(request)
        await self._work(self._marking.add, moment, self._marking.cars())
        return laps_pb2.MarkResponse(mark=moment)

    async def _list_marks(self, request: laps_pb2.ListMarksRequest, _: Context) -> laps_pb2.ListMarksResponse:
        return await self._work(self._marking.marks.page, request, await self._viewer())

    # Having the archiver do something.

    async def _pin(self, request: laps_pb2.PinLapRequest, _: Context) -> laps_pb2.PinLapResponse:
        viewer = await self._viewer()
        async with self._pinning[CALLER.get().user]:  # or two could take the same room
            await self._work(self._check_pins, request.name, viewer)
            await self._commands.ask("pin", request.name, viewer)
        return laps_pb2.PinLapResponse(lap=await self._work(listed_lap, self._store, request.name, viewer))

    def _check_pins(self, name: str, viewer: Viewer) -> None:
        """Raise Exhausted for a user who would keep too much. The administrator may keep all."""
        user, lap = CALLER.get().user, listed_lap(self._store, name, viewer)
        if not user or lap.pinned:
            return
        limits, own = self._accounts.limits(), self._store.folder.pinned_by(user)
        size = sum(own.values()) + lap.bytes
        for what, wanted, most in (
            ("laps", len(own) + 1, limits.pins_per_user),
            ("bytes", size, limits.pinned_bytes_per_user),
        ):
            if wanted > most:
                raise Exhausted(
                    f"{user} would have {wanted} {what} pinned, the limit is {most}",
                    hint="`rig unpin` some",
                    limit=most,
                    value=wanted,
                )

    async def _unpin(self, request: laps_pb2.UnpinLapRequest, _: Context) -> laps_pb2.UnpinLapResponse:
        viewer = await self._viewer()
        await self._work(self._check_unpin, request.name, viewer)
        await self._commands.ask("unpin", request.name, viewer)
        return laps_pb2.UnpinLapResponse(lap=await self._work(listed_lap, self._store, request.name, viewer))

    def _check_unpin(self, name: str, viewer: Viewer) -> None:
        """Raise Denied for a pin that is another's: retention would take what somebody wants kept."""
        caller, lap = CALLER.get(), listed_lap(self._store, name, viewer)
        if not lap.pinned or not caller.token or caller.may(Scope.ADMIN):
            return
        pinned_by = {lap.user, self._store.folder.pinned_for(name), *self._marking.markers(name)}
        if caller.user not in pinned_by - {""}:
            raise Denied(f"{name} is pinned by somebody else", hint="the rig's administrator unpins it")

    async def _delete(self, request: laps_pb2.DeleteLapRequest, _: Context) -> laps_pb2.DeleteLapResponse:
        caller, viewer = CALLER.get(), await self._viewer()
        lap = await self._work(listed_lap, self._store, request.name, viewer)
        # Without a token somebody of this machine calls, who may delete the files as well.
        own = bool(caller.user) and lap.user == caller.user
        if caller.token and not caller.may(Scope.ADMIN) and not own:
            raise Denied(f"{request.name} is not your lap", hint="the rig's administrator deletes it")
        await self._commands.ask("delete", request.name, viewer)
        return laps_pb2.DeleteLapResponse()

    async def _import(
        self, requests: AsyncIterator[laps_pb2.ImportLapRequest], _: Context
    ) -> laps_pb2.ImportLapResponse:
        async with self._imports.taken(requests, await self._viewer()) as found:
            if found.command:
                await self._commands.settle(found.command, found.within_s)
        return laps_pb2.ImportLapResponse(lap=found.lap, existed=not found.command)

    async def _mark_synced(
        self, request: laps_pb2.MarkLapsSyncedRequest, _: Context
    ) -> laps_pb2.MarkLapsSyncedResponse:
        laps = {lap.name: lap.digest for lap in request.laps}
        if len(laps) > MAX_SYNCED:
            raise Exhausted(f"{len(laps)} laps, the limit is {MAX_SYNCED}", limit=MAX_SYNCED)
        return laps_pb2.MarkLapsSyncedResponse(unmarked=await self._commands.mark_synced(laps))
