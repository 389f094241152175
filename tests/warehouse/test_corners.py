"""Corners in the warehouse: with their laps, once, and anew when the circuit was changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigclient.blocking import connect
from rigd.archive.archiver import Archiver, Settings
from rigd.store.index import Index
from riglap.circuits.shelf import Shelf
from tests.archive.tape import ROOMY, drained
from tests.once import once
from tests.riglap.raced import drive
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.expected import broken
from tests.warehouse.recorded_rig import RecordedRig
from tests.warehouse.test_sync import report

ROWS = "SELECT LAP, CORNER, LEAST_SPEED, CIRCUIT, FINGERPRINT FROM CORNERS ORDER BY LAP, CORNER"


@pytest.fixture
def cornering_rig(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[RecordedRig]:
    """A rig that has the corners of its laps."""
    made = RecordedRig(once(tmp_path_factory, "raced-shortly", cornered), tmp_path)
    yield made
    made.close()


def cornered(folder: Path) -> None:
    """Fill a folder with a race that is just long enough to learn the circuit from."""
    drive(folder, cars=2, seconds=130, short=True, real=True, seed=4)


def on_the_rig(rig: RecordedRig) -> list[tuple[object, ...]]:
    with connect(rig.address) as there:
        found = []
        for lap in there.laps():
            if lap.message.corners:
                told = there.corners(lap.message.name)
                found += [
                    (
                        lap.message.name.rpartition("/")[2],
                        one.corner,
                        one.least_speed if one.HasField("least_speed") else None,
                        told.circuit,
                        told.fingerprint,
                    )
                    for one in told.corners
                ]
    return sorted(found, key=lambda row: (row[0], row[1]))


def archive_again(rig: RecordedRig) -> None:
    """Let an archiver do its work; the ring is opened once in a process."""
    rig.stop()
    drained(Archiver(Settings(rig.data, ROOMY))).close()
    rig.serve()


def test_corners_come_with_their_laps_and_anew_when_the_circuit_has_changed(
    cornering_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    report(cornering_rig, warehouse)
    with warehouse.open() as there:
        first = there.rows(ROWS)
        assert first == on_the_rig(cornering_rig)
        assert len(first) > 20
        speeds = there.rows("SELECT DRIVER, CORNER, SLOWEST_SPEED, FASTEST_SPEED FROM CORNER_SPEEDS_V")
        assert speeds
        assert all(slow <= fast for _, _, slow, fast in speeds)
    assert report(cornering_rig, warehouse)["rows"] == 0
    shelf = Shelf(cornering_rig.data / "circuits")
    circuit = shelf.newest(shelf.layouts()[0])
    shelf.add(circuit.with_corners(circuit.corners[1:]))
    archive_again(cornering_rig)
    report(cornering_rig, warehouse)
    with warehouse.open() as there:
        second = there.rows(ROWS)
        assert second == on_the_rig(cornering_rig)
        assert {row[:2] for row in second} < {row[:2] for row in first}
        assert {row[3] for row in second} == {f"{circuit.layout}/2"}
        assert broken(there) == []
    assert report(cornering_rig, warehouse)["rows"] == 0


def test_corners_that_were_not_there_yet_come_later_also_into_an_older_warehouse(
    cornering_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    away = shutil.move(cornering_rig.data / "circuits", cornering_rig.folder / "away")
    index = Index(cornering_rig.data / "index.sqlite")
    for name in index.whole_laps():
        index.set_corners(name, 0, 0)
    index.close()
    laps = report(cornering_rig, warehouse)["laps"]
    with warehouse.open() as there:
        assert there.rows("SELECT COUNT(*) FROM CORNERS") == [(0,)]
        for view in ("CORNER_SPEEDS_V", "CORNERS_V"):
            there.execute(f"DROP VIEW {view}")
        there.execute("DROP TABLE CORNERS")  # as it was before this version
    shutil.move(away, cornering_rig.data / "circuits")
    archive_again(cornering_rig)
    assert report(cornering_rig, warehouse)["laps"] == 0
    with warehouse.open() as there:
        assert there.rows(ROWS) == on_the_rig(cornering_rig)
        assert there.rows("SELECT COUNT(*) FROM LAPS") == [(laps,)]
        assert broken(there) == []
