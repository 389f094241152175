"""The profile of real recordings: what they leave at 0 is at 0, all else goes on, and the registry knows."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from rig.channels import PHYSICS
from rigd.__main__ import rigd_command
from rigd.demo.profile import UNFILLED
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring
from rigd.sources.rf2.layout import VEHICLE_TELEMETRY


def filled(records: np.ndarray) -> set[str]:
    """Names of the fields that are not nothing, those of wheels with a dot."""
    cars = {name for name in VEHICLE_TELEMETRY.names or () if name != "mWheels" and any_set(records[name])}
    wheels = records["mWheels"]
    return cars | {f"mWheels.{name}" for name in wheels.dtype.names or () if any_set(wheels[name])}


def any_set(values: np.ndarray) -> bool:
    return bool((values != np.zeros((), values.dtype)).any())


def test_real_recordings_hold_nothing_of_these_fields_and_the_race_is_the_same() -> None:
    full, real = Race(4, seed=3, short=True), Race(4, seed=3, short=True, real=True)
    ever = [set[str](), set[str]()]
    for _ in range(1500):
        for race, seen in zip((full, real), ever, strict=True):
            race.step()
            seen |= filled(race.records)
    assert not ever[1] & set(UNFILLED)
    assert ever[0] - set(UNFILLED) == ever[1]
    assert {"mEngineWaterTemp", "mWheels.mTireLoad", "mPhysicalSteeringWheelRange"} <= ever[0]
    np.testing.assert_array_equal(full.records["mPos"], real.records["mPos"])
    assert set(real.records["mVisualSteeringWheelRange"]) == {719.0}


def test_rain_and_wetness_are_not_told() -> None:
    race = Race(2, seed=3, short=True, real=True)
    race.weather.rain = race.weather.wetness = 0.5
    scoring = Scoring(race)
    scoring.update()
    for name in ("mRaining", "mMinPathWetness", "mMaxPathWetness", "mAvgPathWetness"):
        assert scoring.info[name] == 0, name
    assert scoring.info["mTrackTemp"] != 0


def test_the_registry_knows_that_zeros_of_these_fields_are_none() -> None:
    channels = {channel.source: channel for channel in PHYSICS.channels}
    for source in UNFILLED:
        channel = channels[source]
        assert channel.zeros_absent or channel.missing_non_positive, source
    for source in ("mUnfilteredBrake", "mUnfilteredThrottle", "mGear", "mWheels.mFlat", "mLocalVel"):
        assert not channels[source].zeros_absent, source


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(rigd_command, ["demo-game", "--buffers", str(tmp_path), "--profile", "ideal"])
    assert result.exit_code == 2
    assert "'full', 'real'" in result.output
