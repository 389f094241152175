"""A closed line around a track, on a grid of about a metre, and where places lie along and beside it.

World frame as in the game: metres, left-handed, +y up. Lateral offsets are positive to the left, curvature is
positive to the right.
"""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rig.errors import BadRequest

Floats = npt.NDArray[np.float64]

MOST_M: Final = 60_000
"""No track of a simulation is longer; what a file says of its length decides no array beyond."""
LEAST_M: Final = 100
_STEPS: Final = 3
"""Of the projection: from 15 m off the first lands within 0.5 m, the second within a millimetre."""
_LEAST_TURN: Final = 0.3
"""What a metre of line is worth beside it, at least. Nearer to the centre of a curve a place has several
feet, and `Projection.sharp` says so.
"""


@dataclasses.dataclass(frozen=True)
class Projection:
    """Where places lie: arrays of shape (places,)."""

    s: Floats
    """m along the line from its first place, not wrapped."""
    lateral: Floats
    """m left of the line."""
    miss: Floats
    """m along the line by which the foot of the perpendicular is still missed."""
    sharp: npt.NDArray[np.bool_]
    """The place lies too near to the centre of a curve to have one foot."""


@dataclasses.dataclass(frozen=True, eq=False)
class ReferenceLine:
    """A closed line: `x`, `y` and `z` in metres, shape (cells,), `length` metres around."""

    x: Floats
    y: Floats
    z: Floats
    length: float

    def __post_init__(self) -> None:
        cells = len(self.x)
        if not LEAST_M <= cells <= MOST_M or not len(self.y) == len(self.z) == cells:
            raise BadRequest(f"a reference line of {cells} cells", hint=f"it has {LEAST_M} to {MOST_M}")
        if not (np.isfinite(self.x).all() and np.isfinite(self.z).all() and 0 < self.length < 2 * MOST_M):
            raise BadRequest("a reference line has places that are no numbers")

    @property
    def cells(self) -> int:
        """Number of places."""
        return len(self.x)

    @property
    def step(self) -> float:
        """Metres between two places."""
        return self.length / self.cells

    @cached_property
    def s(self) -> Floats:
        """Metres from the first place, of every place."""
        return np.asarray(np.arange(self.cells) * self.step, np.float64)

    @cached_property
    def tangent(self) -> Floats:
        """Direction of every place in (x, z), shape (2, cells), of length 1."""
        ahead = np.stack((_central(self.x), _central(self.z)))
        unit: Floats = ahead / np.maximum(np.hypot(ahead[0], ahead[1]), 1e-9)
        return unit

    @cached_property
    def curvature(self) -> Floats:
        """1/m of every place, positive to the right, shape (cells,)."""
        (x, z), (bent_x, bent_z) = self.tangent, (_central(self.tangent[0]), _central(self.tangent[1]))
        bend: Floats = (bent_x * z - bent_z * x) / (2 * self.step)
        return bend

    @cached_property
    def _foot_columns(self) -> Floats:
        """All that a foot takes of a place, side by side: one look-up brings it. Shape (cells + 1, 5)."""
        columns = np.stack((self.x, self.z, *self.tangent, self.curvature), axis=-1)
        return np.concatenate((columns, columns[:1]))

    def at(self, s: Floats, *columns: Floats) -> list[Floats]:
        """Return columns of the line, shape (cells,), linear between places at `s` [m, any lap]."""
        here, part = self._cell(s)
        after = here + 1
        after[after == self.cells] = 0
        return [column[here] + (column[after] - column[here]) * part for column in columns]

    def _cell(self, s: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the place before each `s`, and which part of the way to the next it is."""
        cell = s / self.step
        whole = np.floor(cell)
        return whole.astype(np.int64) % self.cells, cell - whole

    def project(self, x: Floats, z: Floats, seed: Floats) -> Projection:
        """Return where places lie, each looked for from `seed` [m along the line]: three tangent steps."""
        s = np.array(seed, np.float64)
        for _ in range(_STEPS):
            along, _, turn = self._foot(x, z, s)
            s += np.clip(along / np.maximum(turn, _LEAST_TURN), -self.length, self.length)
        along, lateral, turn = self._foot(x, z, s)
        return Projection(s, lateral, along, turn < _LEAST_TURN)

    def _foot(self, x: Floats, z: Floats, s: Floats) -> Sequence[Floats]:
        """Return metres ahead and left of `s`, and what a metre of line is worth there."""
        cell, part = self._cell(s)
        here, after = self._foot_columns.take(cell, axis=0), self._foot_columns.take(cell + 1, axis=0)
        on_x, on_z, to_x, to_z, bend = (here + (after - here) * part[..., None]).T
        away_x, away_z = x - on_x, z - on_z
        lateral = away_z * to_x - away_x * to_z
        return away_x * to_x + away_z * to_z, lateral, 1.0 + bend * lateral

    def nearest(self, x: float, z: float) -> float:
        """Return metres along the line of the place nearest to one, of all."""
        return float(np.argmin((self.x - x) ** 2 + (self.z - z) ** 2) * self.step)


def even(x: Floats, y: Floats, z: Floats) -> ReferenceLine:
    """Return the line through places in order, closed, on an even grid of about a metre by its own length."""
    for _ in range(2):  # the first grid is even to a centimetre, the second to a tenth of a millimetre
        steps = np.hypot(np.roll(x, -1) - x, np.roll(z, -1) - z)
        along = np.concatenate(([0.0], np.cumsum(steps)))
        length = float(along[-1])
        if not LEAST_M <= length <= MOST_M:
            raise BadRequest(f"a line of {length:.0f} m", hint=f"a track has {LEAST_M} to {MOST_M} m")
        grid = np.arange(round(length)) * (length / round(length))
        x, y, z = (np.interp(grid, along, np.append(column, column[0])) for column in (x, y, z))
    return ReferenceLine(x, y, z, length)


def smooth(values: Floats, weights: Floats, wavelength: float, rounds: int = 100) -> Floats:
    """Return the closed column that is nearest to `values` where there is weight, without waves shorter than
    `wavelength` cells: least squares with a penalty on the third difference, solved by conjugate gradients.
    """
    waves = 2 * np.sin(np.pi * np.arange(len(values) // 2 + 1) / len(values))
    stiff = (wavelength / (2 * np.pi)) ** 6 * waves**6
    mean = max(float(weights.mean()), 1e-9)

    def bent(column: Floats) -> Floats:
        return np.asarray(np.fft.irfft(stiff * np.fft.rfft(column), len(column)))

    def eased(column: Floats) -> Floats:
        return np.asarray(np.fft.irfft(np.fft.rfft(column) / (mean + stiff), len(column)))

    told = np.flatnonzero(weights)
    start = np.interp(np.arange(len(values)), told, values[told], period=len(values))
    return _solved(lambda column: weights * column + bent(column), eased, weights * values, start, rounds)


def _solved(operator: Any, eased: Any, load: Floats, start: Floats, rounds: int) -> Floats:
    """Return the solution of operator(u) = load by preconditioned conjugate gradients."""
    found, left = start.copy(), load - operator(start)
    way = eased(left)
    energy = first = float(left @ way)
    for _ in range(rounds):
        if energy <= 1e-8 * first:
            break
        pushed = operator(way)
        length = energy / float(way @ pushed)
        found += length * way
        left -= length * pushed
        next_way = eased(left)
        before, energy = energy, float(left @ next_way)
        way = next_way + energy / before * way
    return found


def _central(column: Floats) -> Floats:
    return np.asarray(np.roll(column, -1) - np.roll(column, 1))
