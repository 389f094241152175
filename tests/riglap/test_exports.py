"""A lap of the simulated game as .ld, CSV and Parquet, with all fields and with those of real recordings:
every column of every file is what the game held, read by programs that know nothing of ours.

The .ld file and the CSV are read by what is written here from the formats' descriptions, Parquet by DuckDB.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pytest

from rig.channels import PHYSICS
from rig.lapfile import pack
from rig.v1 import session_pb2
from rigd.demo.profile import UNFILLED
from rigd.gather.gather import gather
from rigd.ring import RingReader
from riglap import extras
from riglap.export import csv, motec, parquet
from riglap.lap import Lap
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape
from tests.riglap import ld_reader

Array = np.ndarray[Any, np.dtype[Any]]

HOLE: Final = (30.0, 0.5)
"""Seconds after the start, and how long it is."""
STEP: Final = 7
"""Every so many values of the .ld file are compared."""
ENDINGS: Final = {1: ("",), 3: ("_x", "_y", "_z"), 4: ("_fl", "_fr", "_rl", "_rr")}
REAL: Final = {channel.name for channel in PHYSICS.channels if channel.source in UNFILLED}
TRUE_ZEROS: Final = {"in_pit_lane", "wheel_flat", "overheating", "surface_type", "anti_stall"}
"""Channels whose zeros are the game's word."""

WHEELS: Final = ("FL", "FR", "RL", "RR")
G: Final = 9.80665
LD: Final = {
    "speed": ("Ground Speed", "km/h", 3.6),
    "throttle": ("Throttle Pos", "%", 100),
    "brake": ("Brake Pos", "%", 100),
    "clutch": ("Clutch Pos", "%", 100),
    "throttle_applied": ("Throttle Applied", "%", 100),
    "brake_applied": ("Brake Applied", "%", 100),
    "clutch_applied": ("Clutch Applied", "%", 100),
    "steering_applied": ("Steering Applied", "ratio", 1),
    "engine_water_temp": ("Eng Water Temp", "C", 1),
    "engine_oil_temp": ("Eng Oil Temp", "C", 1),
    "engine_rpm": ("Engine RPM", "rpm", 1),
    "rear_brake_bias": ("Brake Bias Rear", "%", 100),
    "battery_charge": ("Battery Charge", "%", 100),
    "fuel": ("Fuel Level", "l", 1),
    "turbo_boost": ("Boost Pressure", "kPa", 1),
    "distance": ("Lap Distance", "m", 1),
    "lap_time": ("Running Lap Time", "s", 1),
    "local_acceleration_x": ("G Force Lat", "G", -1 / G),
    "local_acceleration_y": ("G Force Vert", "G", 1 / G),
    "local_acceleration_z": ("G Force Long", "G", -1 / G),
    "local_rotation_y": ("Gyro Yaw Velocity", "deg/s", 180 / np.pi),
}
LD_WHEELS: Final = {
    "tyre_pressure": ("Tyre Pressure", "kPa", 1),
    "tyre_load": ("Tyre Load", "N", 1),
    "tyre_tread": ("Tyre Tread", "%", 100),
    "tyre_carcass_temp": ("Tyre Carcass Temp", "C", 1),
    "brake_temp": ("Brake Temp", "C", 1),
    "brake_pressure": ("Brake Pressure", "%", 100),
    "sliding_fraction": ("Sliding Fraction", "%", 100),
    "camber": ("Camber", "deg", 180 / np.pi),
    "toe": ("Toe", "deg", 180 / np.pi),
    "suspension_deflection": ("Susp Pos", "mm", 1000),
    "wheel_ride_height": ("Ride Height", "mm", 1000),
    "wheel_rotation": ("Wheel Rot Speed", "rad/s", -1),
}
ACROSS: Final = {"tyre_temp": "Tyre Temp", "tyre_inner_temp": "Tyre Inner Temp"}
UNITS: Final = {"°C": "C", "m/s²": "m/s/s", "rad/s²": "rad/s/s"}
MADE: Final = ["GPS Altitude", "GPS Latitude", "GPS Longitude", "Ambient Temp", "Track Temp", "Beacon"]


class Driven(NamedTuple):
    """A lap, what the archive put into its file, and the same as columns."""

    lap: Lap
    columns: dict[str, Array]
    channel: dict[str, str]
    """The channel of every column."""
    profile: str


@pytest.fixture(scope="module", params=["full", "real"])
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driven:
    shown = RaceFrames(2, short=True, real=request.param == "real")
    with np.errstate(all="ignore"):  # as the recorder does
        tape = Tape(tmp_path_factory.mktemp("exports"), cars=2, shown=shown)
        tape.drive(HOLE[0])
        for _ in range(round(HOLE[1] * shown.race.rate)):
            tape.frame(lost=True)
    tape.drive(18.0)
    laps = [lap for lap in tape.closed() if lap.complete][:1]
    tape.close()
    ring = RingReader(tape.data / "ring")
    (found,) = gather(ring, laps, session_pb2.Session(name="sessions/x", track_name="Meander Valley"))
    ring.close()
    channel = {name: own for own, values in found.samples.items() for name in named(own, values)}
    columns = {
        name: part for own, values in found.samples.items() for name, part in named(own, values).items()
    }
    return Driven(Lap.from_bytes(pack(found.header, found.samples, {})), columns, channel, request.param)


def named(name: str, values: Array) -> dict[str, Array]:
    """Columns of single values."""
    table = values.reshape(len(values), -1)
    endings = ENDINGS.get(table.shape[1]) or [f"_{at}" for at in range(table.shape[1])]
    return {name + ending: table[:, at] for at, ending in enumerate(endings)}


def read_csv(path: Path) -> dict[str, list[str]]:
    """The texts of every column."""
    lines = path.read_text("utf-8").split("\n")
    names, *rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    assert {len(row) for row in rows} == {len(names)}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def number(text: str, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return {"True": True, "False": False}[text]
    return dtype.type(text) if text else dtype.type(np.nan)


def in_tables(driven: Driven) -> dict[str, Array]:
    """The columns that CSV and Parquet should have."""
    gone = set(driven.lap.unavailable())
    return {name: values for name, values in driven.columns.items() if driven.channel[name] not in gone}


def test_what_the_game_does_not_fill_is_not_available_and_all_else_is(driven: Driven) -> None:
    gone = set(driven.lap.unavailable())
    assert (
        gone >= REAL if driven.profile == "real" else not gone & {"engine_water_temp", "tyre_load", "clutch"}
    )
    assert not gone & TRUE_ZEROS
    for name in gone - {"boost_motor_temp", "boost_water_temp"}:
        assert not driven.lap[name].any(), name
    if driven.profile == "real":
        assert np.ptp(driven.lap.visual_steering_range) == 0
        assert driven.lap.visual_steering_range[0] == pytest.approx(np.radians(719))


def test_csv_column_by_column(driven: Driven, tmp_path: Path) -> None:
    csv.write(driven.lap, tmp_path / "lap.csv")
    found, due = read_csv(tmp_path / "lap.csv"), in_tables(driven)
    assert sorted(found) == sorted(due)
    for name, values in due.items():
        read = np.array([number(text, values.dtype) for text in found[name]], values.dtype)
        np.testing.assert_array_equal(read, values, err_msg=name)


def test_parquet_column_by_column(driven: Driven, tmp_path: Path) -> None:
    parquet.write(driven.lap, tmp_path / "lap.parquet")
    duckdb = extras.need("duckdb", "warehouse")
    with duckdb.connect() as db:
        found = db.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "lap.parquet")]).fetchnumpy()
    due = in_tables(driven)
    assert sorted(found) == sorted(due)
    for name, values in due.items():
        assert found[name].dtype == values.dtype, name
        np.testing.assert_array_equal(np.ma.getdata(found[name]), values, err_msg=name)


def test_pandas_reads_the_same_from_both(driven: Driven, tmp_path: Path) -> None:
    pd = extras.need("pandas", "export")
    csv.write(driven.lap, tmp_path / "lap.csv")
    parquet.write(driven.lap, tmp_path / "lap.parquet")
    text = pd.read_csv(tmp_path / "lap.csv", comment="#")
    table = pd.read_parquet(tmp_path / "lap.parquet")
    assert list(text) == list(table) == list(driven.lap.to_pandas())
    for name in table:
        np.testing.assert_array_equal(text[name].astype(table[name].dtype), table[name], err_msg=name)


def ld_name(name: str, channel: str, unit: str) -> tuple[str, str, float]:
    """What MoTeC should call a column, its unit there, and the factor."""
    ending = name.removeprefix(channel)[1:]
    if name in LD:
        return LD[name]
    if channel in LD_WHEELS:
        known, unit, factor = LD_WHEELS[channel]
        return f"{known} {ending.upper()}", unit, factor
    if channel in ACROSS:
        wheel = WHEELS[int(ending) // 3]
        across = ("Outer", "Centre", "Inner") if wheel[1] == "L" else ("Inner", "Centre", "Outer")
        return f"{ACROSS[channel]} {wheel} {across[int(ending) % 3]}", "C", 1
    words = (
        word.upper() if word in ("fl", "fr", "rl", "rr", "rpm") else word.capitalize()
        for word in name.split("_")
    )
    return " ".join(words), "ratio" if channel == "orientation" else UNITS.get(unit, unit), 1


def test_ld_column_by_column(driven: Driven, tmp_path: Path) -> None:
    motec.write([driven.lap], tmp_path / "lap.ld")
    log = ld_reader.read((tmp_path / "lap.ld").read_bytes())
    lap = driven.lap
    left = dict(log.channels)
    for name, values in in_tables(driven).items():
        channel = driven.channel[name]
        if values.dtype.itemsize == 8 and values.dtype.kind == "u":
            continue  # seq and capture_time_ns
        known, unit, factor = ld_name(name, channel, lap.unit(channel))
        if channel == "steering":
            lock = lap.physical_steering_range if driven.profile == "full" else lap.visual_steering_range
            known, unit, factor = "Steering Wheel Position", "deg", float(np.degrees(lock[0])) / 2
        found = left.pop(known)
        assert (found.unit, found.rate) == (unit, 50), name
        np.testing.assert_allclose(
            found.values[::STEP], on_grid(lap, values, len(found.values)) * factor, 2e-6, 1e-6, err_msg=name
        )
    assert sorted(left) == sorted(MADE)
    assert len({one.short for one in log.channels.values()}) == len(log.channels)
    check_made(driven, log)


def on_grid(lap: Lap, values: Array, count: int) -> Array:
    """The nearest that is known at every 50th of a second, by a plain search, of some of them."""
    numbers = values.astype(np.float64)
    known = np.isfinite(numbers)
    clock = lap.lap_time[known]
    rows = [int(np.argmin(np.abs(clock - at / 50))) for at in range(0, count, STEP)]
    return np.asarray(numbers[known][rows])


def check_made(driven: Driven, log: ld_reader.Log) -> None:
    lap, channels = driven.lap, log.channels
    count = len(channels["Beacon"].values)
    assert np.flatnonzero(channels["Beacon"].values).tolist() == [count - 1]
    north, east = channels["GPS Latitude"].values * 111_194.93, channels["GPS Longitude"].values * 111_194.93
    np.testing.assert_allclose(north[::STEP], on_grid(lap, lap.position[:, 2], count), atol=0.01)
    np.testing.assert_allclose(east[::STEP], on_grid(lap, lap.position[:, 0], count), atol=0.01)
    area = float(np.sum(east * np.roll(north, -1) - np.roll(east, -1) * north)) / 2
    assert np.sign(area) == -np.sign(lap.local_rotation[:, 1].mean()), "right turns are right on the map"
    weather = lap.session.state.weather
    assert set(channels["Track Temp"].values) == {np.float32(weather.track_temp)}
    assert set(channels["Ambient Temp"].values) == {np.float32(weather.ambient_temp)}
    assert channels["Wheel Rot Speed FL"].values.mean() > 0
    assert "Holes: 1; samples known to be missing in them: 25." in log.event_comment
    assert ("Not available: " in log.event_comment and "tyre_load" in log.event_comment) == (
        driven.profile == "real"
    )
