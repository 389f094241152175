"""Files of the old collector, together and by themselves."""

from pathlib import Path

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.collector import DIALECT
from tests.imports import known
from tests.imports.dialects import written_collector as written
from tests.imports.dialects.reading import Read, head_of, near, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("collector")
    written.write_ten(made, known.laps())
    return made


@pytest.fixture(scope="module")
def ten(folder: Path) -> Read:
    return read(DIALECT, folder / "lap001_tyre.csv")


def test_any_file_stands_for_its_session(folder: Path) -> None:
    together = DIALECT.together(folder / "lap002_brake.csv")
    assert len(together) == 30
    assert [path.name[:6] for path in together] == ["lap000"] * 10 + ["lap001"] * 10 + ["lap002"] * 10
    assert all(DIALECT.recognises(head_of(path)) for path in together)


def test_channels_of_ten_files_on_one_clock(ten: Read) -> None:
    for lap, expected in zip(ten.laps[0], known.laps(), strict=True):
        samples = lap.samples
        assert near(samples["elapsed_time"], expected.clock, 0)
        assert near(samples["lap_time"], expected.lap_time, 1e-6)
        for channel, values, within in (
            ("position", expected.position, 1e-4),
            ("speed", expected.speed, 1e-5),
            ("throttle", expected.throttle, 1e-6),
            ("throttle_applied", expected.throttle * 0.9, 1e-6),
            ("brake", expected.brake, 1e-6),
            ("gear", expected.gear, 0),
            ("engine_rpm", expected.rpm, 1e-3),
            ("brake_temp", expected.brake_temp, 1e-4),
            ("tyre_temp", expected.tyre_temp, 1e-4),
            ("tyre_carcass_temp", expected.carcass, 1e-4),
            ("tyre_pressure", expected.pressure, 1e-4),
            ("tyre_tread", expected.tread, 1e-6),
            ("suspension_deflection", expected.deflection, 1e-7),
            ("game_distance", expected.distance, 1e-3),
        ):
            assert near(samples[channel], values, within), channel
        assert near(samples["local_acceleration"][:, 0], expected.left, 1e-4)
        assert near(samples["local_velocity"][:, 2], -expected.speed, 1e-4)
        assert near(samples["turbo_boost"], 104.0, 1e-4)
        assert near(samples["rear_brake_bias"], 0.4875, 1e-6)
        assert near(samples["visual_steering_range"], np.radians(719), 1e-5)
        assert near(samples["dent_severity"][:, 1], 1, 0)


def test_laps_are_timed_by_the_rows_of_the_next_one(ten: Read) -> None:
    one, two, last = ten.laps[0]
    for lap, expected in ((one, known.laps()[0]), (two, known.laps()[1])):
        assert (lap.lap_time_s, lap.official, lap.valid, lap.complete) == (expected.time_s, True, True, True)
        assert lap.sectors_s == pytest.approx(expected.sectors_s, abs=1e-9)
        assert lap.start_s == expected.start_s
    assert (last.complete, last.lap_time_s, last.official) == (False, None, False)


def test_what_the_files_say_in_words(ten: Read) -> None:
    lap = ten.laps[0][1]
    assert (lap.driver, lap.vehicle, lap.vehicle_class, lap.place) == (known.DRIVER, known.VEHICLE, "GT3", 4)
    assert (lap.compounds, lap.number, lap.index) == (("Medium", "Soft"), 1, 2)
    assert ten.recordings[0].session.track_length_m == known.LENGTH_M
    assert ten.recordings[0].rate_hz == 50
    assert "force_feedback" in ten.recordings[0].left
    assert not ten.refused


def test_a_sensor_that_is_not_there_has_no_value(ten: Read) -> None:
    assert "boost_motor_temp" not in ten.laps[0][0].samples


def test_hot_brakes_stay_celsius_and_tyres_in_kelvin_are_found(tmp_path: Path) -> None:
    lap = known.laps()[0]
    written.write_ten(tmp_path, [lap])
    kelvin = {**written.clocks(lap), **written.of_wheels("carcass_temperature", lap.carcass + 273.15)}
    (tmp_path / "lap000_tyre.csv").write_text(written.table(written.TYRE, len(lap), kelvin))
    found = read(DIALECT, tmp_path / "lap000_tyre.csv")
    assert near(found.lap.samples["tyre_carcass_temp"], lap.carcass, 1e-3)
    assert near(found.lap.samples["brake_temp"], lap.brake_temp, 1e-3)
    assert found.note("carcass_temperature_0") == "labelled °C, holds K"


def test_physics_and_scoring_are_one_lap(tmp_path: Path) -> None:
    paths = written.write_pair(tmp_path, known.laps())
    assert DIALECT.together(paths[3]) == paths
    found = read(DIALECT, paths[0])
    for lap, expected in zip(found.laps[0][:2], known.laps(), strict=False):
        assert (lap.lap_time_s, lap.official) == (expected.time_s, True)
        assert lap.start_s == pytest.approx(expected.start_s, abs=1e-6)
        assert near(lap.samples["position"], expected.position, 1e-4)
        assert near(lap.samples["sector"], expected.sector + 1, 0)
        assert near(lap.samples["tyre_pressure"], expected.pressure, 1e-4)
        assert near(lap.samples["brake_temp"], expected.brake_temp, 1e-4)
        assert lap.place == 2


def test_one_file_of_few_columns(tmp_path: Path) -> None:
    path = written.write_compact(tmp_path / "laps.csv", known.laps())
    assert DIALECT.together(path) == [path]
    laps = read(DIALECT, path).laps[0]
    for lap, expected in zip(laps[:2], known.laps(), strict=False):
        assert lap.lap_time_s == pytest.approx(expected.time_s, abs=0.02)
        assert (lap.official, lap.valid, lap.complete) == (False, True, True)
        assert near(lap.samples["speed"], expected.speed, 1e-4)
        assert near(lap.samples["throttle"], expected.throttle, 1e-6)


def test_two_sessions_in_a_folder_are_told_apart(tmp_path: Path) -> None:
    written.write_pair(tmp_path / "x", known.laps())
    other = written.write_pair(tmp_path / "y", known.laps(2, 25.0))
    for path in other:
        lines = path.read_text().splitlines()
        moved = [",".join([repr(float(row.split(",")[0]) + 7.25), *row.split(",")[1:]]) for row in lines[1:]]
        (tmp_path / "x" / f"b{path.name}").write_text("\n".join([lines[0], *moved]))
    names = [
        [path.name for path in DIALECT.together(tmp_path / "x" / name)]
        for name in ("00-physics.csv", "b00-physics.csv")
    ]
    assert [len(one) for one in names] == [6, 4]
    assert all(name.startswith("b") for name in names[1])


def test_a_lap_that_is_missing_leaves_its_neighbours(tmp_path: Path) -> None:
    laps = known.laps()
    written.write_ten(tmp_path, [laps[0], laps[2]])
    found = read(DIALECT, tmp_path / "lap000_lap.csv")
    assert [(lap.number, lap.complete) for lap in found.laps[0]] == [(0, False), (2, False)]


def test_rows_that_one_file_lacks_are_told(tmp_path: Path) -> None:
    lap = known.laps()[0]
    written.write_ten(tmp_path, [lap])
    for name, gone in (("brake", 100), ("vehicle", 200)):
        path = tmp_path / f"lap000_{name}.csv"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:gone] + lines[gone + 1 :]))
    found = read(DIALECT, tmp_path / "lap000_lap.csv")
    assert np.flatnonzero(np.isnan(found.lap.samples["brake_temp"][:, 0])).tolist() == [99]
    assert len(found.lap.samples["lap_time"]) == len(lap) - 1
    assert {(line, reason) for line, reason, _ in found.refused} == {(201, "no sample"), (200, "no sample")}


def test_a_clock_that_starts_again_is_refused(tmp_path: Path) -> None:
    path = written.write_compact(tmp_path / "laps.csv", known.laps()[:1])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines + lines[1:]))
    with pytest.raises(
        BadRequest, match=r"laps\.csv: the clock starts again in line 2653: it holds two sessions"
    ):
        read(DIALECT, path)


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lap.csv"
    path.write_text(written.COMPACT + "\n")
    with pytest.raises(BadRequest, match=r"lap\.csv has no sound row below its header"):
        read(DIALECT, path)


def test_other_tables_are_not_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("elapsed_time,lap_number,a,b,c\n1,2,3,4,5\n")
    assert not DIALECT.recognises(head_of(path))
