"""Deltas and the predicted lap, as derived channels: every car against the laps that its channels name."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from rigd.serve.derived.references import NEVER_NS, SessionReferences, Who
from riglap.circuits.circuit import Circuit
from riglap.circuits.line import Floats
from riglap.live import References, ReferenceTimes

CHOSEN: Final = "delta_reference"
_PERSONAL, _SESSION = "delta_personal_best", "delta_session"
_PREDICTED: Final = "predicted_lap"

Slots = Mapping[int, int]
"""Place of every car in the arrays, by its slot id in the game."""
Entries = Mapping[int, Who]
"""By slot id."""


class Deltas:
    """What the cars of a session are held against, by delta and slot; `lap` is the chosen one."""

    def __init__(self, wants: frozenset[str], lap: str) -> None:
        self._lap, self._predicts = lap, _PREDICTED in wants
        bests = [name for name in (_PERSONAL, _SESSION) if name in wants or self._predicts]
        self._names: Final = (*bests, CHOSEN) if CHOSEN in wants else tuple(bests)
        self.clear()

    def clear(self) -> None:
        """Hold no car against anything."""
        self._held: dict[str, int] = {}
        """Where the cars of each delta begin in the references: one comparison makes all deltas."""
        self._referred: dict[tuple[str, int], ReferenceTimes | None] = {}
        self._until_ns = self._version = -1
        self._entries: Entries | None = None

    def resize(self, circuit: Circuit, size: int) -> None:
        """Have room for so many cars, none of them held against anything."""
        self._held = {name: at * size for at, name in enumerate(self._names)}
        self._references = References(circuit, size * len(self._names))
        self._referred = {}

    def renew(self) -> None:
        """Have `refer` look again: other cars are there."""
        self._version = -1

    @property
    def began(self) -> bool:
        """Whether cars have been held against laps."""
        return self._until_ns >= 0

    def known(self, references: SessionReferences, slots: Slots, entries: Entries, now_ns: int) -> bool:
        """Return whether `refer` reads no file."""
        if self._in_force(references, entries, now_ns):
            return True
        asked = [who for name, _, who in _whose(slots, entries) if name in self._held]
        return references.knows(asked, now_ns) and references.has(self._lap)

    def read(self, references: SessionReferences, slots: Slots, entries: Entries, now_ns: int) -> None:
        """Read what will be in force."""
        for who in {who for name, _, who in _whose(slots, entries) if name in self._held}:
            references.best(who, now_ns)

    def refer(self, references: SessionReferences, slots: Slots, entries: Entries, now_ns: int) -> None:
        """Hold every car against what is in force now."""
        if self._in_force(references, entries, now_ns):
            return
        self._version, self._entries, self._until_ns = references.version, entries, NEVER_NS
        for name, slot, who in _whose(slots, entries):
            if name in self._held:
                best = references.best(who, now_ns)
                self._until_ns = min(self._until_ns, best.until_ns)
                self._hold(name, slot, best.reference)
        if CHOSEN in self._held:
            chosen = references.load(self._lap)
            for slot in slots.values():
                self._hold(CHOSEN, slot, chosen)

    def columns(self, s: Floats, into: Floats) -> dict[str, Floats]:
        """Return the columns by channel, each over all slots, of cars that are at `s` [m] and `into` their
        laps [s].
        """
        if not self._held:
            return {}
        count = len(self._held)
        deltas, predicted = self._references.compare(np.tile(s, count), np.tile(into, count))
        made = dict(zip(self._held, deltas.reshape(count, -1), strict=True))
        if self._predicts:
            by_name = dict(zip(self._held, predicted.reshape(count, -1), strict=True))
            own, session = by_name[_PERSONAL], by_name[_SESSION]
            made[_PREDICTED] = np.where(np.isnan(own), session, own)
        return made

    def _in_force(self, references: SessionReferences, entries: Entries, now_ns: int) -> bool:
        return references.version == self._version and now_ns < self._until_ns and entries is self._entries

    def _hold(self, name: str, slot: int, reference: ReferenceTimes | None) -> None:
        if self._referred.get((name, slot)) is reference:
            return
        self._referred[name, slot] = reference
        if reference is None:
            self._references.forget(self._held[name] + slot)
        else:
            self._references.refer(self._held[name] + slot, reference)


def _whose(slots: Slots, entries: Entries) -> Iterable[tuple[str, int, Who]]:
    """Yield for every delta but the chosen one and every car whose lap it is held against."""
    for car, slot in slots.items():
        if (who := entries.get(car)) is not None:
            yield _PERSONAL, slot, who
            yield _SESSION, slot, Who(who.vehicle_class)
