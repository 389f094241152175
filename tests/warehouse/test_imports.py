"""Laps of other programs go into the warehouse as those that were recorded do, also those of times alone."""

from rig.errors import NotFound
from rigclient.blocking import connect
from tests.store import import_laps
from tests.store.lap_store import samples
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.recorded_rig import RecordedRig
from tests.warehouse.test_sync import report


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
