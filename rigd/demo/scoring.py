"""The scoring table: what the game publishes five times a second of session time."""

from typing import Final

import numpy as np

from rigd.demo import profile
from rigd.demo.car import CLASSES
from rigd.demo.race import FIRST_RACE, GREEN_S, RED_LIGHTS, Phase, Race
from rigd.demo.sheet import Records
from rigd.sources.rf2.layout import SCORING_INFO, VEHICLE_SCORING

PLAYER_CONTROL: Final = 0
AI_CONTROL: Final = 1
COUNTED: Final = 2
NOT_TIMED: Final = 1

_KINEMATIC_BYTES: Final = 192
"""mPos through mLocalRotAccel: the same 24 doubles in both records."""
_TELEMETRY_POS: Final = 160
_SCORING_POS: Final = 264
_INDIVIDUAL_YELLOW: Final = 10
_BLUE: Final = 6
_FLICKER_UPDATE: Final = 2
_PER_LIGHT_S: Final = 1.0


class Scoring:
    """Fills `info` and `vehicles` from a race. Vehicles stand in scoring order, not in telemetry order."""

    def __init__(self, race: Race, number: int = FIRST_RACE) -> None:
        self.info: np.ndarray[tuple[()], np.dtype[np.void]] = np.zeros((), SCORING_INFO)
        self.vehicles: Records = np.zeros(race.field.cars, VEHICLE_SCORING)
        self._race = race
        self._fill: Records = np.zeros(race.field.cars, VEHICLE_SCORING)
        self._inside = np.zeros(race.field.cars, np.int64)  # updates since the car came in
        self._write_event(number)
        self._write_entries()

    def update(self) -> None:
        """Take the state of the race at its present clock."""
        self._write_session()
        self._write_weather()
        self._write_motion()
        self._write_times()
        self._write_order()
        self._write_states()
        np.take(self._rows(self._fill), self._race.field.scoring_order, axis=0, out=self._rows(self.vehicles))

    @staticmethod
    def _rows(table: Records) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Return the records as rows of bytes: numpy leaves padding undefined when it picks records."""
        return table.view(np.uint8).reshape(len(table), -1)

    def _write_event(self, number: int) -> None:
        info, race = self.info, self._race
        info["mTrackName"] = race.circuit.name.encode()
        info["mSession"], info["mMaxLaps"] = number, race.laps
        info["mEndET"] = -1.0
        info["mLapDist"], info["mNumVehicles"] = race.circuit.length, race.field.cars
        info["mPlayerName"] = race.driver_bytes(race.field.player)
        info["mPlrFileName"], info["mServerName"] = b"player", b""
        info["mInRealtime"], info["mMaxPlayers"] = True, race.field.cars
        info["mStartET"] = 13.5 * 3600.0
        info["mNumRedLights"] = RED_LIGHTS

    def _write_entries(self) -> None:
        table, race, field = self._fill, self._race, self._race.field
        table["mID"] = field.ids
        table["mVehicleName"] = [entry.vehicle for entry in field.entries]
        table["mVehFilename"] = [entry.file for entry in field.entries]
        table["mPitGroup"] = [entry.team for entry in field.entries]
        table["mVehicleClass"] = [CLASSES[one].name.encode() for one in field.class_of]
        table["mIsPlayer"][field.player] = True
        table["mControl"] = np.where(table["mIsPlayer"], PLAYER_CONTROL, AI_CONTROL)
        table["mQualification"] = race.grid + 1
        table["mServerScored"] = 1
        table["mPitLapDist"] = race.pits.box

    def _write_session(self) -> None:
        info, race = self.info, self._race
        info["mCurrentET"], info["mGamePhase"] = race.clock, race.phase
        info["mYellowFlagState"] = race.flags.caution
        info["mSectorFlag"] = [int(flag) for flag in race.flags.yellow]
        lit = int((race.clock - GREEN_S) / _PER_LIGHT_S + RED_LIGHTS + 1)
        info["mStartLight"] = min(max(lit, 0), RED_LIGHTS + 1) if race.phase >= Phase.COUNTDOWN else 0
        info["mPlayerName"] = race.driver_bytes(race.field.player)

    def _write_weather(self) -> None:
        info, sky = self.info, self._race.weather
        info["mDarkCloud"], info["mRaining"] = sky.cloud, sky.rain
        info["mAmbientTemp"], info["mTrackTemp"], info["mWind"] = sky.ambient, sky.track, sky.wind
        info["mAvgPathWetness"] = sky.wetness
        info["mMinPathWetness"], info["mMaxPathWetness"] = 0.8 * sky.wetness, min(1.15 * sky.wetness, 1.0)
        if self._race.real:
            profile.leave_out_weather(info)

    def _write_motion(self) -> None:
        """Place and motion: the same numbers as the telemetry frame of this clock."""
        table, race = self._fill, self._race
        source, target = self._rows(race.records), self._rows(table)
        target[:, _SCORING_POS : _SCORING_POS + _KINEMATIC_BYTES] = source[
            :, _TELEMETRY_POS : _TELEMETRY_POS + _KINEMATIC_BYTES
        ]
        lateral = race.lateral()
        table["mLapDist"], table["mPathLateral"] = race.motion.s, lateral
        table["mTrackEdge"] = np.copysign(race.width() / 2, lateral)
        table["mHeadlights"] = race.records["mHeadlights"]
        table["mFuelFraction"] = 255.0 * race.engine.fuel / race.field.fleet.tank_l

    def _write_times(self) -> None:
        table, timing = self._fill, self._race.timing
        table["mTotalLaps"], table["mLapStartET"] = timing.laps, timing.lap_start
        table["mSector"] = (timing.sector() + 1) % 3
        table["mCurSector1"], table["mCurSector2"] = timing.current
        table["mLastSector1"], table["mLastSector2"], table["mLastLapTime"] = timing.last
        table["mBestSector1"], table["mBestSector2"], table["mBestLapTime"] = timing.best
        table["mBestLapSector1"], table["mBestLapSector2"] = timing.best_lap_sectors
        table["mCountLapFlag"] = np.where(timing.valid, COUNTED, NOT_TIMED)
        table["mTimeIntoLap"] = self._race.clock - np.where(timing.lap_start > 0.0, timing.lap_start, GREEN_S)
        table["mEstimatedLapTime"] = np.where(timing.best[2] > 0.0, timing.best[2], self._guess_s())

    def _guess_s(self) -> float:
        """Return seconds of a lap before anybody has driven one."""
        return self._race.circuit.length / 42.0

    def _write_order(self) -> None:
        """Write places and gaps; who has finished keeps the place of the flag."""
        table, race = self._fill, self._race
        order = race.order()
        metres = race.timing.progress()[order]
        behind = np.maximum(metres[0] - metres, 0.0)
        ahead = np.maximum(np.roll(metres, 1) - metres, 0.0)
        ahead[0] = 0.0
        lap_m, lap_s = race.circuit.length, self._guess_s()
        table["mPlace"][order] = np.arange(1, len(order) + 1)
        for name, gap in (("Leader", behind), ("Next", ahead)):
            table[f"mLapsBehind{name}"][order] = gap // lap_m
            table[f"mTimeBehind{name}"][order] = gap / lap_m * lap_s

    def _in_pits(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return who is in the lane or in the garage; every fifth car's flag drops once, 0.2 s after it
        went up.
        """
        inside = self._race.pits.in_lane() | self._race.garage
        self._inside = (self._inside + 1) * inside
        dropped = (self._inside == _FLICKER_UPDATE) & (self._race.field.ids % 5 == 0)
        return np.asarray(inside & ~dropped)

    def _write_states(self) -> None:
        table, race = self._fill, self._race
        table["mDriverName"] = race.drivers()
        table["mInPits"], table["mPitState"] = self._in_pits(), race.pits.stage
        table["mNumPitstops"], table["mInGarageStall"] = race.pits.stops, race.garage
        table["mFinishStatus"] = np.where(race.retired, 2, race.finish_rank > 0)
        table["mFlag"] = _BLUE * race.traffic.blue
        slow = np.take(race.flags.yellow, race.timing.sector()) | (race.phase == Phase.CAUTION)
        table["mUnderYellow"] = slow
        table["mIndividualPhase"] = np.where(
            slow & (race.phase >= Phase.GREEN), _INDIVIDUAL_YELLOW, race.phase
        )
