"""A lap's channels as MoTeC knows them: its names, its units, numbers as float32."""

import math
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from rigclient.lap import WHEELS, Array, Flat, Lap

_G: Final = 9.80665
_WHEEL_TEXTS: Final = tuple(wheel.upper() for wheel in WHEELS)
_ACROSS: Final = {"L": ("Outer", "Centre", "Inner"), "R": ("Inner", "Centre", "Outer")}
"""Left, centre and right of a tyre, as the driver sees them, by the side of the car."""


class Signal(NamedTuple):
    """One channel of a .ld file."""

    name: str
    short: str
    unit: str
    values: Array
    """float32."""


class _Known(NamedTuple):
    """How MoTeC calls a column, and the factor to its unit."""

    name: str
    short: str
    unit: str
    factor: float = 1.0


def _per_wheel(name: str, known: _Known) -> dict[str, _Known]:
    return {
        f"{name}_{wheel.lower()}": known._replace(name=f"{known.name} {wheel}", short=f"{known.short}{wheel}")
        for wheel in _WHEEL_TEXTS
    }


def _across(name: str, known: _Known) -> dict[str, _Known]:
    """Three values per tyre, in the order of the channel's twelve."""
    places = [(wheel, part) for wheel in _WHEEL_TEXTS for part in _ACROSS[wheel[1]]]
    return {
        f"{name}_{at}": known._replace(
            name=f"{known.name} {wheel} {part}", short=f"{known.short}{wheel}{part[0]}"
        )
        for at, (wheel, part) in enumerate(places)
    }


_KNOWN: Final = {
    "speed": _Known("Ground Speed", "GndSpd", "km/h", 3.6),
    "engine_rpm": _Known("Engine RPM", "RPM", "rpm"),
    "throttle": _Known("Throttle Pos", "ThrPos", "%", 100.0),
    "brake": _Known("Brake Pos", "BrkPos", "%", 100.0),
    "clutch": _Known("Clutch Pos", "CluPos", "%", 100.0),
    "gear": _Known("Gear", "Gear", ""),
    "distance": _Known("Lap Distance", "LapDist", "m"),
    "lap_time": _Known("Running Lap Time", "RunTime", "s"),
    "fuel": _Known("Fuel Level", "Fuel", "l"),
    "engine_water_temp": _Known("Engine Temp", "ET", "C"),
    "engine_oil_temp": _Known("Eng Oil Temp", "EOT", "C"),
    # The car's axes point left, up and to the rear; MoTeC counts to the right and forward.
    "local_acceleration_0": _Known("G Force Lat", "G Lat", "G", -1 / _G),
    "local_acceleration_1": _Known("G Force Vert", "G Vert", "G", 1 / _G),
    "local_acceleration_2": _Known("G Force Long", "G Long", "G", -1 / _G),
    "local_rotation_1": _Known("Gyro Yaw Velocity", "Yaw", "deg/s", math.degrees(1)),
    **_per_wheel("brake_temp", _Known("Brake Temp", "BTemp", "C")),
    **_per_wheel("tyre_pressure", _Known("Tyre Pres", "TPres", "kPa")),
    **_per_wheel("tyre_load", _Known("Tyre Load", "TLoad", "N")),
    **_per_wheel("suspension_deflection", _Known("Susp Pos", "SusPs", "mm", 1000.0)),
    **_per_wheel("wheel_ride_height", _Known("Ride Height", "RideH", "mm", 1000.0)),
    **_across("tyre_temp", _Known("Tyre Temp", "TT", "C")),
}

_UNITS: Final = {"°C": "C", "m/s²": "m/s/s", "rad/s²": "rad/s/s"}
_TOO_WIDE: Final = "u8"
"""Numbers and wall clocks of 64 bits, of which float32 would keep the first seven digits."""


def signals(lap: Lap, channels: Iterable[str] = ()) -> Iterator[Signal]:
    """The columns of `Rows.flat` that float32 can hold. Raises MissingChannel.

    The steering becomes `Steered Angle` where the lap knows the range of the wheel, right is positive.
    """
    for column in lap.flat(channels):
        if column.values.dtype != np.dtype(_TOO_WIDE):
            yield _steered(lap, column) if column.name == "steering" else _signal(column)


def _signal(column: Flat) -> Signal:
    unit = _UNITS.get(column.unit, column.unit)
    known = _KNOWN.get(column.name) or _Known(_title(column.name), _short(column.name), unit)
    values = _filled(column.values) * known.factor
    return Signal(known.name, known.short, known.unit, values.astype(np.float32))


def _steered(lap: Lap, column: Flat) -> Signal:
    if "physical_steering_range" not in lap:
        return _signal(column)
    degrees = np.degrees(column.values * lap.physical_steering_range / 2)
    return Signal("Steered Angle", "SteerAn", "deg", degrees.astype(np.float32))


def _filled(values: Array) -> Array:
    """As float64; what is masked is NaN."""
    return np.ma.filled(np.ma.asarray(values, np.float64), np.nan)


def _title(name: str) -> str:
    """Brake Pressure FL, of brake_pressure_fl."""
    return " ".join(word.upper() if word in WHEELS else word.capitalize() for word in name.split("_"))


def _short(name: str) -> str:
    """BPFL, of brake_pressure_fl: initials, and the last word as far as seven letters go."""
    *first, last = _title(name).split(" ")
    return ("".join(word[0] for word in first) + last)[:7]
