"""How fast and how evenly somebody drove a car in one session.

Pace is made of flying laps within 107 % of the driver's best one, so that a spin does not hide how evenly
somebody drives.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, Final

import numpy as np

from riglap.season.laps import SeasonLap, SeasonSession

Array = np.ndarray[Any, np.dtype[np.float64]]

WITHIN: Final = 1.07
"""Of the driver's best flying lap."""
LEAST_LAPS: Final = 5
"""Laps at pace that a mean, a spread or a fade of a session takes: with fewer one lap in traffic decides."""


@dataclass(frozen=True)
class SessionPace:
    """The laps of one driver in one car, in their order. Times are seconds."""

    laps: tuple[SeasonLap, ...]
    best: float | None
    """Of the laps that count."""
    flying: int
    """How many laps fly."""
    at_pace: tuple[SeasonLap, ...]
    slow: int
    """Laps lost to a spin, an off or the like: after the first, without a yellow or the pits, beyond 107 %.
    """

    @property
    def mean(self) -> float | None:
        """Return the mean of the laps at pace."""
        return float(self._times.mean()) if self.at_pace else None

    @property
    def spread(self) -> float | None:
        """Return the standard deviation of the laps at pace, of n - 1."""
        return float(self._times.std(ddof=1)) if len(self.at_pace) > 1 else None

    @property
    def telling(self) -> bool:
        """Return whether mean and spread are of enough laps to be compared."""
        return len(self.at_pace) >= LEAST_LAPS

    @property
    def invalid(self) -> int:
        """Return the laps after the first that did not count."""
        return sum(not lap.valid and lap.number > 1 for lap in self.laps)

    @property
    def fade(self) -> float | None:
        """Return how much slower each lap of a stint is than the one before, in percent of the mean: the
        slope of the laps at pace, stints of five and more together. None without one.
        """
        offsets, losses = _within_stints(self.at_pace)
        apart = float(offsets @ offsets)
        return 100.0 * float(offsets @ losses) / apart / float(self._times.mean()) if apart else None

    @cached_property
    def _times(self) -> Array:
        return np.array([lap.lap_time for lap in self.at_pace])


def _within_stints(laps: Iterable[SeasonLap]) -> tuple[Array, Array]:
    """Return lap numbers and lap times less the means of their stints."""
    stints: defaultdict[int, list[SeasonLap]] = defaultdict(list)
    for lap in laps:
        stints[lap.stint].append(lap)
    long = [[(lap.number, lap.lap_time) for lap in one] for one in stints.values() if len(one) >= LEAST_LAPS]
    if not long:
        return np.zeros(0), np.zeros(0)
    apart = np.concatenate([np.array(one) - np.mean(one, axis=0) for one in long])
    return apart[:, 0], apart[:, 1]


def paces(session: SeasonSession) -> dict[tuple[int, str], SessionPace]:
    """Return the pace by car and driver."""
    driven: defaultdict[tuple[int, str], list[SeasonLap]] = defaultdict(list)
    for laps in session.cars.values():
        for lap in laps:
            driven[lap.car, lap.driver].append(lap)
    limits = {key: WITHIN * min(_flying(laps), default=0.0) for key, laps in driven.items()}
    neutral = _neutralised(driven.values(), [limits[key] for key in driven])
    return {key: _pace(laps, limits[key], neutral) for key, laps in driven.items()}


def _pace(laps: Sequence[SeasonLap], limit: float, neutral: set[int]) -> SessionPace:
    slow = [lap for lap in laps if _is_slow(lap, limit) and lap.number not in neutral]
    return SessionPace(
        laps=tuple(laps),
        best=min((lap.lap_time for lap in laps if lap.valid), default=None),
        flying=len(_flying(laps)),
        at_pace=tuple(lap for lap in laps if lap.flying and lap.lap_time <= limit),
        slow=len(slow),
    )


def _flying(laps: Iterable[SeasonLap]) -> list[float]:
    return [lap.lap_time for lap in laps if lap.flying]


def _is_slow(lap: SeasonLap, limit: float) -> bool:
    return lap.number > 1 and lap.flying and 0.0 < limit < lap.lap_time


def _neutralised(driven: Iterable[Sequence[SeasonLap]], limits: Iterable[float]) -> set[int]:
    """Return the lap numbers in which the field as a whole was slow, as behind a safety car of which nobody
    has told: beyond the limit of its own driver for every other car.
    """
    shares: defaultdict[int, list[float]] = defaultdict(list)
    for laps, limit in zip(driven, limits, strict=True):
        for lap in laps:
            if limit and not lap.through_pits:
                shares[lap.number].append(lap.lap_time / limit)
    return {number for number, found in shares.items() if median(found) > 1.0}
