"""A walk through the ticks of a ring, in order, which makes the derived channels that it is asked for.

What it makes of a tick depends on what is recorded alone, so that the past gives what was sent live.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Layouts, read_head
from rigd import ring as rings
from rigd.serve.derived.deltas import Deltas
from rigd.serve.derived.gaps import GAPS, ClassOrder, class_order, gaps
from rigd.serve.derived.references import TAKEN_UP_NS, SessionReferences
from rigd.serve.derived.scoring import ScoringFollower
from rigd.serve.history import BATCH, BATCH_BYTES, RingHistory
from rigd.serve.recent import Tick, capture_ns
from riglap.circuits.line import Floats
from riglap.live import MOST_GAP_S, LiveDelta

KEPT: Final = 1024
"""Ticks whose columns are kept for others: 1 kB each with 40 cars."""
_BEFORE_NS: Final = round((MOST_GAP_S + 5) * 1e9)
"""Ticks before the first that gaps are told of."""
_AT_ONCE: Final = 8
"""Ticks made on the event loop: 2 ms of it with 40 cars."""
_MORE_CARS: Final = 8

Columns = dict[str, Floats]


class ReferencePool(Protocol):
    """Where a walk has its references from."""

    lap: str
    """Name of the chosen lap; empty for none."""

    def references(self, session: int) -> SessionReferences:
        """Return the references of a session of the ring."""


class Walk:
    """Goes through ticks in order. `wants`: the channels that it makes."""

    def __init__(
        self, history: RingHistory, pool: ReferencePool, wants: frozenset[str], first: int = 0
    ) -> None:
        self._history, self._pool, self.wants = history, pool, wants
        self.seq = 0
        self.begun = False
        self.first, self.goal = first, first - 1
        """The first tick that was asked for, and the last."""
        self.turn = asyncio.Lock()
        self.kept: OrderedDict[int, Columns] = OrderedDict()
        self._layouts = Layouts(PHYSICS, whole=True)
        self._session, self._surveyed = -1, False
        self._scoring = ScoringFollower(history)
        self._gapped = bool(wants & set(GAPS))
        self._deltas = Deltas(wants, pool.lap)
        self._clear()

    def _clear(self) -> None:
        self._live: LiveDelta | None = None
        self._slots: dict[int, int] = {}
        """Places of the cars in the arrays, by their slot ids."""
        self._ids, self._rows = b"", np.empty(0, np.intp)
        self._order: ClassOrder | None = None
        self._ordered_by: tuple[Any, Any] = (None, None)
        self._deltas.clear()

    # Threads.

    def begin(self, tick: Tick) -> None:
        """Go to the tick, from so far before it as gaps take."""
        first_ns = capture_ns(tick.data) - (_BEFORE_NS if self._gapped else 0)
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
        if self._deltas.began:
            soon_ns = self._now_ns + 2 * TAKEN_UP_NS
            self._deltas.read(references, self._slots, self._scoring.entries, soon_ns)

    def check(self, lap: str) -> None:
        """Raise where a lap cannot be held against where this walk is."""
        update = self._scoring.update
        self._pool.references(self._session).chosen(lap, update.state if update else None)

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
        known = self._deltas.known(references, self._slots, self._scoring.entries, now_ns)
        return known and not self._joined(references, ticks, now_ns)

    def _joined(self, references: SessionReferences, ticks: Sequence[Tick], now_ns: int) -> bool:
        """Return whether these ticks bring other cars or drivers: nobody knows yet what is read for them."""
        if references.circuit is None:
            return False
        if any(tick.seq > self.seq and self._cars(tick).tobytes() != self._ids for tick in ticks):
            return True
        return self._scoring.brings_entries(now_ns)

    def _cars(self, tick: Tick) -> Any:
        assert tick.head is not None
        return self._layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)["id"]

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
        self._scoring.advance(self._now_ns)
        if not self._surveyed:
            self._survey(self._pool.references(self._session))
        with np.errstate(all="ignore"):
            columns = self._made(tick, quiet)
        if not quiet:
            self.kept[tick.seq] = columns
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)

    def _enter(self, session: int) -> None:
        """Begin with a session of the ring."""
        self._session, self._surveyed = session, False
        self._clear()
        self._scoring.enter(session, self._now_ns)
        references = self._pool.references(session)
        references.refresh()
        self._survey(references)

    def _survey(self, references: SessionReferences) -> None:
        update = self._scoring.update
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
        references = self._pool.references(self._session)
        self._deltas.refer(references, self._slots, self._scoring.entries, self._now_ns)
        made = self._deltas.columns(s, clock - start)
        if self._gapped:
            made |= gaps(live, self._ordered(), s)
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
            self._deltas.resize(circuit, size)
        self._ids, self._rows = told, np.array([self._slots[car] for car in ids.tolist()], np.intp)
        self._order = None
        self._deltas.renew()
        return self._live

    def _ordered(self) -> ClassOrder:
        """Return the order in class by the scoring update in force."""
        places, entries = by = (self._scoring.places, self._scoring.entries)
        if self._order is None or self._ordered_by[0] is not places or self._ordered_by[1] is not entries:
            self._order, self._ordered_by = class_order(self._slots, places, entries), by
        return self._order
