"""Retention: which laps have to go, a pure decision over what the index lists, and their removal."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from rig.v1 import rig_pb2
from rigd import log
from rigd.config import settings
from rigd.store.commands import REQUESTED
from rigd.store.folder import LapFolder
from rigd.store.imports import FLOOR_BYTES
from rigd.store.index import IndexedLap
from rigd.store.marks import BYTES_LIMIT
from rigd.store.store import Store

DEFAULT_MAX_BYTES: Final = settings.KEEP.default
DEFAULT_MIN_FREE_BYTES: Final = 5 << 30
DEFAULT_HARD_FLOOR_BYTES: Final = 1 << 30
"""Less room than this endangers the ring: whatever is oldest goes."""
DEFAULT_MARK_BYTES: Final = settings.KEEP_MARKS.default
YOUNG_S: Final = 3600.0
"""Laps younger than this go for nothing but the hard floor: nobody has had the time to look at them."""
_FREE_SHARE: Final = 10
_FLOOR_SHARE: Final = 50
"""Parts of a small disk that the defaults leave free; from 50 GiB on they are what they are."""
_AGE_S: Final = 3600.0
_ENFORCE_S: Final = 10.0
"""A race of 40 cars writes 5 MB in that time."""


def default_room(disk_bytes: int) -> tuple[int, int]:
    """Return the room to leave, and the hard floor, on a disk of so many bytes: no more than it can spare."""
    free = min(DEFAULT_MIN_FREE_BYTES, disk_bytes // _FREE_SHARE)
    return free, min(DEFAULT_HARD_FLOOR_BYTES, disk_bytes // _FLOOR_SHARE)


@dataclass(frozen=True)
class Limits:
    """What may be kept."""

    max_bytes: int = DEFAULT_MAX_BYTES
    max_age_s: float = 0.0
    """0: no limit."""
    min_free_bytes: int = DEFAULT_MIN_FREE_BYTES
    """Room to leave on the disk."""
    hard_floor_bytes: int = DEFAULT_HARD_FLOOR_BYTES
    """Below this nothing is sacred."""
    keep_unsynced: bool = False
    """Keep what the warehouse has not got."""
    mark_bytes: int = DEFAULT_MARK_BYTES
    """Most bytes of the excerpts around marks, which are no part of `max_bytes`."""


class Candidate(NamedTuple):
    """A lap as retention sees it."""

    name: str
    bytes: int
    age_s: float
    pinned: bool
    synced: bool
    best: bool
    """The best of its car in its session, or of its class on its track."""


class Eviction(NamedTuple):
    """A lap that has to go, and why."""

    lap: Candidate
    why: str
    forced: bool
    """Nobody else holds it, or someone wanted it kept: the loss has to be declared."""


def evictions(
    laps: Iterable[Candidate], used_bytes: int, free_bytes: int, limits: Limits
) -> Iterator[Eviction]:
    """Yield the laps that have to go, in this order: by age; ordinary ones, oldest first, until bytes and
    room fit; then best laps. Only below the hard floor those of the last hour, those that the warehouse has
    not got, and last the pinned. `used_bytes` is without the excerpts that have a limit of their own.
    """
    gone: set[str] = set()
    oldest = sorted(laps, key=lambda lap: -lap.age_s)
    free = [lap for lap in oldest if not _bound(lap, limits)]
    bound = [lap for lap in oldest if _bound(lap, limits)]
    for lap in free:
        if limits.max_age_s and lap.age_s > max(limits.max_age_s, YOUNG_S) and not lap.best:
            gone.add(lap.name)
            used_bytes, free_bytes = used_bytes - lap.bytes, free_bytes + lap.bytes
            yield Eviction(lap, f"older than {limits.max_age_s / 86_400:g} days", forced=False)
    for lap in sorted(free, key=lambda lap: lap.best):
        why = pressed(used_bytes, free_bytes, limits)
        spared = lap.age_s < YOUNG_S and free_bytes >= limits.hard_floor_bytes
        if why and not spared and lap.name not in gone:
            used_bytes, free_bytes = used_bytes - lap.bytes, free_bytes + lap.bytes
            yield Eviction(lap, why, forced=False)
    for lap in sorted(bound, key=lambda lap: (lap.pinned, lap.best)):
        if free_bytes >= limits.hard_floor_bytes:
            return
        free_bytes += lap.bytes
        yield Eviction(lap, f"less than {limits.hard_floor_bytes >> 20} MiB were free", forced=True)


def _bound(lap: Candidate, limits: Limits) -> bool:
    """Return whether someone wants the lap kept."""
    return lap.pinned or (limits.keep_unsynced and not lap.synced)


def pressed(used: int, free: int, limits: Limits) -> str:
    """Return which limit asks for room; empty when none does."""
    if used > limits.max_bytes:
        return f"the laps took more than {limits.max_bytes >> 20} MiB"
    least = max(limits.min_free_bytes, limits.hard_floor_bytes)
    if free < least:
        return f"less than {least >> 20} MiB were free"
    return ""


class Retention:
    """Deletes laps that have to go, and declares those that went against someone's wish."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._evicted = self._evicted_bytes = 0
        self._why = ""
        self._before = _deleted_before(store.folder)
        self.adopt(limits)

    def adopt(self, limits: Limits) -> None:
        """Keep what these limits say, from the next look on, and leave those of marks and of the disk for a
        server while no archiver runs.
        """
        self._limits = limits
        self._next = self._age_at = 0.0
        if self._store.index.meta(BYTES_LIMIT) != str(limits.mark_bytes):
            self._store.index.set_meta(BYTES_LIMIT, str(limits.mark_bytes))
        if self._store.index.meta(FLOOR_BYTES) != str(limits.hard_floor_bytes):
            self._store.index.set_meta(FLOOR_BYTES, str(limits.hard_floor_bytes))

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
        """Return the bytes that excerpts may still take: of their own, and without laps having to go for
        them.
        """
        least = max(self._limits.min_free_bytes, self._limits.hard_floor_bytes)
        own = self._limits.mark_bytes - self._store.index.mark_bytes()
        free = self._store.folder.free_bytes() - least
        return max(min(own, free), 0)

    def _used(self) -> int:
        """Return the bytes of laps, without the excerpts that have a limit of their own."""
        return self._store.index.total_bytes() - self._store.index.mark_bytes()

    def enforce_sometimes(self) -> bool:
        """Enforce the limits, unless that was done a moment ago; True when it was done now."""
        if time.monotonic() < self._next:
            return False
        # Listing 45,000 laps takes a third of a second; age can wait for an hour.
        old = time.monotonic() >= self._age_at
        if old or pressed(self._used(), self._store.folder.free_bytes(), self._limits):
            self.enforce()
        self._next = time.monotonic() + _ENFORCE_S
        self._age_at = time.monotonic() + _AGE_S if old else self._age_at
        return True

    def enforce(self) -> list[Eviction]:
        """Delete what has to go; returns it."""
        gone = list(evictions(self._kept(), self._used(), self._store.folder.free_bytes(), self._limits))
        for one in gone:
            self._delete(one)
        return gone

    def _kept(self) -> list[Candidate]:
        now = time.time_ns()
        return [
            Candidate(
                lap.name, lap.bytes, (now - self._since_ns(lap)) / 1e9, lap.pinned, lap.synced, lap.best
            )
            for lap in self._store.index.laps_by_age()
        ]

    def _since_ns(self, lap: IndexedLap) -> int:
        """Return since when there is a lap. An imported one may be years old, and came just now."""
        return self._store.folder.written_ns(lap.name) if lap.imported else lap.start_time_ns

    def _delete(self, one: Eviction) -> None:
        facts = {"why": one.why, "forced": one.forced, "bytes": one.lap.bytes, "time_ns": time.time_ns()}
        self._store.remove(one.lap.name, facts)
        if one.forced:
            self._store.index.put_loss(one.lap.name, one.why)
        self._evicted, self._evicted_bytes = self._evicted + 1, self._evicted_bytes + one.lap.bytes
        self._why = one.why
        event = log.LAP_LOST if one.forced else log.LAP_EVICTED
        log.say(event, lap=one.lap.name, bytes=one.lap.bytes, why=one.why)


def _deleted_before(store: LapFolder) -> tuple[int, int]:
    """Return laps that retention has deleted, and their bytes."""
    tombstones = [facts for session in store.folders() for facts in store.tombstones(session).values()]
    gone = [facts for facts in tombstones if facts.get("why") != REQUESTED]
    sizes = (facts.get("bytes", 0) for facts in gone)
    return len(gone), sum(size for size in sizes if isinstance(size, int))


def warnings(limits: Limits, disk_bytes: int, free_bytes: int) -> Iterator[str]:
    """Yield what will make laps go soon on a disk of so many bytes, and the way out."""
    least, spare = limits.min_free_bytes, default_room(disk_bytes)
    disk, free = _size(disk_bytes), _size(free_bytes)
    if disk_bytes <= least:
        yield (
            f"the disk has {disk} in all, --min-free asks for {_size(least)}: laps go once they are an hour "
            f"old (give --min-free {_size(spare[0])}, or a larger disk)"
        )
    elif free_bytes < least:
        yield (
            f"{free} of {disk} are free, --min-free asks for {_size(least)}: laps go once they are an hour "
            "old (make room, or give a smaller --min-free)"
        )
    if free_bytes < limits.hard_floor_bytes:
        floor = _size(limits.hard_floor_bytes)
        yield (
            f"{free} of {disk} are free, less than --hard-floor {floor}: laps go as soon as they are written "
            f"(make room, or give --hard-floor {_size(min(spare[1], limits.hard_floor_bytes // 2))})"
        )


def _size(count: int) -> str:
    """Return a size as the options take it: 5G, 400M."""
    return f"{count / (1 << 30):.1f}G".replace(".0G", "G") if count >= 1 << 30 else f"{count >> 20}M"
