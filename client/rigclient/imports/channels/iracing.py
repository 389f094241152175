"""Names of iRacing's variables, and what they are in the registry.

iRacing counts x forward, y to the left, z up, a steering wheel and a yaw to the left as positive, gravity as
acceleration, a clutch that is engaged as 1, and says % of what is 0 to 1.
"""

from typing import Final

from rigclient.imports.channels.naming import Named

_G: Final = 9.80665
_WHEELS: Final = {"LF": ("fl", 0), "RF": ("fr", 1), "LR": ("rl", 2), "RR": ("rr", 3)}
_ACROSS: Final = {"L": 0, "M": 1, "R": 2}


def _wheels() -> dict[str, Named]:
    found = {}
    for theirs, (wheel, at) in _WHEELS.items():
        found[f"{theirs}pressure"] = Named(f"tyre_pressure_{wheel}", "kPa")
        found[f"{theirs}rideHeight"] = Named(f"wheel_ride_height_{wheel}", "m")
        found[f"{theirs}shockDefl"] = Named(f"suspension_deflection_{wheel}", "m")
        found[f"{theirs}tempCM"] = Named(f"tyre_carcass_temp_{wheel}", "C")
        found[f"{theirs}wearM"] = Named(f"tyre_tread_{wheel}")
        for side, place in _ACROSS.items():
            found[f"{theirs}temp{side}"] = Named(f"tyre_temp_{3 * at + place}", "C")
    return found


NAMES: Final = {
    "Speed": Named("speed", "m/s"),
    "RPM": Named("engine_rpm", "rpm"),
    "Gear": Named("gear"),
    "SteeringWheelAngle": Named("steering", "rad", -1.0),
    "SteeringWheelTorque": Named("steering_torque", "Nm"),
    "LatAccel": Named("local_acceleration_x", "m/s²"),
    "VertAccel": Named("local_acceleration_y", "m/s²", plus=-_G),
    "LongAccel": Named("local_acceleration_z", "m/s²", -1.0),
    "YawRate": Named("local_rotation_y", "rad/s", -1.0),
    "PitchRate": Named("local_rotation_x", "rad/s", -1.0),
    "RollRate": Named("local_rotation_z", "rad/s"),
    "VelocityX": Named("local_velocity_z", "m/s", -1.0),
    "VelocityY": Named("local_velocity_x", "m/s"),
    "VelocityZ": Named("local_velocity_y", "m/s"),
    "FuelLevel": Named("fuel", "l"),
    "WaterTemp": Named("engine_water_temp", "C"),
    "OilTemp": Named("engine_oil_temp", "C"),
    "LapDist": Named("distance", "m"),
    "OnPitRoad": Named("in_pit_lane"),
    "LapDeltaToBestLap": Named("delta_best", "s"),
    "EnergyERSBatteryPct": Named("battery_charge"),
    "TorqueMGU_K": Named("boost_motor_torque", "Nm"),
    **_wheels(),
}
"""By the name of the variable; pedals are in the two below."""

DRIVEN: Final = {
    "ThrottleRaw": Named("throttle"),
    "BrakeRaw": Named("brake"),
    "ClutchRaw": Named("clutch", times=-1.0, plus=1.0),
    "Throttle": Named("throttle_applied"),
    "Brake": Named("brake_applied"),
    "Clutch": Named("clutch_applied", times=-1.0, plus=1.0),
}
"""Pedals where the file has them as the driver moves them, and after driving aids."""

APPLIED: Final = {
    "Throttle": Named("throttle"),
    "Brake": Named("brake"),
    "Clutch": Named("clutch", times=-1.0, plus=1.0),
}
"""Pedals where it has them but once."""
