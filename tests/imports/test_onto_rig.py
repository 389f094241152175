"""Recordings onto a rig, and from there into a warehouse, like laps that were driven."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rig.errors import BadRequest, Exhausted
from rig.lapfile import LapFile
from rigclient.blocking import Rig, connect
from rigclient.cli.main import rig
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.imports.ledger import STREAM
from rigclient.imports.loaded_files import LoadedFile
from rigclient.imports.races import RIG_ID, ImportedRace
from rigclient.warehouse import connect as warehouse_of
from rigclient.warehouse import loading, schema, tables
from rigclient.warehouse.spool import Spool
from tests.imports.recorded import SAMPLE
from tests.imports.test_laps import FIRST, SECOND, SPA
from tests.imports.written import race, write
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.recorded_rig import RecordedRig


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return write(tmp_path / "a" / SPA, FIRST)


def imported(recorded: RecordedRig, *words: str | Path, code: int = 0) -> Any:
    command = ["--rig", recorded.address, "import", "--json", *map(str, words)]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(rig, command)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def there(recorded_rig: RecordedRig) -> Iterator[RecordedRig]:
    """The rig, without imported laps before and after."""
    yield recorded_rig
    with connect(recorded_rig.address) as connected:
        for lap in list(connected.laps(source="import")):
            connected.delete_lap(lap.name)


class TestOntoARig:
    def test_laps_are_listed_with_file_and_number_and_taken_back(
        self, there: RecordedRig, chart: Path, recordings: Path
    ) -> None:
        report = imported(there, chart, recordings / SAMPLE)
        assert [file["outcome"] for file in report["files"]] == ["loaded", "loaded"]
        with connect(there.address) as connected:
            laps = [lap for lap in connected.laps(source="import") if lap.track_name == "spa"]
            assert [(lap.car_number, lap.lap_time) for lap in laps] == [
                ("7", 100.0),
                ("7", 99.0),
                ("8", 101.0),
            ]
            assert {len(lap.file_digest) for lap in laps} == {16}
            sampled = next(lap for lap in connected.laps(source="import") if lap.samples == 965)
            assert len(connected.lap(sampled.name, ["speed"])) == 965
        assert {file["outcome"] for file in imported(there, chart, recordings / SAMPLE)["files"]} == {
            "there already"
        }
        assert [len(one["laps"]) for one in imported(there, "--undo", chart)] == [3]
        with connect(there.address) as connected:
            assert {lap.track_name for lap in connected.laps(source="import")} == {"barber"}

    def test_all_or_none_of_a_file_that_is_sent_some_laps_at_once(
        self, there: RecordedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / SPA, race(*(("7", lap, 100_000) for lap in range(1, 31))))
        send = Rig.import_lap

        def refused(own: Rig, session: Any, data: bytes, *, replace: bool = False) -> Any:
            if LapFile(data).header.lap.index == 20:
                raise BadRequest("not this one")
            return send(own, session, data, replace=replace)

        with monkeypatch.context() as patched:
            patched.setattr(Rig, "import_lap", refused)
            (file,) = imported(there, path, code=17)["files"]
        assert (file["outcome"], "not this one" in file["why"]) == ("refused", True)
        with connect(there.address) as connected:
            assert list(connected.laps(source="import")) == []
        assert imported(there, path)["files"][0]["laps"] == 30
        with connect(there.address) as connected:
            assert len(list(connected.laps(source="import"))) == 30
        assert [len(one["laps"]) for one in imported(there, "--undo", path)] == [30]

    def test_it_waits_while_others_keep_the_rig_busy(
        self, there: RecordedRig, chart: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send, asked = Rig.import_lap, list[str]()

        def busy(own: Rig, session: Any, data: bytes, *, replace: bool = False) -> Any:
            name = LapFile(data).header.lap.name
            asked.append(name)
            if asked.count(name) == 1:
                raise Exhausted("9 laps would be imported at once, the limit is 8")
            return send(own, session, data, replace=replace)

        monkeypatch.setattr(Rig, "import_lap", busy)
        assert imported(there, chart)["files"][0]["outcome"] == "loaded"
        assert len(asked) == 6

    def test_a_corrected_chart_replaces_the_earlier_one(
        self, there: RecordedRig, chart: Path, tmp_path: Path
    ) -> None:
        second = write(tmp_path / "b" / SPA, SECOND)
        imported(there, chart)
        imported(there, second, code=17)
        imported(there, second, "--replace")
        with connect(there.address) as connected:
            assert [lap.lap_time for lap in connected.laps(source="import")] == [100.0, 98.5, 99.5]
        assert imported(there, chart, "--replace")["files"][0]["outcome"] == "older"

    def test_a_sync_brings_what_an_import_brings(
        self, there: RecordedRig, chart: Path, recordings: Path, duck: EmptyWarehouse
    ) -> None:
        imported(there, chart, recordings / SAMPLE)
        command = ["--rig", there.address, "sync", "--to", duck.where]
        result = CliRunner(env={"COLUMNS": "80", "XDG_CACHE_HOME": str(there.folder)}).invoke(rig, command)
        assert result.exit_code == 0, result.output
        runner = CliRunner(env={"COLUMNS": "80", "RIG_WAREHOUSE": duck.where})
        assert runner.invoke(rig, ["warehouse", "load", str(chart), str(recordings / SAMPLE)]).exit_code == 0
        with warehouse_of(duck.where) as destination:
            for sql in SAME:
                synced, loaded = (destination.rows(sql.format(one)) for one in ("<> 'import'", "= 'import'"))
                assert synced == loaded, sql
                assert synced


SAME = (
    "SELECT SHA256, SESSION, BYTES, LAPS, REFUSED FROM FILES WHERE RIG_ID {} ORDER BY SHA256",
    "SELECT SESSION, LAP, SEQ, NAME, LAP_TIME, VALUE FROM READINGS WHERE RIG_ID {} ORDER BY ALL",
    "SELECT SESSION, LAP, CAR_NUMBER, LAP_TIME, SECTOR1, FLAG, GREEN, TOP_SPEED, PIT_TIME, SAMPLES, DIGEST "
    "FROM LAPS L WHERE RIG_ID {} AND EXISTS (SELECT 1 FROM FILES F WHERE F.SESSION = L.SESSION) ORDER BY ALL",
    "SELECT SESSION, TRACK, KIND, SOURCE, START_TIME_NS, END_TIME_NS FROM SESSIONS "
    "WHERE SOURCE = 'import' AND RIG_ID {} ORDER BY ALL",
    "SELECT SESSION, LAP, SEQ, SPEED, GEAR, DISTANCE, GAME_DISTANCE FROM PHYSICS P WHERE RIG_ID {} AND "
    "EXISTS (SELECT 1 FROM FILES F WHERE F.SESSION = P.SESSION) ORDER BY ALL",
)
"""What is the same whether a rig or the files themselves brought it."""


KEY = ImportedRace("spa", 1).key("chart", 13 * 3600)
"""Of the race, in SESSIONS.RING."""


class TestAWarehouseOfTheVersionBefore:
    """Its laps were named by the cars' numbers, and their digest was the file's."""

    @pytest.fixture
    def old(self, duck: EmptyWarehouse, tmp_path: Path, chart: Path) -> Path:
        sha256 = hashlib.sha256(chart.read_bytes()).hexdigest()
        session = "undated-130000-spa-race-bccd-1"
        with warehouse_of(duck.where) as destination:
            schema.prepare(destination)
            spool = Spool(tmp_path / "spool")
            own = {"RIG_ID": RIG_ID, "SESSION": session}
            named = {**own, "KIND": "lap", "DIGEST": sha256, "SAMPLES": 0, "COMPLETE": True, "OFFICIAL": True}
            laps = (
                ("car7-0001", 0, "7", 1, 100.0),
                ("car7-0002", 0, "7", 2, 99.0),
                ("car8-0001", 1, "8", 1, 101.0),
            )
            columns = ("LAP", "CAR", "CAR_NUMBER", "LAP_INDEX", "LAP_TIME")
            spool.put(tables.LAPS, [named | dict(zip(columns, lap, strict=True)) for lap in laps])
            spool.put(
                tables.SESSIONS, [{**own, "TRACK": "spa", "KIND": "race", "SOURCE": "import", "RING": KEY}]
            )
            spool.put(
                tables.FILES, [{**own, "SHA256": sha256, "PATH": str(chart), "KIND": "chart", "LAPS": 3}]
            )
            loading.load(destination, loading.Load(spool.id, RIG_ID, STREAM, 0, 1, spool.parts()))
        return chart

    def words(self, duck: EmptyWarehouse, *words: str | Path) -> Any:
        runner = CliRunner(env={"COLUMNS": "80", "RIG_WAREHOUSE": duck.where})
        return runner.invoke(rig, ["warehouse", *map(str, words)])

    def test_its_files_are_there_already_and_can_be_taken_back(self, duck: EmptyWarehouse, old: Path) -> None:
        assert "1 there already, nothing changed" in self.words(duck, "load", old).stdout
        assert self.words(duck, "unload", old).exit_code == 0
        assert "1 file loaded, 3 laps" in self.words(duck, "load", old).stdout

    def test_a_corrected_chart_takes_the_place_of_one_of_them(
        self, duck: EmptyWarehouse, old: Path, tmp_path: Path
    ) -> None:
        second = write(tmp_path / "b" / SPA, SECOND)
        refused = self.words(duck, "load", second)
        assert (refused.exit_code, "--replace" in refused.stdout) == (17, True)
        assert self.words(duck, "load", second, "--replace").exit_code == 0
        with warehouse_of(duck.where) as destination:
            found = destination.rows("SELECT SESSION, LAP, LAP_TIME FROM LAPS ORDER BY LAP")
            assert {session for session, _, _ in found} == {"undated-130000-spa-race-bccd-1"}
            assert [time for _, _, time in found] == [100.0, 98.5, 99.5]
            there = WarehouseKeeper(destination).files.sessions_of_race(KEY, "", "")
            assert [LoadedFile(*one)[:1] for one in there] == [("undated-130000-spa-race-bccd-1",)]
