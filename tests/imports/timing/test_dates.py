"""Beacons in their three layouts, and the dates that they tell."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from rigclient.imports import discovery, import_file, job
from rigclient.imports.dialects.endurance import Overview
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.imports.text.sheet import RefusedLine
from rigclient.imports.timing.beacons import Beacon, beacons, together
from rigclient.imports.timing.dating import first_midnight, midnight
from rigclient.warehouse import connect
from tests.imports.recorded import Chart, chart, sheet
from tests.warehouse.empty import EmptyWarehouse

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


def crossings(path: Path) -> list[Beacon]:
    found = list(beacons(sheet(path.read_bytes())))
    assert not any(isinstance(row, RefusedLine) for row in found)
    return [row for row in found if isinstance(row, Beacon)]


def clocks(path: Path) -> np.ndarray:
    return np.array([beacon.time_ns for beacon in crossings(path)], np.int64)


class TestLayouts:
    @pytest.mark.parametrize(
        ("name", "rows", "lost", "timed"),
        [
            ("barber/R1_barber_lap_time.csv", 571, 0, 0),
            ("COTA/Race 1/COTA_lap_time_R1.csv", 631, 36, 631),
            ("road-america/Road America/Race 1/road_america_lap_time_R1.csv", 221, 29, 221),
        ],
    )
    def test_every_row_is_a_crossing(
        self, recordings: Path, name: str, rows: int, lost: int, timed: int
    ) -> None:
        """Lap 32768 is one that the logger lost count of."""
        found = crossings(recordings / name)
        assert len(found) == rows
        assert sum(beacon.lap is None for beacon in found) == lost
        assert sum(beacon.lap_time_ms is not None for beacon in found) == timed

    def test_the_layouts_tell_the_same(self, recordings: Path) -> None:
        first = crossings(recordings / "COTA/Race 1/COTA_lap_time_R1.csv")[1]
        assert (first.vehicle, first.lap, first.lap_time_ms) == ("GR86-002-2", 1, 394_717)
        assert first.time_ns == 1_745_700_894_445_000_000

    def test_a_row_without_a_clock_is_refused(self) -> None:
        head = "lap,meta_session,timestamp,vehicle_id"
        found = list(beacons(sheet(f"{head}\n1,R1,2025-09-06T18:40:41Z,A\n2,R1,soon,A\n".encode())))
        assert [(row.line, row.reason) for row in found if isinstance(row, RefusedLine)] == [(3, "no moment")]


def overview(chart: Chart) -> Overview:
    return Overview(chart[0])


DATES = {
    ("COTA", 1): ("2025-04-26", 5),
    ("COTA", 2): ("2025-04-27", 5),
    ("Sonoma", 1): ("2025-03-29", 7),
    ("Sonoma", 2): ("2025-03-30", 7),
    ("barber", 1): ("2025-09-06", 5),
    ("barber", 2): ("2025-09-07", 5),
    ("indianapolis", 1): ("2025-10-18", 4),
    ("indianapolis", 2): ("2025-10-19", 4),
    ("Road America", 1): ("2025-08-16", 5),
    ("Road America", 2): ("2025-08-17", 5),
    ("Sebring", 1): ("2025-05-17", 4),
    ("Sebring", 2): ("2025-05-18", 4),
    ("VIR", 1): ("2025-07-19", 4),
    ("VIR", 2): ("2025-07-20", 4),
}
"""As the weather reports of the races say, and the hours from there to UTC in summer."""


def beacon_files(recordings: Path, track: str, race: int) -> list[Path]:
    found = [path for path in recordings.rglob("*lap_*.csv") if f"/{track}/" in str(path)]
    return sorted(path for path in found if f"R{race}" in path.name)


class TestDates:
    @pytest.mark.parametrize(("track", "race"), DATES)
    def test_the_beacons_of_a_race_tell_its_date_and_zone(
        self, official: dict[Path, Chart], recordings: Path, track: str, race: int
    ) -> None:
        date, hours = DATES[track, race]
        shown = map(clocks, beacon_files(recordings, track, race))
        found = first_midnight(overview(official[chart(recordings, track, race)]).crossings, shown)
        wanted = int(np.datetime64(date, "ns").astype(np.int64)) + hours * HOUR_NS
        assert found == wanted

    def test_a_file_of_another_race_under_this_one_s_name_is_seen_through(
        self, official: dict[Path, Chart], recordings: Path
    ) -> None:
        """The lap times of VIR's second race are a copy of the first one's."""
        times = recordings / "virginia-international-raceway/VIR/Race 2/vir_lap_time_R2.csv"
        assert (
            first_midnight(overview(official[chart(recordings, "VIR", 2)]).crossings, [clocks(times)]) is None
        )
        assert (
            first_midnight(overview(official[chart(recordings, "VIR", 1)]).crossings, [clocks(times)])
            is not None
        )

    def test_nothing_is_told_by_nothing(self) -> None:
        none, some = np.array([], np.int64), np.array([HOUR_NS], np.int64)
        assert midnight(some, none) is None
        assert midnight(none, some) is None

    def test_a_race_over_midnight_begins_on_the_day_it_began(self) -> None:
        laps = np.random.default_rng(7).integers(95_000_000_000, 105_000_000_000, 59)
        local = 23 * HOUR_NS + np.cumsum(laps)
        began = 400 * DAY_NS + 2 * HOUR_NS
        late = np.arange(59) * 10_000_000
        assert local.max() > DAY_NS
        assert midnight(local, local + began + late) == began

    def test_each_chart_is_of_one_race_only(self, official: dict[Path, Chart]) -> None:
        starts = [overview(read).started_ms for read in official.values()]
        assert len(set(starts)) == 14


class TestWrongDates:
    """Of a clock that was never set: a row that is refused, whatever it tells."""

    HEAD = "lap,meta_session,timestamp,vehicle_id"
    WRONG = (
        "1970-01-01T00:00:00Z",
        "1999-12-31T00:00:00Z",
        "2038-01-19T03:14:07Z",
        "2500-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    )

    @pytest.mark.parametrize("wrong", WRONG)
    def test_one_among_beacons_is_refused(self, wrong: str) -> None:
        right = [f"{lap},R1,2025-09-06T18:{40 + lap}:41Z,A" for lap in range(1, 6)]
        data = "\n".join([self.HEAD, *right[:3], f"4,R1,{wrong},A", *right[3:]]).encode()
        found = list(together(beacons(sheet(data))))
        assert [row.line for row in found if isinstance(row, RefusedLine)] == [5]
        assert len(found) == 6

    def test_the_years_between_two_beacons_are_not_walked(self) -> None:
        """Half a million years of quarters would not fit into the memory."""
        local = np.cumsum(np.random.default_rng(7).integers(95_000_000_000, 105_000_000_000, 59))
        far = np.array([-(2**62), 2**62], np.int64)
        began = 20_000 * DAY_NS
        assert midnight(local, np.concatenate([local + began, far])) == began

    def test_beside_the_chart_of_their_race_they_change_nothing(
        self, recordings: Path, tmp_path: Path, duck: EmptyWarehouse
    ) -> None:
        folder = tmp_path / "barber"
        folder.mkdir()
        shutil.copy(chart(recordings, "barber", 1), folder)
        lines = (recordings / "barber/R1_barber_lap_time.csv").read_text().splitlines()
        stamp = re.search("2025-[^,]*Z", lines[20])
        assert stamp
        for at, wrong in enumerate(self.WRONG):
            lines[20 + at] = re.sub("2025-[^,]*Z", wrong, lines[20 + at])
        (folder / "R1_barber_lap_time.csv").write_text("\n".join(lines))
        with connect(duck.where) as there:
            work = job.ImportJob(
                WarehouseKeeper(there),
                import_file.ImportOptions(),
                lambda _row: None,
                lambda _path, _bytes: None,
            )
            shown, loaded = work.run(discovery.search([folder]))
            assert (shown.outcome, shown.refused.total()) == ("dates", len(self.WRONG))
            assert loaded.session.startswith("20250906-184041-barber")
