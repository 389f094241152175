"""Laps of the Telemetry Tool, in all the ways in which it writes them."""

from pathlib import Path

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.telemetry_tool import DIALECT
from rigclient.imports.discovery import search
from rigclient.imports.import_file import ImportOptions
from rigclient.imports.job import ImportJob
from rigclient.imports.keeping import SinkKeeper
from rigclient.imports.sinks.folder import FolderSink
from tests.imports import known
from tests.imports.dialects import written_games as written
from tests.imports.dialects.reading import Read, head_of, near, read

G = 9.80665


@pytest.fixture(scope="module")
def lap() -> known.Known:
    return known.laps()[1]


def made(folder: Path, text: str) -> Read:
    path = folder / "any name.txt"
    path.write_text(text)
    return read(DIALECT, path)


@pytest.mark.parametrize("left", [1.0, -1.0])
def test_all_columns_become_channels_in_their_units(tmp_path: Path, lap: known.Known, left: float) -> None:
    found = made(tmp_path, written.player(lap, left=left))
    samples = found.lap.samples
    assert near(samples["lap_time"], lap.lap_time, 1e-6)
    assert near(samples["speed"], lap.speed, 1e-4)
    assert near(samples["position"], lap.position, 1e-3)
    assert near(samples["throttle"], lap.throttle, 1e-6)
    assert near(samples["steering"], lap.steering, 1e-6)
    assert near(samples["gear"], lap.gear, 0)
    assert near(samples["sector"], lap.sector + 1, 0)
    assert near(samples["local_acceleration"][:, 0], lap.left, 1e-3)
    assert near(samples["local_acceleration"][:, 2], -lap.forward, 1e-3)
    assert near(samples["fuel"], lap.fuel, 1e-4)


def test_wheels_come_in_the_registrys_order(tmp_path: Path, lap: known.Known) -> None:
    samples = made(tmp_path, written.player(lap)).lap.samples
    for channel, expected in (
        ("brake_temp", lap.brake_temp),
        ("tyre_carcass_temp", lap.carcass),
        ("tyre_pressure", lap.pressure),
        ("tyre_tread", lap.tread),
        ("tyre_load", lap.load),
        ("suspension_deflection", lap.deflection),
        ("tyre_inner_temp", lap.tyre_temp),
    ):
        assert near(samples[channel], expected, 1e-2 if expected.max() > 1000 else 1e-4), channel


def test_the_lap_is_timed_by_the_game(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.player(lap))
    session = found.recordings[0].session
    assert (session.track, session.kind, session.track_length_m) == (known.TRACK, "practice", known.LENGTH_M)
    assert found.lap.lap_time_s == round(lap.time_s, 3)
    assert found.lap.sectors_s == tuple(round(one, 3) for one in lap.sectors_s)
    assert (found.lap.official, found.lap.valid, found.lap.complete) == (True, True, True)
    assert (found.lap.driver, found.lap.vehicle, found.lap.compounds) == (
        known.DRIVER,
        known.VEHICLE,
        ("Hard", "Hard"),
    )
    assert found.recordings[0].rate_hz == 50
    assert found.recordings[0].setup == {"BrakeBias": ("43.5", "")}
    assert "KERSLevel [J]" in found.recordings[0].left
    assert not found.refused


def test_whole_numbers_without_a_mark_are_hundredths(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.scaled(lap))
    assert near(found.lap.samples["lap_time"], lap.lap_time, 0.006)
    assert near(found.lap.samples["game_distance"], lap.distance, 0.006)
    assert near(found.lap.samples["position"], lap.position, 0.006)
    assert near(found.lap.samples["speed"], lap.speed, 0.15)
    assert found.note("LapTime [s]") == "hundredths without a mark"


def test_blank_cells_are_what_has_not_changed(tmp_path: Path, lap: known.Known) -> None:
    text = written.sparse(lap)
    assert text.count(",,") > len(lap)
    found = made(tmp_path, text)
    samples = found.lap.samples
    rows = np.searchsorted(lap.lap_time, samples["lap_time"] + 1e-6) - 1
    assert len(rows) > 0.95 * len(lap)
    assert near(samples["lap_time"], lap.lap_time[: len(rows)], 0.02)
    assert near(samples["position"], lap.position[: len(rows)], 0.06)


def test_an_opponents_speed_is_found_to_be_in_other_units(tmp_path: Path, lap: known.Known) -> None:
    found = made(tmp_path, written.opponent(lap))
    assert near(found.lap.samples["speed"], lap.speed, 1e-4)
    assert found.note("speed [m/s]") == "labelled m/s, holds km/h"
    assert near(found.lap.samples["sector"], lap.sector + 1, 0)
    assert near(found.lap.samples["local_acceleration"][:, 0], lap.left, 1e-3)
    assert found.lap.valid


def test_rows_with_the_last_laps_distance_have_none(tmp_path: Path, lap: known.Known) -> None:
    values = written.some_columns(lap)
    values["LapDistance [m]"] = np.where(lap.lap_time < 0.1, known.LENGTH_M - 2, lap.distance)
    found = made(tmp_path, written.preamble(lap) + written.table(written.SOME, values))
    assert np.isnan(found.lap.samples["game_distance"][:3]).all()
    assert near(found.lap.samples["game_distance"][10:], lap.distance[10:], 1e-3)


def test_a_repeated_clock_and_a_broken_row_cost_their_rows(tmp_path: Path, lap: known.Known) -> None:
    lines = written.player(lap, written.SOME).splitlines()
    lines.insert(20, lines[19])
    lines.insert(30, "1,2,3")
    lines.insert(40, lines[7])
    found = made(tmp_path, "\n".join(lines))
    assert [(line, reason) for line, reason, _ in sorted(found.refused)] == [
        (21, "a repeated clock"),
        (31, "wrong number of cells"),
        (41, "a repeated header"),
    ]
    assert len(found.lap.samples["lap_time"]) == len(lap)


@pytest.mark.parametrize("rows", ["", ",,,,,,,,,,,\n" * 100])
def test_a_file_without_rows_is_refused(tmp_path: Path, lap: known.Known, rows: str) -> None:
    with pytest.raises(BadRequest, match="it has no row to read"):
        made(tmp_path, written.preamble(lap) + written.SOME + "\n" + rows)


def test_the_table_must_be_there(tmp_path: Path, lap: known.Known) -> None:
    with pytest.raises(BadRequest, match=r"it has no header with lapdistance \[m\], laptime \[s\]"):
        made(tmp_path, written.preamble(lap))


def test_positions_lie_in_the_axes_of_the_world_speed(tmp_path: Path, lap: known.Known) -> None:
    values = written.all_columns(lap) | {"X [m]": lap.position[:, 0], "Z [m]": lap.position[:, 2]}
    found = made(tmp_path, written.preamble(lap) + written.table(written.FULL, values))
    assert near(found.lap.samples["position"], lap.position, 1e-3)
    assert found.note("X [m]") == ""


def test_files_of_one_drive_become_one_session(tmp_path: Path) -> None:
    for one in known.laps(2, 5.0):
        (tmp_path / f"{one.number}.csv").write_text(written.player(one, written.SOME))
    for outcome in ("loaded", "there already"):
        sink = FolderSink(tmp_path / "new")
        work = ImportJob(SinkKeeper(sink), ImportOptions(), lambda _: None, lambda _path, _read: None)
        reports = list(work.run(search([tmp_path / "0.csv", tmp_path / "1.csv"])))
        assert [one.outcome for one in reports] == [outcome] * 2
        (session,) = sink.sessions()
        assert [lap.index for lap in sink.laps_of(session.name)] == [1, 2]


def test_other_files_are_not_recognised(tmp_path: Path, lap: known.Known) -> None:
    for text in ("", "player,v8\n", written.lmu_telemetry_2(lap), "a,b\n1,2\n"):
        path = tmp_path / "lap.csv"
        path.write_text(text)
        assert not DIALECT.recognises(head_of(path))
