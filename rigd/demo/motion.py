"""Where every car is and how it moves: speed from power, drag and grip; place from the racing line."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import CLASSES, GRAVITY, Fleet
from rigd.demo.circuit import DemoCircuit
from rigd.demo.line import racing_line, speed_limit
from rigd.demo.noise import Noise, ease
from rigd.demo.sheet import FieldColumns

Floats = npt.NDArray[np.float64]

COAST_MPS2: Final = 0.9
"""Deceleration by the engine with both pedals up."""

_AHEAD_S: Final = 0.12
"""How far ahead drivers look: the lag of foot, brake and tyre together."""
_FOOT_S: Final = 0.05
_TRACTION: Final = 0.74
"""Share of the friction circle the driven axle can use."""
_SIDE_RPS: Final = 1.1
"""Stiffness of the move to another line: a car's width in 3 s."""
_STEEPEST_SIDE: Final = 0.2
"""Sideways speed over forward speed when changing line."""
_CG_M: Final = 0.32
_ROLLING_MPS2: Final = 0.12
_LEAN: Final = np.array([[0.0017], [-0.0016]])
"""rad of nose-up pitch and of roll to the right, per m/s² forwards and to the right."""
_SPARE_M: Final = 64
"""Speed-limit cells repeated after the line, so that looking ahead needs no modulo."""


# Columns of the road table.
_PLACE, _LEFT = slice(0, 3), slice(3, 6)
_HEADING, _SLOPE, _CLIMB, _CREST, _OFFSET, _BEND, _STRETCH, _ROAD_BEND = range(6, 14)

# Rows of the body's angles: the first three in the order of the game's x, y, z.
_PITCH, _YAW, _ROLL, _SLIP = range(4)


class Motion:
    """State of all cars, stepped by `dt`. The first group of columns is set by the race, the rest read."""

    def __init__(
        self, circuit: DemoCircuit, fleet: Fleet, sheet: FieldColumns, noise: Noise, dt: float
    ) -> None:
        cars = fleet.cars
        self.cap = np.zeros(cars)
        """m/s a car must not exceed: 0 holds it."""
        self.pace = np.full(cars, 0.97)
        """Share of the ideal corner speed this driver reaches."""
        self.beside = np.zeros(cars)
        """m left of the racing line the driver wants to be."""
        self.tow = np.ones(cars)
        """Drag relative to clean air."""
        self.lost = np.zeros(cars)
        """Share of the driving force missing during a gear change."""
        self.s = np.zeros(cars)
        """m of centre line from the start line, 0 <= s < length."""
        self.gone = np.zeros(cars)
        """m of centre line covered in the last step."""
        self.v = np.zeros(cars)
        """m/s along the car's own path."""
        self.push = np.zeros(cars)
        """m/s² the tyres give along the path; negative when braking."""
        self.felt = np.zeros((4, cars))
        """What loads the wheels: 1, m/s² along the path, m/s² to the right, speed squared."""
        self.felt[0] = 1.0
        self.along, self.turn, self.square = self.felt[1], self.felt[2], self.felt[3]
        self.side = np.zeros(cars)
        """m left of the racing line."""
        self.jolt = np.zeros(cars)
        """m/s² upwards from the road, fed back by the wheels."""
        self.standing = True
        """Some car is held at its place."""
        self._circuit, self._fleet, self._dt = circuit, fleet, dt
        self._bind(sheet, noise)
        self._tabulate()
        self.adjust(np.ones(cars), fleet.mass + 60.0)
        self._side_rate, self._side_push = np.zeros(cars), np.zeros(cars)
        self._lean, self._dive = np.zeros((2, cars)), np.zeros((2, cars))
        self._angles, self._before, self._rate = np.zeros((4, cars)), np.zeros((4, cars)), np.zeros((3, cars))
        self._foot, self._body = ease(dt, _FOOT_S), ease(dt, 0.12)
        self._look()

    def adjust(self, grip: Floats, load: Floats) -> None:
        """Take new friction (relative to the dry road) and mass (kg, fuel included) of every car."""
        fleet = self._fleet
        self.load, self.friction = load, fleet.grip * grip
        self._hold = self.friction * GRAVITY
        self._hold_by_air = self.friction * fleet.downforce / load
        self._power = fleet.power / load

    def step(self) -> None:
        """Advance every car by one frame and fill the rows of motion."""
        self._press()
        self._accelerate()
        self._advance()
        self._look()
        self._turn_body()
        self._place()
        self._report()

    def put(self, car: int, s: float, side: float) -> None:
        """Set a car down, standing, at `s` metres and `side` metres left of the racing line."""
        self.s[car], self.v[car], self.push[car], self.along[car] = s, 0.0, 0.0, 0.0
        self.side[car] = self.beside[car] = side
        self._side_rate[car] = 0.0

    def settle(self) -> None:
        """Fill the rows for cars that were just put down, without moving them."""
        self._look()
        self._turn_body()
        self._turn_body()
        self._place()

    def line_offset(self) -> Floats:
        """Return metres by which the racing line lies left of the centre line, at every car."""
        return np.asarray(self._at[_OFFSET])

    def bend(self) -> Floats:
        """Return curvature of the racing line at every car, 1/m, positive to the right."""
        return np.asarray(self._at[_BEND])

    def _bind(self, sheet: FieldColumns, noise: Noise) -> None:
        self._pos, self._vel, self._acc = sheet["mPos"], sheet["mLocalVel"], sheet["mLocalAccel"]
        self._ori, self._rot, self._rot_acc = sheet["mOri"], sheet["mLocalRot"], sheet["mLocalRotAccel"]
        self._air = sheet.span("mDrag", "mRearDownforce")
        fleet = self._fleet
        front, rear = fleet.aero_front * fleet.downforce, (1.0 - fleet.aero_front) * fleet.downforce
        self._air_factors = np.array((fleet.drag, front, rear))
        self._gust, self._surge, self._wander = noise.car("air"), noise.car("surge"), noise.car("wander")
        self._rock, self._sway = noise.car("pitch", 2), noise.car("slide")
        self._shake, self._heave = noise.car("shake_x", 3), noise.car("heave")

    def _tabulate(self) -> None:
        """Tabulate the columns of the road by metre, their differences, and the speed limit of each class."""
        road, line = self._circuit, racing_line(self._circuit)
        left = (np.cos(road.heading), np.zeros_like(road.x), -np.sin(road.heading))
        place = (road.x, road.y + _CG_M, road.z, *left, road.heading - line.angle)
        hills = (road.slope, GRAVITY * road.slope + _ROLLING_MPS2, np.gradient(road.slope))
        self._road = np.array((*place, *hills, line.offset, line.curvature, line.stretch, road.curvature))
        self._ramp = np.roll(self._road, -1, axis=1) - self._road
        self._ramp[_HEADING, -1] += road.turning
        limits = np.array([speed_limit(road, line, one) for one in CLASSES])
        limits = np.concatenate((limits, limits[:, :_SPARE_M]), axis=1)
        self._limit_row = self._fleet.class_of * limits.shape[1]
        self._limit, self._limit_ramp = limits.ravel(), np.diff(limits, axis=1, append=0.0).ravel()

    def _look(self) -> None:
        """Read the road under every car, interpolated between metres."""
        cell = self.s.astype(np.int64)
        part = self.s - cell
        self._at = self._road.take(cell, axis=1)
        self._at += self._ramp.take(cell, axis=1) * part

    def _wanted(self) -> Floats:
        """Return m/s the driver wants `_AHEAD_S` from now."""
        ahead = self.s + self.v * _AHEAD_S
        cell = ahead.astype(np.int64)
        ahead -= cell
        cell += self._limit_row
        limit = self._limit.take(cell) + self._limit_ramp.take(cell) * ahead
        limit *= self.pace
        return np.minimum(limit, self.cap, out=limit)

    def _press(self) -> None:
        """Let the tyres' push follow the wanted speed as far as engine and friction circle let it."""
        square = self.square
        np.multiply(self._air_factors, square * (self._gust + 1.0), out=self._air)
        self._air[0] *= self.tow
        self._resist = self._air[0] / self.load + self._at[_CLIMB]
        circle = self._hold + self._hold_by_air * square
        circle *= circle
        spare = np.sqrt(np.maximum(circle - self.turn * self.turn, circle * 0.03))
        self.room = self._power / np.maximum(self.v, 9.0)
        want = (self._wanted() - self.v) * (1.0 / _AHEAD_S) + self._resist
        np.minimum(want, np.minimum(self.room, spare * _TRACTION), out=want)
        np.maximum(want, -spare, out=want)
        self.push += (want - self.push) * self._foot

    def _accelerate(self) -> None:
        """Compute speed from push, drag and slope. A held car stands still and does not creep."""
        force = self.push - np.maximum(self.push, 0.0) * self.lost
        np.add(force - self._resist, self._surge, out=self.along)
        before, self.v = self.v, np.maximum(self.v + self.along * self._dt, 0.0)
        self.standing = bool(self.cap.min() <= 0.0)
        if self.standing:
            free = (self.cap > 0.0) | (before > 0.4)
            self.v *= free
            self.push *= free
            np.divide(self.v - before, self._dt, out=self.along)

    def _advance(self) -> None:
        """Move along the centre line (m), and towards the wanted side of the racing line."""
        stretch = self._at[_ROAD_BEND] * self.side + self._at[_STRETCH]
        self.gone = self.v * self._dt / stretch
        self.s += self.gone
        self.s %= self._circuit.length
        short = self.beside + self._wander - self.side
        rate = self._side_rate * (1.0 - 2.0 * _SIDE_RPS * self._dt) + short * (_SIDE_RPS**2 * self._dt)
        fastest = self.v * _STEEPEST_SIDE
        np.minimum(np.maximum(rate, -fastest), fastest, out=rate)
        self._side_push = (rate - self._side_rate) * (1.0 / self._dt)
        self._side_rate = rate
        self.side += rate * self._dt

    def _turn_body(self) -> None:
        """Compute yaw, pitch, roll and slip angle of the body."""
        at, bend = self._at, self._at[_BEND]
        np.multiply(self.v, self.v, out=self.square)
        np.subtract(self.square * bend, self._side_push, out=self.turn)
        self._lean += (self.felt[1:3] * _LEAN - self._lean) * self._body
        np.add(self._lean, self._rock, out=self._dive)
        angles, self._before = self._before, self._angles
        self._angles = angles
        slip = angles[_SLIP]
        np.add(self.turn * 0.0032 - bend * 1.2, self._sway, out=slip)
        np.add(at[_HEADING] - self._side_rate / np.maximum(self.v, 3.0), slip, out=angles[_YAW])
        np.add(self._dive[0], at[_SLOPE], out=angles[_PITCH])
        angles[_ROLL] = self._dive[1]

    def _place(self) -> None:
        """Compute world position and the rotation matrix, rows of world over columns of car."""
        at, ori = self._at, self._ori
        np.multiply(at[_LEFT], at[_OFFSET] + self.side, out=self._pos)
        self._pos += at[_PLACE]
        self._sin, self._cos = sin, cos = np.sin(self._angles), np.cos(self._angles)
        tilt_sin, tilt_cos = sin[_PITCH] * sin[_ROLL], sin[_PITCH] * cos[_ROLL]
        np.add(cos[_YAW] * cos[_ROLL], sin[_YAW] * tilt_sin, out=ori[0])
        np.subtract(sin[_YAW] * tilt_cos, cos[_YAW] * sin[_ROLL], out=ori[1])
        np.multiply(sin[_YAW], cos[_PITCH], out=ori[2])
        np.multiply(cos[_PITCH], sin[_ROLL], out=ori[3])
        np.multiply(cos[_PITCH], cos[_ROLL], out=ori[4])
        np.negative(sin[_PITCH], out=ori[5])
        np.subtract(cos[_YAW] * tilt_sin, sin[_YAW] * cos[_ROLL], out=ori[6])
        np.add(sin[_YAW] * sin[_ROLL], cos[_YAW] * tilt_cos, out=ori[7])
        np.multiply(cos[_YAW], cos[_PITCH], out=ori[8])

    def _report(self) -> None:
        """Write velocity, acceleration and turn rates in the car's frame: +x left, +y up, +z to the rear."""
        sin, cos, v, vel, acc = self._sin[_SLIP], self._cos[_SLIP], self.v, self._vel, self._acc
        np.multiply(v, sin, out=vel[0])
        np.subtract(self._heave, v * self._dive[0], out=vel[1])
        np.multiply(-v, cos, out=vel[2])
        acc[...] = self._shake
        acc[0] += self.along * sin - self.turn * cos
        acc[1] += self.square * self._at[_CREST] + self.jolt
        acc[2] -= self.along * cos + self.turn * sin
        rate = self._angles[:3] - self._before[:3]
        rate[_YAW] -= np.rint(rate[_YAW] * (0.5 / np.pi)) * (2.0 * np.pi)
        rate *= 1.0 / self._dt
        self._rot_acc += ((rate - self._rate) * (1.0 / self._dt) - self._rot_acc) * self._body
        self._rate = rate
        self._rot[...] = rate
