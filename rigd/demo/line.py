"""The racing line and the fastest speed each class of car can carry along it."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import GRAVITY, CarClass
from rigd.demo.circuit import DemoCircuit

Floats = npt.NDArray[np.float64]

_KNOT_M: Final = 9.0
"""Grid on which the line is found: 500 unknowns on 4.5 km, solved in 4 ms."""
_ROUNDS: Final = 12
_TETHER: Final = 1e-5
"""Pull to the centre line, 1/m²: weak enough to leave corners alone, strong enough to fix long straights."""
_MARGIN_M: Final = 1.7
"""Centre of the car to the edge of the road: half a car plus what drivers leave."""
_FASTEST_MPS: Final = 105.0
_BRAKING_SHARE: Final = 0.93
"""Share of the friction circle a driver uses while braking."""


@dataclass(frozen=True)
class RacingLine:
    """The racing line, one entry per metre of centre line."""

    offset: Floats
    """m left of the centre line."""
    angle: Floats
    """rad by which the line heads left of the centre line."""
    curvature: Floats
    """1/m of the line itself, positive to the right."""
    stretch: Floats
    """Metres of line per metre of centre line."""


def racing_line(circuit: DemoCircuit) -> RacingLine:
    """Return the line of least curvature change that stays on the road."""
    offset = _between(_straightened(circuit), len(circuit.x))
    x = circuit.x + offset * np.cos(circuit.heading)
    z = circuit.z - offset * np.sin(circuit.heading)
    step_x, step_z = np.roll(x, -1) - np.roll(x, 1), np.roll(z, -1) - np.roll(z, 1)
    stretch = np.hypot(step_x, step_z) / 2
    heading = np.unwrap(np.arctan2(-step_x, -step_z))
    bend = _central(heading, circuit.turning) / stretch
    return RacingLine(offset, circuit.heading - heading, _smooth(bend, 9), stretch)


def _straightened(circuit: DemoCircuit) -> Floats:
    """Return offsets on the coarse grid: the stiffest band through the corners, pinned where it meets
    an edge.
    """
    knots = int(len(circuit.x) // _KNOT_M)
    at = (np.arange(knots) * len(circuit.x)) // knots
    edge = circuit.width[at] / 2 - _MARGIN_M
    stiffness, load = _band(circuit, at)
    pins: Floats = np.zeros(knots)
    place: Floats = np.zeros(knots)
    offset: Floats = place
    for _ in range(_ROUNDS):
        offset = np.asarray(np.linalg.solve(stiffness + np.diag(pins), load + pins * place), np.float64)
        beyond = np.abs(offset) > edge
        place = np.where(beyond, np.sign(offset) * edge, place)
        pins = np.where(beyond, np.maximum(pins * 2.0, 0.5), 0.0)
    return np.minimum(np.maximum(offset, -edge), edge)


def _band(circuit: DemoCircuit, at: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return bending energy of the band as a quadratic in its offsets: matrix and right side."""
    one = np.eye(len(at))
    bend = np.roll(one, 1, 0) + np.roll(one, -1, 0) - 2 * one
    sides = (np.cos(circuit.heading[at]), -np.sin(circuit.heading[at]))
    bent = [bend * side for side in sides]
    load = bent[0].T @ (bend @ circuit.x[at]) + bent[1].T @ (bend @ circuit.z[at])
    return bent[0].T @ bent[0] + bent[1].T @ bent[1] + _TETHER * one, -load


def _between(knots: Floats, metres: int) -> Floats:
    """Return the coarse offsets on the one-metre grid, without kinks."""
    at = (np.arange(len(knots) + 1) * metres) // len(knots)
    fine = np.interp(np.arange(metres), at, np.append(knots, knots[0]))
    return _smooth(_smooth(fine, 15), 15)


def _smooth(column: Floats, metres: int) -> Floats:
    """Return moving average over an odd number of metres of a closed column."""
    half = metres // 2
    closed = np.concatenate((column[-half:], column, column[:half]))
    return np.convolve(closed, np.full(metres, 1.0 / metres), "valid")


def _central(column: Floats, gain: float) -> Floats:
    """Return central difference per metre of a closed column that gains `gain` per lap."""
    after, before = np.roll(column, -1), np.roll(column, 1)
    after[-1] += gain
    before[0] -= gain
    return np.asarray((after - before) / 2)


def speed_limit(circuit: DemoCircuit, line: RacingLine, car: CarClass) -> Floats:
    """Return m/s per metre: what the corners and the braking for them allow. Acceleration is not in it."""
    corner = _cornering(line.curvature, car)
    limit = corner.tolist()
    metres, bends, slopes = line.stretch.tolist(), np.abs(line.curvature).tolist(), circuit.slope.tolist()
    start = int(np.argmin(corner))
    for back in range(len(limit)):
        here, ahead = start - back - 1, start - back
        faster = _before(limit[ahead], bends[ahead], slopes[ahead], metres[here], car)
        limit[here] = min(limit[here], faster)
    return np.array(limit)


def _cornering(curvature: Floats, car: CarClass) -> Floats:
    """Return m/s at which downforce and friction just hold the curve: v²k = mu (g + c v²)."""
    spare = np.abs(curvature) - car.grip * car.downforce / car.mass
    held = np.sqrt(car.grip * GRAVITY / np.maximum(spare, 1e-6))
    return np.minimum(held, _FASTEST_MPS)


def _before(speed: float, bend: float, slope: float, metres: float, car: CarClass) -> float:
    """Return m/s one cell earlier when braking with what cornering leaves of the friction circle."""
    grip = car.grip * (GRAVITY + car.downforce / car.mass * speed * speed)
    used = min(speed * speed * bend / grip, 1.0)
    braking = _BRAKING_SHARE * grip * sqrt(1.0 - used * used) + car.drag / car.mass * speed * speed
    return sqrt(speed * speed + 2.0 * max(braking + GRAVITY * slope, 0.5) * metres)
