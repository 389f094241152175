"""Retention: which laps have to go. A pure decision over what the index lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

DEFAULT_MAX_BYTES: Final = 50 << 30
"""About 45,000 laps of 100 s."""
DEFAULT_MIN_FREE_BYTES: Final = 5 << 30
DEFAULT_HARD_FLOOR_BYTES: Final = 1 << 30
"""Less room than this endangers the ring: whatever is oldest goes."""


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


class Kept(NamedTuple):
    """A lap as retention sees it."""

    name: str
    bytes: int
    age_s: float
    pinned: bool
    synced: bool
    best: bool
    """The best of its car in its session, or of its class on its track."""


class Doomed(NamedTuple):
    """A lap that has to go, and why."""

    lap: Kept
    why: str
    forced: bool
    """Nobody else holds it, or someone wanted it kept: the loss has to be declared."""


def doomed(laps: Iterable[Kept], used_bytes: int, free_bytes: int, limits: Limits) -> Iterator[Doomed]:
    """The laps that have to go, in this order: by age; ordinary ones, oldest first, until bytes and room fit;
    then best laps. Only below the hard floor those that the warehouse has not got, and last the pinned.
    """
    gone: set[str] = set()
    oldest = sorted(laps, key=lambda lap: -lap.age_s)
    free = [lap for lap in oldest if not _bound(lap, limits)]
    bound = [lap for lap in oldest if _bound(lap, limits)]
    for lap in free:
        if limits.max_age_s and lap.age_s > limits.max_age_s and not lap.best:
            gone.add(lap.name)
            used_bytes, free_bytes = used_bytes - lap.bytes, free_bytes + lap.bytes
            yield Doomed(lap, f"older than {limits.max_age_s / 86_400:g} days", forced=False)
    for lap in sorted(free, key=lambda lap: lap.best):
        why = pressed(used_bytes, free_bytes, limits)
        if why and lap.name not in gone:
            used_bytes, free_bytes = used_bytes - lap.bytes, free_bytes + lap.bytes
            yield Doomed(lap, why, forced=False)
    for lap in sorted(bound, key=lambda lap: (lap.pinned, lap.best)):
        if free_bytes >= limits.hard_floor_bytes:
            return
        free_bytes += lap.bytes
        yield Doomed(lap, f"less than {limits.hard_floor_bytes >> 20} MiB were free", forced=True)


def _bound(lap: Kept, limits: Limits) -> bool:
    """Whether someone wants the lap kept."""
    return lap.pinned or (limits.keep_unsynced and not lap.synced)


def pressed(used: int, free: int, limits: Limits) -> str:
    """Which limit asks for room; empty when none does."""
    if used > limits.max_bytes:
        return f"the laps took more than {limits.max_bytes >> 20} MiB"
    least = max(limits.min_free_bytes, limits.hard_floor_bytes)
    if free < least:
        return f"less than {least >> 20} MiB were free"
    return ""
