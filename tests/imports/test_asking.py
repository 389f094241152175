"""The questions as commands: what they print, for people in 80 columns and for machines."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigclient.imports import discovery, import_file, job
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.warehouse import connect, schema
from rigclient.warehouse.spool import Spool
from tests.imports import driven
from tests.imports.driven import ALDER, OHARA
from tests.imports.recorded import chart
from tests.warehouse.recorded_rig import RecordedRig

Ask = Callable[..., Result]
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def where(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse with a driven race and two charts."""
    folder = tmp_path_factory.mktemp("asked")
    place = f"duckdb:{folder / 'laps.duckdb'}"
    with connect(place) as destination:
        schema.prepare(destination)
        driven.load(destination, Spool(folder / "spool"))
        work = job.ImportJob(
            WarehouseKeeper(destination),
            import_file.ImportOptions(),
            lambda _row: None,
            lambda _path, _bytes: None,
        )
        paths = [chart(recordings, "barber", 1), chart(recordings, "Sebring", 2)]
        assert [report.outcome for report in work.run(discovery.search(paths))] == ["loaded", "loaded"]
    return place


@pytest.fixture
def ask(where: str) -> Ask:
    def run(*words: object, columns: int = 80, place: str = where, address: str = NOWHERE) -> Result:
        runner = CliRunner(env={"COLUMNS": str(columns), "RIG_WAREHOUSE": place})
        return runner.invoke(rig, ["--rig", address, "warehouse", *map(str, words)])

    return run


def printed(result: Result, columns: int = 80) -> str:
    """What it printed, once it ended well and fits."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert max(map(len, result.stdout.splitlines())) <= columns
    return result.stdout


def plain(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestTables:
    def test_laps_are_told_by_session_and_car(self, ask: Ask) -> None:
        shown = printed(ask("laps", "--track", "meander", "--car", "3,12", "--green"))
        assert shown.splitlines()[0] == driven.SESSION
        assert [line.split()[0] for line in shown.splitlines()[2:]] == [
            f"car{car:03d}-{lap:04d}" for car, lap in ((3, 1), (3, 2), (3, 3), (12, 1), (12, 3))
        ]
        assert "invalid" in shown.splitlines()[4]
        assert shown.splitlines()[3].split()[3:] == [
            "0:20.000",
            "5.000",
            "5.000",
            "10.000",
            "green",
            "1000",
            "samples",
        ]

    def test_a_limit_says_that_there_is_more(self, ask: Ask) -> None:
        assert "2 laps shown, there are more; --limit 0 shows all" in printed(ask("laps", "--limit", 2))

    def test_drivers_are_those_with_telemetry(self, ask: Ask) -> None:
        shown = printed(ask("drivers"))
        assert ALDER in shown
        assert "#13" not in shown
        assert "#13" in printed(ask("drivers", "--all", "--track", "barber"))

    def test_results_name_places_gaps_and_laps_led(self, ask: Ask) -> None:
        shown = printed(ask("results", "--track", "barber")).splitlines()
        assert shown[2].split() == ["1", "13", "Am", "1", "#13", "27", "45:15.035", "1:37.428", "27"]
        assert shown[3].split() == [
            "2",
            "22",
            "Am",
            "2",
            "#22",
            "27",
            "45:17.775",
            "+2.740",
            "+2.740",
            "1:37.746",
        ]
        assert shown[-1].split() == [
            "22",
            "88",
            "Am",
            "22",
            "#88",
            "13",
            "26:48.684",
            "14",
            "laps",
            "1:38.845",
        ]

    def test_statistics_tell_who_drove_most_evenly(self, ask: Ask) -> None:
        shown = printed(ask("statistics", "--track", "barber", "--order-by", "consistency")).splitlines()
        assert shown[2].split()[:2] == ["7", "#7"]
        assert "0.208" in shown[2]

    def test_the_lap_chart_is_cut_into_blocks_that_fit(self, ask: Ask) -> None:
        shown = printed(ask("lap-chart", "--track", "barber"))
        heads = [line.split() for line in shown.splitlines() if line.startswith("    ")]
        assert [int(lap) for head in heads for lap in head] == list(range(1, 28))
        (winner,) = {line.split()[0] for line in shown.splitlines() if set(line.split()[1:]) == {"1"}}
        assert winner == "#13"
        assert len(printed(ask("lap-chart", "--track", "barber", columns=120), 120).splitlines()) == 24

    def test_others_that_fit_are_named(self, ask: Ask) -> None:
        assert "also fit: " in printed(ask("results"), 500)

    def test_two_drivers_are_compared_over_the_distance(self, ask: Ask) -> None:
        shown = printed(ask("compare", "alder", "birch", "--channels", "speed,gear,throttle,brake,steering"))
        assert "car003-0002" in shown
        assert "speed [km/h] a" in shown
        assert "216.0  180.0" in shown
        assert "there is no room for" in shown
        (last,) = (line.split() for line in shown.splitlines() if line.startswith("1195 "))
        assert last[-2] == "+3.983"

    def test_without_telemetry_sectors_are_compared(self, ask: Ask) -> None:
        shown = printed(ask("compare", "#13", "#22", "--track", "barber"))
        assert "lap   1:37.428  1:37.746  +0.318  +0.120" in shown
        assert "no samples of both laps are at hand" in shown

    def test_a_number_is_that_of_a_car_before_it_is_a_part_of_a_name(self, ask: Ask) -> None:
        assert printed(ask("compare", "13", "22", "--track", "barber")) == printed(
            ask("compare", "#13", "#22", "--track", "barber")
        )
        assert "A. Alder" in printed(ask("compare", "3", "birch", "--track", "meander"))

    @pytest.mark.parametrize("part", ["GT3", "gt", "t3"])
    def test_a_class_is_found_by_a_part(self, ask: Ask, part: str) -> None:
        assert "car003-0001" in printed(ask("laps", "--track", "meander", "--class", part))

    def test_two_laps_lie_on_a_grid(self, ask: Ask) -> None:
        shown = printed(ask("grid", "5f3a-2/best", "5f3a-2/car040-0001", "--step", 100))
        assert shown.splitlines()[-1].split() == ["1150", "216.0", "144.0", "+9.583", "+0.833"]

    def test_samples_are_shown_and_exported(self, ask: Ask, tmp_path: Path) -> None:
        words = ("telemetry", "--track", "meander", "--car", "40", "--channels", "speed,gear")
        shown = printed(ask(*words)).splitlines()
        assert shown[1].split() == ["car040-0001", "0.000", "0.000", "40.000", "3"]
        assert "the first 40 samples" in shown[-1]
        assert printed(ask(*words, "--out", tmp_path / "a.parquet"), 500).strip() == str(
            tmp_path / "a.parquet"
        )
        assert pq.read_table(tmp_path / "a.parquet").num_rows == 1500
        assert ask(*words, "--out", tmp_path / "a.csv").exit_code == 0
        lines = (tmp_path / "a.csv").read_text().splitlines()
        assert (len(lines), lines[1]) == (1501, f"{driven.SESSION},40,1,car040-0001,0.0,0.0,40.0,3")


class TestPictures:
    @pytest.mark.parametrize("name", ["duel.svg", "duel.html"])
    def test_a_comparison_is_drawn(self, ask: Ask, tmp_path: Path, name: str) -> None:
        result = ask("compare", "alder", "birch", "--plot", tmp_path / name)
        assert result.exit_code == 0
        assert (tmp_path / name).stat().st_size > 10_000

    def test_what_cannot_be_drawn_is_said_before_anything(self, ask: Ask) -> None:
        result = ask("compare", "alder", "birch", "--plot", "duel.gif")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "duel.gif has no known ending" in result.stderr


class TestForMachines:
    @pytest.mark.parametrize(
        ("words", "rows"),
        [
            (("laps", "--track", "meander", "--limit", 0), 7),
            (("laps", "--track", "barber", "--limit", 0), 579),
            (("drivers",), 3),
            (("results", "--track", "barber"), 22),
            (("statistics", "--track", "barber"), 22),
            (("lap-chart", "--track", "barber"), 579),
        ],
    )
    def test_lists_are_lists(self, ask: Ask, words: tuple[object, ...], rows: int) -> None:
        found = plain(ask(*words, "--json"))
        assert len(found) == rows
        assert all(name == name.lower() for row in found for name in row)

    def test_a_comparison_has_every_cell(self, ask: Ask) -> None:
        found = plain(ask("compare", "alder", "birch", "--json"))
        assert (len(found["cells"]), found["cells"][0]["distance"]) == (120, 5.0)
        assert [lap["driver"] for lap in found["laps"]] == [ALDER, "B. Birch"]

    def test_samples_are_a_line_each(self, ask: Ask) -> None:
        result = ask("telemetry", "--track", "meander", "--car", "40", "--json")
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert len(lines) == 1500
        assert [line["distance"] for line in lines] == sorted(line["distance"] for line in lines)
        assert lines[1]["distance"] == 0.8  # a float32, spelled as short as it reads back


class TestNothing:
    @pytest.mark.parametrize(
        "command", ["laps", "drivers", "results", "statistics", "lap-chart", "telemetry"]
    )
    def test_it_says_so_and_what_there_is_instead(self, ask: Ask, command: str) -> None:
        result = ask(command, "--track", "meandr")
        assert (result.exit_code, result.stdout) == (5, "")
        assert "of track 'meandr'" in result.stderr
        assert "Meander Valley Grand" in result.stderr

    def test_for_machines_it_is_an_empty_list(self, ask: Ask) -> None:
        result = ask("laps", "--driver", "nobody", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (5, [])

    @pytest.mark.parametrize("text", [OHARA, "'", "' OR 1=1 --", "%", 'a"b; DROP TABLE LAPS'])
    def test_names_with_quotes_are_only_names(self, ask: Ask, text: str) -> None:
        result = ask("laps", "--driver", text, "--json")
        found = json.loads(result.stdout)
        assert {lap["driver"] for lap in found} <= {OHARA}
        assert bool(found) == (text.lower() in OHARA.lower())

    def test_an_empty_warehouse_says_how_to_fill_it(self, ask: Ask, tmp_path: Path) -> None:
        place = f"duckdb:{tmp_path / 'empty.duckdb'}"
        with connect(place) as destination:
            schema.prepare(destination)
        result = ask("laps", place=place)
        assert (
            "the warehouse has no laps yet; `rig sync` and `rig warehouse load` bring some" in result.stderr
        )


class TestTheWarehouseIsAway:
    """Then the rig's own index answers, as far as it goes."""

    def test_the_rig_answers_and_it_is_said(
        self, ask: Ask, recorded_rig: RecordedRig, tmp_path: Path
    ) -> None:
        place = f"duckdb:{tmp_path / 'nowhere.duckdb'}"
        result = ask("laps", "--json", "--limit", 0, place=place, address=recorded_rig.address)
        assert result.exit_code == 0
        assert "there is no warehouse at" in result.stderr
        assert f"this is what the rig at {recorded_rig.address} knows of its laps" in result.stderr
        assert sorted(lap["lap"] for lap in json.loads(result.stdout)) == complete_laps(recorded_rig)
        assert ask("results", place=place, address=recorded_rig.address).exit_code == 0

    def test_samples_are_in_the_warehouse_alone(
        self, ask: Ask, recorded_rig: RecordedRig, tmp_path: Path
    ) -> None:
        place = f"duckdb:{tmp_path / 'nowhere.duckdb'}"
        result = ask("telemetry", place=place, address=recorded_rig.address)
        assert (result.exit_code, "there is no warehouse at" in result.stderr) == (5, True)

    def test_when_the_rig_is_away_too_the_warehouse_s_error_is_told(self, ask: Ask, tmp_path: Path) -> None:
        result = ask("laps", place=f"duckdb:{tmp_path / 'nowhere.duckdb'}")
        assert (result.exit_code, result.stdout) == (5, "")
        assert "there is no warehouse at" in result.stderr
        assert not (tmp_path / "nowhere.duckdb").exists()


def complete_laps(recorded_rig: RecordedRig) -> list[str]:
    """By the rig's index itself."""
    with sqlite3.connect(f"file:{recorded_rig.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        names = index.execute("SELECT name FROM lap WHERE complete AND kind = 1").fetchall()
    return sorted(name.rpartition("/")[2] for (name,) in names)
