"""The two classes of car in the race, and a field of them as columns."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

GRAVITY: Final = 9.81
"""m/s²"""
WHEELS: Final = 4
FRONT: Final = np.array([[True], [True], [False], [False]])
"""Front wheels of a (wheel, car) column: the game's order is FL, FR, RL, RR."""
LEFT: Final = np.array([[True], [False], [True], [False]])


@dataclass(frozen=True)
class CarClass:
    """Constants of one class, in SI units unless the name says otherwise."""

    name: str
    mass: float
    power: float
    """W at the wheels."""
    top_gear_speed: float
    """m/s at the limiter in the highest gear."""
    gears: float
    idle_rpm: float
    max_rpm: float
    grip: float
    """Friction coefficient of the dry road."""
    drag: float
    """N per (m/s)²."""
    downforce: float
    """N per (m/s)²."""
    aero_front: float
    """Front share of downforce."""
    weight_front: float
    brake_front: float
    """Front share of braking force."""
    brake_force: float
    """N at full pedal."""
    wheelbase: float
    track: float
    cg_height: float
    radius_front: float
    radius_rear: float
    spring: float
    """N/m at the wheel."""
    tyre_spring: float
    ride_height: float
    max_torque: float
    """Nm at the engine."""
    boost: float
    """Pa of turbo pressure at full load."""
    motor_torque: float
    """Nm of the hybrid motor; 0: none."""
    tank_l: float
    fuel_per_j: float
    """Litres per joule at the wheels, times a fuel multiplier of 3 so that stints fit a short race."""


PROTOTYPE: Final = CarClass(
    name="Prototype",
    mass=1105.0,
    power=455e3,
    top_gear_speed=96.0,
    gears=7,
    idle_rpm=2300.0,
    max_rpm=9100.0,
    grip=1.46,
    drag=0.62,
    downforce=2.15,
    aero_front=0.46,
    weight_front=0.475,
    brake_front=0.56,
    brake_force=33e3,
    wheelbase=3.15,
    track=1.70,
    cg_height=0.31,
    radius_front=0.345,
    radius_rear=0.355,
    spring=205e3,
    tyre_spring=330e3,
    ride_height=0.052,
    max_torque=560.0,
    boost=0.0,
    motor_torque=190.0,
    tank_l=78.0,
    fuel_per_j=2.6e-7,
)
TOURER: Final = CarClass(
    name="Grand Tourer",
    mass=1345.0,
    power=385e3,
    top_gear_speed=83.0,
    gears=6,
    idle_rpm=1500.0,
    max_rpm=7900.0,
    grip=1.38,
    drag=0.66,
    downforce=1.25,
    aero_front=0.42,
    weight_front=0.485,
    brake_front=0.59,
    brake_force=30e3,
    wheelbase=2.68,
    track=1.66,
    cg_height=0.43,
    radius_front=0.340,
    radius_rear=0.352,
    spring=165e3,
    tyre_spring=290e3,
    ride_height=0.068,
    max_torque=610.0,
    boost=92e3,
    motor_torque=0.0,
    tank_l=104.0,
    fuel_per_j=2.7e-7,
)
CLASSES: Final = (PROTOTYPE, TOURER)


class Fleet:
    """Every constant of `CarClass` as a column over the cars, plus the per-wheel ones as (wheel, car)."""

    def __init__(self, class_of: npt.NDArray[np.int64]) -> None:
        self.class_of = class_of
        self.cars = len(class_of)
        columns = {f.name: self._column(f.name) for f in fields(CarClass) if f.name != "name"}
        self.mass, self.power = columns["mass"], columns["power"]
        self.gears = columns["gears"].astype(np.int64)
        self.idle_rpm, self.max_rpm = columns["idle_rpm"], columns["max_rpm"]
        self.rpm_per_mps = self._rpm_per_mps(columns["top_gear_speed"])
        self.grip, self.drag, self.downforce = columns["grip"], columns["drag"], columns["downforce"]
        self.aero_front, self.weight_front = columns["aero_front"], columns["weight_front"]
        self.brake_front, self.brake_force = columns["brake_front"], columns["brake_force"]
        self.wheelbase, self.track, self.cg_height = (
            columns["wheelbase"],
            columns["track"],
            columns["cg_height"],
        )
        self.ride_height, self.spring = columns["ride_height"], columns["spring"]
        self.tyre_spring, self.max_torque = columns["tyre_spring"], columns["max_torque"]
        self.boost, self.motor_torque = columns["boost"], columns["motor_torque"]
        self.tank_l, self.fuel_per_j = columns["tank_l"], columns["fuel_per_j"]
        self.radius = np.where(FRONT, columns["radius_front"], columns["radius_rear"])

    def _column(self, name: str) -> Floats:
        return np.array([getattr(one, name) for one in CLASSES], dtype=np.float64)[self.class_of]

    def _rpm_per_mps(self, top: Floats) -> Floats:
        """Return (gear, car) ratio, gears spaced geometrically: first gear reaches 28 % of the top speed."""
        highest = self.gears - 1
        step = np.arange(8)[:, None] / highest
        speed = top * 0.28 ** (1.0 - np.minimum(step, 1.0))
        return np.asarray(self.max_rpm / speed)
