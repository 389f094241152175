"""Laps that come in: taken piece by piece into the inbox, checked to the last byte, and handed to the
archiver.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from rig.disk import sync_folder
from rig.errors import BadRequest, Denied, Exhausted, Unavailable
from rig.v1 import laps_pb2
from rigd.auth.caller import CALLER
from rigd.durable import open_to_write
from rigd.serve.accounts import Accounts
from rigd.serve.limits import MAX_IMPORT_BYTES, MAX_IMPORTS, MAX_SILENCE_S
from rigd.serve.workers import Workers
from rigd.store.commands import CommandQueue
from rigd.store.imports import FLOOR_BYTES, check_file, check_room, check_session_taken, check_start
from rigd.store.store import StoreReader
from rigd.store.viewer import Viewer

_GATHERED_BYTES: Final = 1 << 20
"""Pieces are written together: a thread for each would take longer than the disk."""
_WITHIN_S: Final = 10.0
_SLOWEST_BYTES_S: Final = 10e6
"""The archiver copies the file once more."""

Requests = AsyncIterator[laps_pb2.ImportLapRequest]


class Upload(NamedTuple):
    """An import that the archiver is asked for."""

    lap: str
    command: str
    """Empty where the lap is there already."""
    within_s: float
    """Seconds that the archiver may take."""


class Imports:
    """Takes laps for all callers. Lives on the event loop; whatever touches the disk is work for a thread."""

    def __init__(self, data: Path, queue: CommandQueue, accounts: Accounts, work: Workers) -> None:
        self._store, self._queue, self._accounts, self._work = StoreReader(data), queue, accounts, work
        self._open = self._bytes = 0
        self._of_user: dict[str, int] = {}
        """Bytes that are on their way, by user."""
        self._checking = asyncio.Semaphore(1)
        """One file is checked at a time: streams want the processor."""

    @contextlib.asynccontextmanager
    async def taken(self, requests: Requests, viewer: Viewer) -> AsyncIterator[Upload]:
        """Take a lap, and hold its place until the archiver has it. Raises BadRequest, Corrupt, Denied,
        Exhausted, Unavailable.
        """
        start = await _start(requests)
        check_start(start)
        if not viewer.all and not viewer.user:
            raise Denied("your token names no user whose the lap would be", hint="`rigd pair --user`")
        await self._work(self._check_session, start, viewer)
        if await self._work(self._is_there, start, start.digest, viewer):
            yield Upload(start.lap, "", 0.0)
            return
        with self._accounts.importing(), self._place(start.size, viewer):
            await self._work(self._check_room, start.size, viewer)
            command = await self._received(requests, start, viewer)
            yield Upload(start.lap, command, _WITHIN_S + start.size / _SLOWEST_BYTES_S)

    def _check_session(self, start: laps_pb2.LapImport, viewer: Viewer) -> None:
        """Refuse what the archiver would, before the file comes. The last word is the archiver's."""
        known = self._store.index.session(start.session.name)
        check_session_taken(known, seen=self._store.index.session(start.session.name, viewer) is not None)

    def _is_there(self, start: laps_pb2.LapImport, digest: str, viewer: Viewer) -> bool:
        lap = self._store.index.lap(start.lap, viewer)
        return bool(digest) and lap is not None and lap.digest == digest and not lap.damage

    @contextlib.contextmanager
    def _place(self, size: int, viewer: Viewer) -> Iterator[None]:
        """Count an import. Raises Exhausted."""
        for what, wanted, most in (
            ("laps", self._open + 1, MAX_IMPORTS),
            ("bytes of laps", self._bytes + size, MAX_IMPORT_BYTES),
        ):
            if wanted > most:
                raise Exhausted(
                    f"{wanted} {what} would be imported at once, the limit is {most}",
                    hint="wait for the others",
                    limit=most,
                    value=wanted,
                )
        self._count(1, size, viewer.user)
        try:
            yield
        finally:
            self._count(-1, -size, viewer.user)

    def _count(self, one: int, size: int, user: str) -> None:
        self._open, self._bytes = self._open + one, self._bytes + size
        self._of_user[user] = self._of_user.get(user, 0) + size
        if not self._of_user[user]:
            del self._of_user[user]

    def _check_room(self, size: int, viewer: Viewer) -> None:
        """Raise Exhausted for more than the disk has room for, or than a user may import."""
        check_room(self._store.folder.free_bytes(), size, self._store.index.meta(FLOOR_BYTES))
        most = self._accounts.limits().imported_bytes_per_user
        if viewer.all:
            return
        wanted = self._store.index.imported_bytes(viewer.user) + self._of_user.get(viewer.user, 0)
        if wanted > most:
            raise Exhausted(
                f"{viewer.user} would have {wanted} bytes of laps imported, the limit is {most}",
                hint="`rig delete` some",
                limit=most,
                value=wanted,
            )

    async def _received(self, requests: Requests, start: laps_pb2.LapImport, viewer: Viewer) -> str:
        """Take the file and ask the archiver for it; return the command, "" where the lap is there
        already.
        """
        command = self._queue.new_id()
        path = self._queue.upload(command)
        asked = False
        try:
            await self._receive(requests, path, start.size)
            async with self._checking:
                lap = await self._work(check_file, path, start, None if viewer.all else CALLER.get().user)
            if await self._work(self._is_there, start, lap.digest, viewer):
                return ""
            user = "" if viewer.all else viewer.user
            post = self._queue.post_import
            asked = True  # once it is posted the file is the archiver's, also when we are cancelled meanwhile
            try:
                await self._work(post, command, start.lap, start.session, user=user, replaces=start.replace)
            except (Exhausted, OSError):
                asked = False
                raise
            return command
        finally:
            if not asked:
                path.unlink(missing_ok=True)

    async def _receive(self, requests: Requests, path: Path, size: int) -> None:
        """Write the pieces to a file, durably. Raises BadRequest for more or fewer bytes than were
        announced.
        """
        done = 0
        with await self._work(open_to_write, path, os.O_TRUNC) as file:
            async for pieces in _gathered(requests):
                done += len(pieces)
                if done > size:
                    raise BadRequest(f"{size} bytes were announced, and more came", limit=size)
                await self._work(file.write, pieces)
            if done < size:
                raise BadRequest(f"{size} bytes were announced, {done} came", hint="send the whole file")
            await self._work(_finish, file, path)


async def _start(requests: Requests) -> laps_pb2.LapImport:
    first = await _next(requests, _until())
    if first is None or first.WhichOneof("part") != "start":
        raise BadRequest("the first message does not say what comes", hint="`start`, then the file in `data`")
    return first.start


async def _gathered(requests: Requests) -> AsyncIterator[bytes]:
    """Yield the pieces, joined to a mebibyte, each of which has its time: who sends a byte now and then would
    hold a place for days. Raises BadRequest for what is no piece, Unavailable.
    """
    held, until = bytearray(), _until()
    while (request := await _next(requests, until)) is not None:
        if not request.data:
            raise BadRequest("a message brings nothing of the file", hint="`data`, at most 60,000 bytes")
        held += request.data
        if len(held) >= _GATHERED_BYTES:
            yield bytes(held)
            held.clear()
            until = _until()
    if held:
        yield bytes(held)


def _until() -> float:
    return asyncio.get_running_loop().time() + MAX_SILENCE_S


async def _next(requests: Requests, until: float) -> laps_pb2.ImportLapRequest | None:
    """Return the next message, None after the last. Raises Unavailable when none comes in time."""
    try:
        async with asyncio.timeout_at(until):
            return await anext(requests, None)
    except TimeoutError:
        raise Unavailable(
            f"less than a mebibyte of the lap came within {MAX_SILENCE_S:g} s", hint="import it again"
        ) from None


def _finish(file: BinaryIO, path: Path) -> None:
    """Have the file on the disk, and its name."""
    file.flush()
    os.fsync(file.fileno())
    sync_folder(path.parent)
