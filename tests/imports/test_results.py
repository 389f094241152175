"""What a result tells of a race by its chart: classes, who retired, and which laps were at pace."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigclient.imports import discovery, import_file, job
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.warehouse import Destination, connect
from rigclient.warehouse.questions import standings
from rigclient.warehouse.questions.choice import Choice
from rigclient.warehouse.questions.lookup import sessions
from tests.imports.written import HEAD, race, write
from tests.warehouse.empty import EmptyWarehouse


def laps_of(number: str, times: list[int]) -> list[tuple[str, int, int]]:
    return [(number, lap, ms) for lap, ms in enumerate(times, start=1)]


CLASSES = {"7": "HYPERCAR", "8": "HYPERCAR", "21": "LMGT3", "22": "LMGT3", "23": "LMGT3"}
TIMES = {
    "7": [100_000] * 6,
    "8": [100_000] * 5 + [101_000],
    "21": [118_000] * 6,
    "22": [119_000] * 3,  # went home
    "23": [130_000] * 5,
}


def chart(*, flags: bool) -> bytes:
    """A race of two classes of which one car retires, with the chequered flag or as it goes on."""
    finish = {(number, len(times)): "FF" for number, times in TIMES.items() if number != "22"}
    laps = [lap for number, times in TIMES.items() for lap in laps_of(number, times)]
    head, *rows = race(*laps, flags=finish if flags else None).decode().splitlines()
    at = [name.strip() for name in HEAD.split(";")].index("CLASS")
    classed = [row.split(";") for row in rows]
    for row in classed:
        row[at] = CLASSES[row[0]]
    return "\n".join([head, *(";".join(row) for row in classed)]).encode()


def load(there: Destination, path: Path) -> None:
    work = job.ImportJob(
        WarehouseKeeper(there), import_file.ImportOptions(), lambda _row: None, lambda _path, _bytes: None
    )
    assert [report.outcome for report in work.run(discovery.search([path]))] == ["loaded"]


def results(there: Destination) -> list[dict[str, Any]]:
    return list(standings.results(there, sessions(there, Choice(), 1)[0]))


def run(duck: EmptyWarehouse, *words: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "100", "RIG_WAREHOUSE": duck.where})
    return runner.invoke(rig, ["--rig", "127.0.0.1:1", "warehouse", *words])


class TestResults:
    @pytest.mark.parametrize("flags", [True, False])
    def test_they_have_places_in_class_and_tell_who_retired(
        self, tmp_path: Path, duck: EmptyWarehouse, flags: bool
    ) -> None:
        with connect(duck.where) as there:
            load(there, write(tmp_path / "spa/Race 1/a.csv", chart(flags=flags)))
            rows = results(there)
        assert [(row["place"], row["car_number"], row["class_place"], row["retired"]) for row in rows] == [
            (1, "7", 1, False),
            (2, "8", 2, False),
            (3, "21", 1, False),
            (4, "23", 2, False),
            (5, "22", 3, True),
        ]
        shown = [line.split() for line in run(duck, "results").stdout.splitlines()]
        assert shown[2][:4] == ["1", "7", "HYPERCAR", "1"]
        assert shown[4][:4] == ["3", "21", "LMGT3", "1"]
        assert shown[6] == ["retired"]
        assert shown[7][:4] == ["5", "22", "LMGT3", "3"]

    def test_nobody_retires_from_practice(self, tmp_path: Path, duck: EmptyWarehouse) -> None:
        with connect(duck.where) as there:
            load(there, write(tmp_path / "spa/Practice 1/a.csv", chart(flags=False)))
            assert {row["retired"] for row in results(there)} == {None}
            assert there.rows("SELECT KIND, SESSION_NUMBER FROM SESSIONS") == [("practice", 1)]


class TestPace:
    def test_no_lap_under_any_other_flag_is_at_pace_nor_the_one_after_it(
        self, tmp_path: Path, duck: EmptyWarehouse
    ) -> None:
        times = laps_of("7", [100_000, 99_000, 99_100, 99_200, 99_300, 99_400, 99_500, 99_600])
        flags = {("7", 3): "SF", ("7", 5): "RF", ("7", 7): "VSC"}
        with connect(duck.where) as there:
            load(there, write(tmp_path / "cota/Race 1/a.csv", race(*times, flags=flags)))
            sql = "SELECT LAP_NO FROM LAP_CHART_V WHERE FLYING IS NOT NULL ORDER BY LAP_NO"
            assert there.rows(sql) == [(2,)]
            sql = "SELECT LAP_INDEX FROM LAPS WHERE GREEN ORDER BY LAP_INDEX"
            assert there.rows(sql) == [(1,), (2,)]

    @pytest.mark.parametrize("command", [("laps",), ("drivers", "--all"), ("compare", "#7", "#8")])
    def test_laps_of_which_nobody_knows_are_left_out_and_that_is_said(
        self, tmp_path: Path, duck: EmptyWarehouse, command: tuple[str, ...]
    ) -> None:
        flags = {("7", 3): "", ("8", 3): "FF"}
        times = [lap for number in ("7", "8") for lap in laps_of(number, [100_000] * 3)]
        with connect(duck.where) as there:
            load(there, write(tmp_path / "spa/Race 1/a.csv", race(*times, flags=flags)))
        result = run(duck, *command, "--green")
        assert result.exit_code == 0
        assert "--green leaves out 2 laps of which nobody knows" in result.stderr
        assert "nobody knows" not in run(duck, *command).stderr

    def test_a_chart_without_flags_has_no_lap_that_is_known_to_be_green(
        self, tmp_path: Path, duck: EmptyWarehouse
    ) -> None:
        data = race(("7", 1, 100_000), ("7", 2, 99_000)).replace(b"FLAG_AT_FL", b"REMARK")
        with connect(duck.where) as there:
            load(there, write(tmp_path / "spa/Race 1/a.csv", data))
            assert there.rows("SELECT GREEN, FLAG FROM LAPS") == [(None, None)] * 2
        result = run(duck, "laps", "--green", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (5, [])
        assert "2 laps of which nobody knows" in result.stderr
