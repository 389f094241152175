"""The warden: sees that the laps leave room, and declares what had to go against someone's wish."""

import time
from typing import Final

from rig.v1 import rig_pb2
from rigd.archive.retention import Doomed, Kept, Limits, doomed, pressed, warnings
from rigd.store.commands import REQUESTED
from rigd.store.folder import LapFolder
from rigd.store.marks import BYTES_LIMIT
from rigd.store.store import Store

_AGE_S: Final = 3600.0
_PATROL_S: Final = 10.0
"""A race of 40 cars writes 5 MB in that time."""


class Warden:
    """Applies the limits."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self._next = self._age_at = 0.0
        self._evicted = self._evicted_bytes = 0
        self._why = ""
        self._before = _deleted_before(store.folder)
        if store.index.meta(BYTES_LIMIT) != str(limits.mark_bytes):
            store.index.set_meta(BYTES_LIMIT, str(limits.mark_bytes))

    def status(self, status: rig_pb2.ArchiverStatus) -> None:
        """Tell what went, what marks may take, and what is wrong with the limits here."""
        disk, free = self._store.folder.disk_bytes(), self._store.folder.free_bytes()
        status.warnings.extend(warnings(self._limits, disk, free))
        status.evicted, status.evicted_bytes = self._evicted, self._evicted_bytes
        status.evicted_ever = self._before[0] + self._evicted
        status.evicted_ever_bytes = self._before[1] + self._evicted_bytes
        status.evicted_why = self._why
        status.marks_bytes, status.marks_limit_bytes = self._store.index.mark_bytes(), self._limits.mark_bytes
        status.marks_room_bytes = self.mark_room()

    def mark_room(self) -> int:
        """Bytes that excerpts may still take: of their own, and without laps having to go for them."""
        least = max(self._limits.min_free_bytes, self._limits.hard_floor_bytes)
        own, free = (
            self._limits.mark_bytes - self._store.index.mark_bytes(),
            self._store.folder.free_bytes() - least,
        )
        return max(min(own, free), 0)

    def _used(self) -> int:
        """Bytes of laps, without the excerpts that have a limit of their own."""
        return self._store.index.total_bytes() - self._store.index.mark_bytes()

    def patrol_sometimes(self) -> bool:
        """Look, unless that was done a moment ago; True when it was done now."""
        if time.monotonic() < self._next:
            return False
        # Listing 45,000 laps takes a third of a second; age can wait for an hour.
        old = time.monotonic() >= self._age_at
        if old or pressed(self._used(), self._store.folder.free_bytes(), self._limits):
            self.patrol()
        self._next = time.monotonic() + _PATROL_S
        self._age_at = time.monotonic() + _AGE_S if old else self._age_at
        return True

    def patrol(self) -> list[Doomed]:
        """Delete what has to go; returns it."""
        gone = list(doomed(self._kept(), self._used(), self._store.folder.free_bytes(), self._limits))
        for one in gone:
            self._delete(one)
        return gone

    def _kept(self) -> list[Kept]:
        now = time.time_ns()
        return [
            Kept(lap.name, lap.bytes, (now - lap.start_time_ns) / 1e9, lap.pinned, lap.synced, lap.best)
            for lap in self._store.index.laps_by_age()
        ]

    def _delete(self, one: Doomed) -> None:
        facts = {"why": one.why, "forced": one.forced, "bytes": one.lap.bytes, "time_ns": time.time_ns()}
        self._store.remove(one.lap.name, facts)
        if one.forced:
            self._store.index.put_loss(one.lap.name, one.why)
        self._evicted, self._evicted_bytes = self._evicted + 1, self._evicted_bytes + one.lap.bytes
        self._why = one.why


def _deleted_before(store: LapFolder) -> tuple[int, int]:
    """Laps that retention has deleted, and their bytes."""
    tombstones = [facts for session in store.folders() for facts in store.tombstones(session).values()]
    gone = [facts for facts in tombstones if facts.get("why") != REQUESTED]
    sizes = (facts.get("bytes", 0) for facts in gone)
    return len(gone), sum(size for size in sizes if isinstance(size, int))
