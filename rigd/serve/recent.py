"""The newest records of a stream, in memory."""

from bisect import bisect
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rig.columns import Head, read_head
from rigd import ring as rings

_KEPT: Final = 128
"""Records kept of those that the ring has: 2.5 s at 50 Hz, 5 MB with 40 cars."""

_NO_SEQ: Final = 1 << 64


class Tick(NamedTuple):
    """One record of a stream. Events have no head."""

    seq: int
    head: Head | None
    data: bytes


def read_tick(stream: bytes, seq: int, data: bytes) -> Tick:
    """Return a record as the ring has it. Raises Corrupt."""
    return Tick(seq, None if stream == rings.EVENTS else read_head(data), data)


def capture_ns(value: Any) -> int:
    """Return the capture time of any record: every kind begins with seq and capture_time_ns as fixed64."""
    return int.from_bytes(value[10:18], "little")


class Recent:
    """Every record from `first` to the newest. They come on the event loop; who reads in a thread copies them
    first, in one step of the interpreter.
    """

    def __init__(self) -> None:
        self._ticks: deque[Tick] = deque()

    @property
    def first(self) -> int:
        """Number of the oldest; beyond all numbers when there is none."""
        return self._ticks[0].seq if self._ticks else _NO_SEQ

    def add(self, tick: Tick) -> None:
        """Add the record after the newest."""
        self._ticks.append(tick)

    def forget(self, durable: int) -> None:
        """Let go of old ones that the ring has, up to number `durable`."""
        while len(self._ticks) > _KEPT and self.first <= durable:
            self._ticks.popleft()

    def after(self, seq: int, until: int) -> list[Tick]:
        """Return those after number `seq` up to number `until`, oldest first."""
        if self._ticks and (newest := self._ticks[-1]).seq == seq + 1 <= until:
            return [newest]
        return [tick for tick in tuple(self._ticks) if seq < tick.seq <= until]

    def latest(self, seq: int) -> Tick | None:
        """Return the newest whose number is not above `seq`."""
        return next((tick for tick in reversed(tuple(self._ticks)) if tick.seq <= seq), None)

    def bisect(self, before: Callable[[Any], bool]) -> int | None:
        """Return the number of the newest for which `before` holds, None when it does for none."""
        ticks = tuple(self._ticks)
        at = bisect(ticks, False, key=lambda tick: not before(tick.data))
        return ticks[at - 1].seq if at else None
