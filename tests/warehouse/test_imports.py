"""Laps of other programs go into the warehouse as those that were recorded do, also those of times alone."""

from pathlib import Path
from typing import Final

import pytest

from rig.errors import NotFound
from rigclient.blocking import connect
from rigclient.warehouse.check import checks
from rigclient.warehouse.rig_reader import RigReader
from tests.store import import_laps
from tests.store.lap_store import samples
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.recorded_rig import RecordedRig, record_race
from tests.warehouse.test_sync import report

FROM_FILE: Final = {"file_digest": "0123456789abcdef"}
"""Of a lap that was made of another program's file."""


@pytest.fixture(scope="module")
def race_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rig that has seen three seconds of a race: what is imported is nearly all it has."""
    return record_race(tmp_path_factory.mktemp("short") / "data", 3.0)


def test_imports_are_synced_like_all_else(recorded_rig: RecordedRig, warehouse: EmptyWarehouse) -> None:
    timed, sampled = import_laps.lap(1), import_laps.lap(2)
    with connect(recorded_rig.address) as rig:
        rig.import_lap(import_laps.session(), import_laps.file(timed))
        rig.import_lap(import_laps.session(), import_laps.file(sampled, samples(100)))
        first = report(recorded_rig, warehouse)
        assert first["laps"] == len(recorded_rig.laps())
        assert first["warnings"] == first["refused"] == []
        assert all(lap.synced for lap in rig.laps(import_laps.SESSION))
        with warehouse.open() as destination:
            rows = destination.rows(
                "SELECT LAP, LAP_TIME, SAMPLES FROM LAPS WHERE SESSION = ? ORDER BY LAP",
                (import_laps.SESSION.partition("/")[2],),
            )
            assert [tuple(row) for row in rows] == [
                ("car007-0001", timed.lap_time, 0),
                ("car007-0002", sampled.lap_time, 100),
            ]
        assert report(recorded_rig, warehouse)["loads"] == 0
        for lap in (timed, sampled):
            rig.delete_lap(lap.name)
        try:
            rig.session(import_laps.SESSION)
        except NotFound:
            return
    raise AssertionError("the session is still there")


def test_an_import_that_was_replaced_on_the_rig_is_replaced_in_the_warehouse(
    recorded_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    """Its own rows alone go, the ledger says so, and what comes with them arrives as usual."""
    other, later = import_laps.lap(1, **FROM_FILE), import_laps.lap(3, **FROM_FILE)
    with connect(recorded_rig.address) as rig:
        for lap in (import_laps.lap(2, **FROM_FILE), other):
            rig.import_lap(import_laps.session(), import_laps.file(lap, samples(100)))
        report(recorded_rig, warehouse)
        rig.import_lap(import_laps.session(), import_laps.file(other, samples(60)), replace=True)
        rig.import_lap(import_laps.session(), import_laps.file(later, samples(30)))
        again = report(recorded_rig, warehouse)
        assert (again["loads"], again["laps"], again["refused"]) == (1, 2, [])
        assert report(recorded_rig, warehouse)["loads"] == 0
    with warehouse.open() as destination, RigReader(recorded_rig.address) as reader:
        rows = destination.rows(
            "SELECT LAP, COUNT(*) FROM PHYSICS WHERE SESSION = ? GROUP BY LAP ORDER BY LAP",
            (import_laps.SESSION.partition("/")[2],),
        )
        assert [tuple(row) for row in rows] == [
            ("car007-0001", 60),
            ("car007-0002", 100),
            ("car007-0003", 30),
        ]
        assert [one for one in checks(destination, [reader]) if not one.well] == []
        destination.execute("DELETE FROM PHYSICS WHERE LAP = 'car007-0002' AND SEQ = 1")
        wrong = [one.what for one in checks(destination, [reader]) if not one.well]
        assert wrong == ["rows", "laps"]
