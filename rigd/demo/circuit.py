"""An invented closed circuit on a one-metre grid.

World frame as in the game: metres, left-handed, +y up. Heading is the car's yaw, positive to the right:
forward = (-sin, -cos) and left = (cos, -sin) in (x, z). Lateral offsets are positive to the left.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROUGHNESS_PER_M: Final = 4
"""Cells of road surface per metre: at 80 m/s and 50 Hz a car skips 6 cells, so each lap samples anew."""

_EASING_M: Final = 16
"""Length over which curvature builds up at a corner's ends: the steering takes 0.4 s at 60 m/s."""

# Corner points of the road before rounding: m east and north of the start line, radius in m. The line is
# crossed northwards, the lap runs clockwise.
_GRAND = (
    (0, 560, 52),
    (330, 520, 110),
    (520, 790, 70),
    (985, 700, 44),
    (915, 320, 130),
    (1235, 190, 24),
    (760, 40, 85),
    (790, -390, 66),
    (420, -340, 95),
    (250, -590, 80),
    (0, -560, 58),
)
_SHORT = ((0, 190, 36), (185, 205, 30), (205, 20, 48), (330, -75, 19), (130, -165, 40), (0, -200, 26))


@dataclass(frozen=True)
class _Plan:
    name: str
    corners: tuple[tuple[int, int, int], ...]
    half_lane_m: float
    pit_limit_mps: float
    seed: int


_PLANS = {
    False: _Plan("Meander Valley Grand", _GRAND, 340.0, 80 / 3.6, 41),
    True: _Plan("Meander Valley Short", _SHORT, 120.0, 60 / 3.6, 43),
}


@dataclass(frozen=True)
class DemoCircuit:
    """Geometry by distance from the start line, one entry per metre of centre line."""

    name: str
    x: Floats
    y: Floats
    z: Floats
    heading: Floats
    """rad, unwrapped, positive to the right; gains `turning` over one lap."""
    turning: float
    curvature: Floats
    """1/m, positive to the right."""
    slope: Floats
    """Rise per metre."""
    width: Floats
    """m, edge to edge."""
    roughness: Floats
    """m, (left and right wheel track, cells of 1/ROUGHNESS_PER_M m)."""
    splits: tuple[float, float]
    """Ends of sectors 1 and 2, m from the line."""
    pit_entry: float
    """m from the line, before it."""
    pit_exit: float
    """m from the line, after it."""
    pit_offset: float
    """Lateral place of the pit lane, m (negative: right of the road)."""
    pit_limit: float
    """m/s"""

    @property
    def length(self) -> float:
        """m; a whole number, one grid cell per metre."""
        return float(len(self.x))

    @property
    def pit_length(self) -> float:
        """M from pit entry to pit exit."""
        return self.length - self.pit_entry + self.pit_exit


def build(short: bool = False) -> DemoCircuit:
    """Build the grand circuit of about 4.7 km, or the short one of about 1.2 km. Always the same metres."""
    plan = _PLANS[short]
    heading, x, z = _closed(plan)
    length = len(x)
    rise = _elevation(length, 3.0 if short else 9.0)
    return DemoCircuit(
        name=plan.name,
        x=x,
        y=rise,
        z=z,
        heading=heading,
        turning=2 * np.pi,
        curvature=_slope_of(heading, 2 * np.pi),
        slope=_slope_of(rise, 0.0),
        width=12.5 + 1.5 * np.cos(2 * np.pi * np.arange(length) / length),
        roughness=_roughness(length, plan.seed),
        splits=(round(0.31 * length, 1), round(0.67 * length, 1)),
        pit_entry=length - plan.half_lane_m,
        pit_exit=plan.half_lane_m,
        pit_offset=-17.0,
        pit_limit=plan.pit_limit_mps,
    )


def _closed(plan: _Plan) -> tuple[Floats, Floats, Floats]:
    """Return heading, x and z of every metre: straights and arcs of the plan, followed step by step."""
    legs, turns, arcs, cuts = _rounded(plan.corners)
    straights = legs - np.roll(cuts, 1) - cuts
    half = plan.corners[0][1] - cuts[0]
    lengths = np.concatenate(([half], np.column_stack((arcs, np.roll(straights, -1))).ravel()))
    lengths[-1] -= half
    bends = np.concatenate(([0.0], np.column_stack((turns / arcs, np.zeros_like(turns))).ravel()))
    return _uniform(*_walk(_eased(lengths, bends)))


def _rounded(corners: tuple[tuple[int, int, int], ...]) -> tuple[Floats, Floats, Floats, Floats]:
    """Return by corner: leg leading to it, turn in rad, arc length, and what rounding cuts off each leg."""
    east, north, radius = np.array(corners, float).T
    into = np.array((east - np.roll(east, 1), north - np.roll(north, 1)))
    bearing = np.arctan2(into[0], into[1])
    turns = (np.roll(bearing, -1) - bearing + np.pi) % (2 * np.pi) - np.pi
    return np.hypot(*into), turns, radius * np.abs(turns), radius * np.tan(np.abs(turns) / 2)


def _eased(lengths: Floats, bends: Floats) -> Floats:
    """Return curvature of every metre: constant in a corner, eased at both ends, turning exactly once."""
    ends = np.cumsum(lengths)
    at = np.searchsorted(ends, np.arange(round(ends[-1])) + 0.5, side="right")
    raw = bends[np.minimum(at, len(bends) - 1)]
    window = np.hanning(_EASING_M + 2)
    eased = np.convolve(raw, window / window.sum(), mode="same")
    return np.asarray(eased * (2 * np.pi / eased.sum()))


def _walk(curvature: Floats) -> tuple[Floats, Floats]:
    """Return places reached by following the curvature metre by metre; one more place than metres."""
    heading = np.concatenate(([0.0], np.cumsum(curvature)[:-1])) + curvature / 2
    x = np.concatenate(([0.0], np.cumsum(-np.sin(heading))))
    z = np.concatenate(([0.0], np.cumsum(-np.cos(heading))))
    return x, z


def _uniform(x: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Close the last gap evenly along the lap, then step and scale so that each cell is one metre."""
    part = np.linspace(0.0, 1.0, len(x))
    x, z = x - part * (x[-1] - x[0]), z - part * (z[-1] - z[0])
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))))
    metres = round(along[-1])
    scale = metres / along[-1]
    grid = np.arange(metres) / scale
    x, z = np.interp(grid, along, x) * scale, np.interp(grid, along, z) * scale
    return _heading_of(x, z), x, z


def _heading_of(x: Floats, z: Floats) -> Floats:
    """Return heading of the chord around every metre, unwrapped from about zero on the start line."""
    east, south = np.roll(x, -1) - np.roll(x, 1), np.roll(z, -1) - np.roll(z, 1)
    return np.unwrap(np.arctan2(-east, -south))


def _slope_of(values: Floats, gain: float) -> Floats:
    """Return central difference per metre of a closed column that gains `gain` per lap."""
    after, before = np.roll(values, -1), np.roll(values, 1)
    after[-1] += gain
    before[0] -= gain
    return (after - before) / 2


def _elevation(length: int, height: float) -> Floats:
    """Return rolling hills: three harmonics, at most 3 % steep on the grand circuit."""
    turn = 2 * np.pi * np.arange(length) / length
    return (
        height * (np.sin(turn + 0.4) + 0.5 * np.sin(2 * turn + 2.1) + 0.22 * np.sin(5 * turn + 4.0)) + 120.0
    )


def _roughness(length: int, seed: int) -> Floats:
    """Return road surface: ripples that decay over 0.8 m with 2.5 mm of height, and a joint every 60 m
    or so.
    """
    rng = np.random.default_rng(seed)
    cells = length * ROUGHNESS_PER_M
    white = rng.standard_normal((2, cells))
    white[:, rng.integers(0, cells, cells // 240)] *= 4.0
    kernel = np.exp(-np.arange(12) / (0.8 * ROUGHNESS_PER_M))
    kernel *= 0.0025 / np.sqrt((kernel**2).sum())
    ripples = np.array([np.convolve(np.concatenate((row[-11:], row)), kernel, "valid") for row in white])
    return np.asarray(ripples, dtype=np.float64)
