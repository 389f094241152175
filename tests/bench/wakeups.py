"""How late the machine wakes a bare process that sleeps to a grid: what a recorder cannot be better than.

python -m tests.bench.wakeups RATE SECONDS
"""

import json
import sys
import time

import numpy as np


def main(rate_hz: float, seconds: float) -> None:
    """Sleep from one point of the grid to the next; print how late it was woken and what it slept over."""
    period, lateness, missed = 1 / rate_hz, [], 0
    due = time.monotonic()
    until = due + seconds
    while due < until:
        due += period
        time.sleep(max(due - time.monotonic(), 0))
        lateness.append(time.monotonic() - due)
        over = int(lateness[-1] / period)
        missed, due = missed + over, due + over * period
    p99_ms = float(np.percentile(lateness, 99)) * 1e3
    print(json.dumps({"p99_ms": p99_ms, "woken": len(lateness), "missed": missed}))


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
