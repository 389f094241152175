"""The date of a race whose chart has clocks only, from beacons that have dates only in UTC.

A chart says 13:42:35.322 where a beacon says 18:42:35.504 of some day. The midnight that brings most of the
crossings together is the race's: on real charts half to all of them agree with it, at most half as many with
any other midnight, and a tenth with the beacons of another race that go under the name of this one.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

_QUARTER_NS: Final = 900_000_000_000
"""Time zones differ by quarters of an hour."""
_DAY_NS: Final = 86_400_000_000_000
_NEAR_NS: Final = 1_500_000_000
"""Beacons come up to a second after the timing."""
_SHARE: Final = 0.4
"""Of the crossings have to agree, a car without a beacon's logger has none."""
_LEAD: Final = 1.5
"""Times as many as with the next best midnight: cars follow each other, so that a wrong one fits some."""

Clocks = np.ndarray[Any, np.dtype[np.int64]]


def midnight(crossings: Clocks, beacons: Clocks) -> int | None:
    """Return the unix nanoseconds of the local midnight before the race, None where the beacons are of
    another race.

    `crossings` are nanoseconds since that midnight, `beacons` unix nanoseconds.
    """
    if not len(crossings) or not len(beacons):
        return None
    beacons = np.sort(beacons)
    midnights = _midnights(beacons)
    fits = [_fits(crossings + begin, beacons) for begin in midnights]
    best = int(np.argmax(fits))
    others = fits[:best] + fits[best + 1 :]
    if fits[best] < _SHARE * len(crossings) or fits[best] < _LEAD * max(others):
        return None
    return int(midnights[best])


def first_midnight(crossings: Clocks, beacons: Iterable[Clocks]) -> int | None:
    """Return the same by the first of several files of beacons that is of the race."""
    return next((found for one in beacons if (found := midnight(crossings, one)) is not None), None)


def _midnights(beacons: Clocks) -> Clocks:
    """Return the quarters of an hour of the day before each beacon: as many as there are beacons, not
    years.
    """
    quarters = np.unique(beacons // _QUARTER_NS)
    return np.unique(quarters[:, None] - np.arange(_DAY_NS // _QUARTER_NS + 1)) * _QUARTER_NS


def _fits(crossings: Clocks, beacons: Clocks) -> int:
    """Return how many crossings have a beacon within 1.5 s."""
    after = np.searchsorted(beacons, crossings).clip(1, len(beacons) - 1)
    away = np.minimum(np.abs(beacons[after] - crossings), np.abs(beacons[after - 1] - crossings))
    return int((away <= _NEAR_NS).sum())
