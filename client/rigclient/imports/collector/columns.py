"""What the collector's columns are.

Its values are those that an overlay for rFactor 2 reads: temperatures in °C, lengths at the wheels in mm, the
rest as the game has it. Wheels count FL, FR, RL, RR; of three values across a tyre the first is the left one.
Some names mean two things, by the file that they stand in: `pressure_0` and `temperature_0` are of the brakes
beside `bias_front`, the engine's `rpm` and `torque` of the electric motor beside `battery_charge`.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np

from rigclient.imports.channels.column import To, X, Y, Z

Array = np.ndarray[Any, np.dtype[Any]]

CLOCK: Final = "elapsed_time"
LAP: Final = "lap_number"
TEXTS: Final = frozenset(
    {
        "class_name",
        "compound_name_0",
        "compound_name_1",
        "compound_name_2",
        "compound_name_3",
        "compound_name_front",
        "compound_name_rear",
        "driver_name",
        "finish_state",
        "terrain_name_0",
        "terrain_name_1",
        "terrain_name_2",
        "terrain_name_3",
        "update_trigger",
        "vehicle_name",
    }
)
"""Columns of words."""

_AFTER_AIDS: Final = "after driving aids: the file has no other"
_ONE_VALUE: Final = "one value a tyre, given to left, centre and right"
_SHARE_IN_FRONT: Final = "1 less the share in front"
_FROM_ZERO: Final = "counted from 0"


def _of_wheels(name: str, channel: str, unit: str = "") -> dict[str, To]:
    return {f"{name}_{at}": To(channel, unit, at) for at in range(4)}


def _of_each(name: str, channel: str, count: int) -> dict[str, To]:
    return {f"{name}_{at}": To(channel, at=at) for at in range(count)}


_DENTS: Final = (1, 0, 7, 2, 6, 3, 4, 5)
"""Places of the game's dents in the rows that the collector writes from left to right, top to bottom."""

_COLUMNS: Final[Mapping[str, To]] = {
    CLOCK: To("elapsed_time", "s"),
    "start": To("lap_start_time", "s"),
    "distance": To("game_distance", "m"),
    "lap_dist": To("game_distance", "m"),
    "delta_best": To("delta_best", "s"),
    "speed": To("speed", "m/s"),
    "speed_kph": To("speed", "km/h"),
    "gear": To("gear"),
    "gear_max": To("max_gears"),
    "rpm": To("engine_rpm"),
    "rpm_max": To("engine_max_rpm"),
    "torque": To("engine_torque"),
    "turbo": To("turbo_boost", "Pa"),
    "oil_temperature": To("engine_oil_temp", "°C"),
    "water_temperature": To("engine_water_temp", "°C"),
    "battery_charge": To("battery_charge"),
    "motor_rpm": To("boost_motor_rpm"),
    "motor_torque": To("boost_motor_torque"),
    "motor_temperature": To("boost_motor_temp", "°C"),
    "motor_water_temperature": To("boost_water_temp", "°C"),
    "motor_state": To("boost_motor_state"),
    "throttle": To("throttle_applied"),
    "throttle_raw": To("throttle"),
    "brake": To("brake_applied"),
    "brake_input": To("brake_applied"),
    "brake_raw": To("brake"),
    "clutch": To("clutch_applied"),
    "clutch_raw": To("clutch"),
    "steering": To("steering_applied"),
    "steering_raw": To("steering"),
    "steering_range_physical": To("physical_steering_range", "°"),
    "steering_range_visual": To("visual_steering_range", "°"),
    "steering_shaft_torque": To("steering_torque"),
    "bias_front": To("rear_brake_bias", note=_SHARE_IN_FRONT),
    "fuel": To("fuel"),
    "tank_capacity": To("fuel_capacity"),
    "downforce_front": To("front_downforce"),
    "downforce_rear": To("rear_downforce"),
    "impact_time": To("last_impact_time", "s"),
    "impact_magnitude": To("last_impact_magnitude"),
    "is_detached": To("detached"),
    "in_pits": To("in_pit_lane"),
    "headlights": To("headlights"),
    "ignition_starter": To("ignition"),
    "speed_limiter": To("speed_limiter"),
    "sector_index": To("sector", note=_FROM_ZERO),
    "sector": To("sector", note=_FROM_ZERO),
    "velocity_lateral": To("local_velocity", at=X),
    "velocity_vertical": To("local_velocity", at=Y),
    "velocity_longitudinal": To("local_velocity", at=Z),
    "accel_lateral": To("local_acceleration", at=X),
    "accel_vertical": To("local_acceleration", at=Y),
    "accel_longitudinal": To("local_acceleration", at=Z),
    "rotation_lateral": To("local_rotation", at=X),
    "rotation_vertical": To("local_rotation", at=Y),
    "rotation_longitudinal": To("local_rotation", at=Z),
    **{f"acc_{axis}": To("local_acceleration", at=at) for at, axis in enumerate("xyz")},
    **{f"pos_{axis}": To("position", at=at) for at, axis in enumerate("xyz")},
    **{f"position_xyz_{at}": To("position", at=at) for at in range(3)},
    **{f"damage_severity_{at}": To("dent_severity", at=dent) for at, dent in enumerate(_DENTS)},
    **{f"surface_{wheel}": To("surface_type", at=at) for at, wheel in enumerate(("fl", "fr", "rl", "rr"))},
    **_of_wheels("carcass_temperature", "tyre_carcass_temp"),
    **_of_wheels("tyre_pressure", "tyre_pressure"),
    **_of_wheels("wear", "tyre_tread"),
    **_of_wheels("load", "tyre_load"),
    **_of_wheels("rotation", "wheel_rotation"),
    **_of_wheels("camber", "camber"),
    **_of_wheels("toe", "toe"),
    **_of_wheels("suspension_deflection", "suspension_deflection", "mm"),
    **_of_wheels("suspension_force", "suspension_force"),
    **_of_wheels("ride_height", "wheel_ride_height", "mm"),
    **_of_wheels("position_vertical", "wheel_height", "mm"),
    **_of_wheels("vertical_deflection", "tyre_deflection", "mm"),
    **_of_wheels("static_radius", "tyre_radius", "cm"),
    **_of_wheels("velocity_lateral", "lateral_ground_velocity"),
    **_of_wheels("velocity_longitudinal", "longitudinal_ground_velocity"),
    **_of_wheels("grip_fraction", "sliding_fraction"),
    **_of_wheels("lateral_force", "lateral_force"),
    **_of_wheels("longitudinal_force", "longitudinal_force"),
    **_of_wheels("surface_type", "surface_type"),
    **_of_wheels("is_detached", "wheel_detached"),
    **_of_wheels("is_flat", "wheel_flat"),
    **_of_each("surface_temperature_ico", "tyre_temp", 12),
    **_of_each("inner_temperature_ico", "tyre_inner_temp", 12),
    "third_spring_deflection_0": To("front_third_deflection", "mm"),
    "third_spring_deflection_2": To("rear_third_deflection", "mm"),
    "compound_front": To("front_compound_index"),
    "compound_rear": To("rear_compound_index"),
}
_BRAKES: Final = {**_of_wheels("pressure", "brake_pressure"), **_of_wheels("temperature", "brake_temp")}
_TYRES: Final = _of_wheels("pressure", "tyre_pressure")
_MOTOR: Final = {
    "rpm": To("boost_motor_rpm"),
    "torque": To("boost_motor_torque"),
    "water_temperature": To("boost_water_temp", "°C"),
    "state": To("boost_motor_state"),
}
_PEDALS: Final = ("throttle", "brake", "clutch", "steering")
_AVERAGES: Final = (("surface_temperature", "tyre_temp"), ("inner_temperature", "tyre_inner_temp"))
_ADDED: Final = {"sector_index": 1.0, "sector": 1.0}
_LENGTHS: Final = {"mm": 1.0, "cm": 2.0}
"""By the unit of a length at a wheel: half of its values are beyond, unless they are metres."""

_WITHOUT_CHANNEL: Final = (
    *("behind_leader", "behind_next", "best_laptime", "best_sector1", "best_sector2", "current_laptime"),
    *("current_sector1", "current_sector2", "elapsed", "estimated_laptime", "estimated_time_into"),
    *("last_laptime", "last_sector1", "last_sector2", "maximum", "progress", "track_length", "path_lateral"),
    *("track_edge", "in_garage", "lap_valid", "force_feedback", "session_elapsed"),
)
KNOWN: Final = frozenset((*_COLUMNS, *_BRAKES, *_MOTOR, *_WITHOUT_CHANNEL, *TEXTS))
"""Names by which a file of the collector is recognised."""


def known_columns(columns: Collection[str]) -> dict[str, list[To]]:
    """Return what the columns of one file are, by name; an average of a tyre is given to three places."""
    named = set(columns)
    found = {name: [to] for name in columns if (to := _to(name, named)) is not None}
    for name, channel in _AVERAGES:
        if f"{name}_ico_0" not in named:
            for at in range(4):
                column = f"{name}_avg_{at}"
                if column in named:
                    found[column] = [To(channel, at=3 * at + part, note=_ONE_VALUE) for part in range(3)]
    return found


def _to(name: str, named: Collection[str]) -> To | None:
    if "bias_front" in named and name in _BRAKES:
        return _BRAKES[name]
    if "carcass_temperature_0" in named and name in _TYRES:
        return _TYRES[name]
    if {"battery_charge", "state"} <= set(named) and "gear" not in named and name in _MOTOR:
        return _MOTOR[name]
    if name in _PEDALS and f"{name}_raw" not in named and name in _COLUMNS:
        return To(_COLUMNS[name].channel.removesuffix("_applied"), note=_AFTER_AIDS)
    return _COLUMNS.get(name)


def as_channel(name: str, values: Array) -> Array:
    """Return the values of a column as its channel counts them, still in the column's unit."""
    if name == "bias_front":
        return 1.0 - values
    return values + _ADDED.get(name, 0.0)


def as_column(name: str, values: Array) -> Array:
    """Return the values of a channel as its column counts them: the reverse of `as_channel`."""
    if name == "bias_front":
        return 1.0 - values
    return values - _ADDED.get(name, 0.0)


def stated(to: To, values: Array) -> To:
    """Return the column in the unit that it holds: lengths at the wheels are also written in metres."""
    limit = _LENGTHS.get(to.unit)
    finite = np.abs(values[np.isfinite(values)])
    if limit is None or not len(finite) or float(np.median(finite)) > limit or not finite.any():
        return to
    return to._replace(unit="m", note=f"labelled {to.unit}, holds m")
