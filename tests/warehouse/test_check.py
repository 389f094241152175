"""`rig warehouse check` finds what is not as it should be, and says so in a line and with its exit status."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigclient.warehouse import views
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.recorded_rig import RecordedRig


def checked(recorded_rig: RecordedRig, target: EmptyWarehouse) -> tuple[int, dict[str, tuple[bool, str]]]:
    """Exit status, and whether each thing is well with what is said of it."""
    done = recorded_rig.rig("warehouse", "check", "--in", target.where, "--json")
    found = json.loads(done.stdout)
    return done.exit_code, {one["what"]: (one["well"], one["text"]) for one in found}


@pytest.fixture(scope="module")
def shared_rig(race_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedRig]:
    """A rig that all tests of this file ask and none changes."""
    made = RecordedRig(race_data, tmp_path_factory.mktemp("check"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def full(shared_rig: RecordedRig) -> Path:
    """A file that has all of it."""
    file = shared_rig.folder / "full.duckdb"
    assert shared_rig.rig("sync", "--to", f"duckdb:{file}", "--load-rows", "1500").exit_code == 0
    return file


@pytest.fixture
def duck(full: Path, tmp_path: Path) -> EmptyWarehouse:
    """A copy of it."""
    return EmptyWarehouse("duckdb", f"duckdb:{shutil.copy(full, tmp_path)}")


def test_all_is_well_after_a_sync(shared_rig: RecordedRig, warehouse: EmptyWarehouse) -> None:
    assert shared_rig.rig("sync", "--to", warehouse.where).exit_code == 0
    status, found = checked(shared_rig, warehouse)
    assert {what: text for what, (well, text) in found.items() if not well} == {}
    assert status == 0
    assert found[shared_rig.address] == (True, f"{len(shared_rig.laps())} laps are here")
    assert list(found)[-5:] == ["tables", "ledger", "rows", "laps", shared_rig.address]


def test_laps_that_are_not_loaded_yet_are_no_fault(shared_rig: RecordedRig, tmp_path: Path) -> None:
    target = EmptyWarehouse("duckdb", f"duckdb:{tmp_path / 'one.duckdb'}")
    assert shared_rig.rig("warehouse", "init", "--in", target.where).exit_code == 0
    status, found = checked(shared_rig, target)
    assert (status, found[shared_rig.address]) == (
        0,
        (True, f"0 laps are here, {len(shared_rig.laps())} wait for `rig sync`"),
    )


def test_a_rig_that_nobody_named_may_be_away_one_that_was_named_may_not(
    recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    recorded_rig.stop()
    status, found = checked(recorded_rig, duck)
    assert status == 0
    assert recorded_rig.address not in found
    done = recorded_rig.rig("warehouse", "check", recorded_rig.address, "--in", duck.where)
    assert (done.exit_code, "no rig answers" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("harm", "what", "part"),
    [
        ("DELETE FROM PHYSICS WHERE SEQ = (SELECT MAX(SEQ) FROM PHYSICS)", "rows", "PHYSICS has"),
        ("DELETE FROM PHYSICS WHERE SEQ = (SELECT MAX(SEQ) FROM PHYSICS)", "laps", "instead of"),
        ("INSERT INTO SCORING SELECT * FROM SCORING", "rows", "SCORING has"),
        ("UPDATE EVENTS SET LOAD_ID = 'nobody' WHERE SEQ = 3", "rows", "of load nobody, the ledger says 0"),
        ("DELETE FROM RIG_LOADS WHERE STREAM = 'laps' AND FROM_N = 1", "ledger", "goes on at 2 after 1"),
        ("UPDATE RIG_WATERMARK SET NEXT_N = NEXT_N + 1 WHERE STREAM = 'laps'", "ledger", "its watermark is"),
        ("UPDATE RIG_SCHEMA SET VERSION = 9", "tables", "have version 9"),
        ("ALTER TABLE GAPS RENAME TO HOLES", "tables", "there is no GAPS (`rig warehouse init`)"),
    ],
)
def test_harm_is_found(
    shared_rig: RecordedRig, duck: EmptyWarehouse, harm: str, what: str, part: str
) -> None:
    with duck.open() as there:
        for view in views.VIEWS:
            there.execute(f"DROP VIEW IF EXISTS {view}")
        there.execute(harm)
    status, found = checked(shared_rig, duck)
    assert status == 6
    well, text = found[what]
    assert (well, part in text) == (False, True), text


def test_people_see_a_line_for_each(shared_rig: RecordedRig, duck: EmptyWarehouse) -> None:
    done = shared_rig.rig("warehouse", "check", "--in", duck.where)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    assert "without a gap" in done.stdout
    with duck.open() as there:
        there.execute("DELETE FROM SCORING")
    done = shared_rig.rig("warehouse", "check", "--in", duck.where)
    assert done.exit_code == 6
    assert any(line.startswith("BAD rows") for line in done.stdout.splitlines())
