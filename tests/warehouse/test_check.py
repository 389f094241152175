"""`rig warehouse check` finds what is not as it should be, and says so in a line and with its exit status."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigclient.warehouse import tables
from tests.warehouse.places import Home
from tests.warehouse.town import Town


def checked(town: Town, home: Home) -> tuple[int, dict[str, tuple[bool, str]]]:
    """Exit status, and whether each thing is well with what is said of it."""
    done = town.rig("warehouse", "check", "--in", home.where, "--json")
    found = json.loads(done.stdout)
    return done.exit_code, {one["what"]: (one["well"], one["text"]) for one in found}


@pytest.fixture(scope="module")
def place(raced: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A rig that all tests of this file ask and none changes."""
    made = Town(raced, tmp_path_factory.mktemp("check"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def full(place: Town) -> Path:
    """A file that has all of it."""
    file = place.folder / "full.duckdb"
    assert place.rig("sync", "--to", f"duckdb:{file}", "--load-rows", "3000").exit_code == 0
    return file


@pytest.fixture
def duck(full: Path, tmp_path: Path) -> Home:
    """A copy of it."""
    return Home("duckdb", f"duckdb:{shutil.copy(full, tmp_path)}")


def test_all_is_well_after_a_sync(place: Town, warehouse: Home) -> None:
    assert place.rig("sync", "--to", warehouse.where).exit_code == 0
    status, found = checked(place, warehouse)
    assert {what: text for what, (well, text) in found.items() if not well} == {}
    assert status == 0
    assert found[place.address] == (True, f"{len(place.laps())} laps are here")
    assert list(found)[-5:] == ["tables", "ledger", "rows", "laps", place.address]


def test_laps_that_are_not_loaded_yet_are_no_fault(place: Town, tmp_path: Path) -> None:
    home = Home("duckdb", f"duckdb:{tmp_path / 'one.duckdb'}")
    assert place.rig("warehouse", "init", "--in", home.where).exit_code == 0
    status, found = checked(place, home)
    assert (status, found[place.address]) == (
        0,
        (True, f"0 laps are here, {len(place.laps())} wait for `rig sync`"),
    )


def test_a_rig_that_nobody_named_may_be_away_one_that_was_named_may_not(town: Town, duck: Home) -> None:
    town.stop()
    status, found = checked(town, duck)
    assert status == 0
    assert town.address not in found
    done = town.rig("warehouse", "check", town.address, "--in", duck.where)
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
def test_harm_is_found(place: Town, duck: Home, harm: str, what: str, part: str) -> None:
    with duck.open() as there:
        for view in tables.VIEWS:
            there.execute(f"DROP VIEW IF EXISTS {view}")
        there.execute(harm)
    status, found = checked(place, duck)
    assert status == 6
    well, text = found[what]
    assert (well, part in text) == (False, True), text


def test_people_see_a_line_for_each(place: Town, duck: Home) -> None:
    done = place.rig("warehouse", "check", "--in", duck.where)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    assert "without a gap" in done.stdout
    with duck.open() as there:
        there.execute("DELETE FROM SCORING")
    done = place.rig("warehouse", "check", "--in", duck.where)
    assert done.exit_code == 6
    assert any(line.startswith("BAD rows") for line in done.stdout.splitlines())
