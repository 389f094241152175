"""Names of iRacing's variables, and what they are in the registry.

iRacing counts x forward, y to the left, z up, a steering wheel and a yaw to the left as positive, gravity as
acceleration, a clutch that is engaged as 1, and says % of what is 0 to 1.
"""

from typing import Final

from rigclient.imports.channels.column import FL, FR, RL, RR, To, X, Y, Z

_G: Final = 9.80665
_WHEELS: Final = {"LF": FL, "RF": FR, "LR": RL, "RR": RR}
_ACROSS: Final = {"L": 0, "M": 1, "R": 2}


def _wheels() -> dict[str, To]:
    found = {}
    for theirs, at in _WHEELS.items():
        found[f"{theirs}pressure"] = To("tyre_pressure", "kPa", at)
        found[f"{theirs}rideHeight"] = To("wheel_ride_height", "m", at)
        found[f"{theirs}shockDefl"] = To("suspension_deflection", "m", at)
        found[f"{theirs}tempCM"] = To("tyre_carcass_temp", "C", at)
        found[f"{theirs}wearM"] = To("tyre_tread", at=at)
        for side, place in _ACROSS.items():
            found[f"{theirs}temp{side}"] = To("tyre_temp", "C", 3 * at + place)
    return found


NAMES: Final = {
    "Speed": To("speed", "m/s"),
    "RPM": To("engine_rpm", "rpm"),
    "Gear": To("gear"),
    "SteeringWheelAngle": To("steering", "rad", times=-1.0),
    "SteeringWheelTorque": To("steering_torque", "Nm"),
    "LatAccel": To("local_acceleration", "m/s²", X),
    "VertAccel": To("local_acceleration", "m/s²", Y, plus=-_G),
    "LongAccel": To("local_acceleration", "m/s²", Z, -1.0),
    "YawRate": To("local_rotation", "rad/s", Y, -1.0),
    "PitchRate": To("local_rotation", "rad/s", X, -1.0),
    "RollRate": To("local_rotation", "rad/s", Z),
    "VelocityX": To("local_velocity", "m/s", Z, -1.0),
    "VelocityY": To("local_velocity", "m/s", X),
    "VelocityZ": To("local_velocity", "m/s", Y),
    "FuelLevel": To("fuel", "l"),
    "WaterTemp": To("engine_water_temp", "C"),
    "OilTemp": To("engine_oil_temp", "C"),
    "LapDist": To("distance", "m"),
    "OnPitRoad": To("in_pit_lane"),
    "LapDeltaToBestLap": To("delta_best", "s"),
    "EnergyERSBatteryPct": To("battery_charge"),
    "TorqueMGU_K": To("boost_motor_torque", "Nm"),
    **_wheels(),
}
"""By the name of the variable; pedals are in the two below."""

DRIVEN: Final = {
    "ThrottleRaw": To("throttle"),
    "BrakeRaw": To("brake"),
    "ClutchRaw": To("clutch", times=-1.0, plus=1.0),
    "Throttle": To("throttle_applied"),
    "Brake": To("brake_applied"),
    "Clutch": To("clutch_applied", times=-1.0, plus=1.0),
}
"""Pedals where the file has them as the driver moves them, and after driving aids."""

APPLIED: Final = {
    "Throttle": To("throttle"),
    "Brake": To("brake"),
    "Clutch": To("clutch", times=-1.0, plus=1.0),
}
"""Pedals where it has them but once."""
