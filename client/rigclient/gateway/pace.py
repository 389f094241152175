"""When records are let through: as they were captured, some seconds later, or again from a moment on.

All by this machine's monotonic clock. What the rig's clock shows is learnt from its answers, so a clock that
somebody sets, here or there, moves nothing.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

SECOND_NS: Final = 1_000_000_000
_KEPT_S: Final = 60.0
"""For so long the best measurement of the rig's clock counts; crystals drift apart by 3 ms in that time."""


class RigClock:
    """What the wall clock of a rig shows."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._trip_s, self._measured_at = 0.0, 0.0

    @property
    def known(self) -> bool:
        """Whether it was learnt."""
        return self._offset_ns is not None

    def learn(self, shown_ns: int, asked_at: float, answered_at: float) -> None:
        """Take an answer that tells the time, asked and answered by the monotonic clock, seconds. The
        quickest of a minute counts.
        """
        trip = answered_at - asked_at
        offset_ns = shown_ns - int((asked_at + answered_at) / 2 * SECOND_NS)
        old = answered_at - self._measured_at > _KEPT_S
        set_anew = self._offset_ns is not None and abs(offset_ns - self._offset_ns) > (trip + 1) * SECOND_NS
        if self._offset_ns is None or old or set_anew or trip <= self._trip_s:
            self._offset_ns, self._trip_s, self._measured_at = offset_ns, trip, answered_at

    def now_ns(self) -> int:
        """Return what it shows now, unix nanoseconds; 0 before it was learnt."""
        return 0 if self._offset_ns is None else time.monotonic_ns() + self._offset_ns


class Pace(Protocol):
    """Which moment of the rig's past is shown."""

    def begin_ns(self) -> int:
        """Return where a stream begins, unix nanoseconds; 0: now, with the next record."""

    def wait_s(self, time_ns: int) -> float:
        """Return seconds until a record captured then is due; 0 or less: it is."""


class Live:
    """At once."""

    def begin_ns(self) -> int:
        """Return 0: with the next record."""
        return 0

    def wait_s(self, time_ns: int) -> float:  # noqa: ARG002 - whatever the time
        """Return that it is due."""
        return 0.0


class Delayed:
    """So many seconds later."""

    def __init__(self, clock: RigClock, delay_s: float) -> None:
        self._clock, self._delay_ns = clock, int(delay_s * SECOND_NS)

    def begin_ns(self) -> int:
        """Return the moment that is shown now."""
        return max(self._clock.now_ns() - self._delay_ns, 1)

    def wait_s(self, time_ns: int) -> float:
        """Return seconds until that is so long ago."""
        return (time_ns + self._delay_ns - self._clock.now_ns()) / SECOND_NS


class Again:
    """From a moment on, at a multiple of the speed; 0: it stands."""

    def __init__(self, time_ns: int, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._from_ns, self._clock = time_ns, clock
        self.speed: float = speed
        self._since = clock()

    def begin_ns(self) -> int:
        """Return the moment that is shown now."""
        return self._from_ns + int((self._clock() - self._since) * self.speed * SECOND_NS)

    def wait_s(self, time_ns: int) -> float:
        """Return seconds until that moment is shown; an hour where it stands, which somebody ends."""
        ahead = (time_ns - self.begin_ns()) / SECOND_NS
        return ahead / self.speed if self.speed and ahead > 0 else (3600.0 if ahead > 0 else 0.0)
