"""Recordings as laps: the same times as the timekeeper's, whole files or none, each once."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rig.errors import BadRequest, MissingChannel, Unavailable
from rig.lapfile import RECORDED, LapFile
from rig.v1 import archive_pb2, session_pb2
from rigclient.cli.main import rig
from rigclient.imports import discovery, import_file, job
from rigclient.imports.keeping import SinkKeeper
from rigclient.imports.lap_files import lap_file
from rigclient.imports.recording import RecordedLap
from rigclient.imports.sinks.folder import FolderSink
from rigd.store.reindex import reindex
from riglap.export import csv
from riglap.lap import Lap
from riglap.plot.panels import plot_of
from tests.imports.recorded import SAMPLE, Chart, all_charts, chart
from tests.imports.written import race, write

SPA = "spa/Race 1/23_Analysis_Race.CSV"
FIRST = race(("7", 1, 100_000), ("7", 2, 99_000), ("8", 1, 101_000))
SECOND = race(("7", 1, 100_000), ("7", 2, 98_500), ("8", 2, 99_500))


def run(folder: Path, *words: str | Path) -> Result:
    command = ["import", "--into", str(folder), *map(str, words)]
    return CliRunner(env={"COLUMNS": "80"}).invoke(rig, command)


def plain(folder: Path, *words: str | Path) -> Any:
    return json.loads(run(folder, *words, "--json").stdout)


def bring(sink: FolderSink, *paths: Path, **named: Any) -> list[import_file.ImportReport]:
    options = import_file.ImportOptions(**named)
    work = job.ImportJob(SinkKeeper(sink), options, lambda _row: None, lambda _path, _bytes: None)
    return list(work.run(discovery.search(paths)))


def files(folder: Path) -> list[Path]:
    return sorted((folder / "laps").glob("*/*.lap"))


def times(folder: Path) -> list[float | None]:
    return [Lap.open(path).info.lap_time for path in files(folder)]


@pytest.fixture(scope="module")
def everything(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with all recordings, imported by one command."""
    folder = tmp_path_factory.mktemp("everything")
    return folder, plain(folder, recordings)


class TestAllRecordings:
    def test_times_of_every_lap_are_the_official_ones_to_the_bit(
        self, everything: tuple[Path, Any], official: dict[Path, Chart], recordings: Path
    ) -> None:
        folder, report = everything
        sessions = {file["path"]: file["session"] for file in report["files"] if file["outcome"] == "loaded"}
        compared = 0
        for path in all_charts(recordings):
            for lap in official[path][0]:
                name = f"car{lap.entry:03d}-{lap.lap:04d}.lap"
                with LapFile.open(folder / "laps" / sessions[str(path)] / name) as file:
                    told, points = file.header.lap, file.header.recording.points
                sectors = (told.sector1, told.sector2, told.sector3)
                assert told.lap_time == lap.lap_time_ms / 1000
                assert sectors == tuple((ms or 0) / 1000 for ms in lap.sectors_ms)
                assert [told.HasField(name) for name in ("sector1", "sector2", "sector3")] == [
                    ms is not None for ms in lap.sectors_ms
                ]
                assert [point.time for point in points] == [
                    one.elapsed_ms / 1000 for one in lap.intermediates
                ]
                assert (told.car_number, told.official) == (lap.number, True)
                compared += 1
        assert compared == 7214

    def test_the_store_of_a_rig_takes_the_folder_as_its_own(
        self, everything: tuple[Path, Any], tmp_path: Path
    ) -> None:
        (session,) = (everything[0] / "laps").glob("*sebring-race-*-2")
        shutil.copytree(session, tmp_path / "laps" / session.name)
        totals = reindex(tmp_path)
        assert (totals.laps, totals.damaged, totals.foreign, totals.aside) == (332, 0, [], [])

    def test_samples_are_channels_and_nothing_of_the_file_is_lost(self, everything: tuple[Path, Any]) -> None:
        cars = (everything[0] / "laps").glob("*barber*/car000-0002.lap")
        (path,) = (one for one in cars if Lap.open(one).info.samples)
        lap = Lap.open(path)
        assert len(lap) == lap.info.samples == 965
        assert np.nanmax(lap["speed"]) == pytest.approx(124.79 / 3.6)
        assert (np.diff(lap["lap_time"]) > 0).all()
        assert np.isfinite(lap["distance"]).sum() > 900
        assert np.isfinite(lap["position"]).all()
        with LapFile.open(path) as file:
            told = file.header.recording
            assert "pbrake_f" in file.channels(RECORDED)
            assert (told.laps, told.refused, round(told.rate)) == (2, 188, 23)
            assert {(one.column, one.unit, one.channel) for one in told.mapped} >= {
                ("speed", "km/h", "speed")
            }

    def test_again_it_changes_nothing(self, everything: tuple[Path, Any], recordings: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in files(everything[0])}
        report = plain(everything[0], recordings / "COTA", recordings / SAMPLE)
        assert {file["outcome"] for file in report["files"]} == {"there already", "dates"}
        assert {path: path.stat().st_mtime_ns for path in files(everything[0])} == before


class TestOnceAndWhole:
    def test_the_same_file_makes_the_same_bytes(self, recordings: Path, tmp_path: Path) -> None:
        found = []
        for name in ("a", "b"):
            bring(FolderSink(tmp_path / name), recordings / SAMPLE)
            found.append([path.read_bytes() for path in files(tmp_path / name)])
        assert found[0] == found[1]
        assert len(found[0]) == 2

    def test_under_another_name_it_is_the_same(self, tmp_path: Path) -> None:
        first = write(tmp_path / SPA, FIRST)
        other = write(tmp_path / "spa/Race 2/copy.csv", FIRST)
        one, two = bring(FolderSink(tmp_path / "out"), first, other)
        assert (one.outcome, two.outcome, two.session) == ("loaded", "there already", one.session)

    def test_what_cannot_be_kept_whole_is_not_kept(self, tmp_path: Path) -> None:
        sink = Full(tmp_path / "out", room=2)
        (report,) = bring(sink, write(tmp_path / SPA, FIRST))
        assert (report.outcome, "no room" in report.why, files(tmp_path / "out")) == ("refused", True, [])

    def test_whoever_was_killed_goes_on(self, tmp_path: Path) -> None:
        path = write(tmp_path / SPA, FIRST)
        bring(FolderSink(tmp_path / "out"), path)
        whole = {one: one.read_bytes() for one in files(tmp_path / "out")}
        files(tmp_path / "out")[1].unlink()
        (report,) = bring(FolderSink(tmp_path / "out"), path)
        assert report.outcome == "loaded"
        assert {one: one.read_bytes() for one in files(tmp_path / "out")} == whole

    def test_a_corrected_chart_replaces_the_earlier_one(self, tmp_path: Path) -> None:
        first, second = write(tmp_path / "a" / SPA, FIRST), write(tmp_path / "b" / SPA, SECOND)
        sink = FolderSink(tmp_path / "out")
        bring(sink, first)
        (refused,) = bring(sink, second)
        assert (refused.outcome, "--replace" in refused.why) == ("refused", True)
        assert times(tmp_path / "out") == [100.0, 99.0, 101.0]
        (taken,) = bring(sink, second, replace=True)
        assert (taken.outcome, taken.session) == ("loaded", refused.session or taken.session)
        assert times(tmp_path / "out") == [100.0, 98.5, 99.5]
        assert [one.outcome for one in bring(sink, first, replace=True)] == ["older"]

    @pytest.mark.parametrize("how", ["file", "checksum"])
    def test_undo_deletes_the_laps_of_a_file(self, tmp_path: Path, how: str) -> None:
        path, out = write(tmp_path / SPA, FIRST), tmp_path / "out"
        bring(FolderSink(out), path)
        digest = Lap.open(files(out)[0]).info.file_digest
        result = run(out, "--undo", path if how == "file" else digest)
        assert (result.exit_code, "3 laps deleted" in result.stdout, files(out)) == (0, True, [])
        assert run(out, "--undo", path).exit_code == 5
        assert bring(FolderSink(out), path)[0].outcome == "loaded"

    def test_a_lap_that_says_it_lies_elsewhere_is_not_deleted_there(self, tmp_path: Path) -> None:
        path, out = write(tmp_path / SPA, FIRST), tmp_path / "out"
        bring(FolderSink(out), path)
        first = files(out)[0]
        with LapFile.open(first) as file:
            header = file.header
            header.lap.name = "sessions/../../precious/laps/own"
            data = file.with_header(header)
        first.write_bytes(data)
        own = tmp_path / "precious/own.lap"
        own.parent.mkdir()
        own.write_bytes(b"of somebody else")
        run(out, "--undo", path)
        assert own.exists()
        assert files(out) == [first]

    @pytest.mark.parametrize("pipe", ["session.json", "lap"])
    def test_a_pipe_in_the_folder_keeps_nobody_waiting(self, tmp_path: Path, pipe: str) -> None:
        path, out = write(tmp_path / SPA, FIRST), tmp_path / "out"
        bring(FolderSink(out), path)
        taken = files(out)[0] if pipe == "lap" else files(out)[0].parent / pipe
        taken.unlink()
        os.mkfifo(taken)
        (report,) = bring(FolderSink(out), path)
        assert (report.outcome, taken.is_file()) == ("loaded", True)


@pytest.mark.parametrize("times", [[0.0, 1.0, 0.5], [0.0, float("nan"), 1.0], [0.0, 1.0, 1.0], [0.0, 1e9]])
def test_a_clock_that_does_not_grow_makes_no_lap(times: list[float]) -> None:
    lap = RecordedLap(car=0, index=1, start_s=0.0, end_s=1.0, samples={"lap_time": np.array(times)})
    with pytest.raises(BadRequest, match="the clock of its samples"):
        lap_file(lap, session_pb2.Session(name="sessions/x"), archive_pb2.Recording())


class Full(FolderSink):
    """A folder on a disk with room for a few laps."""

    def __init__(self, folder: Path, room: int) -> None:
        super().__init__(folder)
        self.room = room

    def put(self, *words: Any, **more: Any) -> None:
        if not self.room:
            raise OSError(28, "no room")
        self.room -= 1
        super().put(*words, **more)


class TestLapsWithoutSamples:
    @pytest.fixture
    def laps(self, tmp_path: Path) -> list[Lap]:
        bring(FolderSink(tmp_path / "out"), write(tmp_path / SPA, FIRST))
        return [Lap.open(path) for path in files(tmp_path / "out")]

    def test_everything_that_needs_some_says_so(self, laps: list[Lap], tmp_path: Path) -> None:
        one, other, _ = laps
        with pytest.raises(Unavailable, match="has no samples"):
            one.compare(other)
        with pytest.raises(MissingChannel, match="has no samples"):
            one["speed"]
        with pytest.raises(MissingChannel, match="has no samples"):
            plot_of([one, other], ["speed"])
        with pytest.raises(BadRequest, match="has no samples"):
            csv.write(one, tmp_path / "a.csv")

    def test_what_the_timekeeper_told_is_there(self, laps: list[Lap]) -> None:
        info = laps[1].info
        assert (info.car_number, info.sector1, info.official, info.valid) == ("7", 30.0, True, True)
        assert (laps[1].session.kind, laps[1].session.source, info.track_name) == ("race", "import", "spa")


def test_undo_deletes_nothing_where_one_of_the_files_brought_nothing(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name / SPA, data) for name, data in (("a", FIRST), ("b", SECOND)))
    bring(FolderSink(tmp_path / "out"), first)
    assert run(tmp_path / "out", "--undo", first, second).exit_code == 5
    assert len(files(tmp_path / "out")) == 3


class TestTheTable:
    def test_a_refused_file_stands_under_its_own_name(self, tmp_path: Path) -> None:
        paths = [
            write(tmp_path / name / "spa/Race 1" / f"{name}.csv", data)
            for name, data in (("a", FIRST), ("b", SECOND))
        ]
        lines = run(tmp_path / "out", *paths).stdout.splitlines()
        rows = [line.split()[0] for line in lines if "  chart  " in line]
        assert rows == ["spa", "b.csv"]

    def test_five_of_many_other_tables_are_named(self, tmp_path: Path) -> None:
        write(tmp_path / "in" / SPA, FIRST)
        for at in range(7):
            write(tmp_path / f"in/spa/Race 1/{at}_Weather.csv", b"TIME;AIR;TRACK\n1;2;3\n")
        shown = run(tmp_path / "out", tmp_path / "in").stdout
        assert (shown.count(": left alone"), "and 2 more left alone" in shown) == (5, True)


class TestADryRun:
    def test_it_shows_what_is_understood_and_keeps_nothing(self, recordings: Path, tmp_path: Path) -> None:
        result = run(tmp_path / "out", "--dry-run", recordings / SAMPLE)
        assert result.exit_code == 0
        for words in (
            "GR Cup telemetry",
            "1021 samples",
            "speed [km/h]",
            "188",
            "understood",
        ):
            assert words in result.stdout
        assert not (tmp_path / "out").exists()
        (file,) = plain(tmp_path / "out", "--dry-run", recordings / SAMPLE)["files"]
        assert (file["outcome"], file["laps"], len(file["mapped"]), len(file["times"])) == (
            "understood",
            2,
            9,
            2,
        )
        assert "Steering_Angle" in file["left"]

    def test_it_foresees_what_an_import_would_refuse(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / name / SPA, data) for name, data in (("a", FIRST), ("b", SECOND))]
        paths.append(write(tmp_path / "c" / SPA, FIRST))
        foreseen = plain(tmp_path / "out", "--dry-run", *paths)["files"]
        assert [file["outcome"] for file in foreseen] == ["understood", "refused", "there already"]
        assert not (tmp_path / "out").exists()
        done = plain(tmp_path / "out", *paths)["files"]
        assert [file["why"] for file in foreseen] == [file["why"] for file in done]

    def test_it_looks_at_what_is_in_the_folder_and_changes_nothing(self, tmp_path: Path) -> None:
        bring(FolderSink(tmp_path / "out"), write(tmp_path / "a" / SPA, FIRST))
        before = {path: path.read_bytes() for path in files(tmp_path / "out")}
        second = write(tmp_path / "b" / SPA, SECOND)
        assert plain(tmp_path / "out", "--dry-run", second)["files"][0]["outcome"] == "refused"
        replaced = plain(tmp_path / "out", "--dry-run", "--replace", second)["files"][0]
        assert (replaced["outcome"], replaced["laps"]) == ("understood", 3)
        assert {path: path.read_bytes() for path in files(tmp_path / "out")} == before

    def test_it_needs_neither_rig_nor_folder(self, recordings: Path) -> None:
        words = ["--rig", "127.0.0.1:1", "import", "--dry-run", str(chart(recordings, "Sebring", 2))]
        result = CliRunner(env={"COLUMNS": "80"}).invoke(rig, words)
        assert (result.exit_code, "1 file understood, 332 laps" in result.stdout) == (0, True)
