"""Channels that are made while somebody asks: deltas, predicted lap, gaps, for all cars of a tick at once.

A walk goes through the ticks of a ring in order, and makes all columns that are asked for. Everyone at the
same place shares a walk. Files are read in a thread, and a stream waits for them before it sends.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from rig.errors import BadRequest
from rigd import ring as rings
from rigd.serve.derived.deltas import CHOSEN
from rigd.serve.derived.references import SessionReferences
from rigd.serve.derived.walk import KEPT, Columns, Walk
from rigd.serve.feed import Feed
from rigd.serve.history import RingHistory
from rigd.serve.recent import Tick
from rigd.store.store import StoreReader, circuits_path
from rigd.store.viewer import Viewer
from riglap.circuits.shelf import Shelf

_NEAR: Final = 500
"""Ticks that a walk is driven on by, rather than another begun."""
_MOST_WALKS: Final = 4
_REFRESH_S: Final = 1.0


class Derived:
    """The derived channels for one viewer and one chosen lap, and the walks that make them."""

    def __init__(self, history: RingHistory, service: "DerivedChannels", viewer: Viewer, lap: str) -> None:
        self._history, self._service, self._viewer, self.lap = history, service, viewer, lap
        self.wants: frozenset[str] = frozenset()
        self.users = 0
        self._walks: list[Walk] = []
        self._references: dict[int, SessionReferences] = {}
        self._refreshed = 0.0

    def references(self, session: int) -> SessionReferences:
        """Return the references of a session of the ring."""
        found = self._references.get(session)
        if found is None:
            found = self._service.references(self._viewer, self._history.id, session)
            self._references[session] = found
        return found

    async def prepare(self, ticks: Sequence[Tick]) -> None:
        """Make the columns of ticks that will be asked for."""
        walk = self._walk(ticks)
        async with walk.turn:
            if walk.begun and walk.light(ticks):
                walk.advance(ticks)
            else:
                await self._service.work(_go, walk, ticks)
        self._refresh(walk)

    def columns(self, tick: Tick) -> Columns:
        """Return the columns of a tick, over its rows."""
        for walk in self._walks:
            if tick.seq in walk.kept:
                return walk.kept[tick.seq]
        # It was prepared, and has been given up for others.
        walk = Walk(self._history, self, self.wants, tick.seq)
        _go(walk, [tick])
        return walk.kept[tick.seq]

    def want(self, names: Iterable[str]) -> None:
        """Make these channels too."""
        wanted = self.wants | set(names)
        if wanted != self.wants:
            self.wants, self._walks = wanted, []

    def _walk(self, ticks: Sequence[Tick]) -> Walk:
        """Return the walk that has these ticks, or comes by them next; the one used last is the last."""
        first, last = ticks[0].seq, ticks[-1].seq
        for walk in self._walks:
            if walk.first <= first and walk.goal - KEPT // 2 < first <= walk.goal + _NEAR:
                break
        else:
            walk = Walk(self._history, self, self.wants, first)
        walk.goal = max(walk.goal, last)
        self._walks = [*(one for one in self._walks if one is not walk), walk][-_MOST_WALKS:]
        return walk

    def _refresh(self, walk: Walk) -> None:
        """Once a second look for what was archived, in the thread."""
        now = asyncio.get_running_loop().time()
        if now - self._refreshed >= _REFRESH_S:
            self._refreshed = now
            self._service.later(walk.look)


def _go(walk: Walk, ticks: Sequence[Tick]) -> None:
    if not walk.begun:
        walk.begin(ticks[0])
    walk.advance(ticks)


class DerivedChannels:
    """All derived channels of a server, as long as somebody asks for them."""

    def __init__(self, feed: Feed, data: Path) -> None:
        self._feed, self._store = feed, StoreReader(data)
        self._shelf = Shelf(circuits_path(data))
        self._thread = ThreadPoolExecutor(1, "derived")
        self._used: dict[tuple[bytes, Viewer, str], Derived] = {}

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def work(self, act: Any, *arguments: Any) -> Any:
        """Return what `act` does in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)

    def later(self, act: Any) -> None:
        """Have it done in the thread."""
        self._thread.submit(act)

    def references(self, viewer: Viewer, ring: bytes, session: int) -> SessionReferences:
        """Return new references of a session."""
        return SessionReferences(self._store, self._shelf, viewer, ring.hex(), session)

    async def take(self, names: Sequence[str], viewer: Viewer, lap: str, position: int) -> Derived | None:
        """Return what makes these channels for a stream that begins after a position. Raises BadRequest where
        the lap is missing, NotFound where the viewer has none of that name, Mismatch for one of another
        circuit or that cannot be a reference. Give it back with `release`.
        """
        history = self._feed.history
        if CHOSEN in names and not lap:
            raise BadRequest("delta_reference needs a lap", hint="name it in the request's delta_reference")
        if lap:
            await self.work(self._check, history, viewer, lap, position)
        if not names:
            return None
        key = (history.id, viewer, lap)
        found = self._used.setdefault(key, Derived(history, self, viewer, lap))
        found.users += 1
        found.want(names)
        return found

    def release(self, derived: Derived) -> None:
        """Note one user less."""
        derived.users -= 1
        if not derived.users:
            self._used = {key: one for key, one in self._used.items() if one is not derived}

    def _check(self, history: RingHistory, viewer: Viewer, lap: str, position: int) -> None:
        """Raise where the lap is no reference for the session that is at a position."""
        ticks = history.after(rings.PHYSICS, position) or _newest(history)
        walk = Walk(history, Derived(history, self, viewer, ""), frozenset())
        if ticks:
            _go(walk, ticks[:1])
        walk.check(lap)


def _newest(history: RingHistory) -> list[Tick]:
    found = history.latest(rings.PHYSICS, history.heads[rings.PHYSICS])
    return [found] if found else []
