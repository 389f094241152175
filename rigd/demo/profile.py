"""What the simulated game fills: all its fields, or those that real recordings hold."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the command line asks for the names alone
    import numpy as np

    Records = np.ndarray[Any, np.dtype[np.void]]

PROFILES: Final = ("full", "real")

_CAR: Final = (
    "mEngineWaterTemp", "mEngineOilTemp", "mEngineTorque", "mUnfilteredClutch", "mFrontDownforce",
    "mRearDownforce", "mPhysicalSteeringWheelRange", "mDentSeverity", "mFrontTireCompoundIndex",
    "mRearTireCompoundIndex", "mHeadlights", "mRearFlapActivated", "mRearFlapLegalStatus",
    "mBatteryChargeFraction", "mElectricBoostMotorTorque", "mElectricBoostMotorRPM",
    "mElectricBoostMotorTemperature", "mElectricBoostWaterTemperature", "mElectricBoostMotorState",
)  # fmt: skip
_WHEEL: Final = ("mTireLoad", "mGripFract", "mLateralForce", "mLongitudinalForce")
_INFO: Final = ("mRaining", "mMinPathWetness", "mMaxPathWetness", "mAvgPathWetness")
UNFILLED: Final = (*_CAR, *(f"mWheels.{name}" for name in _WHEEL))
"""Fields of the telemetry that were 0 in all of twelve real recordings. Other cars may fill some."""
_ON_SCREEN_DEG: Final = 719.0
"""Lock to lock of the wheel on screen, which those recordings do hold."""


def leave_out(records: "Records") -> None:
    """Put 0 into what real recordings do not hold of telemetry."""
    for name in _CAR:
        records[name] = 0
    for name in _WHEEL:
        records["mWheels"][name] = 0
    records["mVisualSteeringWheelRange"] = _ON_SCREEN_DEG


def leave_out_weather(info: "Records") -> None:
    """Put 0 into what real recordings do not hold of the session."""
    for name in _INFO:
        info[name] = 0
