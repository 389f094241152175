"""Laps of LMUTelemetry, which has no clock."""

from pathlib import Path

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.lmu_telemetry import DIALECT
from tests.imports import known
from tests.imports.dialects import written_games as written
from tests.imports.dialects.reading import Read, near, read

SAMPLE_S = 0.02


@pytest.fixture(scope="module")
def lap() -> known.Known:
    return known.laps()[1]


def made(folder: Path, text: str) -> Read:
    path = folder / "lap.csv"
    path.write_text(text)
    return read(DIALECT, path)


def test_time_is_reckoned_from_way_and_speed(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.lmu_telemetry_2(lap))
    samples = found.lap.samples
    assert near(samples["lap_time"], lap.clock - lap.clock[0], SAMPLE_S)
    assert near(samples["position"], lap.position, 1e-3)
    assert near(samples["speed"], lap.speed, 1e-3)
    assert found.lap.lap_time_s == pytest.approx(lap.time_s, abs=SAMPLE_S)
    assert found.lap.start_s == pytest.approx(lap.start_s, abs=SAMPLE_S)
    assert (found.lap.complete, found.lap.official) == (True, False)
    assert found.note("Speed [km/h]") == "reckoned from way and speed: the file has no clock"


def test_repeated_rows_are_left_out_and_told(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.lmu_telemetry_2(lap))
    assert {reason for _, reason, _ in found.refused} == {"a repeated row"}
    assert len(found.refused) == pytest.approx(0.4 * len(lap), abs=2)
    assert len(found.lap.samples["lap_time"]) == len(lap)


def test_columns_are_known_whatever_their_case(tmp_path: Path, lap: known.Known) -> None:
    text = written.lmu_telemetry_2(lap).replace("Speed [km/h]", "speed [km/h]")
    assert near(made(tmp_path, text).lap.samples["speed"], lap.speed, 1e-3)


def test_a_row_without_a_height_is_left_out_and_told(tmp_path: Path, lap: known.Known) -> None:
    lines = written.lmu_telemetry_2(lap).splitlines()
    header = next(at for at, line in enumerate(lines) if "Y [m]" in line or "PosY" in line)
    place = next(at for at, name in enumerate(lines[header].split(",")) if "Y" in name)
    cells = lines[header + 50].split(",")
    lines[header + 50] = ",".join([*cells[:place], "", *cells[place + 1 :]])
    found = made(tmp_path, "\n".join(lines))
    assert "no place" in {reason for _, reason, _ in found.refused}
    assert (np.diff(found.lap.samples["lap_time"]) > 0).all()


def test_sectors_end_where_the_file_says(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.lmu_telemetry_3(lap))
    assert found.lap.lap_time_s == pytest.approx(lap.time_s, abs=SAMPLE_S)
    for sector, expected in zip(found.lap.sectors_s, lap.sectors_s, strict=True):
        assert sector == pytest.approx(expected, abs=2 * SAMPLE_S)
    assert found.recordings[0].session.track_length_m == known.LENGTH_M
    assert found.lap.vehicle_class == "GTE"
    assert np.isfinite(found.lap.samples["position"]).all()


def test_half_a_lap_has_no_time(tmp_path: Path, lap: known.Known) -> None:
    lines = written.lmu_telemetry_3(lap).splitlines()
    found = made(tmp_path, "\n".join(lines[: 16 + len(lap) // 2]))
    assert (found.lap.complete, found.lap.lap_time_s, found.lap.sectors_s) == (
        False,
        None,
        (None, None, None),
    )


def test_only_commas_are_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="it has no row to read: 6600 are left out"):
        made(tmp_path, written.only_commas())


def test_a_car_that_stands_is_no_lap(tmp_path: Path, lap: known.Known) -> None:
    head, _, rows = written.lmu_telemetry_3(lap).partition("\n0.")
    one = "0." + rows.splitlines()[0]
    with pytest.raises(BadRequest, match="it has 50 rows, and the car moves in none of them"):
        made(tmp_path, head + "\n" + "\n".join([one] * 50))
