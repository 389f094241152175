"""What callers have the archiver do with laps: asked through its queue, waited for on the event loop."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from rig.errors import Unavailable
from rigd.auth.caller import CALLER
from rigd.serve.laplookup import listed_lap
from rigd.serve.workers import Workers
from rigd.store.commands import CommandQueue
from rigd.store.store import StoreReader
from rigd.store.viewer import Viewer

_ANSWER_WITHIN_S: Final = 3.0
_POLL_S: Final = 0.005
"""The archiver answers a command in some milliseconds, most of them for the disk."""


class LapCommands:
    """Commands of all callers. `waiting` of them wait for the archiver."""

    def __init__(self, store: StoreReader, queue: CommandQueue, work: Workers) -> None:
        self._store, self._queue, self._work = store, queue, work
        self.waiting = 0

    async def ask(self, kind: str, name: str, viewer: Viewer) -> None:
        """Have something done with a lap. Raises NotFound, Unavailable, and whatever is answered."""
        await self._work(listed_lap, self._store, name, viewer)
        await self.settle(await self._work(self._queue.post, kind, name, user=CALLER.get().user))

    async def mark_synced(self, laps: Mapping[str, str]) -> list[str]:
        """Have laps marked as synced that have these digests; return those that are not so."""
        await self.settle(await self._work(self._queue.post, "sync", "", laps))
        return await self._work(self._unmarked, laps)

    async def settle(self, command: str, within_s: float = 0.0) -> None:
        """Wait until a command is carried out, by default as long as small ones take."""
        deadline = time.monotonic() + (within_s or _ANSWER_WITHIN_S)
        self.waiting += 1
        try:
            while not await self._work(self._queue.settled, command):
                if time.monotonic() > deadline:
                    await self._work(self._give_up, command)
                await asyncio.sleep(_POLL_S)
        finally:
            self.waiting -= 1

    def _unmarked(self, laps: Mapping[str, str]) -> list[str]:
        """Return those that are not marked as they are there."""
        known = {name: self._store.index.lap(name) for name in laps}
        return [name for name, lap in known.items() if not (lap and lap.synced and lap.digest == laps[name])]

    def _give_up(self, command: str) -> None:
        if self._queue.withdraw(command):
            raise Unavailable("the archiver does not answer", hint="start `rigd archive`")
        if not self._queue.settled(command):
            raise Unavailable("the archiver has begun this and is slow to finish", hint="look again later")
