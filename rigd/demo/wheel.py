"""Wheels: loads, suspension, slip, brakes and tyres. Columns are (wheel, car), wheels FL, FR, RL, RR."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import FRONT, GRAVITY, LEFT, Fleet
from rigd.demo.circuit import ROUGHNESS_PER_M, DemoCircuit
from rigd.demo.motion import Motion
from rigd.demo.noise import Noise, ease
from rigd.demo.sheet import FieldColumns

Floats = npt.NDArray[np.float64]

KELVIN: Final = 273.15
COLD_TYRE_K: Final = 68.0 + KELVIN
"""Tyres leave the blanket at 68 °C."""
COLD_BRAKE_K: Final = 180.0 + KELVIN

_SIGN: Final = np.where(LEFT, 1.0, -1.0)
_AXLE: Final = np.where(FRONT, 1.0, -1.0)
_STRIPS: Final = np.array([-1.0, 0.0, 1.0])[:, None, None]
"""Left, centre and right of the tread, as seen from the driver's seat."""
_DAMPER_STEPS: Final = 0.8
"""Force of the damper, as spring travel, for a step's change of travel: 90 % of critical at 50 Hz."""
_TYRE_STIFFENS_PER_M: Final = 4.0
_ARM_CURVE_PER_M: Final = 1.7
_THIRD_M: Final = np.array([[0.011], [0.013]])
_FLEX_HEAT: Final = 1.5e-6
"""K per joule of load times distance, into the carcass."""
_STEER_LOCK_RAD: Final = 0.33
_CORNER_STIFFNESS: Final = 24.0
"""Side force over load, per rad of slip angle."""
_DRIVE_STIFFNESS: Final = 26.0
_PRESSURE_KPA: Final = 128.0
"""At 20 °C; 160 kPa at 95 °C by the gas law."""
_BRAKE_HEAT: Final = 1.0 / 3900.0
"""K per joule of braking: 8.5 kg of disc at 460 J/(kg K)."""
_SLIDE_HEAT: Final = 3.6e-4
"""K per joule of sliding: a tread surface of 2.8 kJ/K."""
_WEAR_PER_J: Final = 1.4e-8
"""Share of the tread per joule of sliding, 3 times a real tyre's so that stints fit a short race."""


_PAD: Final = 16
"""Road cells repeated at both ends, so that wheels ahead of and behind a car need no modulo."""


class Wheels:
    """State of all wheels of all cars."""

    def __init__(
        self, circuit: DemoCircuit, fleet: Fleet, sheet: FieldColumns, noise: Noise, dt: float
    ) -> None:
        cars = fleet.cars
        self._fleet, self._dt = fleet, dt
        self._road = np.concatenate(
            (circuit.roughness[:, -_PAD:], circuit.roughness, circuit.roughness[:, :_PAD]), axis=1
        )
        self._bind(sheet, noise)
        self._derive(fleet)
        self._toe[...] = self._toe_0
        self.fit(np.ones(cars, dtype=bool))
        self._brake_temp[:] = COLD_BRAKE_K
        self._compressed, self._ripple = np.zeros((4, cars)), np.zeros((4, cars))
        self._axle_share = np.zeros((4, cars))
        self._sliding_power, self._cooling = np.zeros((4, cars)), np.zeros((4, cars))
        self._core_step, self._wear_step = np.zeros((4, 4, cars)), np.zeros((4, cars))
        self._lean, self._shed = np.zeros((3, 4, cars)), np.zeros((3, 4, cars))
        self._settled, self._ambient_k = ease(dt, 0.035), 20.0 + KELVIN

    def fit(self, cars: npt.NDArray[np.bool_]) -> None:
        """Fit new tyres, out of the blanket."""
        self._surface[:, :, cars] = COLD_TYRE_K
        self._core[:, :, cars] = COLD_TYRE_K
        self._wear[:, cars] = 1.0

    def step(self, motion: Motion) -> None:
        """Fill the rows of the wheels for this frame."""
        self._weigh(motion)
        self._steer(motion)
        self._hold(motion)
        self._slide(motion)
        self._spring()
        self._brake(motion)
        self._warm()

    def slow_step(self, motion: Motion, ambient: float, track: float) -> None:
        """Set a few times a second how fast heat flows and rubber wears until the next call."""
        dt, v = self._dt, motion.v
        self._ambient_k = ambient + KELVIN
        surface, carcass = self._surface.mean(axis=0), self._core[0]
        flow = 0.035 * (surface - carcass) - (0.004 + 0.0001 * v) * (carcass - self._ambient_k)
        self._core_step[0] = (flow + self._load * v * _FLEX_HEAT) * dt
        self._core_step[1:] = 0.05 * dt * (carcass + 0.35 * (self._surface - surface) - self._core[1:])
        self._wear_step = self._sliding_power * (-_WEAR_PER_J * dt)
        road = 0.55 * carcass + 0.45 * (track + KELVIN)
        self._shed = (road - self._surface) * ((0.055 + 0.0011 * v) * dt)
        tilt = _SIGN * (0.22 + 3.0 * self._camber_0) - 0.012 * motion.turn
        self._lean = (1.0 + _STRIPS * tilt) * dt
        hot = self._brake_temp - self._ambient_k
        self._cooling = (0.004 + 0.0004 * v + 4.0e-8 * hot * hot) * dt

    def mean_wear(self) -> Floats:
        """Return the remaining tread per car, 1 new to 0 gone."""
        return np.asarray(self._wear.mean(axis=0))

    def _bind(self, sheet: FieldColumns, noise: Noise) -> None:
        self._load, self._force = sheet["mTireLoad"], sheet["mSuspForce"]
        self._deflection, self._height = sheet["mSuspensionDeflection"], sheet["mRideHeight"]
        self._brake_temp, self._brake_share = sheet["mBrakeTemp"], sheet["mBrakePressure"]
        self._rotation, self._grip_fract = sheet["mRotation"], sheet["mGripFract"]
        self._patch_x, self._patch_z = sheet["mLateralPatchVel"], sheet["mLongitudinalPatchVel"]
        self._ground_x, self._ground_z = sheet["mLateralGroundVel"], sheet["mLongitudinalGroundVel"]
        self._lateral, self._longitudinal = sheet["mLateralForce"], sheet["mLongitudinalForce"]
        self._camber, self._toe = sheet["mCamber"], sheet["mToe"]
        self._pressure, self._wear = sheet["mPressure"], sheet["mWear"]
        self._surface = sheet["mTemperature"]
        self._core = sheet.span("mTireCarcassTemperature", "mTireInnerLayerTemperature")
        self._squash, self._axle_y = sheet["mVerticalTireDeflection"], sheet["mWheelYLocation"]
        self._used_brake, self._shaft = sheet["mFilteredBrake"], sheet["mSteeringShaftTorque"]
        self._wheel, self._used_wheel = sheet["mUnfilteredSteering"], sheet["mFilteredSteering"]
        self._third = sheet.span("mFront3rdDeflection", "mRear3rdDeflection")
        self._wing, self._body = sheet["mFrontWingHeight"], sheet.span("mFrontRideHeight", "mRearRideHeight")
        self._load_noise, self._side_noise, self._travel_noise, self._scrub, self._spin, self._heat_noise = (
            noise.wheel(name) for name in ("load", "side", "travel", "scrub", "spin", "heat")
        )
        self._steer_noise, self._shaft_noise = noise.car("steering"), noise.car("shaft")

    def _derive(self, fleet: Fleet) -> None:
        """Compute per-wheel factors that do not change during a session, all as full (wheel, car) columns."""
        wide = np.ones((4, fleet.cars))
        weight = np.where(FRONT, fleet.weight_front, 1.0 - fleet.weight_front) / 2.0
        static = weight * (fleet.mass + 60.0) * GRAVITY
        pitching = -_AXLE * fleet.mass * fleet.cg_height / fleet.wheelbase / 2.0
        rolling = _SIGN * np.where(FRONT, 0.54, 0.46) * fleet.mass * fleet.cg_height / fleet.track
        aero = np.where(FRONT, fleet.aero_front, 1.0 - fleet.aero_front) / 2.0 * fleet.downforce
        self._weights = np.array((static, pitching, rolling, aero))
        self._bias = np.where(FRONT, fleet.brake_front, 1.0 - fleet.brake_front)
        self._reach = np.repeat(
            [[1.5 * ROUGHNESS_PER_M + _PAD], [-1.4 * ROUGHNESS_PER_M + _PAD]], fleet.cars, axis=1
        )
        self._bounce = wide * fleet.tyre_spring * 0.35
        self._per_spring, self._per_tyre = wide / fleet.spring, wide / fleet.tyre_spring
        self._spring_force, self._sunk_0 = wide * fleet.spring * 0.92, static / fleet.spring
        self._height_0, self._per_radius = wide * fleet.ride_height, -1.0 / fleet.radius
        self._camber_0 = np.where(FRONT, -0.052, -0.031) * wide
        self._toe_0 = np.where(FRONT, -0.0012, 0.0021) * _SIGN * wide
        self._half_track = _SIGN * fleet.track / 2.0
        self._steer_by_bend = fleet.wheelbase / _STEER_LOCK_RAD
        self._brake_heat = fleet.brake_force * (0.5 * _BRAKE_HEAT * self._dt)

    def _weigh(self, motion: Motion) -> None:
        """Compute N on every wheel: weight, pitch and roll transfer, downforce, and the road's ripples."""
        cell = (motion.s * ROUGHNESS_PER_M + self._reach).astype(np.int64)
        road = self._road.take(cell, axis=1).transpose(1, 0, 2).reshape(4, -1)
        bump = road - self._ripple
        self._ripple = road
        load = np.add.reduce(self._weights * motion.felt[:, None], axis=0)
        load += bump * self._bounce
        load += self._load_noise
        np.maximum(load, 30.0, out=self._load)
        motion.jolt = (bump[0] + bump[3]) * 45.0

    def _steer(self, motion: Motion) -> None:
        """Compute the steering wheel, right positive. The column's torque pulls it back."""
        wheel = motion.bend() * self._steer_by_bend + motion.turn * (0.0009 / _STEER_LOCK_RAD)
        np.add(wheel, self._steer_noise, out=self._wheel)
        self._used_wheel += (self._wheel - self._used_wheel) * 0.6
        np.subtract(self._toe_0[:2], self._used_wheel * _STEER_LOCK_RAD, out=self._toe[:2])
        uneven = (self._load[0] - self._load[1]) * 0.0004
        np.add(motion.turn * -0.62 + self._shaft_noise, uneven, out=self._shaft)

    def _hold(self, motion: Motion) -> None:
        """Compute N sideways and lengthwise at each contact patch; forces follow the load they stand on."""
        load, share = self._load, self._axle_share
        front, rear = load[0] + load[1], load[2] + load[3]
        np.divide(load[:2], front, out=share[:2])
        np.divide(load[2:], rear, out=share[2:])
        np.multiply(load, motion.load * motion.turn / -(front + rear), out=self._lateral)
        self._lateral += self._side_noise
        force = motion.load * motion.push
        braking = np.minimum(force, 0.0)
        np.multiply(self._bias, braking, out=self._longitudinal)
        self._longitudinal[2:] += force - braking
        self._longitudinal *= share

    def _slide(self, motion: Motion) -> None:
        """Compute slip, and the wheel speed that goes with it: rolling forward is negative."""
        used = np.hypot(self._lateral, self._longitudinal) / (self._load * motion.friction)
        soft = (used * 0.7 + 1.0) / self._load
        corner = np.multiply(motion.bend() * motion.v, self._half_track, out=self._ground_z)
        corner += motion.v
        soft *= corner
        np.multiply(self._lateral, soft * (-1.0 / _CORNER_STIFFNESS), out=self._ground_x)
        np.add(self._ground_x, self._scrub, out=self._patch_x)
        np.add(self._longitudinal * soft * (1.0 / _DRIVE_STIFFNESS), self._spin, out=self._patch_z)
        np.multiply(corner + self._patch_z, self._per_radius, out=self._rotation)
        np.minimum(np.maximum(used * 1.6 - 0.75, 0.0), 1.0, out=self._grip_fract)
        across, lengthwise = self._lateral * self._patch_x, self._longitudinal * self._patch_z
        self._sliding_power = np.abs(across) + np.abs(lengthwise)

    def _spring(self) -> None:
        """Compute suspension and tyre deflection, ride heights. The spring follows the load in 35 ms.

        Nothing follows exactly from another: a damper adds to the spring, the tyre stiffens as it sinks in,
        heights are over the road as it is, and the wheel's arm draws a curve. Else recordings would compress
        better than a real car's.
        """
        self._compressed += (self._load * self._per_spring - self._compressed) * self._settled
        before = self._deflection.copy()
        travel = np.add(self._compressed + self._travel_noise, self._ripple * 0.35, out=self._deflection)
        np.multiply(travel + (travel - before) * _DAMPER_STEPS, self._spring_force, out=self._force)
        squash = np.multiply(self._load, self._per_tyre, out=self._squash)
        squash -= squash * squash * _TYRE_STIFFENS_PER_M
        sunk = travel - self._sunk_0
        np.subtract(self._height_0 + self._ripple * 0.5, sunk, out=self._height)
        np.add(sunk - 0.31, squash, out=self._axle_y)
        np.subtract(self._camber_0, sunk * (0.55 + _ARM_CURVE_PER_M * sunk), out=self._camber)
        np.add((sunk[::2] + sunk[1::2]) * 0.42, _THIRD_M, out=self._third)
        np.multiply(self._height[::2] + self._height[1::2], 0.5, out=self._body)
        np.subtract(self._body[0] * 1.25 + 0.028, self._body[1] * 0.25, out=self._wing)

    def _brake(self, motion: Motion) -> None:
        """Compute brake pressure share and disc temperature in kelvin."""
        np.multiply(self._bias, self._used_brake, out=self._brake_share)
        self._brake_temp += self._brake_share * (self._brake_heat * motion.v)
        self._brake_temp -= (self._brake_temp - self._ambient_k) * self._cooling

    def _warm(self) -> None:
        """Compute tyre surface in three strips as the driver sees them, carcass, inner layer, pressure
        and wear.
        """
        heat = self._sliding_power * _SLIDE_HEAT + self._heat_noise
        self._surface += self._lean * heat + self._shed
        self._core += self._core_step
        self._wear += self._wear_step
        np.multiply(self._core[0], _PRESSURE_KPA / 293.15, out=self._pressure)
