"""The warden: sees that the laps leave room, and declares what had to go against someone's wish."""

import time
from typing import Final

from rigd.archive.index import Index
from rigd.archive.retention import Doomed, Kept, Limits, doomed, pressed
from rigd.archive.store import Store

_AGE_S: Final = 3600.0
_PATROL_S: Final = 10.0
"""A race of 40 cars writes 5 MB in that time."""


class Warden:
    """Applies the limits."""

    def __init__(self, store: Store, index: Index, limits: Limits) -> None:
        self._store, self._index, self._limits = store, index, limits
        self._next = self._age_at = 0.0

    def patrol_sometimes(self) -> bool:
        """Look, unless that was done a moment ago; True when it was done now."""
        if time.monotonic() < self._next:
            return False
        # Listing 45,000 laps takes a third of a second; age can wait for an hour.
        old = time.monotonic() >= self._age_at
        if old or pressed(self._index.total_bytes(), self._store.free_bytes(), self._limits):
            self.patrol()
        self._next = time.monotonic() + _PATROL_S
        self._age_at = time.monotonic() + _AGE_S if old else self._age_at
        return True

    def patrol(self) -> list[Doomed]:
        """Delete what has to go; returns it."""
        gone = list(doomed(self._kept(), self._index.total_bytes(), self._store.free_bytes(), self._limits))
        for one in gone:
            self._delete(one)
        return gone

    def _kept(self) -> list[Kept]:
        now = time.time_ns()
        return [
            Kept(lap.name, lap.bytes, (now - lap.start_time_ns) / 1e9, lap.pinned, lap.synced, lap.best)
            for lap in self._index.laps_by_age()
        ]

    def _delete(self, one: Doomed) -> None:
        """First it is written down, then it is done: a crash between leaves a lap to delete again."""
        facts = {"why": one.why, "forced": one.forced, "bytes": one.lap.bytes, "time_ns": time.time_ns()}
        self._store.bury(one.lap.name, facts)
        self._store.delete(one.lap.name)
        self._index.remove_lap(one.lap.name)
        if one.forced:
            self._index.put_loss(one.lap.name, one.why)
