"""What the columns have to be, worked out car by car and value by value from the game's units.

Slow and plain, and written without a look at the registry or the encoder: source field and conversion of
every channel stand here a second time.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rig.channels import Table
from rigd.sources.rf2.layout import VEHICLE_SCORING, VEHICLE_TELEMETRY, WHEEL

Records = np.ndarray[Any, np.dtype[Any]]
Value = float | int | bool
Rule = Callable[[Any], list[Value]]

# Reading one car's record.


def raw(record: Any, path: str) -> list[Any]:
    """All values of a dotted field: of four wheels one after another, of vectors and matrices in order."""
    if path.startswith("mWheels."):
        name = path.removeprefix("mWheels.")
        return [value for wheel in record["mWheels"] for value in np.atleast_1d(wheel[name]).ravel().tolist()]
    return list(np.atleast_1d(record[path]).ravel().tolist())


def finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def plain(path: str) -> Rule:
    return lambda record: [finite(float(value)) for value in raw(record, path)]


def times(path: str, factor: float) -> Rule:
    return lambda record: [finite(value * factor) for value in raw(record, path)]


def degrees(path: str) -> Rule:
    return lambda record: [finite(math.radians(value)) for value in raw(record, path)]


def positive(path: str) -> Rule:
    """A value of zero or below is none."""
    return lambda record: [finite(value) if value > 0 else math.nan for value in raw(record, path)]


def kelvin(path: str) -> Rule:
    return lambda record: [finite(value - 273.15) if value > 0 else math.nan for value in raw(record, path)]


def whole(path: str) -> Rule:
    return lambda record: [int(value) for value in raw(record, path)]


def flag(path: str) -> Rule:
    """Any byte but zero is yes."""
    return lambda record: [byte != 0 for byte in flag_bytes(record, path)]


def flag_bytes(record: Any, path: str) -> bytes:
    if path.startswith("mWheels."):
        at = WHEEL.fields[path.removeprefix("mWheels.")][1]  # type: ignore[index]
        return bytes(wheel.tobytes()[at] for wheel in record["mWheels"])
    return bytes([record.tobytes()[record.dtype.fields[path][1]]])


def length(path: str) -> Rule:
    def rule(record: Any) -> list[Value]:
        return [finite(math.sqrt(sum(part * part for part in raw(record, path))))]

    return rule


def sector_from_zero(record: Any) -> list[Value]:
    return [(int(record["mCurrentSector"]) & 0x7FFF_FFFF) + 1]


def sector_third_is_zero(record: Any) -> list[Value]:
    return [int(record["mSector"]) or 3]


def pit_lane(record: Any) -> list[Value]:
    return [int(record["mCurrentSector"]) < 0]


def _each(rule: Callable[[str], Rule], names: dict[str, str]) -> dict[str, Rule]:
    return {channel: rule(path) for channel, path in names.items()}


def _wheels(rule: Callable[[str], Rule], names: dict[str, str]) -> dict[str, Rule]:
    return {channel: rule(f"mWheels.{path}") for channel, path in names.items()}


_MOTION = {
    "position": "mPos",
    "local_velocity": "mLocalVel",
    "local_acceleration": "mLocalAccel",
    "orientation": "mOri",
    "local_rotation": "mLocalRot",
    "local_rotation_acceleration": "mLocalRotAccel",
}

PHYSICS_RULES: dict[str, Rule] = {
    **_each(
        plain,
        _MOTION
        | {
            "elapsed_time": "mElapsedTime",
            "lap_start_time": "mLapStartET",
            "last_impact_time": "mLastImpactET",
            "delta_time": "mDeltaTime",
            "engine_rpm": "mEngineRPM",
            "engine_water_temp": "mEngineWaterTemp",
            "engine_oil_temp": "mEngineOilTemp",
            "clutch_rpm": "mClutchRPM",
            "throttle": "mUnfilteredThrottle",
            "brake": "mUnfilteredBrake",
            "steering": "mUnfilteredSteering",
            "clutch": "mUnfilteredClutch",
            "throttle_applied": "mFilteredThrottle",
            "brake_applied": "mFilteredBrake",
            "steering_applied": "mFilteredSteering",
            "clutch_applied": "mFilteredClutch",
            "steering_torque": "mSteeringShaftTorque",
            "front_third_deflection": "mFront3rdDeflection",
            "rear_third_deflection": "mRear3rdDeflection",
            "front_wing_height": "mFrontWingHeight",
            "front_ride_height": "mFrontRideHeight",
            "rear_ride_height": "mRearRideHeight",
            "drag": "mDrag",
            "front_downforce": "mFrontDownforce",
            "rear_downforce": "mRearDownforce",
            "fuel": "mFuel",
            "engine_max_rpm": "mEngineMaxRPM",
            "last_impact_magnitude": "mLastImpactMagnitude",
            "last_impact_position": "mLastImpactPos",
            "engine_torque": "mEngineTorque",
            "fuel_capacity": "mFuelCapacity",
            "rear_brake_bias": "mRearBrakeBias",
            "graphics_offset": "mPhysicsToGraphicsOffset",
            "delta_best": "mDeltaBest",
            "battery_charge": "mBatteryChargeFraction",
            "boost_motor_torque": "mElectricBoostMotorTorque",
            "boost_motor_rpm": "mElectricBoostMotorRPM",
        },
    ),
    **_wheels(
        plain,
        {
            "suspension_deflection": "mSuspensionDeflection",
            "wheel_ride_height": "mRideHeight",
            "suspension_force": "mSuspForce",
            "brake_pressure": "mBrakePressure",
            "wheel_rotation": "mRotation",
            "lateral_patch_velocity": "mLateralPatchVel",
            "longitudinal_patch_velocity": "mLongitudinalPatchVel",
            "lateral_ground_velocity": "mLateralGroundVel",
            "longitudinal_ground_velocity": "mLongitudinalGroundVel",
            "camber": "mCamber",
            "lateral_force": "mLateralForce",
            "longitudinal_force": "mLongitudinalForce",
            "tyre_load": "mTireLoad",
            "sliding_fraction": "mGripFract",
            "tyre_pressure": "mPressure",
            "tyre_tread": "mWear",
            "tyre_deflection": "mVerticalTireDeflection",
            "wheel_height": "mWheelYLocation",
            "toe": "mToe",
        },
    ),
    **_wheels(
        kelvin,
        {
            "brake_temp": "mBrakeTemp",
            "tyre_temp": "mTemperature",
            "tyre_carcass_temp": "mTireCarcassTemperature",
            "tyre_inner_temp": "mTireInnerLayerTemperature",
        },
    ),
    **_each(
        positive,
        {
            "boost_motor_temp": "mElectricBoostMotorTemperature",
            "boost_water_temp": "mElectricBoostWaterTemperature",
        },
    ),
    **_each(
        degrees,
        {
            "visual_steering_range": "mVisualSteeringWheelRange",
            "physical_steering_range": "mPhysicalSteeringWheelRange",
        },
    ),
    "turbo_boost": times("mTurboBoostPressure", 1 / 1000),
    "tyre_radius": times("mWheels.mStaticUndeflectedRadius", 1 / 100),
    "speed": length("mLocalVel"),
    "sector": sector_from_zero,
    "in_pit_lane": pit_lane,
    **_each(
        whole,
        {
            "id": "mID",
            "lap_number": "mLapNumber",
            "gear": "mGear",
            "scheduled_stops": "mScheduledStops",
            "dent_severity": "mDentSeverity",
            "max_gears": "mMaxGears",
            "front_compound_index": "mFrontTireCompoundIndex",
            "rear_compound_index": "mRearTireCompoundIndex",
            "rear_flap_legal_status": "mRearFlapLegalStatus",
            "ignition": "mIgnitionStarter",
            "boost_motor_state": "mElectricBoostMotorState",
        },
    ),
    "surface_type": whole("mWheels.mSurfaceType"),
    **_each(
        flag,
        {
            "overheating": "mOverheating",
            "detached": "mDetached",
            "headlights": "mHeadlights",
            "speed_limiter": "mSpeedLimiter",
            "front_flap": "mFrontFlapActivated",
            "rear_flap": "mRearFlapActivated",
            "speed_limiter_available": "mSpeedLimiterAvailable",
            "anti_stall": "mAntiStallActivated",
            "wheel_flat": "mWheels.mFlat",
            "wheel_detached": "mWheels.mDetached",
        },
    ),
}
"""Terrain is left out: its numbers have a meaning only together with the list of names."""

SCORING_RULES: dict[str, Rule] = {
    **_each(
        plain,
        _MOTION
        | {
            "lap_start_time": "mLapStartET",
            "lap_distance": "mLapDist",
            "path_lateral": "mPathLateral",
            "track_edge": "mTrackEdge",
            "time_behind_next": "mTimeBehindNext",
            "time_behind_leader": "mTimeBehindLeader",
            "time_into_lap": "mTimeIntoLap",
            "estimated_lap_time": "mEstimatedLapTime",
            "pit_lap_distance": "mPitLapDist",
        },
    ),
    **_each(
        positive,
        {
            "best_split1": "mBestSector1",
            "best_split2": "mBestSector2",
            "best_lap_time": "mBestLapTime",
            "last_split1": "mLastSector1",
            "last_split2": "mLastSector2",
            "last_lap_time": "mLastLapTime",
            "current_split1": "mCurSector1",
            "current_split2": "mCurSector2",
            "best_lap_split1": "mBestLapSector1",
            "best_lap_split2": "mBestLapSector2",
        },
    ),
    "fuel_fraction": times("mFuelFraction", 1 / 255),
    "speed": length("mLocalVel"),
    "sector": sector_third_is_zero,
    **_each(
        whole,
        {
            "id": "mID",
            "laps": "mTotalLaps",
            "finish_status": "mFinishStatus",
            "pit_stops": "mNumPitstops",
            "penalties": "mNumPenalties",
            "control": "mControl",
            "place": "mPlace",
            "laps_behind_next": "mLapsBehindNext",
            "laps_behind_leader": "mLapsBehindLeader",
            "pit_state": "mPitState",
            "individual_phase": "mIndividualPhase",
            "qualification": "mQualification",
            "flag": "mFlag",
            "count_lap_flag": "mCountLapFlag",
            "attack_mode": "mAttackMode",
        },
    ),
    **_each(
        flag,
        {
            "is_player": "mIsPlayer",
            "in_pits": "mInPits",
            "headlights": "mHeadlights",
            "server_scored": "mServerScored",
            "under_yellow": "mUnderYellow",
            "in_garage": "mInGarageStall",
            "drs_active": "mDRSState",
        },
    ),
}

RULES = {"Physics": PHYSICS_RULES, "Scoring": SCORING_RULES}
RECORDS = {"Physics": VEHICLE_TELEMETRY, "Scoring": VEHICLE_SCORING}


def expected(table: Table, name: str, records: Records) -> Records:
    """A column, by the rules."""
    channel = table.by_name[name]
    values = [RULES[table.name][name](record) for record in records]
    if channel.dtype.kind != "f":
        return np.array(values, np.int64).reshape(len(records), channel.width).astype(channel.dtype)
    doubles = np.array(values, np.float64).reshape(len(records), channel.width)
    with np.errstate(over="ignore"):
        column = doubles.astype(channel.dtype)
    column[~np.isfinite(column)] = np.nan  # what float32 cannot hold is missing too
    return column


# Records with chance contents.

_ODD = [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1e300, -1e300, 1e-30]
TERRAINS = [b"RoadDry", b"Grass", b"Kerb\0left over", b"Stra\xdfe", "Tür".encode(), b"", b"0123456789abcdef"]


def records(table: Table, cars: int, seed: int, oddity: float = 0.1) -> Records:
    """Cars with chance values; of the numbers with a fraction, a share of `oddity` is no such number."""
    random = np.random.default_rng(seed)
    made = np.frombuffer(random.bytes(RECORDS[table.name].itemsize * cars), RECORDS[table.name]).copy()
    _fill_floats(made, random, oddity)
    if table.name == "Physics":
        sectors = random.integers(0, 3, cars) - random.integers(0, 2, cars) * 2**31
        made["mCurrentSector"] = sectors
        wheels = np.array(TERRAINS)[random.integers(0, len(TERRAINS), (cars, 4))]
        made["mWheels"]["mTerrainName"] = wheels
    else:
        made["mSector"] = random.integers(0, 3, cars)
    return made


def _fill_floats(made: Records, random: np.random.Generator, oddity: float) -> None:
    for name in made.dtype.names or ():
        column = made[name]
        if column.dtype.names:
            _fill_floats(column, random, oddity)
        elif column.dtype.kind == "f":
            usual = random.uniform(-500.0, 500.0, column.shape)
            odd = np.array(_ODD)[random.integers(0, len(_ODD), column.shape)]
            with np.errstate(over="ignore"):
                column[...] = np.where(random.random(column.shape) < oddity, odd, usual)


seeds = st.integers(0, 2**32 - 1)
