"""`rig sync` as people run it: one body over every warehouse. What arrives is what the rig's files hold."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from rig.errors import Denied, Unavailable
from rig.lapfile import LapFile, pack
from rig.v1 import event_pb2
from rigclient.blocking import connect
from rigclient.warehouse import schema, tables, views
from rigclient.warehouse.rig_reader import RigReader
from rigclient.warehouse.sync import Progress, Sync
from rigd.store.folder import LapFolder
from rigd.store.store import Store
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.expected import broken, differences
from tests.warehouse.recorded_rig import RecordedRig

ROWS = "1500"
"""Of a load: the race has several."""


def run(recorded_rig: RecordedRig, target: EmptyWarehouse, *words: str) -> Result:
    """`rig sync` to its end."""
    return recorded_rig.rig("sync", "--to", target.where, "--load-rows", ROWS, *words)


def report(recorded_rig: RecordedRig, target: EmptyWarehouse, *words: str) -> dict[str, object]:
    """What it says for machines, when all went well."""
    done = run(recorded_rig, target, "--json", *words)
    assert done.exit_code == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_everything_arrives_and_twice_changes_nothing(
    recorded_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    first = report(recorded_rig, warehouse)
    assert first["laps"] == len(recorded_rig.laps())
    assert first["warnings"] == first["refused"] == []
    with warehouse.open() as destination:
        assert differences(destination, recorded_rig) == []
        ledger = destination.rows("SELECT * FROM RIG_LOADS ORDER BY LOAD_ID")
        assert len(ledger) > 2
    again = report(recorded_rig, warehouse)
    assert (again["loads"], again["laps"], again["rows"]) == (0, 0, 0)
    with warehouse.open() as destination:
        assert destination.rows("SELECT * FROM RIG_LOADS ORDER BY LOAD_ID") == ledger
    with connect(recorded_rig.address) as rig:
        assert all(lap.synced for lap in rig.laps())
        assert not list(rig.laps(synced=False))


def test_where_events_and_marks_are_denied_the_laps_arrive(
    recorded_rig: RecordedRig, duck: EmptyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's token has laps, and neither all events nor a word in what retention may delete."""

    def denied(*_: object) -> Any:
        raise Denied("not with this token")

    monkeypatch.setattr(RigReader, "mark", denied)
    monkeypatch.setattr(RigReader, "events", denied)
    said = report(recorded_rig, duck)
    assert said["laps"] == len(recorded_rig.laps())
    assert len(set(said["warnings"])) == 2  # type: ignore[call-overload]
    assert report(recorded_rig, duck)["laps"] == 0


def test_laps_that_come_later_arrive_alone(recorded_rig: RecordedRig, duck: EmptyWarehouse) -> None:
    late = recorded_rig.laps()[::2]
    kept = {path: path.read_bytes() for path in late}
    store = Store.open(recorded_rig.data)
    for path in late:
        path.unlink()
        store.examine(name_of(path))
    first = report(recorded_rig, duck)
    assert first["laps"] == len(recorded_rig.laps())
    for path, data in kept.items():
        path.write_bytes(data)
        store.examine(name_of(path))
    store.close()
    second = report(recorded_rig, duck)
    assert second["laps"] == len(late)
    assert second["events"] == 0
    with duck.open() as destination:
        assert differences(destination, recorded_rig) == []


def name_of(path: Path) -> str:
    return f"sessions/{path.parent.name}/laps/{path.stem}"


def test_a_lap_archived_again_with_other_content_is_refused_with_both_digests(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    report(recorded_rig, duck)
    path = recorded_rig.laps()[0]
    with LapFile.open(path) as file:
        before = file.digest
        columns = file.columns()
        header = file.header
    header.events.append(event_pb2.Event(session_time=header.lap.start_time + 1))
    path.write_bytes(pack(header, columns, {}))
    store = Store.open(recorded_rig.data)
    store.examine(name_of(path))
    store.close()
    with LapFile.open(path) as file:
        after = file.digest
    assert after != before
    done = run(recorded_rig, duck)
    assert done.exit_code == 6
    for part in (name_of(path), before, after, "never replaced"):
        assert part in done.stderr
    with duck.open() as destination:
        assert destination.rows("SELECT COUNT(*) FROM LAPS WHERE DIGEST = ?", [after]) == [(0,)]
        assert broken(destination) == []


def test_a_damaged_lap_stays_behind_and_is_named_while_all_others_arrive(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    path, *others = recorded_rig.laps()
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    done = run(recorded_rig, duck, "--json")
    assert done.exit_code == 8
    assert "is not what was written" in done.stderr
    assert json.loads(done.stdout)["laps"] == len(others)
    store = Store.open(recorded_rig.data)
    store.examine(name_of(path))
    store.close()
    again = run(recorded_rig, duck, "--json")
    assert again.exit_code == 0
    assert "damaged on the rig" in again.stderr


def test_a_column_of_another_type_is_refused_with_both_types(
    recorded_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    with warehouse.open() as there:
        there.execute("CREATE TABLE LAPS (RIG_ID VARCHAR, PLACE VARCHAR)")
    done = run(recorded_rig, warehouse)
    assert done.exit_code == 6
    assert "LAPS.PLACE is VARCHAR in" in done.stderr
    assert "here it is BIGINT" in done.stderr


def test_a_channel_of_another_type_is_refused_lap_by_lap(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    report(recorded_rig, duck, "--load-rows", "1")
    path = recorded_rig.laps()[0]
    with LapFile.open(path) as file:
        columns, header = file.columns(), file.header
    name = header.lap.name
    with duck.open() as there:
        for table in ("LAPS", "PHYSICS", "SCORING"):
            there.execute(f"DELETE FROM {table} WHERE LAP = ?", [name.rpartition("/")[2]])
        for view in views.VIEWS:
            there.execute(f"DROP VIEW IF EXISTS {view}")
        there.execute("ALTER TABLE PHYSICS ALTER COLUMN SPEED TYPE BIGINT")
    done = run(recorded_rig, duck)
    assert done.exit_code == 6
    assert "PHYSICS.SPEED is BIGINT in duckdb:" in done.stderr
    assert columns["speed"].dtype == "<f4"


def test_tables_of_another_version_are_left_alone(
    recorded_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    with warehouse.open() as there:
        there.execute("CREATE TABLE RIG_SCHEMA (VERSION BIGINT NOT NULL, WRITER VARCHAR, MADE_AT_MS BIGINT)")
        there.execute("INSERT INTO RIG_SCHEMA (VERSION) SELECT 99")
    done = run(recorded_rig, warehouse)
    assert done.exit_code == 6
    assert f"have version 99, this program writes version {tables.VERSION}" in done.stderr
    with warehouse.open() as there:
        assert not there.columns()["LAPS"]


def test_columns_of_a_newer_program_and_missing_ones_are_no_trouble(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    with duck.open() as destination:
        schema.prepare(destination)
        destination.execute("ALTER TABLE PHYSICS ADD COLUMN FROM_THE_FUTURE DOUBLE")
        destination.execute("DROP VIEW PHYSICS_V")
        destination.execute("ALTER TABLE PHYSICS DROP COLUMN SPEED")
    report(recorded_rig, duck)
    with duck.open() as destination:
        assert differences(destination, recorded_rig) == []
        assert destination.rows("SELECT COUNT(SPEED) > 0, COUNT(FROM_THE_FUTURE) FROM PHYSICS_V") == [
            (True, 0)
        ]


class TestNobody:
    """Without one of the two sides: one line, and a code of its own."""

    def test_answers_as_a_rig(self, recorded_rig: RecordedRig, duck: EmptyWarehouse) -> None:
        recorded_rig.stop()
        done = run(recorded_rig, duck)
        assert done.exit_code == 3
        assert done.stderr.startswith(f"error: no rig answers at {recorded_rig.address}")

    def test_is_a_warehouse(self, recorded_rig: RecordedRig) -> None:
        done = run(recorded_rig, EmptyWarehouse("none", "postgres:x"))
        assert done.exit_code == 2
        assert "is no warehouse" in done.stderr


@pytest.fixture
def watching(recorded_rig: RecordedRig, duck: EmptyWarehouse) -> Iterator["subprocess.Popen[str]"]:
    """`rig sync --watch`."""
    process = recorded_rig.start("rigclient", "sync", "--to", duck.where, "--watch", "--every", "1", "--json")
    yield process
    process.terminate()
    process.communicate(timeout=20)


def test_watching_goes_on_when_the_rig_is_away_and_lets_nobody_of_this_machine_in(
    recorded_rig: RecordedRig, watching: "subprocess.Popen[str]", duck: EmptyWarehouse
) -> None:
    assert watching.stdout is not None
    assert watching.stderr is not None
    assert json.loads(watching.stdout.readline())["laps"] == len(recorded_rig.laps())
    done = run(recorded_rig, duck)
    assert (done.exit_code, "another sync" in done.stderr) == (7, True)
    recorded_rig.stop()
    assert "no rig answers" in watching.stderr.readline()
    recorded_rig.serve()
    while json.loads(watching.stdout.readline())["loads"]:
        pass


@pytest.fixture
def other(race_data: Path, tmp_path: Path) -> Iterator[RecordedRig]:
    """Another rig, with laps of the same names."""
    (tmp_path / "other").mkdir()
    made = RecordedRig(race_data, tmp_path / "other")
    yield made
    made.close()


@pytest.mark.parametrize("error", [Unavailable, KeyboardInterrupt])
def test_what_ends_it_in_the_middle_is_raised_and_leaves_no_thread_and_no_file(
    recorded_rig: RecordedRig, duck: EmptyWarehouse, tmp_path: Path, error: type[BaseException]
) -> None:
    """A rig that went away, which threads notice, and Ctrl-C, which strikes between two loads."""
    folder = tmp_path / "spool"
    end = _stopping(recorded_rig) if error is Unavailable else _interrupting
    with RigReader(recorded_rig.address) as rig, duck.open() as destination:
        with pytest.raises(error):
            Sync(rig, destination, folder, int(ROWS)).run(end)
        assert broken(destination) == []
    assert [one for one in threading.enumerate() if one.name.startswith("prefetch")] == []
    assert list(folder.iterdir()) == []


def _stopping(recorded_rig: RecordedRig) -> Progress:
    stopped = threading.Event()

    def stop(done: int, _of: int) -> None:
        if done and not stopped.is_set():
            stopped.set()
            recorded_rig.stop()

    return stop


def _interrupting(done: int, _of: int) -> None:
    if done and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt


def test_two_rigs_fill_one_warehouse_and_one_that_is_away_keeps_nobody(
    recorded_rig: RecordedRig, other: RecordedRig, duck: EmptyWarehouse
) -> None:
    other.stop()
    done = run(recorded_rig, duck, other.address, recorded_rig.address, "--json")
    assert done.exit_code == 3
    assert f"no rig answers at {other.address}" in done.stderr
    assert json.loads(done.stdout)["laps"] == len(recorded_rig.laps())
    other.serve()
    done = run(recorded_rig, duck, other.address, recorded_rig.address, "--json")
    assert done.exit_code == 0
    assert [json.loads(line)["laps"] for line in done.stdout.splitlines()] == [len(other.laps()), 0]
    with duck.open() as there:
        assert differences(there, recorded_rig) == []
        assert differences(there, other) == []
        assert there.rows("SELECT COUNT(DISTINCT RIG_ID) FROM LAPS") == [(2,)]


def test_a_lap_that_the_warehouse_has_and_the_rig_was_not_told_of_is_marked_later(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    report(recorded_rig, duck)
    names = [name_of(path) for path in recorded_rig.laps()]
    folder = LapFolder(recorded_rig.data / "laps")
    for name in names[:2]:
        folder.path(name).with_name(folder.path(name).name + ".synced").unlink()
    store = Store.open(recorded_rig.data)
    for name in names[:2]:
        store.examine(name)
    store.close()
    with connect(recorded_rig.address) as rig:
        assert sorted(lap.name for lap in rig.laps(synced=False)) == sorted(names[:2])
        assert report(recorded_rig, duck)["loads"] == 0
        assert not list(rig.laps(synced=False))


def test_a_second_warehouse_gets_everything_though_the_rig_has_marked_it(
    recorded_rig: RecordedRig, duck: EmptyWarehouse, tmp_path: Path
) -> None:
    report(recorded_rig, duck)
    second = EmptyWarehouse("duckdb", f"duckdb:{tmp_path / 'second.duckdb'}")
    assert report(recorded_rig, second)["laps"] == len(recorded_rig.laps())
    with second.open() as there:
        assert differences(there, recorded_rig) == []


def test_laps_that_the_rig_let_go_of_stay_in_the_warehouse(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    report(recorded_rig, duck)
    store = Store.open(recorded_rig.data)
    gone = name_of(recorded_rig.laps()[0])
    store.remove(gone, {"why": "room"})
    store.close()
    assert report(recorded_rig, duck)["loads"] == 0
    with duck.open() as there:
        assert there.rows("SELECT COUNT(*) FROM LAPS") == [(len(recorded_rig.laps()) + 1,)]
        assert broken(there) == []
