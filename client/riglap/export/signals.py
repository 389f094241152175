"""A lap's channels as MoTeC knows them: its names, its units, numbers as float32."""

import math
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from rig.channels import WHEELS
from riglap.lap import Lap
from riglap.rows import Array, FlatColumn

_G: Final = 9.80665
_DEGREES: Final = math.degrees(1)
_WHEEL_TEXTS: Final = tuple(wheel.upper() for wheel in WHEELS)
_ACROSS: Final = {"L": ("Outer", "Centre", "Inner"), "R": ("Inner", "Centre", "Outer")}
"""Left, centre and right of a tyre, as the driver sees them, by the side of the car."""


class Signal(NamedTuple):
    """One channel of a .ld file."""

    name: str
    short: str
    unit: str
    values: Array
    """float32; what is missing is not finite."""


class _Known(NamedTuple):
    """How MoTeC calls a column, and the factor to its unit."""

    name: str
    short: str
    unit: str
    factor: float = 1.0


def motec_names() -> dict[str, tuple[str, str, float]]:
    """Return column, MoTeC's unit and the factor to it, by MoTeC's name."""
    return {known.name: (column, known.unit, known.factor) for column, known in _KNOWN.items()}


def _per_wheel(name: str, known: _Known) -> dict[str, _Known]:
    return {
        f"{name}_{wheel.lower()}": known._replace(name=f"{known.name} {wheel}", short=f"{known.short}{wheel}")
        for wheel in _WHEEL_TEXTS
    }


def _across(name: str, known: _Known) -> dict[str, _Known]:
    """Return three values per tyre, in the order of the channel's twelve."""
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
    "throttle_applied": _Known("Throttle Applied", "ThrApp", "%", 100.0),
    "brake_applied": _Known("Brake Applied", "BrkApp", "%", 100.0),
    "clutch_applied": _Known("Clutch Applied", "CluApp", "%", 100.0),
    "steering": _Known("Steering Wheel Position", "SteerAn", "ratio"),
    "steering_applied": _Known("Steering Applied", "SteerAp", "ratio"),
    "gear": _Known("Gear", "Gear", ""),
    "distance": _Known("Lap Distance", "LapDist", "m"),
    "lap_time": _Known("Running Lap Time", "RunTime", "s"),
    "fuel": _Known("Fuel Level", "Fuel", "l"),
    "engine_water_temp": _Known("Eng Water Temp", "EWT", "C"),
    "engine_oil_temp": _Known("Eng Oil Temp", "EOT", "C"),
    "turbo_boost": _Known("Boost Pressure", "Boost", "kPa"),
    "rear_brake_bias": _Known("Brake Bias Rear", "BBiasR", "%", 100.0),
    "battery_charge": _Known("Battery Charge", "BatChg", "%", 100.0),
    # The car's axes point left, up and to the rear; MoTeC counts to the right and forward.
    "local_acceleration_x": _Known("G Force Lat", "G Lat", "G", -1 / _G),
    "local_acceleration_y": _Known("G Force Vert", "G Vert", "G", 1 / _G),
    "local_acceleration_z": _Known("G Force Long", "G Long", "G", -1 / _G),
    "local_rotation_y": _Known("Gyro Yaw Velocity", "Yaw", "deg/s", _DEGREES),
    **{f"orientation_{at}": _Known(f"Orientation {at}", f"Orient{at}", "ratio") for at in range(9)},
    **_per_wheel("brake_temp", _Known("Brake Temp", "BTemp", "C")),
    **_per_wheel("brake_pressure", _Known("Brake Pressure", "BPres", "%", 100.0)),
    **_per_wheel("tyre_pressure", _Known("Tyre Pressure", "TPres", "kPa")),
    **_per_wheel("tyre_load", _Known("Tyre Load", "TLoad", "N")),
    **_per_wheel("tyre_tread", _Known("Tyre Tread", "Tread", "%", 100.0)),
    **_per_wheel("tyre_carcass_temp", _Known("Tyre Carcass Temp", "TCarc", "C")),
    **_per_wheel("sliding_fraction", _Known("Sliding Fraction", "Slide", "%", 100.0)),
    **_per_wheel("camber", _Known("Camber", "Cambr", "deg", _DEGREES)),
    **_per_wheel("toe", _Known("Toe", "Toe", "deg", _DEGREES)),
    **_per_wheel("suspension_deflection", _Known("Susp Pos", "SusPs", "mm", 1000.0)),
    **_per_wheel("wheel_ride_height", _Known("Ride Height", "RideH", "mm", 1000.0)),
    # The game counts a wheel that rolls forward as negative.
    **_per_wheel("wheel_rotation", _Known("Wheel Rot Speed", "WhRot", "rad/s", -1.0)),
    **_across("tyre_temp", _Known("Tyre Temp", "TT", "C")),
    **_across("tyre_inner_temp", _Known("Tyre Inner Temp", "TI", "C")),
}

_UPPER: Final = (*WHEELS, "rpm")
_UNITS: Final = {"°C": "C", "m/s²": "m/s/s", "rad/s²": "rad/s/s"}
_TOO_WIDE: Final = "u8"
"""Numbers and wall clocks of 64 bits, of which float32 would keep the first seven digits."""

_RANGES: Final = ("physical_steering_range", "visual_steering_range")
"""Lock to lock of the driver's wheel; of the wheel on screen where the game does not know the driver's."""
_EARTH_M: Final = 6_371_000.0
_NAME_BYTES, _SHORT_BYTES = 31, 7
"""Letters of a name in a channel's record."""


def signals(lap: Lap, channels: Iterable[str] = (), leave_out: Collection[str] = ()) -> list[Signal]:
    """Return the columns that float32 can hold, of these channels, all without any; not of those in
    `leave_out`.

    With the position comes a made one as of a GPS, so that MoTeC draws a map, and with all channels the
    weather. No two have the same name or short name. Raises MissingChannel.
    """
    asked = tuple(channels)
    wanted = [one for one in asked or lap.channels if lap.channel(one) not in leave_out]
    found = [signal for one in wanted for signal in _of(lap, one)]
    return _distinct([*found, *_weather(lap)] if not asked else found)


def steering_range(lap: Lap) -> float | None:
    """Return lock to lock of the steering wheel [rad]; None where the game gives none."""
    for name in _RANGES:
        if name in lap:
            known = lap[name][np.isfinite(lap[name]) & (lap[name] > 0)]
            if len(known):
                return float(np.median(known))
    return None


def turned(signal: Signal, lock_to_lock: float) -> Signal:
    """Return the steering in degrees of the wheel, right is positive."""
    return signal._replace(unit="deg", values=signal.values * np.float32(math.degrees(lock_to_lock) / 2))


STEERING: Final = _KNOWN["steering"].name


def _of(lap: Lap, wanted: str) -> Iterator[Signal]:
    for column in lap.columns(wanted):
        if column.values.dtype != np.dtype(_TOO_WIDE):
            yield _signal(column)
    if wanted == "position":
        yield from _gps(lap.position)


def _signal(column: FlatColumn) -> Signal:
    unit = _UNITS.get(column.unit, column.unit)
    known = _KNOWN.get(column.name) or _Known(_title(column.name), _short(column.name), unit)
    values = np.ma.filled(np.ma.asarray(column.values, np.float64), np.nan) * known.factor
    return Signal(known.name, known.short, known.unit, values.astype(np.float32))


def _gps(position: Array) -> Iterator[Signal]:
    """Yield the track laid around latitude 0, longitude 0, x to the east and z to the north, as seen from
    above.

    There a degree is equally long both ways and float32 keeps millimetres; at 52° it would keep half a metre.
    """
    x, y, z = position.T.astype(np.float64)
    for name, short, unit, values in (
        ("GPS Latitude", "GPSLat", "deg", np.degrees(z / _EARTH_M)),
        ("GPS Longitude", "GPSLong", "deg", np.degrees(x / _EARTH_M)),
        ("GPS Altitude", "GPSAlt", "m", y),
    ):
        yield Signal(name, short, unit, values.astype(np.float32))


def _weather(lap: Lap) -> Iterator[Signal]:
    """Yield air and track temperature, as the session last knew them; one that was never given is 0."""
    weather = lap.session.state.weather
    for name, short, degrees in (
        ("Ambient Temp", "AmbTemp", weather.ambient_temp),
        ("Track Temp", "TrkTemp", weather.track_temp),
    ):
        if degrees:
            yield Signal(name, short, "C", np.full(len(lap), degrees, np.float32))


def _distinct(found: list[Signal]) -> list[Signal]:
    """Yield the signals with a number at the end of names that are there before."""
    names: set[str] = set()
    shorts: set[str] = set()
    return [
        one._replace(name=_free(one.name, names, _NAME_BYTES), short=_free(one.short, shorts, _SHORT_BYTES))
        for one in found
    ]


def _free(name: str, taken: set[str], size: int) -> str:
    """Return the name, shortened to `size`, or with the first number that makes it new; it is taken then."""
    free, number = name[:size], 1
    while free in taken:
        number += 1
        free = f"{name[: size - len(str(number))]}{number}"
    taken.add(free)
    return free


def _title(name: str) -> str:
    """Return Brake Pressure FL, of brake_pressure_fl."""
    return " ".join(word.upper() if word in _UPPER else word.capitalize() for word in name.split("_"))


def _short(name: str) -> str:
    """Return BPFL, of brake_pressure_fl: initials, and the last word as far as seven letters go."""
    *first, last = _title(name).split(" ")
    return ("".join(word[0] for word in first) + last)[:_SHORT_BYTES]
