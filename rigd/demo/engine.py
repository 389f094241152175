"""Pedals, gearbox, engine, hybrid motor and fuel."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import Fleet
from rigd.demo.motion import COAST_MPS2, Motion
from rigd.demo.noise import Noise, ease
from rigd.demo.sheet import FieldColumns

Floats = npt.NDArray[np.float64]

SHIFT_S: Final = 0.06
"""Torque interruption of a gear change: three frames at 50 Hz."""
_LOST: Final = 0.75
_SHIFT_UP: Final = 0.965
"""Share of the limiter at which drivers change up."""
_SHIFT_DOWN: Final = 0.60
_BATTERY_J: Final = 3.2e6
_RADPS_PER_RPM: Final = np.pi / 30.0


class Engine:
    """Everything between the driver's feet and the driven wheels."""

    def __init__(self, fleet: Fleet, sheet: FieldColumns, noise: Noise, dt: float) -> None:
        cars = fleet.cars
        self.gear = np.zeros(cars, dtype=np.int64)
        self.running = np.ones(cars)
        """0 where the engine is off."""
        self._fleet, self._dt = fleet, dt
        self._bind(sheet, noise)
        self._ratio, self._up_at, self._down_at = np.ones(cars), np.zeros(cars), np.zeros(cars)
        self._choose(np.arange(cars))
        self._shift_left = np.zeros(cars)
        self._shifting = np.zeros(cars, dtype=bool)
        self._rpm = fleet.idle_rpm.copy()
        self._crank_step, self._motor_step = np.zeros((2, cars)), np.zeros((5, cars))
        self._torque_pole, self._boost_pole = ease(dt, 0.04), ease(dt, 0.35)
        self._per_peak = 1.0 / (0.72 * fleet.max_rpm)
        self._burn_rate = fleet.fuel_per_j * (_RADPS_PER_RPM * dt)
        self._hybrid = (fleet.motor_torque > 0).astype(float)
        self._drive_room, self._harvest_room = np.zeros(cars), np.zeros(cars)
        self._brake_per_push = np.ones(cars)
        self._fill_constants(sheet)

    def step(self, motion: Motion) -> None:
        """Fill the rows of pedals and engine for this frame."""
        self._press(motion)
        self._change_gear(motion)
        self._rev(motion)
        self._spool()
        self._drive_and_harvest()
        self.fuel -= np.maximum(self._torque, 12.0) * self._rpm * self._burn_rate
        self._crank += self._crank_step
        self._motor += self._motor_step

    def slow_step(self, motion: Motion, ambient: float) -> None:
        """Set a few times a second how temperatures and charge move from now on, and what the motor may
        do.
        """
        np.maximum(self.fuel, 0.0, out=self.fuel)
        self._brake_per_push = motion.load / -self._fleet.brake_force
        self._heat(motion.v * 0.05 + 1.0, ambient)
        charge = self._charge
        torque = self._fleet.motor_torque
        self._drive_room = torque * (motion.v > 42.0) * np.minimum(charge * 8.0, 1.0)
        self._harvest_room = torque * (motion.v > 12.0) * (charge < 0.97)

    def _heat(self, air: Floats, ambient: float) -> None:
        """Compute K per frame from work done and air flow; `air` is 1 at rest and 5 at 80 m/s."""
        water, oil, motor, cool = self._crank[0], self._crank[1], self._motor_temp, self._motor_water
        heat = self._rpm / self._fleet.max_rpm * (0.25 + self._throttle) * self.running
        into_water = 1.9 * heat - 0.0042 * air * (water - ambient) - 0.02 * np.maximum(water - 92.0, 0.0)
        into_oil = 1.6 * heat - 0.0024 * air * (oil - ambient) - 0.03 * (oil - water - 12.0)
        work = self._motor_torque * self._motor_rpm * _RADPS_PER_RPM
        self._crank_step[:] = into_water * self._dt, into_oil * self._dt
        self._motor_step[0] = work * (-self._dt / _BATTERY_J)
        self._motor_step[3] = self._hybrid * (np.abs(work) * 4.5e-5 - 0.06 * (motor - cool)) * self._dt
        into_cool = 0.02 * (motor - cool) - 0.012 * air * (cool - ambient - 8.0)
        self._motor_step[4] = self._hybrid * into_cool * self._dt

    def _bind(self, sheet: FieldColumns, noise: Noise) -> None:
        self.fuel = sheet["mFuel"]
        """litres"""
        self._throttle, self._brake = sheet["mUnfilteredThrottle"], sheet["mUnfilteredBrake"]
        self._clutch, self._used_clutch = sheet["mUnfilteredClutch"], sheet["mFilteredClutch"]
        self._used_throttle, self._used_brake = sheet["mFilteredThrottle"], sheet["mFilteredBrake"]
        self._rpm_row, self._clutch_rpm = sheet["mEngineRPM"], sheet["mClutchRPM"]
        self._crank = sheet.span("mEngineWaterTemp", "mEngineOilTemp")
        self._torque, self._boost = sheet["mEngineTorque"], sheet["mTurboBoostPressure"]
        self._motor = sheet.span("mBatteryChargeFraction", "mElectricBoostWaterTemperature")
        self._charge, self._motor_torque, self._motor_rpm, self._motor_temp, self._motor_water = self._motor
        self._motor_state = sheet.records["mElectricBoostMotorState"]
        self._foot_noise, self._brake_noise = noise.car("throttle"), noise.car("brake")
        self._revs_noise, self._torque_noise = noise.car("revs"), noise.car("torque")

    def _fill_constants(self, sheet: FieldColumns) -> None:
        fleet = self._fleet
        sheet["mEngineMaxRPM"][:] = fleet.max_rpm
        sheet["mRearBrakeBias"][:] = 1.0 - fleet.brake_front
        self.fuel[:] = fleet.tank_l * 0.8
        self._crank[0], self._crank[1] = 84.0, 91.0
        self._motor_temp[:], self._motor_water[:] = 48.0 * self._hybrid, 39.0 * self._hybrid
        self._charge[:] = 0.62 * self._hybrid
        sheet.records["mMaxGears"], sheet.records["mFuelCapacity"] = fleet.gears, fleet.tank_l

    def _press(self, motion: Motion) -> None:
        """Compute pedals from the push the driver asked for, with the tremor of a foot away from the
        stops.
        """
        asked = motion.push + COAST_MPS2
        throttle = asked / (motion.room + COAST_MPS2) + self._foot_noise
        throttle = np.minimum(np.maximum(throttle, 0.0), 1.0)
        np.multiply(throttle, self.running, out=self._throttle)
        brake = asked * self._brake_per_push + self._brake_noise
        if motion.standing:
            brake += 0.3 * (motion.cap <= 0.0)
        np.minimum(np.maximum(brake, 0.0), 1.0, out=self._brake)
        np.multiply(self._throttle, 1.0 - motion.lost, out=self._used_throttle)
        np.minimum(self._brake, 0.96, out=self._used_brake)

    def _change_gear(self, motion: Motion) -> None:
        """Shift up near the limiter, down when the engine drops off; the drive is cut meanwhile."""
        v = motion.v
        self._shift_left -= self._dt
        due = (v > self._up_at) | (v < self._down_at)
        due &= self._shift_left <= 0.0
        if due.any():
            self._shift(np.flatnonzero(due), v, motion.cap)
        self._shifting = self._shift_left > 0.0
        np.multiply(self._shifting, _LOST, out=motion.lost)

    def _shift(self, cars: npt.NDArray[np.int64], v: Floats, cap: Floats) -> None:
        """Shift one gear up or down; neutral while held, first when released."""
        wanted = self.gear[cars] + np.where(v[cars] > self._up_at[cars], 1, -1)
        wanted[(cap[cars] <= 0.0) & (v[cars] < 0.1)] = 0
        changed = cars[wanted != self.gear[cars]]
        self.gear[cars] = wanted
        self._shift_left[changed] = SHIFT_S
        self._choose(cars)

    def _choose(self, cars: npt.NDArray[np.int64]) -> None:
        """Set the ratio of the new gear, and the speeds in m/s at which it is left upwards and downwards."""
        fleet, gear = self._fleet, self.gear[cars]
        self._ratio[cars] = fleet.rpm_per_mps[np.maximum(gear - 1, 0), cars]
        top, low = fleet.max_rpm[cars] / self._ratio[cars], gear <= 1
        self._up_at[cars] = np.where(
            gear >= fleet.gears[cars], np.inf, np.where(gear == 0, 0.0, _SHIFT_UP * top)
        )
        self._down_at[cars] = np.where(low, np.where(gear == 0, -1.0, 0.01), _SHIFT_DOWN * top)

    def _rev(self, motion: Motion) -> None:
        """Compute engine and clutch speed. Off the line the clutch slips and the throttle holds the revs."""
        fleet = self._fleet
        geared = np.multiply(motion.v, self._ratio, out=self._clutch_rpm)
        target = np.maximum(geared * (1.0 + 0.004 * np.maximum(motion.push, 0.0)), fleet.idle_rpm)
        np.multiply(self._shifting, 0.8, out=self._used_clutch)
        if motion.v.min() < 16.0:
            self._launch(geared, target)
        self._rpm += (target * self.running - self._rpm) * 0.55
        np.add(self._rpm, self._revs_noise * self.running, out=self._rpm_row)
        bow = self._rpm * self._per_peak - 1.0
        full = fleet.max_torque * (1.0 - 0.55 * bow * bow)
        want = full * (1.15 * self._used_throttle - 0.15) + self._torque_noise
        self._torque += (want * self.running - self._torque) * self._torque_pole

    def _launch(self, geared: Floats, target: Floats) -> None:
        """Put in first gear or neutral below the launch speed of the engine."""
        held = self._fleet.idle_rpm + 0.45 * self._fleet.max_rpm * self._throttle
        slipping = (self.gear < 2) & (geared < held)
        np.copyto(target, held, where=slipping)
        np.copyto(self._used_clutch, 0.6, where=slipping & (self.gear == 1))
        np.copyto(self._clutch_rpm, 0.0, where=self.gear == 0)
        self._clutch[...] = slipping & (geared < 0.6 * held) & (self.gear == 1)

    def _spool(self) -> None:
        """Let turbo pressure follow throttle and engine speed."""
        load = np.minimum(self._rpm * self._per_peak, 1.0) * (0.08 + 0.92 * self._used_throttle)
        self._boost += (self._fleet.boost * load - self._boost) * self._boost_pole

    def _drive_and_harvest(self) -> None:
        """Let the hybrid motor boost on the straights and harvest under braking."""
        want = self._used_throttle * self._drive_room - self._used_brake * self._harvest_room
        self._motor_torque += (want - self._motor_torque) * self._torque_pole
        np.multiply(self._clutch_rpm, 1.35 * self._hybrid, out=self._motor_rpm)
        state = 1.0 + (self._motor_torque > 2.0) + 2.0 * (self._motor_torque < -2.0)
        np.multiply(state, self._hybrid, out=self._motor_state, casting="unsafe")
