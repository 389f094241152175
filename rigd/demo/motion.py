"""Where every car is and how it moves: speed from power, drag and grip; place from the racing line."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import CLASSES, GRAVITY, Fleet
from rigd.demo.circuit import Circuit
from rigd.demo.line import racing_line, speed_limit
from rigd.demo.noise import Noise, ease
from rigd.demo.sheet import Sheet

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
_SPARE_M: Final = 64
"""Speed-limit cells repeated after the line, so that looking ahead needs no modulo."""


class Motion:
    """State of all cars, stepped by `dt`. The first group of columns is set by the race, the rest read."""

    def __init__(self, circuit: Circuit, fleet: Fleet, sheet: Sheet, noise: Noise, dt: float) -> None:
        self.cap = np.zeros(fleet.cars)
        """m/s a car must not exceed: 0 holds it."""
        self.pace = np.full(fleet.cars, 0.97)
        """Share of the ideal corner speed this driver reaches."""
        self.beside = np.zeros(fleet.cars)
        """m left of the racing line the driver wants to be."""
        self.grip = np.ones(fleet.cars)
        """Friction relative to the dry road."""
        self.tow = np.ones(fleet.cars)
        """Drag relative to clean air."""
        self.cut = np.ones(fleet.cars)
        """Share of the driving force left during a gear change."""
        self.load = fleet.mass + 60.0
        """kg, fuel included."""
        self.s = np.zeros(fleet.cars)
        """m of centre line from the start line, 0 <= s < length."""
        self.gone = np.zeros(fleet.cars)
        """m of centre line covered in the last step."""
        self.v = np.zeros(fleet.cars)
        """m/s along the car's own path."""
        self.push = np.zeros(fleet.cars)
        """m/s² the tyres give along the path; negative when braking."""
        self.room = np.ones(fleet.cars)
        """m/s² the engine could give now."""
        self.along = np.zeros(fleet.cars)
        """m/s² along the path."""
        self.turn = np.zeros(fleet.cars)
        """m/s² to the right, across the path."""
        self.side = np.zeros(fleet.cars)
        """m left of the racing line."""
        self.jolt = np.zeros(fleet.cars)
        """m/s² upwards from the road, fed back by the wheels."""
        self.drag = np.zeros(fleet.cars)
        """N"""
        self._circuit, self._fleet, self._noise, self._dt = circuit, fleet, noise, dt
        self._bind(sheet)
        self._tabulate()
        self._side_rate = np.zeros(fleet.cars)
        self._lean = np.zeros((2, fleet.cars))
        self._angles = np.zeros((4, fleet.cars))
        self._turning = np.zeros((3, fleet.cars))
        self._foot, self._body = ease(dt, _FOOT_S), ease(dt, 0.12)
        self._look()

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
        self._turning[:] = 0.0
        self._place()

    def line_offset(self) -> Floats:
        """M by which the racing line lies left of the centre line, at every car."""
        return self._at[5]

    def bend(self) -> Floats:
        """Curvature of the racing line at every car, 1/m, positive to the right."""
        return self._at[7]

    def _bind(self, sheet: Sheet) -> None:
        self._pos, self._vel, self._acc = sheet["mPos"], sheet["mLocalVel"], sheet["mLocalAccel"]
        self._ori, self._rot, self._rot_acc = sheet["mOri"], sheet["mLocalRot"], sheet["mLocalRotAccel"]
        self._drag, self._down = sheet["mDrag"], (sheet["mFrontDownforce"], sheet["mRearDownforce"])

    def _tabulate(self) -> None:
        """Columns of the road by metre, their differences, and the speed limit of each class."""
        road, line = self._circuit, racing_line(self._circuit)
        crest = np.gradient(road.slope)
        rows = (road.x, road.y, road.z, road.heading, road.slope)
        rows = (*rows, line.offset, line.angle, line.curvature, line.stretch, crest)
        self._road = np.array(rows)
        self._ramp = np.roll(self._road, -1, axis=1) - self._road
        self._ramp[3, -1] += road.turning
        limits = np.array([speed_limit(road, line, one) for one in CLASSES])
        limits = np.concatenate((limits, limits[:, :_SPARE_M]), axis=1)
        self._limit_row = self._fleet.class_of * limits.shape[1]
        self._limit = limits.ravel()

    def _look(self) -> None:
        """Read the road under every car, interpolated between metres."""
        cell = self.s.astype(np.int64)
        part = self.s - cell
        self._at = self._road.take(cell, axis=1)
        self._at += self._ramp.take(cell, axis=1) * part

    def _wanted(self) -> Floats:
        """m/s the driver wants `_AHEAD_S` from now."""
        ahead = self.s + self.v * _AHEAD_S
        cell = ahead.astype(np.int64)
        at = self._limit_row + cell
        low = self._limit.take(at)
        limit = low + (self._limit.take(at + 1) - low) * (ahead - cell)
        return np.minimum(limit * self.pace, self.cap)

    def _press(self) -> None:
        """The tyres' push follows the wanted speed as far as engine and friction circle let it."""
        fleet, v = self._fleet, self.v
        square = v * v
        self.drag = fleet.drag * square * (self._noise.car("air") + self.tow)
        self._resist = self.drag / self.load + GRAVITY * self._at[4] + 0.12
        circle = fleet.grip * self.grip * (GRAVITY + fleet.downforce * square / self.load)
        spare = np.sqrt(np.maximum(circle * circle - self.turn * self.turn, 0.03 * circle * circle))
        self.room = fleet.power / (self.load * np.maximum(v, 9.0))
        want = (self._wanted() - v) / _AHEAD_S + self._resist
        want = np.maximum(np.minimum(want, np.minimum(self.room, _TRACTION * spare)), -spare)
        self.push += (want - self.push) * self._foot

    def _accelerate(self) -> None:
        """Speed from push, drag and slope. A held car stands still and does not creep."""
        force = self.push * np.where(self.push > 0.0, self.cut, 1.0)
        before = self.v
        free = (self.cap > 0.0) | (before > 0.4)
        along = (force - self._resist + self._noise.car("surge") * (before > 2.0)) * free
        self.v = np.maximum(before + along * self._dt, 0.0) * free
        self.along = (self.v - before) / self._dt
        self.push *= free

    def _advance(self) -> None:
        """Metres along the centre line, and the move towards the wanted side of the racing line."""
        stretch = self._at[8] * (1.0 + self._at[7] * self.side)
        self.gone = self.v * self._dt / stretch
        self.s += self.gone
        self.s -= self._circuit.length * (self.s >= self._circuit.length)
        short = self.beside + self._noise.car("wander") - self.side
        pull = _SIDE_RPS * (_SIDE_RPS * short - 2.0 * self._side_rate)
        fastest = _STEEPEST_SIDE * self.v
        rate = np.minimum(np.maximum(self._side_rate + pull * self._dt, -fastest), fastest)
        self._side_push = (rate - self._side_rate) / self._dt
        self._side_rate = rate
        self.side += rate * self._dt

    def _turn_body(self) -> None:
        """Yaw, pitch, roll and slip angle of the body."""
        at, noise, angles = self._at, self._noise, self._angles
        moving = np.minimum(self.v * 0.1, 1.0)
        self.turn = self.v * self.v * at[7] - (self._side_push if hasattr(self, "_side_push") else 0.0)
        self._lean[0] += (0.0017 * self.along - self._lean[0]) * self._body
        self._lean[1] += (-0.0016 * self.turn - self._lean[1]) * self._body
        slip = 0.0032 * self.turn - 1.2 * at[7] + noise.car("slide") * moving
        path = at[3] - at[6] - self._side_rate / np.maximum(self.v, 3.0)
        self._before = angles[:3].copy()
        np.add(path, slip, out=angles[0])
        np.add(self._lean[0] + noise.car("pitch") * moving, at[4], out=angles[1])
        np.add(self._lean[1], noise.car("roll") * moving, out=angles[2])
        angles[3] = slip

    def _place(self) -> None:
        """World position and the rotation matrix, rows of world over columns of car."""
        at, pos, ori = self._at, self._pos, self._ori
        sin, cos = np.sin(self._angles), np.cos(self._angles)
        self._slip_sin, self._slip_cos = sin[3], cos[3]
        left = at[5] + self.side
        pos[0] = at[0] + left * np.cos(at[3])
        pos[1] = at[1] + _CG_M
        pos[2] = at[2] - left * np.sin(at[3])
        tilt_sin, tilt_cos = sin[1] * sin[2], sin[1] * cos[2]
        ori[0] = cos[0] * cos[2] + sin[0] * tilt_sin
        ori[1] = sin[0] * tilt_cos - cos[0] * sin[2]
        np.multiply(sin[0], cos[1], out=ori[2])
        np.multiply(cos[1], sin[2], out=ori[3])
        np.multiply(cos[1], cos[2], out=ori[4])
        np.negative(sin[1], out=ori[5])
        ori[6] = cos[0] * tilt_sin - sin[0] * cos[2]
        ori[7] = sin[0] * sin[2] + cos[0] * tilt_cos
        np.multiply(cos[0], cos[1], out=ori[8])

    def _report(self) -> None:
        """Velocity, acceleration and turn rates in the car's frame: +x left, +y up, +z to the rear."""
        noise, v, vel, acc = self._noise, self.v, self._vel, self._acc
        moving = np.minimum(v * 0.05, 1.0)
        np.multiply(v, self._slip_sin, out=vel[0])
        vel[1] = moving * noise.car("heave") - v * (self._angles[1] - self._at[4])
        np.multiply(-v, self._slip_cos, out=vel[2])
        shake = moving * np.array((noise.car("shake_x"), noise.car("shake_y"), noise.car("shake_z")))
        acc[0] = self.along * self._slip_sin - self.turn * self._slip_cos + shake[0]
        acc[1] = v * v * self._at[9] + self.jolt + shake[1]
        acc[2] = shake[2] - self.along * self._slip_cos - self.turn * self._slip_sin
        self._report_turning()
        self._report_air()

    def _report_turning(self) -> None:
        """rad/s and rad/s²: +x nose up, +y to the right, +z rolling right."""
        change = self._angles[:3] - self._before
        change[0] -= 2.0 * np.pi * np.rint(change[0] / (2.0 * np.pi))
        rate = change / self._dt
        self._rot_acc += ((rate - self._turning)[[1, 0, 2]] / self._dt - self._rot_acc) * self._body
        self._turning = rate
        self._rot[0], self._rot[1], self._rot[2] = rate[1], rate[0], rate[2]

    def _report_air(self) -> None:
        """N of drag and downforce."""
        self._drag[...] = self.drag
        down = self._fleet.downforce * self.v * self.v * (self._noise.car("air") + 1.0)
        np.multiply(down, self._fleet.aero_front, out=self._down[0])
        np.subtract(down, self._down[0], out=self._down[1])
