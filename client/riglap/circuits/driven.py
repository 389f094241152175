"""The way of one car as a reference line, where nobody has surveyed the track yet."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rig.errors import Unavailable
from riglap.circuits.circuit import Circuit, rounded
from riglap.circuits.corners import find_corners
from riglap.circuits.line import LEAST_M, MOST_M, ReferenceLine, even, smooth
from riglap.lap import Lap
from riglap.rows import Array

_WAVE_M: Final = 12.0
_CLOSE_M: Final = 200
"""Before and behind the line, where the end of the lap is bent to its beginning: 2 m are 10 mrad."""
_STRETCH: Final = 0.04
"""A racing line is within 3 % of the length of its track; a lap with a spin or a visit to the pits is not."""


def driven(laps: Sequence[Lap]) -> Circuit:
    """Return a circuit along the way of one of these laps, the first that counts and has a sound one. Raises
    Unavailable where none has.
    """
    why = "no lap has positions"
    for lap in sorted(laps, key=_unsound):
        try:
            return _along(lap)
        except Unavailable as error:
            why = error.message
    raise Unavailable(f"there is no circuit and no line to compare along: {why}")


def _along(lap: Lap) -> Circuit:
    info = lap.info
    if "position" not in lap or "distance" not in lap or not (lap.available("position") and info.complete):
        raise Unavailable(f"{info.name} has no positions over the distance of a whole lap")
    if not LEAST_M <= info.track_length <= MOST_M:
        raise Unavailable(f"{info.name} says that its track has {info.track_length:g} m")
    places, distance = lap["position"].astype(np.float64), lap["distance"].astype(np.float64)
    known = np.isfinite(places).all(axis=1) & np.isfinite(distance) & (distance >= 0) & places.any(axis=1)
    known &= np.maximum.accumulate(np.where(known, distance, -np.inf)) <= distance
    if known.sum() < info.track_length / 50:
        raise Unavailable(f"{info.name} has {known.sum()} samples with a position")
    line = _line(places[known], distance[known], info.track_length)
    if abs(line.length / info.track_length - 1) > _STRETCH:
        raise Unavailable(
            f"the way of {info.name} is {line.length:.0f} m, its track {info.track_length:.0f} m"
        )
    unknown = np.full(line.cells, np.nan)
    return Circuit(
        info.track_name,
        info.track_length,
        line,
        unknown,
        unknown,
        find_corners(line),
        centre=False,
    )


def _unsound(lap: Lap) -> tuple[bool, bool, bool]:
    """Return reasons against the way of a lap: it does not count, was in the pits, began on the grid."""
    return not lap.info.valid, bool(lap.info.pit_visits), lap.info.number == 0


def _line(places: Array, distance: Array, length: float) -> ReferenceLine:
    grid = np.arange(round(length)) * (length / round(length))
    columns = [_closed(np.interp(grid, distance, column)) for column in places.T]
    return rounded(even(*(smooth(column, np.ones(len(grid)), _WAVE_M) for column in columns)))


def _closed(column: Array) -> Array:
    """Return a column that ends where it begins: half of what is missing is spread on either side."""
    reach = min(_CLOSE_M, len(column) // 4)
    off = 2 * column[-1] - column[-2] - column[0]
    ease = off / 4 * (1 + np.cos(np.pi * np.arange(reach) / reach))
    closed = column.copy()
    closed[:reach] += ease
    closed[-reach:] -= ease[::-1]
    return closed
