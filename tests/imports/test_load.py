"""`rig warehouse load`: files into the tables, each once, with every row that was not loaded told."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from rig.errors import Raced
from rigclient.cli.main import rig
from rigclient.imports import discovery, import_file, job
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.imports.refusals import RefusedRow
from rigclient.warehouse import Destination, connect
from tests.imports.recorded import SAMPLE, SAMPLE_CHART, all_charts, chart, official_bests, result_bests
from tests.warehouse.empty import EmptyWarehouse

COUNTED = ("SESSIONS", "LAPS", "PHYSICS", "READINGS", "GAPS", "FILES", "RIG_LOADS")


def run(where: str, *words: str | Path, columns: int = 80) -> Result:
    runner = CliRunner(env={"COLUMNS": str(columns), "RIG_WAREHOUSE": where})
    return runner.invoke(rig, ["warehouse", "load", *map(str, words)])


def counts(destination: Destination) -> dict[str, int]:
    return {table: int(destination.rows(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in COUNTED}


def load(destination: Destination, *paths: Path) -> tuple[list[import_file.ImportReport], list[RefusedRow]]:
    shown: list[RefusedRow] = []
    work = job.ImportJob(
        WarehouseKeeper(destination), import_file.ImportOptions(), shown.append, lambda _path, _bytes: None
    )
    return list(work.run(discovery.search(paths))), shown


@pytest.fixture(scope="module")
def everything(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Result]:
    """A warehouse with all recordings, loaded by one command."""
    where = f"duckdb:{tmp_path_factory.mktemp('all') / 'all.duckdb'}"
    return where, run(where, recordings, "--json")


@pytest.fixture
def all_in(everything: tuple[str, Result]) -> Iterator[Destination]:
    with connect(everything[0], read_only=True) as destination:
        yield destination


class TestAllFourteenCharts:
    def test_one_command_loads_the_folder(self, everything: tuple[str, Result]) -> None:
        report = json.loads(everything[1].stdout)
        of_charts = [file for file in report["files"] if file["kind"] == "chart"]
        assert [file["outcome"] for file in of_charts].count("loaded") == 14
        assert sum(file["laps"] for file in of_charts) == 7214
        assert not any(file["refused"] for file in of_charts)

    def test_the_piece_of_a_race_that_is_there_is_refused(self, everything: tuple[str, Result]) -> None:
        """The folder holds the first rows of Barber's first race once more, as another file."""
        _, result = everything
        (piece,) = (one for one in json.loads(result.stdout)["files"] if one["outcome"] == "refused")
        assert SAMPLE_CHART in piece["path"]
        assert "23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV" in piece["why"]
        assert (result.exit_code, result.stderr.splitlines()[0]) == (17, "error: 1 of 32 files refused")

    def test_all_laps_are_in_the_warehouse(self, all_in: Destination) -> None:
        sql = "SELECT COUNT(*), COUNT(DISTINCT SESSION || LAP), COUNT(DISTINCT SESSION) FROM LAPS"
        assert all_in.rows(f"{sql} WHERE SAMPLES = 0") == [(7214, 7214, 14)]

    def test_the_ledger_has_a_number_for_every_file(self, all_in: Destination) -> None:
        sql = (
            "SELECT FROM_N, TO_N FROM RIG_LOADS WHERE RIG_ID = 'import' AND STREAM = 'files' ORDER BY FROM_N"
        )
        assert all_in.rows(sql) == [(n, n + 1) for n in range(15)]
        assert all_in.rows("SELECT NEXT_N FROM RIG_WATERMARK WHERE STREAM = 'files'") == [(15,)]

    def test_best_laps_are_those_of_the_official_files(self, all_in: Destination, recordings: Path) -> None:
        for path in all_charts(recordings):
            sql = (
                "SELECT CAR_NUMBER, COUNTED, LAP_NO FROM BEST_LAPS_V WHERE SESSION = "
                "(SELECT SESSION FROM FILES WHERE PATH = ?)"
            )
            found = all_in.rows(sql, [str(path)])
            bests = sorted((number, round(time * 1000), lap) for number, time, lap in found)
            assert bests == official_bests(path), path
            assert bests == result_bests(path), path

    def test_results_are_the_official_ones_but_for_penalties(
        self, all_in: Destination, recordings: Path
    ) -> None:
        """Barber's first race had none."""
        path = chart(recordings, "barber", 1)
        sql = "SELECT R.CAR_NUMBER, R.LAPS FROM RESULTS_V R JOIN FILES F ON F.SESSION = R.SESSION"
        found = all_in.rows(f"{sql} WHERE F.PATH = ? ORDER BY R.PLACE", [str(path)])
        text = (path.parent / "03_Provisional Results_Race 1_Anonymized.CSV").read_text(encoding="utf-8-sig")
        official = list(csv.DictReader(text.splitlines(), delimiter=";"))
        assert found == [(row["NUMBER"], int(row["LAPS"])) for row in official]

    def test_sectors_and_intermediates_came_along(self, all_in: Destination) -> None:
        sql = "SELECT COUNT(*) FROM LAPS WHERE ABS(SECTOR1 + SECTOR2 + SECTOR3 - LAP_TIME) < 0.0005"
        assert all_in.rows(sql) == [(7214 - 93,)]
        sql = (
            "SELECT COUNT(*) FROM READINGS R JOIN LAPS L ON L.SESSION = R.SESSION AND L.LAP = R.LAP "
            "WHERE R.NAME IN ('IM1', 'INT-1') AND ABS(R.LAP_TIME - L.SECTOR1) > 0.0005"
        )
        assert all_in.rows(sql) == [(0,)]

    def test_every_race_has_its_date(self, all_in: Destination) -> None:
        sql = "SELECT COUNT(*) FROM SESSIONS WHERE START_TIME_NS IS NULL OR SESSION LIKE '%undated%'"
        assert all_in.rows(sql) == [(0,)]
        sql = "SELECT SESSION FROM SESSIONS WHERE TRACK = 'VIR' ORDER BY START_TIME_NS"
        names = [name for (name,) in all_in.rows(sql)]
        assert names[0].startswith("20250719-180637-vir-race-")
        assert names[1].startswith("20250720-164638-vir-race-")

    def test_loaded_again_it_changes_nothing_and_says_so(
        self, everything: tuple[str, Result], recordings: Path
    ) -> None:
        where, _ = everything
        with connect(where) as destination:
            before = counts(destination)
        result = run(where, recordings / "barber", recordings / "COTA")
        with connect(where) as destination:
            assert counts(destination) == before
        assert result.output.count("there already") == 6  # five files, and the sum
        assert "0 files loaded, 0 laps; 5 there already, nothing changed" in result.output

    def test_the_report_is_a_table_that_fits(self, everything: tuple[str, Result], recordings: Path) -> None:
        result = run(everything[0], recordings / "barber")
        shown = [line for line in result.stdout.splitlines() if str(recordings) not in line]
        assert max(map(len, shown)) <= 80
        assert "barber 1" in result.stdout


class TestTelemetry:
    def test_samples_are_in_the_table_in_units_of_the_registry(self, all_in: Destination) -> None:
        sql = (
            "SELECT COUNT(*), MAX(SPEED), MAX(ENGINE_RPM), MAX(THROTTLE), MIN(GEAR), MAX(GEAR), "
            "MAX(LOCAL_ACCELERATION_X), COUNT(DISTANCE) FROM PHYSICS WHERE RIG_ID = 'import'"
        )
        ((rows, speed, rpm, throttle, low, high, lateral, placed),) = all_in.rows(sql)
        assert (rows, low, high) == (1021, 1, 3)
        assert speed == pytest.approx(136.77 / 3.6)
        assert (rpm, throttle) == (pytest.approx(7206.0), pytest.approx(1.0))
        assert lateral == pytest.approx(1.01 * 9.80665)
        assert placed == 1014

    def test_what_no_channel_holds_is_kept_as_it_was_told(self, all_in: Destination) -> None:
        sql = (
            "SELECT DISTINCT R.NAME FROM READINGS R JOIN LAPS L ON L.SESSION = R.SESSION AND L.LAP = R.LAP "
            "WHERE L.SAMPLES > 0"
        )
        assert {name for (name,) in all_in.rows(sql)} == {
            "Steering_Angle",
            "VBOX_Lat_Min",
            "VBOX_Long_Minutes",
            "pbrake_f",
            "pbrake_r",
        }

    def test_every_refused_row_is_declared_in_the_data(self, all_in: Destination) -> None:
        sql = (
            "SELECT SUM(MISSING), MIN(FIRST_SEQ), MAX(LAST_SEQ), COUNT(DISTINCT N) = COUNT(*) FROM GAPS "
            "WHERE RIG_ID = 'import' AND REASON = 'refused' AND STREAM = 'rows'"
        )
        ((missing, first, last, numbered),) = all_in.rows(sql)
        assert (missing, numbered) == (188, True)
        assert 2 <= first <= last <= 10_001
        assert all_in.rows("SELECT SUM(REFUSED) FROM FILES") == [(188,)]


@pytest.fixture
def where(duck: EmptyWarehouse) -> str:
    return duck.where


class TestTwoAtOnce:
    def test_what_both_load_is_loaded_once(self, where: str, recordings: Path) -> None:
        """The other one is done between the questions and the transaction of the first."""
        path = chart(recordings, "Sebring", 2)
        with connect(where) as destination:
            rival = Rival(destination, path)
            ((report,), _) = load(cast(Destination, rival), path)
            assert (report.outcome, rival.report.outcome) == ("there already", "loaded")
            assert destination.rows("SELECT COUNT(*) FROM LAPS") == [(332,)]
            assert destination.rows("SELECT FROM_N, TO_N FROM RIG_LOADS") == [(0, 1)]

    def test_who_comes_while_the_other_reads_finds_it_there(self, where: str, recordings: Path) -> None:
        """The other one is done between the question for the file and the question for the race."""
        path = chart(recordings, "Sebring", 2)
        with connect(where) as destination:
            rival = Early(destination, path)
            ((report,), _) = load(cast(Destination, rival), path)
            assert (report.outcome, rival.report.outcome) == ("there already", "loaded")

    def test_a_loser_of_every_race_gives_up_loudly(self, where: str, recordings: Path) -> None:
        with connect(where) as destination:
            with pytest.raises(Raced):
                load(cast(Destination, Stubborn(destination, Path())), chart(recordings, "Sebring", 2))
            assert counts(destination)["LAPS"] == 0


class Rival:
    """A destination before which somebody else loads, once, as soon as the first file is staged."""

    def __init__(self, destination: Destination, path: Path) -> None:
        self._destination = destination
        self._path = path
        self.report: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._destination, name)

    def stage(self, path: Path, name: str) -> str:
        if self.report is None:
            ((self.report,), _) = load(self._destination, self._path)
        return self._destination.stage(path, name)


class TestTheCommand:
    def test_refused_rows_are_told_with_file_line_and_reason(
        self, where: str, recordings: Path, tmp_path: Path
    ) -> None:
        result = run(where, recordings / SAMPLE, "--refused", tmp_path / "refused.csv")
        assert result.exit_code == 0
        assert "a second value at the same moment" in result.stdout
        assert "R1_barber_telemetry_data_sample.csv:" in result.stdout
        assert "and 178 more" in result.stdout
        rows = list(csv.DictReader((tmp_path / "refused.csv").read_text().splitlines()))
        assert len(rows) == 188
        assert set(rows[0]) == {"file", "line", "reason", "detail"}

    def test_a_chart_without_beacons_says_that_it_has_no_date(self, where: str, recordings: Path) -> None:
        result = run(where, chart(recordings, "Sebring", 2))
        assert (result.exit_code, "1 without a date" in result.stdout) == (0, True)
        with connect(where) as destination:
            assert destination.rows("SELECT START_TIME_NS FROM SESSIONS") == [(None,)]

    def test_what_the_path_does_not_tell_is_asked_for(
        self, where: str, recordings: Path, tmp_path: Path
    ) -> None:
        path = shutil.copy(chart(recordings, "Sebring", 2), tmp_path / "chart.CSV")
        result = run(where, path)
        assert result.exit_code == 17
        assert "--race 1" in result.stdout
        assert run(where, path, "--track", "Sebring", "--race", "2").exit_code == 0
        with connect(where) as destination:
            assert destination.rows("SELECT TRACK, SESSION_NUMBER FROM SESSIONS") == [("Sebring", 11)]

    def test_a_file_that_is_none_of_ours_is_named(self, where: str, tmp_path: Path) -> None:
        (tmp_path / "shopping.csv").write_text("milk,eggs\n1,2\n")
        result = run(where, tmp_path / "shopping.csv")
        assert (result.exit_code, "shopping.csv: it is no lap chart" in result.stdout) == (17, True)
        result = run(where, tmp_path / "nowhere.csv")
        assert (result.exit_code, "nowhere.csv" in result.stderr) == (5, True)

    def test_telemetry_without_a_sound_row_loads_nothing(
        self, where: str, recordings: Path, tmp_path: Path
    ) -> None:
        head = (recordings / SAMPLE).read_text().splitlines()[0]
        path = tmp_path / "barber_R1.csv"
        path.write_text(f"{head}\n{',' * 12}\n")
        result = run(where, path, "--json", "--track", "barber")
        (file,) = json.loads(result.stdout)["files"]
        assert (file["outcome"], file["refused"]) == ("no laps", {"an empty row": 1})

    def test_a_file_of_which_no_row_is_sound_loads_nothing(
        self, where: str, recordings: Path, tmp_path: Path
    ) -> None:
        head = chart(recordings, "Sebring", 2).read_text().splitlines()[0]
        path = tmp_path / "Sebring Race 2.CSV"
        path.write_text(f"{head}\nnothing\n")
        result = run(where, path, "--json")
        (file,) = json.loads(result.stdout)["files"]
        assert (file["outcome"], file["refused"]) == ("no laps", {"wrong number of cells": 1})
        with connect(where) as destination:
            assert counts(destination)["FILES"] == 0


class Early(Rival):
    """The same, as soon as the first file is read."""

    def release(self) -> None:
        if self.report is None:
            ((self.report,), _) = load(self._destination, self._path)
        self._destination.release()


class Stubborn(Rival):
    """A destination in which somebody else always was first."""

    def stage(self, path: Path, name: str) -> str:
        self._destination.execute("UPDATE RIG_WATERMARK SET NEXT_N = NEXT_N + 1")
        self._destination.execute(
            "INSERT INTO RIG_WATERMARK (RIG_ID, STREAM, NEXT_N) SELECT 'import', 'files', 1 "
            "FROM (SELECT 1 AS ONE) X WHERE NOT EXISTS (SELECT 1 FROM RIG_WATERMARK)"
        )
        return self._destination.stage(path, name)
