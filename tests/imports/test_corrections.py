"""Charts that are corrected or taken back: once, with the ledger whole, whoever is killed when."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rig.errors import NotFound
from rigclient.imports import discovery, import_file, job, unloading
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.warehouse import Destination, check, schema
from tests.imports.written import race, write
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.fork_server import ForkServer
from tests.warehouse.peer.process import PeerProcess

FIRST = race(("7", 1, 100_000), ("7", 2, 99_000), ("8", 1, 101_000))
SECOND = race(("7", 1, 100_000), ("7", 2, 98_500), ("8", 1, 101_000), ("8", 2, 99_500))


@pytest.fixture
def charts(tmp_path: Path) -> tuple[Path, Path]:
    """A chart of a race, and the corrected one."""
    names = ("first", "second")
    paths = [tmp_path / f"{name}/spa/Race 1/23_Analysis_Race.CSV" for name in names]
    return write(paths[0], FIRST), write(paths[1], SECOND)


def load(there: Destination, path: Path, **named: Any) -> import_file.ImportReport:
    work = job.ImportJob(
        WarehouseKeeper(there),
        import_file.ImportOptions(**named),
        lambda _row: None,
        lambda _path, _bytes: None,
    )
    (report,) = work.run(discovery.search([path]))
    return report


def times(there: Destination) -> list[float]:
    return [time for (time,) in there.rows("SELECT LAP_TIME FROM LAPS ORDER BY CAR_NUMBER, LAP_INDEX")]


def ill(there: Destination) -> list[str]:
    return [one.text for one in check.checks(there, []) if not one.well]


OLD, NEW = [100.0, 99.0, 101.0], [100.0, 98.5, 101.0, 99.5]


class TestReplacing:
    def test_a_corrected_chart_is_refused_until_somebody_says_that_it_is_right(
        self, warehouse: EmptyWarehouse, charts: tuple[Path, Path]
    ) -> None:
        first, second = charts
        with warehouse.open() as there:
            before = load(there, first)
            refused = load(there, second)
            assert (refused.outcome, "--replace" in refused.why) == ("refused", True)
            assert times(there) == OLD
            after = load(there, second, replace=True)
            assert (after.outcome, after.session) == ("loaded", before.session)
            assert times(there) == NEW
            assert there.rows("SELECT PATH FROM FILES") == [(str(second),)]
            assert there.rows("SELECT COUNT(*) FROM SESSIONS") == [(1,)]
            ((removed, note),) = there.rows("SELECT REMOVED, NOTE FROM RIG_LOADS WHERE FROM_N = 1")
            assert there.rows("SELECT LOAD_ID FROM RIG_LOADS WHERE FROM_N = 0") == [(removed,)]
            assert [one["file"] for one in json.loads(note)["replaces"]] == [str(first)]
            assert ill(there) == []
            for again in charts:
                assert load(there, again, replace=True).outcome in ("there already", "older")
            assert times(there) == NEW

    def test_in_one_command_the_more_final_one_is_taken(self, tmp_path: Path, duck: EmptyWarehouse) -> None:
        write(tmp_path / "in/official/spa/Race 1/a.csv", SECOND)
        write(tmp_path / "in/provisional/spa/Race 1/a.csv", FIRST)
        with duck.open() as there:
            for replace in (False, True):
                work = job.ImportJob(
                    WarehouseKeeper(there),
                    import_file.ImportOptions(replace=replace),
                    lambda _row: None,
                    lambda _path, _bytes: None,
                )
                outcomes = {
                    report.path.parts[-4]: report.outcome
                    for report in work.run(discovery.search([tmp_path / "in"]))
                }
                assert outcomes["provisional"] == "older"
                assert times(there) == NEW

    def test_of_two_in_one_command_of_which_none_is_more_final_the_second_is_refused(
        self, duck: EmptyWarehouse, charts: tuple[Path, Path]
    ) -> None:
        with duck.open() as there:
            for first in ("loaded", "there already"):
                named = import_file.ImportOptions(replace=True)
                work = job.ImportJob(
                    WarehouseKeeper(there), named, lambda _row: None, lambda _path, _bytes: None
                )
                reports = list(work.run(discovery.search(charts)))
                assert [report.outcome for report in reports] == [first, "refused"]
                assert "with the right one alone" in reports[1].why
                assert times(there) == OLD

    def test_hour_charts_of_a_race_are_one_race(self, tmp_path: Path, duck: EmptyWarehouse) -> None:
        write(tmp_path / "in/spa/Race/Hour 6/23_Analysis_Race_Hour 6.CSV", FIRST)
        write(tmp_path / "in/spa/Race/Hour 12/23_Analysis_Race_Hour 12.CSV", SECOND)
        with duck.open() as there:
            work = job.ImportJob(
                WarehouseKeeper(there),
                import_file.ImportOptions(),
                lambda _row: None,
                lambda _path, _bytes: None,
            )
            outcomes = [report.outcome for report in work.run(discovery.search([tmp_path / "in"]))]
            assert (outcomes, times(there)) == (["loaded", "older"], NEW)


class TestIdentity:
    @pytest.mark.parametrize(
        ("folders", "more", "sessions"),
        [
            (("spa/2022/Race 1", "spa/2023/Race 1"), ({}, {}), 2),
            (("202206101600_Race/spa", "202306101600_Race/spa"), ({}, {}), 2),
            (("a/spa/Race 1", "b/spa/Race 1"), ({"date": "2022-06-10"}, {"date": "2023-06-10"}), 2),
            (("a/spa/Race 1", "b/spa/Race 1"), ({"date": "2022-06-10"}, {"date": "2022-06-10"}), 1),
            (("a/spa/Race 1", "b/spa/Race 1"), ({"date": "2022-06-10"}, {}), 1),
            (("a/spa/Race 1", "b/spa/Race 1"), ({}, {"date": "2022-06-10"}), 1),
            (("a/spa/Race 1", "b/spa/Practice 1"), ({}, {}), 2),
        ],
    )
    def test_a_race_has_a_date(
        self,
        tmp_path: Path,
        duck: EmptyWarehouse,
        folders: tuple[str, str],
        more: tuple[Any, Any],
        sessions: int,
    ) -> None:
        with duck.open() as there:
            for folder, data, named in zip(folders, (FIRST, SECOND), more, strict=True):
                load(there, write(tmp_path / folder / "chart.csv", data), **named)
            assert there.rows("SELECT COUNT(*), COUNT(DISTINCT SESSION) FROM SESSIONS") == [(sessions,) * 2]

    def test_races_without_a_date_and_without_a_car_in_common_are_two(
        self, tmp_path: Path, duck: EmptyWarehouse
    ) -> None:
        other = race(("1", 1, 130_000))
        with duck.open() as there:
            for folder, data in (("a", FIRST), ("b", other)):
                load(there, write(tmp_path / folder / "spa/Race 1/chart.csv", data))
            corrected = race(("1", 1, 130_500))
            report = load(there, write(tmp_path / "c/spa/Race 1/chart.csv", corrected), replace=True)
            assert report.replaces[0].path == str(tmp_path / "b/spa/Race 1/chart.csv")
            assert times(there) == [130.5, *OLD]
            assert ill(there) == []

    def test_a_date_is_told_as_one(self, tmp_path: Path, duck: EmptyWarehouse) -> None:
        with duck.open() as there:
            report = load(there, write(tmp_path / "202306101600_Race/spa/chart.csv", FIRST))
            assert report.session.startswith("20230610-130000-spa-race-")
            assert there.rows("SELECT LOCAL_DATE, START_TIME_NS FROM SESSIONS") == [("2023-06-10", None)]


class TestTakingBack:
    @pytest.mark.parametrize("how", ["file", "path", "checksum", "session"])
    def test_a_file_goes_with_all_it_brought_and_may_come_again(
        self, tmp_path: Path, duck: EmptyWarehouse, charts: tuple[Path, Path], how: str
    ) -> None:
        first, _ = charts
        with duck.open() as there:
            report = load(there, first)
            ((sha256,),) = there.rows("SELECT SHA256 FROM FILES")
            what = {
                "file": str(first),
                "path": str(first),
                "checksum": sha256[:12],
                "session": report.session,
            }
            if how == "path":
                first.rename(tmp_path / "moved.csv")
            (gone,) = unloading.unload(there, what[how])
            assert (gone.path, times(there)) == (str(first), [])
            for table in ("SESSIONS", "LAPS", "READINGS", "GAPS", "FILES"):
                assert there.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)]
            ((removed, note),) = there.rows("SELECT REMOVED, NOTE FROM RIG_LOADS WHERE FROM_N = 1")
            assert (removed, sha256 in note) == (gone.load, True)
            with pytest.raises(NotFound):
                list(unloading.unload(there, what[how]))
            assert ill(there) == []
            if how != "path":
                assert load(there, first).outcome == "loaded"

    def test_what_was_replaced_may_come_again_after_it(
        self, warehouse: EmptyWarehouse, charts: tuple[Path, Path]
    ) -> None:
        first, second = charts
        with warehouse.open() as there:
            load(there, first)
            load(there, second, replace=True)
            assert load(there, first, replace=True).outcome == "older"
            assert [one.path for one in unloading.unload(there, str(second))] == [str(second)]
            assert load(there, first).outcome == "loaded"
            assert times(there) == OLD
            assert ill(there) == []

    def test_a_session_of_two_files_keeps_what_the_other_brought(
        self, tmp_path: Path, duck: EmptyWarehouse, recordings: Path
    ) -> None:
        from tests.imports.filled import files

        (tmp_path / "in").mkdir()
        two, three = (path for path in files(tmp_path / "in", recordings) if path.name.startswith("lap"))
        with duck.open() as there:
            named = {"track": "Barber", "race": 1}
            sessions = {load(there, path, **named).session for path in (two, three)}
            assert len(list(unloading.unload(there, str(two)))) == 1
            assert there.rows("SELECT SESSION, LAP FROM LAPS") == [(*sessions, "car000-0003")]
            assert there.rows("SELECT SESSION FROM SESSIONS") == [tuple(sessions)]
            assert ill(there) == []


POINTS = {
    ("duckdb", "replace"): ["after delete LAPS", "after update RIG_WATERMARK", "after commit"],
    ("duckdb", "unload"): ["after delete LAPS", "after commit"],
    ("snowflake", "replace"): ["after update RIG_WATERMARK"],
}


def killed(fork_server: ForkServer, journal: Path, point: str, *words: str) -> None:
    """Run `rig warehouse` and have it kill itself there."""
    ended = fork_server.run(str(journal), point, "rig", "warehouse", *words, env=os.environ)
    assert ended.status == -signal.SIGKILL, ended.err


@pytest.mark.parametrize("act", ["replace", "unload"])
def test_killed_anywhere_it_is_done_once_or_not_at_all(
    warehouse: EmptyWarehouse,
    charts: tuple[Path, Path],
    tmp_path: Path,
    peer: PeerProcess,
    fork_server: ForkServer,
    act: str,
) -> None:
    first, second = charts
    words = ("load", str(second), "--replace") if act == "replace" else ("unload", str(first))
    wanted = NEW if act == "replace" else []
    finish: Callable[[Destination], object] = (
        (lambda there: load(there, second, replace=True))
        if act == "replace"
        else (lambda there: list(unloading.unload(there, str(first))))
    )
    for point in POINTS.get((warehouse.kind, act), []):
        with warehouse.open() as there:
            schema.prepare(there)
            list(unloading.unload(there, str(second))) if times(there) == NEW else None
            load(there, first)
            assert times(there) == OLD
        killed(fork_server, tmp_path / "journal", point, *words, "--in", warehouse.where)
        if warehouse.kind == "snowflake":
            peer.abort_detached()
        with warehouse.open() as there:
            assert times(there) == (wanted if point == "after commit" else OLD), point
            assert ill(there) == []
            if point != "after commit":
                finish(there)
            assert times(there) == wanted
            assert ill(there) == []
