import numpy as np

from rigd.demo.car import CLASSES
from rigd.demo.circuit import build
from rigd.demo.race import GREEN_S, Race

_DRIVING = 600  # frames until everybody is at speed


def _world_velocity(frames: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("fcij,fcj->fci", frames["mOri"], frames["mLocalVel"]))


def test_positions_are_the_integral_of_velocity(drive: np.ndarray) -> None:
    moved = (drive["mPos"][2:] - drive["mPos"][:-2]) / 0.04
    error = np.abs(moved - _world_velocity(drive)[1:-1])[_DRIVING:]
    assert error.mean() < 0.06
    assert np.percentile(error, 99.9) < 0.8


def test_acceleration_is_the_derivative_of_velocity(drive: np.ndarray) -> None:
    speed = np.linalg.norm(drive["mLocalVel"], axis=2)[_DRIVING:]
    slope = (speed[10:] - speed[:-10]) / 0.2
    kernel = np.ones(10) / 10
    for car in range(speed.shape[1]):
        felt = np.convolve(-drive["mLocalAccel"][_DRIVING:, car, 2], kernel, "valid")[1:]
        assert np.abs(felt[: len(slope)] - slope[:, car]).mean() < 0.5


def test_orientation_is_a_rotation(drive: np.ndarray) -> None:
    ori = drive["mOri"][::50]
    assert np.allclose(ori @ np.swapaxes(ori, -1, -2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(ori), 1.0)


def test_yaw_rate_is_positive_to_the_right(drive: np.ndarray) -> None:
    forward = -drive["mOri"][..., 2]
    bearing = np.unwrap(np.arctan2(-forward[..., 0], -forward[..., 2]), axis=0)
    rate = np.diff(bearing, axis=0)[_DRIVING:] / 0.02
    assert np.abs(rate - drive["mLocalRot"][_DRIVING + 1 :, :, 1]).max() < 1e-6


def test_right_turns_push_to_the_left_and_load_the_left_wheels(drive: np.ndarray) -> None:
    frames = drive[_DRIVING:]
    right = (frames["mLocalRot"][..., 1] > 0.25) & (frames["mUnfilteredSteering"] > 0.05)
    assert right.any()
    assert (frames["mLocalAccel"][right][:, 0] < 0.0).mean() > 0.98
    loads = frames["mWheels"]["mTireLoad"][right]
    assert ((loads[:, 0] + loads[:, 2]) > (loads[:, 1] + loads[:, 3])).mean() > 0.95


def test_speeds_stay_within_the_friction_circle(drive: np.ndarray) -> None:
    race = Race(8, seed=2)
    accel, speed = drive["mLocalAccel"][_DRIVING:], np.linalg.norm(drive["mLocalVel"][_DRIVING:], axis=2)
    for car, one in enumerate(race.field.class_of):
        spec = CLASSES[one]
        room = spec.grip * (9.81 + spec.downforce / spec.mass * speed[:, car] ** 2)
        room += spec.drag / spec.mass * speed[:, car] ** 2
        used = np.hypot(accel[:, car, 0], accel[:, car, 2]) / room
        assert np.percentile(used, 99.5) < 1.08
        assert used.max() > 0.8
    assert 65.0 < speed.max() < 95.0
    assert speed.min() > 12.0


def test_a_standing_car_stands(drive: np.ndarray) -> None:
    waiting = drive[: int(GREEN_S * 50) - 10]
    assert np.ptp(waiting["mPos"], axis=0).max() < 1e-9
    assert (np.linalg.norm(waiting["mLocalVel"], axis=2) == 0.0).all()


def test_brakes_heat_up_under_braking_and_cool_after(drive: np.ndarray) -> None:
    temps, pedal = drive["mWheels"]["mBrakeTemp"][_DRIVING:, :, 0], drive["mUnfilteredBrake"][_DRIVING:]
    change = np.diff(temps, axis=0)
    assert (change[pedal[1:] > 0.5] > 0.0).mean() > 0.98
    assert (change[pedal[1:] == 0.0] < 0.0).mean() > 0.95
    assert temps.min() > 400.0
    assert 600.0 < temps.max() < 1300.0


def test_tyres_are_in_kelvin_and_their_strips_differ(drive: np.ndarray) -> None:
    wheels = drive["mWheels"][_DRIVING:]
    for name in ("mTemperature", "mTireCarcassTemperature", "mTireInnerLayerTemperature"):
        assert wheels[name].min() > 300.0, name
        assert wheels[name].max() < 450.0, name
    assert np.abs(wheels["mTemperature"][..., 0] - wheels["mTemperature"][..., 2]).mean() > 1.0
    assert 130.0 < wheels["mPressure"].min() < wheels["mPressure"].max() < 200.0


def test_consumables_only_fall(drive: np.ndarray) -> None:
    assert (np.diff(drive["mFuel"], axis=0) < 0.0).all()
    assert (np.diff(drive["mWheels"]["mWear"], axis=0) <= 0.0).all()
    assert drive["mWheels"]["mWear"].min() > 0.5
    assert (drive["mFuel"][0] - drive["mFuel"][-1] > 1.0).all()


def test_wheels_turn_backwards_in_the_games_eyes(drive: np.ndarray) -> None:
    wheels, speed = drive["mWheels"][_DRIVING:], np.linalg.norm(drive["mLocalVel"][_DRIVING:], axis=2)
    assert (wheels["mRotation"] < 0.0).all()
    rolled = -wheels["mRotation"] * wheels["mStaticUndeflectedRadius"] / 100.0
    assert np.abs(rolled / speed[..., None] - 1.0).mean() < 0.05
    assert np.percentile(np.abs(rolled / speed[..., None] - 1.0), 99.9) < 0.3


def test_pedals_reach_their_stops_and_tremble_between(drive: np.ndarray) -> None:
    throttle, brake = drive["mUnfilteredThrottle"][_DRIVING:], drive["mUnfilteredBrake"][_DRIVING:]
    assert 0.25 < (throttle == 1.0).mean() < 0.85
    assert (brake == 0.0).mean() > 0.5
    assert ((throttle > 0.3) & (brake > 0.3)).mean() < 0.01
    part = throttle[(throttle > 0.2) & (throttle < 0.8)]
    assert len(np.unique(part)) == len(part)


def test_gears_and_revs_follow_the_speed(drive: np.ndarray) -> None:
    frames = drive[_DRIVING:]
    assert set(np.unique(frames["mGear"])) >= {2, 3, 4, 5, 6}
    assert (frames["mEngineRPM"] < frames["mEngineMaxRPM"] * 1.03).all()
    assert frames["mEngineRPM"].min() > 1500.0
    assert (np.abs(np.diff(frames["mGear"], axis=0)) <= 1).all()


def test_the_road_shakes_the_car(drive: np.ndarray) -> None:
    """Smooth channels would flatter whatever compresses them: second differences must not vanish."""
    frames = drive[_DRIVING:]
    for name in ("mSuspensionDeflection", "mTireLoad", "mRotation", "mLateralForce", "mTemperature"):
        column = frames["mWheels"][name].reshape(len(frames), -1)
        assert (np.diff(column, n=2, axis=0) != 0.0).mean() > 0.99, name
    assert frames["mLocalAccel"][..., 1].std() > 0.4


def test_only_some_cars_are_hybrids(drive: np.ndarray) -> None:
    state = drive["mElectricBoostMotorState"][_DRIVING:]
    hybrid = drive["mBatteryChargeFraction"][0] > 0.0
    assert 0 < hybrid.sum() < len(hybrid)
    assert (state[:, ~hybrid] == 0).all()
    assert set(np.unique(state[:, hybrid])) == {1, 2, 3}
    assert (drive["mTurboBoostPressure"][_DRIVING:, ~hybrid].max(axis=0) > 50e3).all()


def test_lap_distance_is_where_the_car_is(drive: np.ndarray) -> None:
    circuit = build()
    for x, _, z in drive["mPos"][_DRIVING::400].reshape(-1, 3):
        nearest = np.hypot(circuit.x - x, circuit.z - z).min()
        assert nearest < 12.0
