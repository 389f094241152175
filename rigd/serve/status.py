"""RigService: how the rig is, and which channels it has."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

import rigd
from rig.channels import PHYSICS, SCORING, Channel
from rig.v1 import event_pb2, rig_pb2, rig_pb2_grpc
from rigd import ring as rings
from rigd.auth.caller import CALLER, NOBODY, Caller, Scope
from rigd.auth.lease import LEASE
from rigd.backup.run import BackupRun
from rigd.process import ProcessMeter
from rigd.serve import connections
from rigd.serve.exclusive import Exclusive
from rigd.serve.feed import Feed
from rigd.serve.identity import identity
from rigd.serve.losses import Losses
from rigd.serve.recent import capture_ns
from rigd.serve.seats import Seats
from rigd.serve.telemetry import TelemetryService
from rigd.verify.run import DataCheck

SERVICE: Final = "rig.v1.RigService"

_TABLES: Final = {event_pb2.STREAM_PHYSICS: PHYSICS, event_pb2.STREAM_SCORING: SCORING}


class RigService(rig_pb2_grpc.RigServiceServicer):
    """Answers from what the feed and the telemetry service know."""

    def __init__(
        self,
        feed: Feed,
        telemetry: TelemetryService,
        seats: Seats,
        catalog: Callable[[], rig_pb2.Trouble | None] = lambda: None,
    ) -> None:
        """Give what keeps the server from the catalog, too."""
        self._feed = feed
        self._telemetry = telemetry
        self._data, self._losses = feed.path.parent, Losses(feed.path.parent)
        self._checks, self._backups = Exclusive("check"), Exclusive("backup")
        self._seats, self._catalog = seats, catalog
        self._meter = ProcessMeter()
        self._rig_id = identity(feed.path.parent)

    async def GetStatus(self, _request: rig_pb2.GetStatusRequest, _context: Any) -> rig_pb2.GetStatusResponse:
        """Return the state of recorder, ring and followers."""
        return self.status(CALLER.get())

    def status(self, caller: Caller) -> rig_pb2.GetStatusResponse:
        """Return the state of recorder, ring and those followers that a caller may know of."""
        words = self._feed.words()
        return rig_pb2.GetStatusResponse(
            version=rigd.__version__,
            recorder=self._feed.recorder(),
            archiver=words["archive"].archiver if "archive" in words else None,
            troubles=_troubles(words, self._catalog()),
            ring=self._ring(),
            why_not_live=self._feed.why_not_live,
            followers=[one.status() for one in self._telemetry.followers if _seen(one.caller, caller)],
            process=self._meter.status(),
            time_ns=time.time_ns(),
            rig_id=self._rig_id,
        )

    async def ListChannels(
        self, request: rig_pb2.ListChannelsRequest, _context: Any
    ) -> rig_pb2.ListChannelsResponse:
        """Return the registry."""
        return rig_pb2.ListChannelsResponse(
            channels=[
                _info(stream, channel)
                for stream, table in _TABLES.items()
                if request.stream in (event_pb2.STREAM_UNSPECIFIED, stream)
                for channel in table.columns.values()
            ]
        )

    async def GetLosses(self, request: rig_pb2.GetLossesRequest, _context: Any) -> rig_pb2.GetLossesResponse:
        """Return what is missing of a session."""
        return await asyncio.to_thread(self._answer, request, CALLER.get())

    def _answer(self, request: rig_pb2.GetLossesRequest, caller: Caller) -> rig_pb2.GetLossesResponse:
        return self._losses.answer(request, self._feed.opened, self._seats.viewer(caller))

    async def Verify(self, request: rig_pb2.VerifyRequest, context: Any) -> None:  # type: ignore[override]
        """Check everything that is kept, finding by finding."""
        await _sent(self._checks.run(DataCheck(self._data, request.deep)), context)

    async def Backup(self, request: rig_pb2.BackupRequest, context: Any) -> None:  # type: ignore[override]
        """Copy everything that is kept, piece by piece."""
        backup = BackupRun(self._data, without_ring=request.without_ring, with_secrets=request.with_secrets)
        await _sent(self._backups.run(backup), context)

    def _ring(self) -> rig_pb2.RingStatus | None:
        ring = self._feed.opened
        if ring is None:
            return None
        return rig_pb2.RingStatus(
            path=str(self._feed.path),
            id=ring.id.hex(),
            bytes=ring.used_bytes(),
            limit_bytes=ring.limit_bytes(),
            spans=[self._span(stream, span) for stream, span in ring.spans().items()],
        )

    def _span(self, stream: bytes, span: rings.Span) -> rig_pb2.StreamSpan:
        return rig_pb2.StreamSpan(
            stream=rings.STREAMS.index(stream) + 1,  # type: ignore[arg-type]
            first_seq=span.first,
            last_seq=span.last,
            first_time_ns=self._time_ns(stream, span.first),
            last_time_ns=self._time_ns(stream, span.last),
            cursor=self._feed.cursors.pack(self._feed.cursor(stream, span.last)),
        )

    def _time_ns(self, stream: bytes, seq: int) -> int:
        value = self._feed.ring.get(stream, seq)
        return capture_ns(value) if value else 0


async def _sent(responses: AsyncGenerator[Any], context: Any) -> None:
    """Send what a process says, as it says it."""
    async with contextlib.aclosing(responses):
        async for response in responses:
            LEASE.get().check()
            await connections.write(response, context)


def _troubles(
    words: Mapping[str, rig_pb2.DaemonStatus], catalog: rig_pb2.Trouble | None
) -> list[rig_pb2.Trouble]:
    """Return what keeps daemons from their work, one each: the catalog is the server's."""
    found = {name: word.trouble for name, word in words.items() if word.HasField("trouble")}
    if catalog is not None:
        found.setdefault(catalog.daemon, catalog)
    return list(found.values())


def _seen(follower: Caller, caller: Caller) -> bool:
    """Return whether who asks may know of a follower: a user of the user's own, the administrator and
    whoever calls on this machine of all.
    """
    here = not caller.token and caller != NOBODY
    return here or caller.may(Scope.ADMIN) or (bool(caller.user) and caller.user == follower.user)


def _info(stream: "event_pb2.Stream.ValueType", channel: Channel) -> rig_pb2.ChannelInfo:
    return rig_pb2.ChannelInfo(
        name=channel.name,
        stream=stream,
        dtype=channel.dtype.str,
        width=channel.width,
        unit=channel.unit,
        source=channel.source,
        description=channel.description,
        zeros_absent=channel.zeros_absent,
        derived=channel.derived,
    )
