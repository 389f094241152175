"""When to look: sleep to just before the next expected frame, then look often; back off in the idle."""

import time
from typing import Final

_FINE_NS: Final = 200_000
"""Step of the fine polling: a frame waits 0.1 ms on average, and 50 Hz costs about 1 % of a core."""
_LATE_NS: Final = 1_000_000
"""Step when a frame is overdue: the game stutters, or left out a step and comes 10 ms later."""
_IDLE_NS: Final = 20_000_000
"""Step when nothing has moved for two seconds. The first frame after a pause waits this long at most."""
_IDLE_AFTER_NS: Final = 2_000_000_000

_MARGIN_NS: Final = 700_000
"""How long before the expected frame the loop wakes: timers wake 0.1 ms late, a rehearsal takes 0.3 ms, and
the game's own jitter is a few tenths of a millisecond."""

_COLD_NS: Final = 4_000_000
"""After a sleep as long as this the caches have forgotten the tick's work."""

_FIRST_PERIOD_NS: Final = 2_500_000
"""400 Hz, the fastest: until the rate is known, looking too often costs less than missing frames."""
_LEARNING: Final = 24
"""Frames after which the estimate settles; before, it follows quickly both ways."""
_LONGEST_PERIOD_NS: Final = 40_000_000


class Pacer:
    """Decides how long to sleep between two looks at the version word. Times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self.period_ns = float(_FIRST_PERIOD_NS)
        """Estimate of the shortest usual distance of two frames."""
        self.overslept_ns = 0
        """How much later than asked the last sleep ended."""
        self._arrived_ns = time.monotonic_ns()
        self._frames = 0

    def arrived(self, now_ns: int, frames: int) -> None:
        """Note that a frame was taken, `frames` after the one before by the game's count.

        The estimate falls fast and rises slowly: it settles near the short end of the distances, so that a
        late frame now and then does not make the loop wake too late for the next.
        """
        distance = (now_ns - self._arrived_ns) / max(frames, 1)
        self._arrived_ns = now_ns
        if distance < _LONGEST_PERIOD_NS:
            self._frames += 1
            fast = distance < self.period_ns or self._frames < _LEARNING
            self.period_ns += (distance - self.period_ns) * (0.25 if fast else 0.02)

    def wait(self) -> bool:
        """Sleep until the next look is due. True when there is time to rehearse: the sleep was long, and the
        next frame is expected right after it.
        """
        now = time.monotonic_ns()
        step = self._step(now - self._arrived_ns)
        time.sleep(step / 1e9)
        self.overslept_ns = time.monotonic_ns() - now - step
        return _COLD_NS < step < _IDLE_NS

    def _step(self, since_ns: int) -> int:
        early = int(self.period_ns) - min(_MARGIN_NS, int(self.period_ns) // 4)
        if since_ns < early:
            return max(early - since_ns, 0)
        if since_ns < 1.5 * self.period_ns:
            return _FINE_NS
        if since_ns < _IDLE_AFTER_NS:
            # A late game catches up: at 400 Hz two frames may come within a whole step.
            return min(_LATE_NS, max(int(self.period_ns) // 8, _FINE_NS))
        return _IDLE_NS
