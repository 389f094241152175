"""Byte layout of rFactor 2's shared memory, as numpy structured dtypes.

Source: plugin 3.7.15.1, 4-byte packing, little endian. Offsets were checked against two independent
builds of the plugin's header and against bytes seen live. Two places differ from the published header:
``mDeltaBest`` stands at 696 and moves the electric-motor fields eight bytes on, and the last 48 bytes of
a scoring record are named. Padding, the game's own pointers and the reserved areas have no field here.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

MAX_VEHICLES: Final = 128
"""Records in the telemetry and scoring arrays. The game itself tops out at about 104 cars."""

VERSION_BYTES: Final = 8
"""Size of the version block {begin u32, end u32} at the start of every file."""


def _record(size: int, *fields: tuple[Any, ...]) -> np.dtype[np.void]:
    """Return a dtype of `size` bytes from (name, format, offset[, count]) rows."""
    formats = [(row[1], row[3]) if len(row) > 3 else row[1] for row in fields]
    return np.dtype(
        {
            "names": [row[0] for row in fields],
            "formats": formats,
            "offsets": [row[2] for row in fields],
            "itemsize": size,
        }
    )


WHEEL = _record(
    260,
    ("mSuspensionDeflection", "<f8", 0),
    ("mRideHeight", "<f8", 8),
    ("mSuspForce", "<f8", 16),
    ("mBrakeTemp", "<f8", 24),
    ("mBrakePressure", "<f8", 32),
    ("mRotation", "<f8", 40),
    ("mLateralPatchVel", "<f8", 48),
    ("mLongitudinalPatchVel", "<f8", 56),
    ("mLateralGroundVel", "<f8", 64),
    ("mLongitudinalGroundVel", "<f8", 72),
    ("mCamber", "<f8", 80),
    ("mLateralForce", "<f8", 88),
    ("mLongitudinalForce", "<f8", 96),
    ("mTireLoad", "<f8", 104),
    ("mGripFract", "<f8", 112),
    ("mPressure", "<f8", 120),
    ("mTemperature", "<f8", 128, 3),
    ("mWear", "<f8", 152),
    ("mTerrainName", "S16", 160),
    ("mSurfaceType", "u1", 176),
    ("mFlat", "?", 177),
    ("mDetached", "?", 178),
    ("mStaticUndeflectedRadius", "u1", 179),
    ("mVerticalTireDeflection", "<f8", 180),
    ("mWheelYLocation", "<f8", 188),
    ("mToe", "<f8", 196),
    ("mTireCarcassTemperature", "<f8", 204),
    ("mTireInnerLayerTemperature", "<f8", 212, 3),
)

VEHICLE_TELEMETRY = _record(
    1888,
    ("mID", "<i4", 0),
    ("mDeltaTime", "<f8", 4),
    ("mElapsedTime", "<f8", 12),
    ("mLapNumber", "<i4", 20),
    ("mLapStartET", "<f8", 24),
    ("mVehicleName", "S64", 32),
    ("mTrackName", "S64", 96),
    ("mPos", "<f8", 160, 3),
    ("mLocalVel", "<f8", 184, 3),
    ("mLocalAccel", "<f8", 208, 3),
    ("mOri", "<f8", 232, (3, 3)),
    ("mLocalRot", "<f8", 304, 3),
    ("mLocalRotAccel", "<f8", 328, 3),
    ("mGear", "<i4", 352),
    ("mEngineRPM", "<f8", 356),
    ("mEngineWaterTemp", "<f8", 364),
    ("mEngineOilTemp", "<f8", 372),
    ("mClutchRPM", "<f8", 380),
    ("mUnfilteredThrottle", "<f8", 388),
    ("mUnfilteredBrake", "<f8", 396),
    ("mUnfilteredSteering", "<f8", 404),
    ("mUnfilteredClutch", "<f8", 412),
    ("mFilteredThrottle", "<f8", 420),
    ("mFilteredBrake", "<f8", 428),
    ("mFilteredSteering", "<f8", 436),
    ("mFilteredClutch", "<f8", 444),
    ("mSteeringShaftTorque", "<f8", 452),
    ("mFront3rdDeflection", "<f8", 460),
    ("mRear3rdDeflection", "<f8", 468),
    ("mFrontWingHeight", "<f8", 476),
    ("mFrontRideHeight", "<f8", 484),
    ("mRearRideHeight", "<f8", 492),
    ("mDrag", "<f8", 500),
    ("mFrontDownforce", "<f8", 508),
    ("mRearDownforce", "<f8", 516),
    ("mFuel", "<f8", 524),
    ("mEngineMaxRPM", "<f8", 532),
    ("mScheduledStops", "u1", 540),
    ("mOverheating", "?", 541),
    ("mDetached", "?", 542),
    ("mHeadlights", "?", 543),
    ("mDentSeverity", "u1", 544, 8),
    ("mLastImpactET", "<f8", 552),
    ("mLastImpactMagnitude", "<f8", 560),
    ("mLastImpactPos", "<f8", 568, 3),
    ("mEngineTorque", "<f8", 592),
    ("mCurrentSector", "<i4", 600),
    ("mSpeedLimiter", "u1", 604),
    ("mMaxGears", "u1", 605),
    ("mFrontTireCompoundIndex", "u1", 606),
    ("mRearTireCompoundIndex", "u1", 607),
    ("mFuelCapacity", "<f8", 608),
    ("mFrontFlapActivated", "u1", 616),
    ("mRearFlapActivated", "u1", 617),
    ("mRearFlapLegalStatus", "u1", 618),
    ("mIgnitionStarter", "u1", 619),
    ("mFrontTireCompoundName", "S18", 620),
    ("mRearTireCompoundName", "S18", 638),
    ("mSpeedLimiterAvailable", "u1", 656),
    ("mAntiStallActivated", "u1", 657),
    ("mVisualSteeringWheelRange", "<f4", 660),
    ("mRearBrakeBias", "<f8", 664),
    ("mTurboBoostPressure", "<f8", 672),
    ("mPhysicsToGraphicsOffset", "<f4", 680, 3),
    ("mPhysicalSteeringWheelRange", "<f4", 692),
    ("mDeltaBest", "<f8", 696),
    ("mBatteryChargeFraction", "<f8", 704),
    ("mElectricBoostMotorTorque", "<f8", 712),
    ("mElectricBoostMotorRPM", "<f8", 720),
    ("mElectricBoostMotorTemperature", "<f8", 728),
    ("mElectricBoostWaterTemperature", "<f8", 736),
    ("mElectricBoostMotorState", "u1", 744),
    ("mWheels", WHEEL, 848, 4),
)

SCORING_INFO = _record(
    548,
    ("mTrackName", "S64", 0),
    ("mSession", "<i4", 64),
    ("mCurrentET", "<f8", 68),
    ("mEndET", "<f8", 76),
    ("mMaxLaps", "<i4", 84),
    ("mLapDist", "<f8", 88),
    ("mNumVehicles", "<i4", 104),
    ("mGamePhase", "u1", 108),
    ("mYellowFlagState", "i1", 109),
    ("mSectorFlag", "i1", 110, 3),
    ("mStartLight", "u1", 113),
    ("mNumRedLights", "u1", 114),
    ("mInRealtime", "?", 115),
    ("mPlayerName", "S32", 116),
    ("mPlrFileName", "S64", 148),
    ("mDarkCloud", "<f8", 212),
    ("mRaining", "<f8", 220),
    ("mAmbientTemp", "<f8", 228),
    ("mTrackTemp", "<f8", 236),
    ("mWind", "<f8", 244, 3),
    ("mMinPathWetness", "<f8", 268),
    ("mMaxPathWetness", "<f8", 276),
    ("mGameMode", "u1", 284),
    ("mIsPasswordProtected", "?", 285),
    ("mServerPort", "<u2", 286),
    ("mServerPublicIP", "<u4", 288),
    ("mMaxPlayers", "<i4", 292),
    ("mServerName", "S32", 296),
    ("mStartET", "<f4", 328),
    ("mAvgPathWetness", "<f8", 332),
)

VEHICLE_SCORING = _record(
    584,
    ("mID", "<i4", 0),
    ("mDriverName", "S32", 4),
    ("mVehicleName", "S64", 36),
    ("mTotalLaps", "<i2", 100),
    ("mSector", "i1", 102),
    ("mFinishStatus", "i1", 103),
    ("mLapDist", "<f8", 104),
    ("mPathLateral", "<f8", 112),
    ("mTrackEdge", "<f8", 120),
    ("mBestSector1", "<f8", 128),
    ("mBestSector2", "<f8", 136),
    ("mBestLapTime", "<f8", 144),
    ("mLastSector1", "<f8", 152),
    ("mLastSector2", "<f8", 160),
    ("mLastLapTime", "<f8", 168),
    ("mCurSector1", "<f8", 176),
    ("mCurSector2", "<f8", 184),
    ("mNumPitstops", "<i2", 192),
    ("mNumPenalties", "<i2", 194),
    ("mIsPlayer", "?", 196),
    ("mControl", "i1", 197),
    ("mInPits", "?", 198),
    ("mPlace", "u1", 199),
    ("mVehicleClass", "S32", 200),
    ("mTimeBehindNext", "<f8", 232),
    ("mLapsBehindNext", "<i4", 240),
    ("mTimeBehindLeader", "<f8", 244),
    ("mLapsBehindLeader", "<i4", 252),
    ("mLapStartET", "<f8", 256),
    ("mPos", "<f8", 264, 3),
    ("mLocalVel", "<f8", 288, 3),
    ("mLocalAccel", "<f8", 312, 3),
    ("mOri", "<f8", 336, (3, 3)),
    ("mLocalRot", "<f8", 408, 3),
    ("mLocalRotAccel", "<f8", 432, 3),
    ("mHeadlights", "u1", 456),
    ("mPitState", "u1", 457),
    ("mServerScored", "u1", 458),
    ("mIndividualPhase", "u1", 459),
    ("mQualification", "<i4", 460),
    ("mTimeIntoLap", "<f8", 464),
    ("mEstimatedLapTime", "<f8", 472),
    ("mPitGroup", "S24", 480),
    ("mFlag", "u1", 504),
    ("mUnderYellow", "?", 505),
    ("mCountLapFlag", "u1", 506),
    ("mInGarageStall", "?", 507),
    ("mUpgradePack", "u1", 508, 16),
    ("mPitLapDist", "<f4", 524),
    ("mBestLapSector1", "<f4", 528),
    ("mBestLapSector2", "<f4", 532),
    ("mSteamID", "<u8", 536),
    ("mVehFilename", "S32", 544),
    ("mAttackMode", "<i2", 576),
    ("mFuelFraction", "u1", 578),
    ("mDRSState", "?", 579),
)

PHYSICS_OPTIONS = _record(
    40,
    ("mTractionControl", "u1", 0),
    ("mAntiLockBrakes", "u1", 1),
    ("mStabilityControl", "u1", 2),
    ("mAutoShift", "u1", 3),
    ("mAutoClutch", "u1", 4),
    ("mInvulnerable", "u1", 5),
    ("mOppositeLock", "u1", 6),
    ("mSteeringHelp", "u1", 7),
    ("mBrakingHelp", "u1", 8),
    ("mSpinRecovery", "u1", 9),
    ("mAutoPit", "u1", 10),
    ("mAutoLift", "u1", 11),
    ("mAutoBlip", "u1", 12),
    ("mFuelMult", "u1", 13),
    ("mTireMult", "u1", 14),
    ("mMechFail", "u1", 15),
    ("mAllowPitcrewPush", "u1", 16),
    ("mRepeatShifts", "u1", 17),
    ("mHoldClutch", "u1", 18),
    ("mAutoReverse", "u1", 19),
    ("mAlternateNeutral", "u1", 20),
    ("mAIControl", "u1", 21),
    ("mManualShiftOverrideTime", "<f4", 24),
    ("mAutoShiftOverrideTime", "<f4", 28),
    ("mSpeedSensitiveSteering", "<f4", 32),
    ("mSteerRatioSpeed", "<f4", 36),
)

TRACKED_DAMAGE = _record(
    16,
    ("mMaxImpactMagnitude", "<f8", 0),
    ("mAccumulatedImpactMagnitude", "<f8", 8),
)

VEHICLE_CAPTURE = _record(
    8,
    ("mID", "<i4", 0),
    ("mPlace", "u1", 4),
    ("mIsPlayer", "?", 5),
    ("mFinishStatus", "i1", 6),
)

TRANSITION_CAPTURE = _record(
    1036,
    ("mGamePhase", "u1", 0),
    ("mSession", "<i4", 4),
    ("mNumScoringVehicles", "<i4", 8),
    ("mScoringVehicles", VEHICLE_CAPTURE, 12, 128),
)

EXTENDED_PAYLOAD = _record(
    10144,
    ("mVersion", "S12", 0),
    ("is64bit", "?", 12),
    ("mPhysics", PHYSICS_OPTIONS, 16),
    ("mTrackedDamages", TRACKED_DAMAGE, 56, 512),
    ("mInRealtimeFC", "?", 8248),
    ("mMultimediaThreadStarted", "?", 8249),
    ("mSimulationThreadStarted", "?", 8250),
    ("mSessionStarted", "?", 8251),
    ("mTicksSessionStarted", "<u8", 8252),
    ("mTicksSessionEnded", "<u8", 8260),
    ("mSessionTransitionCapture", TRANSITION_CAPTURE, 8268),
    ("mDisplayedMessageUpdateCapture", "S128", 9304),
    ("mDirectMemoryAccessEnabled", "?", 9432),
    ("mTicksStatusMessageUpdated", "<u8", 9436),
    ("mStatusMessage", "S128", 9444),
    ("mTicksLastHistoryMessageUpdated", "<u8", 9572),
    ("mLastHistoryMessage", "S128", 9580),
    ("mCurrentPitSpeedLimit", "<f4", 9708),
    ("mSCRPluginEnabled", "?", 9712),
    ("mSCRPluginDoubleFileType", "<i4", 9716),
    ("mTicksLSIPhaseMessageUpdated", "<u8", 9720),
    ("mLSIPhaseMessage", "S96", 9728),
    ("mTicksLSIPitStateMessageUpdated", "<u8", 9824),
    ("mLSIPitStateMessage", "S96", 9832),
    ("mTicksLSIOrderInstructionMessageUpdated", "<u8", 9928),
    ("mLSIOrderInstructionMessage", "S96", 9936),
    ("mTicksLSIRulesInstructionMessageUpdated", "<u8", 10032),
    ("mLSIRulesInstructionMessage", "S96", 10040),
    ("mUnsubscribedBuffersMask", "<i4", 10136),
    ("mHWControlInputEnabled", "?", 10140),
    ("mWeatherControlInputEnabled", "?", 10141),
    ("mRulesControlInputEnabled", "?", 10142),
    ("mPluginControlInputEnabled", "?", 10143),
)

TELEMETRY = _record(
    241_680,
    ("mVersionUpdateBegin", "<u4", 0),
    ("mVersionUpdateEnd", "<u4", 4),
    ("mBytesUpdatedHint", "<i4", 8),
    ("mNumVehicles", "<i4", 12),
    ("mVehicles", VEHICLE_TELEMETRY, 16, MAX_VEHICLES),
)

SCORING = _record(
    75_312,
    ("mVersionUpdateBegin", "<u4", 0),
    ("mVersionUpdateEnd", "<u4", 4),
    ("mBytesUpdatedHint", "<i4", 8),
    ("mScoringInfo", SCORING_INFO, 12),
    ("mVehicles", VEHICLE_SCORING, 560, MAX_VEHICLES),
)

EXTENDED = _record(
    10_152,
    ("mVersionUpdateBegin", "<u4", 0),
    ("mVersionUpdateEnd", "<u4", 4),
    ("mExtended", EXTENDED_PAYLOAD, 8),
)


@dataclass(frozen=True)
class Buffer:
    """One shared-memory file of the plugin."""

    name: str
    """Short name: Telemetry, Scoring, ..."""
    dtype: np.dtype[np.void]
    """Layout of the whole file, version block included."""
    unsubscribe_bit: int
    """Bit of mUnsubscribedBuffersMask that keeps this buffer empty; 0: cannot be unsubscribed."""

    @property
    def file_name(self) -> str:
        """Name of the file in the buffer folder (normally /dev/shm)."""
        return f"$rFactor2SMMP_{self.name}$"

    @property
    def size(self) -> int:
        """Bytes the plugin gives the file. Bridges may make it larger, never smaller."""
        return self.dtype.itemsize


Telemetry: Final = Buffer("Telemetry", TELEMETRY, 1)
Scoring: Final = Buffer("Scoring", SCORING, 2)
Extended: Final = Buffer("Extended", EXTENDED, 0)

BUFFERS: Final = (Telemetry, Scoring, Extended)
"""The buffers rigd reads. The plugin has six more (rules, force feedback, graphics, ...)."""

TELEMETRY_HEAD: Final = 16
"""Bytes before the first telemetry record; hint + 8 bytes of a full frame = 16 + 1888 n."""

SCORING_HEAD: Final = 560
"""Bytes before the first scoring record."""
