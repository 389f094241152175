"""The telemetry files of Le Mans Ultimate itself."""

from pathlib import Path

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.lmu_duckdb import DIALECT
from tests.imports import known
from tests.imports.dialects import written_games as written
from tests.imports.dialects.reading import Read, head_of, near, read


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Read:
    path = written.lmu_duckdb(tmp_path_factory.mktemp("lmu") / "session", known.laps())
    return read(DIALECT, path)


def test_laps_lie_between_the_games_own_lines(found: Read) -> None:
    for lap, expected in zip(found.laps[0], known.laps(), strict=True):
        assert (lap.lap_time_s, lap.official, lap.complete) == (expected.time_s, True, True)
        assert lap.sectors_s == pytest.approx(expected.sectors_s, abs=1e-9)
        assert lap.number == expected.number
        assert lap.start_s == pytest.approx(expected.start_s)


def test_channels_of_all_rates_lie_on_one_clock(found: Read) -> None:
    for lap, expected in zip(found.laps[0], known.laps(), strict=True):
        samples = lap.samples
        assert near(samples["lap_time"], expected.lap_time, 1e-6)
        assert near(samples["speed"], expected.speed, 1e-3)
        assert near(samples["throttle"], expected.throttle, 1e-4)
        assert near(samples["steering"], expected.steering, 1e-4)
        assert near(samples["gear"], expected.gear, 0)
        assert near(samples["sector"], expected.sector + 1, 0)
        assert near(samples["suspension_deflection"], expected.deflection, 1e-6)
        assert near(samples["tyre_pressure"], expected.pressure, 1e-3)
        assert near(samples["tyre_temp"], expected.tyre_temp, 1e-3)
        assert near(samples["tyre_tread"], expected.tread, 1e-3)
        assert near(samples["local_acceleration"][10:-10, 0], expected.left[10:-10], 0.6)


def test_positions_are_metres_in_the_games_axes(found: Read) -> None:
    for lap, expected in zip(found.laps[0], known.laps(), strict=True):
        away = lap.samples["position"][:-5, [0, 2]] - expected.position[:-5, [0, 2]]
        assert near(away - np.median(away, axis=0), 0, 1.5)


def test_the_lap_distance_of_another_lap_is_none(found: Read) -> None:
    distance = found.laps[0][1].samples["game_distance"]
    inside = np.isfinite(distance)
    assert inside.mean() > 0.98
    assert near(distance[inside], known.laps()[1].distance[inside], 0.5)


def test_what_the_file_says_besides(found: Read) -> None:
    (recording,) = found.recordings
    assert (recording.session.track, recording.session.kind, recording.rate_hz) == (
        known.TRACK,
        "practice",
        50,
    )
    assert recording.session.start_time_ns == 1_770_505_010_000_000_000
    assert recording.setup == {"VM_BRAKE_BALANCE": ("52.0:48.0", ""), "wing.rear": ("7", "")}
    assert "SteamID" not in recording.session.facts
    assert "FFB Output" in recording.left


def test_steering_in_percent_is_told_by_its_unit(tmp_path: Path) -> None:
    path = written.lmu_duckdb(tmp_path / "x.duckdb", known.laps()[:1], steering="%")
    assert near(read(DIALECT, path).lap.samples["steering"], known.laps()[0].steering, 1e-4)


def test_sectors_are_told_by_the_count_where_the_game_tells_no_times(tmp_path: Path) -> None:
    expected = known.laps()[0]
    path = written.lmu_duckdb(
        tmp_path / "x.duckdb", [expected], without=("Last Sector1", "Last Sector2", "Lap Time")
    )
    lap = read(DIALECT, path).lap
    assert lap.sectors_s == pytest.approx(expected.sectors_s, abs=0.021)
    assert not lap.official
    assert lap.lap_time_s == pytest.approx(expected.time_s)


def test_the_file_is_not_changed(tmp_path: Path) -> None:
    path = written.lmu_duckdb(tmp_path / "x.duckdb", known.laps()[:1])
    before = path.read_bytes()
    read(DIALECT, path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["x.duckdb"]


def test_another_duckdb_file_is_not_recognised(tmp_path: Path) -> None:
    path = written.lmu_duckdb(tmp_path / "x", known.laps()[:1], without=("channelsList",))
    assert not DIALECT.recognises(head_of(path))
    with pytest.raises(BadRequest, match='it is a DuckDB file without a table "channelsList"'):
        DIALECT.read(path, lambda *_: None, lambda _: None)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written.lmu_duckdb(tmp_path / "x.duckdb", known.laps()[:1])
    path.write_bytes(path.read_bytes()[:5000])
    assert DIALECT.recognises(head_of(path))
    with pytest.raises(BadRequest, match="DuckDB cannot open it"):
        DIALECT.read(path, lambda *_: None, lambda _: None)
