"""Distributions of durations, kept in a few hundred counters."""

import math
from itertools import accumulate, pairwise
from typing import Final

from rig.v1 import rig_pb2

_STEP: Final = math.log(1.1)
_LEAST_MS: Final = 0.001
_BUCKETS: Final = 200
"""Bucket edges a tenth apart from 1 µs: the last holds all above 170 s."""
_TOLD: Final = range(40, 180, 7)
"""Buckets at whose upper edge the status cuts: 20 of them a factor of 1.95 apart, from 45 µs to 14 s."""
EDGES_MS: Final = tuple(_LEAST_MS * 1.1**bucket for bucket in _TOLD)


class Histogram:
    """Counts durations by size. Quantiles are upper edges of buckets, so at most a tenth too high."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.max_ms = self.sum_ms = 0.0

    def add(self, ns: int) -> None:
        """Count a duration, nanoseconds."""
        ms = ns / 1e6
        bucket = int(math.log(ms / _LEAST_MS) / _STEP) + 1 if ms > _LEAST_MS else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self.count += 1
        self.sum_ms += ms
        if ms > self.max_ms:
            self.max_ms = ms

    def quantile_ms(self, share: float) -> float:
        """Return the duration that `share` of all do not exceed, milliseconds; 0 when nothing was counted."""
        left = share * self.count
        for bucket, count in enumerate(self._counts):
            left -= count
            if left <= 0 and self.count:
                return min(_LEAST_MS * 1.1**bucket, self.max_ms)
        return self.max_ms

    def status(self) -> rig_pb2.Latency:
        """Return the histogram as the status reports it."""
        return rig_pb2.Latency(
            count=self.count,
            p50_ms=self.quantile_ms(0.50),
            p99_ms=self.quantile_ms(0.99),
            max_ms=self.max_ms,
            sum_ms=self.sum_ms,
            edges_ms=EDGES_MS,
            counts=self._told(),
        )

    def _told(self) -> list[int]:
        """How many measurements lie between the edges of the status, and above the last."""
        up_to = list(accumulate(self._counts))
        cuts = [0, *(up_to[bucket] for bucket in _TOLD), up_to[-1]]
        return [after - before for before, after in pairwise(cuts)]
