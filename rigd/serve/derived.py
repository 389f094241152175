"""Channels that are made while somebody asks: deltas, predicted lap, gaps, for all cars of a tick at once.

A walk goes through the ticks of a ring in order, and makes all columns that are asked for. What it
makes of a tick depends on what is recorded alone, so that the past gives what was sent live. Everyone at the
same place shares a walk. Files are read in a thread, and a stream waits for them before it sends.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rig import parse
from rig.channels import PHYSICS, SCORING
from rig.columns import Layouts, read_head
from rig.errors import BadRequest
from rig.v1 import scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.serve.feed import Feed
from rigd.serve.history import BATCH, BATCH_BYTES, History
from rigd.serve.recent import Tick, capture_ns
from rigd.serve.references import NEVER_NS, TAKEN_UP_NS, SessionReferences, Who
from rigd.store.store import StoreReader, circuits_path
from rigd.store.viewer import Viewer
from riglap.circuits.line import Floats
from riglap.circuits.shelf import Shelf
from riglap.live import MOST_GAP_S, LiveDelta, References, ReferenceTimes

_SCORED_NS: Final = 250_000_000
"""A scoring update counts for ticks captured so much later: by then it is in the ring, also live."""
_BEFORE_NS: Final = round((MOST_GAP_S + 5) * 1e9)
"""Ticks before the first that gaps are told of."""
_KEPT: Final = 1024
"""Ticks whose columns are kept for others: 1 kB each with 40 cars."""
_AT_ONCE: Final = 8
"""Ticks made on the event loop: 2 ms of it with 40 cars."""
_NEAR: Final = 500
"""Ticks that a walk is driven on by, rather than another begun."""
_MOST_WALKS: Final = 4
_LOOK_BACK: Final = 64
_REFRESH_S: Final = 1.0
_MORE_CARS: Final = 8
_MOVES_MPS: Final = 10.0

GAPS: Final = ("gap_ahead", "gap_behind", "gap_leader")
_PERSONAL, _SESSION, _CHOSEN = "delta_personal_best", "delta_session", "delta_reference"
_DELTAS: Final = (_PERSONAL, _SESSION, _CHOSEN)

Columns = dict[str, Floats]


class _Update(NamedTuple):
    """What is taken of a scoring update."""

    session: int
    state: session_pb2.SessionState
    places: dict[int, int]
    """By slot id."""
    position: Floats
    distance: Floats


class _Order(NamedTuple):
    """Who is ahead of whom in class, as places in the arrays of a walk."""

    cars: Any
    ahead: Any
    leader: Any


class Walk:
    """Goes through ticks in order. `wants`: the channels that it makes."""

    def __init__(self, history: History, pool: "Derived", wants: frozenset[str], first: int = 0) -> None:
        self._history, self._pool, self.wants = history, pool, wants
        self.seq = 0
        self.begun = False
        self.first, self.goal = first, first - 1
        """The first tick that was asked for, and the last."""
        self.turn = asyncio.Lock()
        self.kept: OrderedDict[int, Columns] = OrderedDict()
        self._layouts, self._scorings = Layouts(PHYSICS, whole=True), Layouts(SCORING, whole=True)
        self._session, self._surveyed = -1, False
        self._scored = 0
        self._next: list[tuple[int, bytes]] = []
        self._update: _Update | None = None
        self._entries: dict[int, Who] = {}
        self._clear()

    def _clear(self) -> None:
        self._live: LiveDelta | None = None
        self._held: dict[str, int] = {}
        """Where the cars of each delta begin in the references: one comparison makes all deltas."""
        self._slots: dict[int, int] = {}
        self._ids, self._rows = b"", np.empty(0, np.intp)
        self._referred: dict[tuple[str, int], ReferenceTimes | None] = {}
        self._until_ns = self._version = -1
        self._order: _Order | None = None

    # Threads.

    def begin(self, tick: Tick) -> None:
        """Go to the tick, from so far before it as gaps take."""
        before = _BEFORE_NS if self.wants & set(GAPS) else 0
        first_ns = capture_ns(tick.data) - before
        self.seq = self._history.bisect(rings.PHYSICS, lambda value: capture_ns(value) < first_ns)
        self._follow(tick.seq - 1, quiet=True)
        self.begun = True

    def advance(self, ticks: Sequence[Tick]) -> None:
        """Make the columns of these ticks, going through those before them."""
        self._follow(ticks[0].seq - 1)
        for tick in ticks:
            if tick.seq > self.seq:
                self._step(tick)

    def look(self) -> None:
        """Take in what was archived since, and read what will soon be in force."""
        references = self._pool.references(self._session)
        references.refresh()
        self._survey(references)
        if self._until_ns >= 0:
            self._read(references, self._now_ns + 2 * TAKEN_UP_NS)

    def check(self, lap: str) -> None:
        """Raise where a lap cannot be held against where this walk is."""
        self._pool.references(self._session).chosen(lap, self._update.state if self._update else None)

    # The event loop.

    def light(self, ticks: Sequence[Tick]) -> bool:
        """Return whether these ticks take neither files nor long."""
        last = ticks[-1]
        if last.seq <= self.seq:
            return True
        same = last.head is not None and last.head.session == self._session
        if not same or not self._surveyed or last.seq - self.seq > _AT_ONCE:
            return False
        references, now_ns = self._pool.references(self._session), capture_ns(last.data)
        return self._known(references, now_ns) and not self._joined(references, ticks, now_ns)

    def _joined(self, references: SessionReferences, ticks: Sequence[Tick], now_ns: int) -> bool:
        """Return whether these ticks bring other cars or drivers: nobody knows yet what is read for them."""
        if references.circuit is None:
            return False
        if any(tick.seq > self.seq and self._cars(tick).tobytes() != self._ids for tick in ticks):
            return True
        due_ns = now_ns - _SCORED_NS
        if not (self._next or self._peeked()) or capture_ns(self._next[0][1]) > due_ns:
            return False
        found = self._history.read(rings.SCORING, self._scored, _AT_ONCE, 1 << 24)
        return any(capture_ns(data) <= due_ns and self._lists_entries(data) for _, data in found)

    def _cars(self, tick: Tick) -> Any:
        assert tick.head is not None
        return self._layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)["id"]

    def _lists_entries(self, data: bytes) -> bool:
        layout = self._scorings.of(read_head(data), data, 0, len(data))
        return parse.message(scoring_pb2.Scoring, data[layout.end :]).HasField("entry_list")

    # Ticks.

    def _follow(self, until: int, quiet: bool = False) -> None:
        while self.seq < until:
            records = self._history.read(rings.PHYSICS, self.seq, BATCH, BATCH_BYTES)
            for seq, data in records:
                if seq > until:
                    return
                self._step(Tick(seq, read_head(data), data), quiet)
            if not records:
                return

    def _step(self, tick: Tick, quiet: bool = False) -> None:
        assert tick.head is not None
        self.seq, self._now_ns = tick.seq, capture_ns(tick.data)
        if tick.head.session != self._session:
            self._enter(tick.head.session)
        self._score()
        if not self._surveyed:
            self._survey(self._pool.references(self._session))
        with np.errstate(all="ignore"):
            columns = self._made(tick, quiet)
        if not quiet:
            self.kept[tick.seq] = columns
            if len(self.kept) > _KEPT:
                self.kept.popitem(last=False)

    def _enter(self, session: int) -> None:
        """Begin with a session of the ring."""
        self._session = session
        self._clear()
        self._entries, self._update, self._surveyed = {}, None, False
        self._next = []
        due_ns = self._now_ns - _SCORED_NS
        self._scored = self._history.bisect(rings.SCORING, lambda value: capture_ns(value) <= due_ns)
        found = self._history.read(rings.SCORING, max(self._scored - _LOOK_BACK, 0), _LOOK_BACK, 1 << 24)
        for seq, data in found:
            if seq <= self._scored:
                self._take(data)
        references = self._pool.references(session)
        references.refresh()
        self._survey(references)

    def _score(self) -> None:
        """Take the scoring updates that count by now."""
        while self._next or self._peeked():
            (seq, data), *_ = self._next
            if capture_ns(data) > self._now_ns - _SCORED_NS:
                return
            self._scored, self._next = seq, []
            self._take(data)

    def _peeked(self) -> bool:
        """Look at the next scoring update, once: it is due some ticks later."""
        self._next = self._history.read(rings.SCORING, self._scored, 1, 1 << 24)
        return bool(self._next)

    def _take(self, data: bytes) -> None:
        head = read_head(data)
        if head.session != self._session:
            return
        layout = self._scorings.of(head, data, 0, len(data))
        view, beside = layout.view(data, 0), parse.message(scoring_pb2.Scoring, data[layout.end :])
        if beside.HasField("entry_list"):
            entries = {one.id: Who(one.vehicle_class, one.driver_name) for one in beside.entry_list.entries}
            if entries != self._entries:
                self._entries, self._version = entries, -1
        moves = (view["speed"] > _MOVES_MPS) & ~view["in_pits"]
        places = dict(zip(view["id"].tolist(), view["place"].tolist(), strict=True))
        if self._update is None or places != self._update.places:
            self._order = None
        self._update = _Update(
            head.session,
            beside.session_state,
            places,
            view["position"][moves].astype(float),
            view["lap_distance"][moves].astype(float),
        )

    def _survey(self, references: SessionReferences) -> None:
        update = self._update
        if update is not None and len(update.distance):
            self._surveyed = True  # where there is none yet, it is looked for once a second
            references.survey(update.state, update.position, update.distance)

    def _made(self, tick: Tick, quiet: bool) -> Columns:
        """Return the columns of a tick, over its rows."""
        assert tick.head is not None
        view = self._layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)
        live = self._place(view["id"])
        if live is None:
            return dict.fromkeys(self.wants, np.full(tick.head.rows, np.nan))
        rows, size = self._rows, live.cars
        clock, start, places = np.full(size, np.nan), np.full(size, np.nan), np.full((size, 3), np.nan)
        clock[rows], start[rows], places[rows] = (
            view["elapsed_time"],
            view["lap_start_time"],
            view["position"],
        )
        s = live.place(clock, places)
        if quiet:
            return {}
        self._refer()
        made = self._deltas(s, clock - start) | self._gaps(live, s)
        return {name: values[rows] for name, values in made.items() if name in self.wants}

    def _place(self, ids: Any) -> LiveDelta | None:
        """Give every car its slot in the arrays; None without a circuit."""
        told = ids.tobytes()
        if self._live is not None and told == self._ids:
            return self._live
        circuit = self._pool.references(self._session).circuit
        if circuit is None:
            return None
        for car in ids.tolist():
            self._slots.setdefault(car, len(self._slots))
        if self._live is None or len(self._slots) > self._live.cars:
            size = len(self._slots) + _MORE_CARS
            self._live = LiveDelta(circuit, size)
            needed = [name for name in _DELTAS if self._needs(name)]
            self._held = {name: at * size for at, name in enumerate(needed)}
            self._references = References(circuit, size * len(needed))
            self._referred = {}
        self._ids, self._rows = told, np.array([self._slots[car] for car in ids.tolist()], np.intp)
        self._order, self._version = None, -1
        return self._live

    def _needs(self, delta: str) -> bool:
        return delta in self.wants or (delta != _CHOSEN and "predicted_lap" in self.wants)

    # References.

    def _whose(self) -> Iterable[tuple[str, int, Who]]:
        """Yield for every delta but the chosen one and every car whose lap it is held against."""
        for car, slot in self._slots.items():
            if (who := self._entries.get(car)) is not None:
                yield _PERSONAL, slot, who
                yield _SESSION, slot, Who(who.vehicle_class)

    def _known(self, references: SessionReferences, now_ns: int) -> bool:
        current = references.version == self._version and now_ns < self._until_ns
        asked = [who for name, _, who in self._whose() if name in self._held]
        return current or (references.knows(asked, now_ns) and references.has(self._pool.lap))

    def _read(self, references: SessionReferences, now_ns: int) -> None:
        for who in {who for name, _, who in self._whose() if name in self._held}:
            references.best(who, now_ns)

    def _refer(self) -> None:
        """Hold every car against what is in force now."""
        references = self._pool.references(self._session)
        if references.version == self._version and self._now_ns < self._until_ns:
            return
        self._version, self._until_ns = references.version, NEVER_NS
        for name, slot, who in self._whose():
            if name in self._held:
                best = references.best(who, self._now_ns)
                self._until_ns = min(self._until_ns, best.until_ns)
                self._hold(name, slot, best.reference)
        if _CHOSEN in self._held:
            chosen = references.load(self._pool.lap)
            for slot in self._slots.values():
                self._hold(_CHOSEN, slot, chosen)

    def _hold(self, name: str, slot: int, reference: ReferenceTimes | None) -> None:
        if self._referred.get((name, slot)) is reference:
            return
        self._referred[name, slot] = reference
        if reference is None:
            self._references.forget(self._held[name] + slot)
        else:
            self._references.refer(self._held[name] + slot, reference)

    def _deltas(self, s: Floats, into: Floats) -> Columns:
        if not self._held:
            return {}
        count = len(self._held)
        deltas, predicted = self._references.compare(np.tile(s, count), np.tile(into, count))
        made = dict(zip(self._held, deltas.reshape(count, -1), strict=True))
        if "predicted_lap" in self.wants:
            by_name = dict(zip(self._held, predicted.reshape(count, -1), strict=True))
            own, session = by_name[_PERSONAL], by_name[_SESSION]
            made["predicted_lap"] = np.where(np.isnan(own), session, own)
        return made

    # Gaps.

    def _gaps(self, live: LiveDelta, s: Floats) -> Columns:
        if not self.wants & set(GAPS):
            return {}
        order = self._order or self._ordered()
        made = {name: np.full(live.cars, np.nan) for name in GAPS}
        behind = order.ahead >= 0
        cars, ahead = order.cars[behind], order.ahead[behind]
        gaps = live.between(np.concatenate((cars, order.cars)), np.concatenate((ahead, order.leader)))
        made["gap_ahead"][cars] = made["gap_behind"][ahead] = gaps[: len(cars)]
        made["gap_leader"][order.cars] = np.where(
            behind, gaps[len(cars) :], np.where(np.isnan(s[order.cars]), np.nan, 0.0)
        )
        return made

    def _ordered(self) -> _Order:
        """Return the order in class by the places of the scoring update in force."""
        places = self._update.places if self._update else {}
        last: dict[str, int] = {}
        first: dict[str, int] = {}
        found = []
        for car in sorted(
            self._slots.keys() & places.keys() & self._entries.keys(), key=lambda one: places[one]
        ):
            group, slot = self._entries[car].vehicle_class, self._slots[car]
            found.append((slot, last.get(group, -1), first.setdefault(group, slot)))
            last[group] = slot
        self._order = _Order(*np.array(found, np.intp).reshape(-1, 3).T)
        return self._order


class Derived:
    """The derived channels for one viewer and one chosen lap, and the walks that make them."""

    def __init__(self, history: History, service: "DerivedChannels", viewer: Viewer, lap: str) -> None:
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
            if walk.first <= first and walk.goal - _KEPT // 2 < first <= walk.goal + _NEAR:
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
        if _CHOSEN in names and not lap:
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

    def _check(self, history: History, viewer: Viewer, lap: str, position: int) -> None:
        """Raise where the lap is no reference for the session that is at a position."""
        ticks = history.after(rings.PHYSICS, position) or _newest(history)
        walk = Walk(history, Derived(history, self, viewer, ""), frozenset())
        if ticks:
            _go(walk, ticks[:1])
        walk.check(lap)


def _newest(history: History) -> list[Tick]:
    found = history.latest(rings.PHYSICS, history.heads[rings.PHYSICS])
    return [found] if found else []
