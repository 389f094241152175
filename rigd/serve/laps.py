"""LapService: sessions and laps, found, read, marked, kept and deleted.

The event loop streams live telemetry, so whatever reads a file or asks the index runs in a few threads beside
it. Nothing is written here but marks and commands: the archiver alone writes laps.
"""

import asyncio
import contextlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

import grpc

from rig.columns import read_head
from rig.errors import BadRequest, Corrupt, CursorExpired, Denied, Exhausted, Newer, NotFound, Unavailable
from rig.lapfile import LapFile, pack
from rig.regular import open_regular
from rig.v1 import lap_pb2, laps_pb2
from rigd import ring as rings
from rigd.auth.caller import CALLER, Scope
from rigd.auth.lease import LEASE
from rigd.gather.gather import Gathered
from rigd.gather.running import running
from rigd.ring import RingReader
from rigd.serve import connections, lapdata
from rigd.serve.accounts import Accounts
from rigd.serve.feed import Feed
from rigd.serve.imports import Imports
from rigd.serve.limits import (
    MAX_MARK_CARS,
    MAX_MARK_S,
    MAX_NOTE,
    MAX_PENDING_MARKS,
    MAX_RUNNING,
    MAX_SYNCED,
)
from rigd.serve.recent import capture_ns
from rigd.serve.seats import Seats
from rigd.store.commands import CommandQueue
from rigd.store.heartbeat import heard
from rigd.store.marks import BYTES_LIMIT, Marks, expected_bytes, mark_id
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer

SERVICE: Final = "rig.v1.LapService"

THREADS: Final = 4
"""For files and the index. Two cores are busy with two; two more wait for the disk."""

_ANSWER_WITHIN_S: Final = 3.0
_POLL_S: Final = 0.005
"""The archiver answers a command in some milliseconds, most of them for the disk."""

_RUNNING: Final = re.compile(r"(sessions/[a-z0-9-]+)/laps/car(\d{3,10})-running")

_MOST_SOUND: Final = 4096
"""Files remembered as sound: 1 MB. Checking one takes a third of the time of sending it."""

Context = Any
_State = tuple[int, int, int] | None
P = ParamSpec("P")
R = TypeVar("R")


class _Opened(NamedTuple):
    """A lap that can be read."""

    lap: lap_pb2.Lap
    """As it is known today; the file has it as it was when written."""
    file: LapFile


class LapService:
    """Answers from the index, the folder of laps and the ring."""

    def __init__(self, feed: Feed, data: Path, seats: Seats, accounts: Accounts | None = None) -> None:
        self._feed, self._data, self._seats = feed, data, seats
        self._accounts = accounts or Accounts()
        self._store = StoreReader(data)
        self._marks = Marks(data)
        self._queue = CommandQueue(data)
        self._threads = ThreadPoolExecutor(THREADS, "laps")
        self._imports = Imports(data, self._queue, self._accounts, self._work)
        self._reads = self._commands = 0
        self._marked_ns = 0
        self._marking = threading.Lock()
        """Held from counting the marks that wait until there is one more: several threads add them."""
        self._taking = threading.Semaphore(MAX_RUNNING)
        self._pinning: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By user; of users with a token, so they are few."""
        self._suspects: set[str] = set()
        self._sound: dict[str, _State] = {}
        """Files that were checked to their last byte, as they were then."""

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
        self._threads.shutdown(cancel_futures=True)
        self._queue.close()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for the rest of a lap, or for the archiver."""
        return bool(self._reads or self._commands)

    def _work(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Call in a thread, which knows who calls."""
        call = partial(copy_context().run, function, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

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
        viewer = await self._viewer()
        if _RUNNING.fullmatch(request.name):
            gathered = await self._work(self._running, self._feed.ring, request.name, viewer)
            return laps_pb2.GetLapResponse(lap=gathered.header.lap)
        return laps_pb2.GetLapResponse(lap=await self._work(self._listed, request.name, viewer))

    def _listed(self, name: str, viewer: Viewer) -> lap_pb2.Lap:
        """What the index knows of a lap. Raises NotFound, also where there is none for the viewer."""
        lap = self._store.index.lap(name, viewer)
        if lap is None:
            raise NotFound(f"there is no lap {name!r}", name=name)
        return lap

    def _running(self, ring: RingReader, name: str, viewer: Viewer) -> Gathered:
        """The lap that is being driven, if its session is."""
        match = _RUNNING.fullmatch(name)
        assert match is not None
        session, gathered = self._store.index.session(match[1], viewer), running(ring, int(match[2]))
        if (
            session is None
            or gathered is None
            or not viewer.sees(gathered.header.lap, at_home=True)
            or (session.ring, session.ring_session) != (ring.id.hex(), gathered.header.lap.session)
        ):
            raise NotFound(f"there is no lap {name!r}: nobody is driving it", name=name)
        gathered.header.lap.name = name
        gathered.header.session.CopyFrom(session)
        return gathered

    # Reading.

    async def _read_lap(self, request: laps_pb2.ReadLapRequest, context: Context) -> None:
        lapdata.check(request)
        name, ring = request.name, self._ring_of(request.name)
        viewer = await self._viewer()
        messages = self._messages(name, ring, viewer, lambda opened: lapdata.samples(*opened, request))
        whole = ring is None and lapdata.is_whole(request)
        await self._send(self._checked_once(name, viewer, messages) if whole else messages, context)

    async def _read_scoring(self, request: laps_pb2.ReadScoringRequest, context: Context) -> None:
        lapdata.check_scoring(request)
        name, ring = request.name, self._ring_of(request.name)
        viewer = await self._viewer()
        messages = self._messages(name, ring, viewer, lambda opened: lapdata.scoring(opened.file, request))
        await self._send(messages, context)

    def _ring_of(self, name: str) -> RingReader | None:
        """Return the ring, if the lap is read from there."""
        return self._feed.ring if _RUNNING.fullmatch(name) else None

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

    def _messages(
        self,
        name: str,
        ring: RingReader | None,
        viewer: Viewer,
        make: Callable[[_Opened], Iterator[bytes]],
    ) -> Iterator[bytes]:
        """The messages, made in whatever thread asks for the next."""
        with self._opened(name, viewer) if ring is None else self._taken(ring, name, viewer) as opened:
            yield from make(opened)

    def _checked_once(self, name: str, viewer: Viewer, messages: Iterator[bytes]) -> Iterator[bytes]:
        """A whole lap. `messages` check its file, which never changes; after that it is sent as it is."""
        lap, path = self._listed(name, viewer), self._store.folder.path(name)
        state = _state(path)
        if not lap.damage and state is not None and self._sound.get(name) == state:
            with contextlib.suppress(FileNotFoundError):
                with open(open_regular(path), "rb") as file:
                    yield from lapdata.chunks(iter(lambda: file.read(lapdata.CHUNK_BYTES), b""))
                return
        yield from messages
        if len(self._sound) >= _MOST_SOUND:
            self._sound.clear()
        self._sound[name] = state

    @contextlib.contextmanager
    def _opened(self, name: str, viewer: Viewer) -> Iterator[_Opened]:
        """A lap with its file. Raises NotFound, and Corrupt also for what is found out while it is read."""
        lap, path = self._listed(name, viewer), self._store.folder.path(name)
        if lap.damage:
            raise (Newer if lap.newer else Corrupt)(f"{name}: {lap.damage}", name=name)
        try:
            with LapFile.open(path) as file:
                yield _Opened(lap, file)
        except FileNotFoundError as error:
            raise NotFound(f"the file of {name!r} is gone", name=name) from error
        except Newer as error:
            raise Newer(f"{name}: {error.message}", hint=error.hint, name=name) from error
        except Corrupt as error:
            self._suspect(name)
            raise Corrupt(f"{name}: {error.message}", hint=error.hint, name=name) from error

    @contextlib.contextmanager
    def _taken(self, ring: RingReader, name: str, viewer: Viewer) -> Iterator[_Opened]:
        """The running lap, as if it had a file. Raises Exhausted when too many are held."""
        if not self._taking.acquire(blocking=False):
            raise Exhausted(
                f"{MAX_RUNNING} running laps are being read, which is the limit", limit=MAX_RUNNING
            )
        try:
            gathered = self._running(ring, name, viewer)
            yield _Opened(gathered.header.lap, LapFile(pack(*gathered, plain=True)))
        finally:
            self._taking.release()

    def _suspect(self, name: str) -> None:
        """Have the archiver look at a file, once."""
        if name not in self._suspects:
            self._suspects.add(name)
            with contextlib.suppress(Exhausted):  # the caller learns of the damage all the same
                self._queue.post("examine", name)

    # Marking.

    async def _mark(self, request: laps_pb2.MarkRequest, _: Context) -> laps_pb2.MarkResponse:
        moment = self._moment(request)
        await self._work(self._keep, moment, self._cars())
        return laps_pb2.MarkResponse(mark=moment)

    def _moment(self, request: laps_pb2.MarkRequest) -> laps_pb2.Moment:
        """Return the mark that is asked for. Raises BadRequest, CursorExpired."""
        _check_mark(request)
        now_ns = time.time_ns()
        # Two of the same nanosecond would be one file; a clock may stand still.
        self._marked_ns = max(now_ns, self._marked_ns + 1)
        time_ns = request.time_ns or now_ns
        if time_ns > now_ns + int(request.after_s * 1e9):
            raise BadRequest(
                f"the moment is {(time_ns - now_ns) / 1e9:.1f} s ahead, after_s is {request.after_s}",
                hint="mark what has happened, or at most after_s ahead",
            )
        caller = CALLER.get()
        self._seats.check_mark(caller, time_ns - int(request.before_s * 1e9))
        self._check_held(time_ns)
        return laps_pb2.Moment(
            name=f"marks/{mark_id(self._marked_ns)}",
            time_ns=time_ns,
            before_s=request.before_s,
            after_s=request.after_s,
            cars=sorted(set(request.cars)),
            note=request.note,
            user=caller.user,
            status=laps_pb2.MOMENT_STATUS_PENDING,
        )

    def _cars(self) -> int:
        """Return cars in the newest tick."""
        ring = self._feed.ring
        tick = ring.get(rings.PHYSICS, ring.spans()[rings.PHYSICS].last)
        return read_head(tick).rows if tick else 0

    def _check_held(self, time_ns: int) -> None:
        """Raise CursorExpired when the ring has let go of the moment."""
        ring = self._feed.ring
        first = ring.get(rings.PHYSICS, ring.spans()[rings.PHYSICS].first)
        if first is not None and time_ns < capture_ns(first):
            raise CursorExpired(
                f"the ring begins {(capture_ns(first) - time_ns) / 1e9:.1f} s after the moment",
                hint="enlarge the ring with --ring-size",
                earliest_time_ns=capture_ns(first),
                time_ns=time_ns,
            )

    def _keep(self, moment: laps_pb2.Moment, cars: int) -> None:
        """Add a mark. Raises Exhausted when too many wait, or the archiver has no room for it."""
        with self._marking:
            self._keep_next(moment, cars)

    def _keep_next(self, moment: laps_pb2.Moment, cars: int) -> None:
        pending = self._marks.pending()
        own, most = sum(one.user == moment.user for one in pending), self._accounts.limits().marks_per_user
        if moment.user and own >= most:
            raise Exhausted(
                f"{own} marks of {moment.user} wait to be kept, the limit is {most}",
                hint="try again when some are kept",
                limit=most,
            )
        self._check_room([*pending, moment], cars)
        if len(pending) >= MAX_PENDING_MARKS:
            raise Exhausted(
                f"{MAX_PENDING_MARKS} marks wait to be kept, which is the limit",
                hint="is `rigd archive` running?",
                limit=MAX_PENDING_MARKS,
            )
        self._marks.put(moment)
        self._queue.ring()

    def _check_room(self, moments: list[laps_pb2.Moment], cars: int) -> None:
        """Raise Exhausted unless all these fit into what marks may take, as far as one can say before."""
        archiver = heard(self._data)
        limit = archiver.marks_limit_bytes if archiver else int(self._store.index.meta(BYTES_LIMIT) or 0)
        room = archiver.marks_room_bytes if archiver else limit - self._store.index.mark_bytes()
        size = sum(expected_bytes(moment, cars) for moment in moments)
        if limit and size > room:
            raise Exhausted(
                f"this mark and {len(moments) - 1} that wait need about {size} bytes; "
                f"marks may take {limit}, and room is left for {max(room, 0)}",
                hint="`rig unpin` or `rig delete` excerpts, or start `rigd archive` with more --keep-marks",
                limit=limit,
                value=size,
                room=max(room, 0),
            )

    async def _list_marks(self, request: laps_pb2.ListMarksRequest, _: Context) -> laps_pb2.ListMarksResponse:
        return await self._work(self._marks.page, request, await self._viewer())

    # Commands.

    async def _pin(self, request: laps_pb2.PinLapRequest, _: Context) -> laps_pb2.PinLapResponse:
        viewer = await self._viewer()
        async with self._pinning[CALLER.get().user]:  # or two could take the same room
            await self._work(self._check_pins, request.name, viewer)
            await self._ask("pin", request.name, viewer)
        return laps_pb2.PinLapResponse(lap=await self._work(self._listed, request.name, viewer))

    def _check_pins(self, name: str, viewer: Viewer) -> None:
        """Raise Exhausted for a user who would keep too much. The administrator may keep all."""
        user, lap = CALLER.get().user, self._listed(name, viewer)
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
        await self._ask("unpin", request.name, viewer)
        return laps_pb2.UnpinLapResponse(lap=await self._work(self._listed, request.name, viewer))

    def _check_unpin(self, name: str, viewer: Viewer) -> None:
        """Raise Denied for a pin that is another's: retention would take what somebody wants kept."""
        caller, lap = CALLER.get(), self._listed(name, viewer)
        if not lap.pinned or not caller.token or caller.may(Scope.ADMIN):
            return
        if caller.user not in {lap.user, self._store.folder.pinned_for(name), *self._markers(name)} - {""}:
            raise Denied(f"{name} is pinned by somebody else", hint="the rig's administrator unpins it")

    def _markers(self, excerpt: str) -> Iterator[str]:
        """Users whose marks an excerpt holds."""
        return (moment.user for moment in self._marks.all() if excerpt in moment.laps)

    async def _delete(self, request: laps_pb2.DeleteLapRequest, _: Context) -> laps_pb2.DeleteLapResponse:
        caller, viewer = CALLER.get(), await self._viewer()
        lap = await self._work(self._listed, request.name, viewer)
        # Without a token somebody of this machine calls, who may delete the files as well.
        own = bool(caller.user) and lap.user == caller.user
        if caller.token and not caller.may(Scope.ADMIN) and not own:
            raise Denied(f"{request.name} is not your lap", hint="the rig's administrator deletes it")
        await self._ask("delete", request.name, viewer)
        return laps_pb2.DeleteLapResponse()

    async def _import(
        self, requests: AsyncIterator[laps_pb2.ImportLapRequest], _: Context
    ) -> laps_pb2.ImportLapResponse:
        async with self._imports.taken(requests, await self._viewer()) as found:
            if found.command:
                await self._settle(found.command, found.within_s)
        return laps_pb2.ImportLapResponse(lap=found.lap, existed=not found.command)

    async def _mark_synced(
        self, request: laps_pb2.MarkLapsSyncedRequest, _: Context
    ) -> laps_pb2.MarkLapsSyncedResponse:
        laps = {lap.name: lap.digest for lap in request.laps}
        if len(laps) > MAX_SYNCED:
            raise Exhausted(f"{len(laps)} laps, the limit is {MAX_SYNCED}", limit=MAX_SYNCED)
        await self._settle(await self._work(self._queue.post, "sync", "", laps))
        return laps_pb2.MarkLapsSyncedResponse(unmarked=await self._work(self._unmarked, laps))

    def _unmarked(self, laps: Mapping[str, str]) -> list[str]:
        """Return those that are not marked as they are there."""
        known = {name: self._store.index.lap(name) for name in laps}
        return [name for name, lap in known.items() if not (lap and lap.synced and lap.digest == laps[name])]

    async def _ask(self, kind: str, name: str, viewer: Viewer) -> None:
        """Have the archiver do something. Raises NotFound, Unavailable, and whatever it answers."""
        await self._work(self._listed, name, viewer)
        await self._settle(await self._work(self._queue.post, kind, name, user=CALLER.get().user))

    async def _settle(self, command: str, within_s: float = 0.0) -> None:
        """Wait until a command is carried out, by default as long as small ones take."""
        deadline = time.monotonic() + (within_s or _ANSWER_WITHIN_S)
        self._commands += 1
        try:
            while not await self._work(self._queue.settled, command):
                if time.monotonic() > deadline:
                    await self._work(self._give_up, command)
                await asyncio.sleep(_POLL_S)
        finally:
            self._commands -= 1

    def _give_up(self, command: str) -> None:
        if self._queue.withdraw(command):
            raise Unavailable("the archiver does not answer", hint="start `rigd archive`")
        if not self._queue.settled(command):
            raise Unavailable("the archiver has begun this and is slow to finish", hint="look again later")


def _state(path: Path) -> _State:
    """Return what tells a file from any other of its name; None without one."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _check_mark(request: laps_pb2.MarkRequest) -> None:
    for name, seconds in (("before_s", request.before_s), ("after_s", request.after_s)):
        if not 0 <= seconds <= MAX_MARK_S:  # nor is NaN
            raise BadRequest(f"{name} is {seconds}", hint=f"0 to {MAX_MARK_S:g}")
    if len(request.cars) > MAX_MARK_CARS:
        raise BadRequest(f"{len(request.cars)} cars, the limit is {MAX_MARK_CARS}", hint="none means all")
    if len(request.note) > MAX_NOTE:
        raise BadRequest(f"the note has {len(request.note)} characters, the limit is {MAX_NOTE}")
