"""Files and questions, the same in every kind of warehouse: one with three races and a piece of telemetry.

It is filled once, because each statement takes its time on the way to the peer and back.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rig.errors import BadRequest, NotFound, UnknownChannel
from rigclient.imports import discovery, import_file, job
from rigclient.imports.keeping import WarehouseKeeper
from rigclient.imports.refusals import RefusedRow
from rigclient.warehouse import Destination, schema
from rigclient.warehouse.questions import compare, drivers, laps, lookup, samples, standings
from rigclient.warehouse.questions.choice import Choice
from rigclient.warehouse.questions.grid import grid
from rigclient.warehouse.questions.suggestions import suggestion
from rigclient.warehouse.spool import Spool
from tests.imports import driven
from tests.imports.driven import ALDER, BIRCH, OHARA
from tests.imports.filled import SPOILT, Filled, files
from tests.warehouse.empty import KINDS, empty_warehouse
from tests.warehouse.peer.process import PeerProcess


@pytest.fixture(scope="module", params=KINDS)
def filled(
    request: pytest.FixtureRequest,
    recordings: Path,
    running_peer: PeerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("filled")
    with (
        pytest.MonkeyPatch.context() as patch,
        empty_warehouse(request.param, folder, running_peer, patch) as made,
        made.open() as destination,
    ):
        schema.prepare(destination)
        driven.load(destination, Spool(folder / "spool"))
        shown: list[RefusedRow] = []
        found = discovery.Search(
            [one for path in files(folder, recordings) if (one := discovery.recognised(path))], [], []
        )
        work = job.ImportJob(
            WarehouseKeeper(destination),
            import_file.ImportOptions(),
            shown.append,
            lambda _path, _bytes: None,
        )
        reports = {str(report.path.relative_to(folder)): report for report in work.run(found)}
        yield Filled(destination, reports, shown)


@pytest.fixture
def there(filled: Filled) -> Destination:
    return filled.destination


class TestFiles:
    def test_sound_rows_load_beside_those_that_are_not(self, filled: Filled) -> None:
        report = filled.reports["Barber/chart Race 1.csv"]
        shown = [one for one in filled.found if one.path.name == "chart Race 1.csv"]
        assert {one.line: one.reason for one in shown} == SPOILT
        assert (report.laps, dict(report.refused)) == (47, dict.fromkeys(SPOILT.values(), 1))

    def test_every_refused_row_is_declared_beside_the_laps(self, filled: Filled) -> None:
        sql = (
            "SELECT G.FIRST_SEQ, G.MISSING, G.STREAM, G.REASON FROM GAPS G JOIN FILES F ON F.SHA256 = G.RING "
            "WHERE F.PATH LIKE '%Barber/chart%' ORDER BY G.FIRST_SEQ"
        )
        assert filled.destination.rows(sql) == [(line, 1, "rows", "refused") for line in SPOILT]

    def test_the_same_file_changes_nothing_whatever_its_name(self, filled: Filled) -> None:
        first, second = (filled.reports[f"Barber/{name} Race 1.csv"] for name in ("chart", "same"))
        assert (first.outcome, second.outcome) == ("loaded", "there already")
        assert second.session == first.session

    def test_a_race_from_another_file_is_refused_with_both_named(self, filled: Filled) -> None:
        report = filled.reports["Barber/other Race 1.csv"]
        assert report.outcome == "refused"
        assert "Barber/chart Race 1.csv" in report.why
        assert "Barber/other Race 1.csv" in report.why

    def test_telemetry_of_two_files_makes_one_session(self, filled: Filled) -> None:
        two, three = (filled.reports[f"Barber/lap{lap}.csv"] for lap in (2, 3))
        assert (two.session, two.samples, three.samples) == (three.session, 965, 56)
        sql = "SELECT LAP, CAR, SAMPLES FROM LAPS WHERE SESSION = ? ORDER BY LAP"
        assert filled.destination.rows(sql, [two.session]) == [
            ("car000-0002", 0, 965),
            ("car000-0003", 0, 56),
        ]

    def test_laps_that_are_there_are_refused_with_both_named(self, filled: Filled) -> None:
        report = filled.reports["Barber/whole.csv"]
        assert (report.outcome, "car000-0002" in report.why) == ("refused", True)

    def test_the_ledger_has_a_number_for_every_file(self, filled: Filled) -> None:
        sql = (
            "SELECT FROM_N, TO_N FROM RIG_LOADS WHERE RIG_ID = 'import' AND STREAM = 'files' ORDER BY FROM_N"
        )
        assert filled.destination.rows(sql) == [(n, n + 1) for n in range(4)]


MEANDER = Choice(track="meander")


def names(there: Destination, choice: Choice) -> list[str]:
    return [lap["lap"] for lap in laps.laps(there, choice)]


class TestLaps:
    def test_they_come_car_by_car_and_lap_by_lap(self, there: Destination) -> None:
        assert names(there, MEANDER) == [lap.name for lap in driven.LAPS]

    @pytest.mark.parametrize(
        ("more", "wanted"),
        [
            ({"green": True}, [(3, 1), (3, 2), (3, 3), (12, 1), (12, 3)]),
            ({"green": True, "valid": True}, [(3, 1), (3, 2), (12, 1), (12, 3)]),
            ({"cars": ("12", "40")}, [(12, 1), (12, 2), (12, 3), (40, 1)]),
            ({"cars": ("Copper 40",)}, [(40, 1)]),
            ({"driver": "birch"}, [(12, 1), (12, 2), (12, 3)]),
            ({"driver": OHARA}, [(40, 1)]),
            ({"race": 1, "vehicle_class": "gt3", "source": "demo", "cars": ("3",)}, [(3, 1), (3, 2), (3, 3)]),
            ({"session": "5f3a-2", "telemetry": True, "driver": "o'hara"}, [(40, 1)]),
        ],
    )
    def test_conditions_hold_together(
        self, there: Destination, more: dict[str, Any], wanted: list[tuple[int, int]]
    ) -> None:
        assert names(there, replace(MEANDER, **more)) == [f"car{car:03d}-{lap:04d}" for car, lap in wanted]

    def test_a_car_s_number_is_text(self, there: Destination) -> None:
        choice = Choice(track="austin", cars=("3",), race=1)
        assert [lap.rpartition("-")[2] for lap in names(there, choice)][:2] == ["0001", "0002"]
        assert len({lap.rpartition("-")[0] for lap in names(there, choice)}) == 2
        assert names(there, replace(choice, cars=("03",))) == []

    @pytest.mark.parametrize(
        "text", ["' OR '1'='1", "%", "\\", "?", "%s", "%(x)s", 'a"b', "\u2028", "x" * 5000]
    )
    def test_words_of_people_are_only_words(self, there: Destination, text: str) -> None:
        assert names(there, Choice(driver=text)) == (["car040-0001"] if text == "%" else [])

    def test_in_every_condition(self, there: Destination) -> None:
        text = "'; DROP TABLE LAPS; --"
        nasty = Choice(text, 1, text, (text, text), text, text, text, green=True, valid=True, telemetry=True)
        assert names(there, nasty) == []
        assert "there are tracks" in suggestion(there, nasty)
        with pytest.raises(NotFound):
            lookup.find_lap(there, f"{text}/{text}")


class TestPages:
    @pytest.mark.parametrize("size", [1, 3, 7, 8])
    def test_pages_of_any_size_are_the_whole(self, there: Destination, size: int) -> None:
        from rigclient.warehouse.questions.keyset import Question, rows

        question = Question("SELECT SESSION, CAR, LAP_INDEX, LAP FROM LAPS WHERE RIG_ID = ?", (driven.RIG,))
        found = [row["lap"] for row in rows(there, question, ("SESSION", "CAR", "LAP_INDEX"), size)]
        assert found == [lap.name for lap in driven.LAPS]

    @pytest.mark.parametrize("page", [1500])
    def test_samples_come_by_car_lap_and_distance_in_pages(self, there: Destination, page: int) -> None:
        choice = replace(MEANDER, cars=("3", "12"))
        batches = list(samples.samples(there, choice, ["speed", "gear"], page))
        assert all(batch.num_rows <= page for batch in batches)
        rows = [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
        places = [(car, lap, at) for _, car, lap, _, _, at, _, _ in rows]
        assert places == sorted(places)
        driven_laps = [lap for lap in driven.LAPS if lap.car != 40]
        assert len(rows) == sum(len(driven._samples(lap, 0.0)["SEQ"]) for lap in driven_laps)
        assert {(car, lap, speed) for _, car, lap, _, _, _, speed, _ in rows} == {
            (lap.car, lap.nth, lap.speed) for lap in driven_laps
        }

    def test_only_the_laps_that_were_asked_for_come(self, there: Destination) -> None:
        batches = list(samples.samples(there, replace(MEANDER, green=True, valid=True), ["speed"]))
        found = {lap for batch in batches for lap in batch.column("LAP").to_pylist()}
        assert found == {"car003-0001", "car003-0002", "car012-0001", "car012-0003"}

    def test_an_unknown_channel_is_named_with_the_nearest(self, there: Destination) -> None:
        with pytest.raises(UnknownChannel, match="did you mean 'speed'"):
            samples.columns_of(["speeed"])
        assert samples.columns_of(["tyre_load"]) == [
            f"TYRE_LOAD_{wheel}" for wheel in ("FL", "FR", "RL", "RR")
        ]


class TestTwoLaps:
    def test_they_lie_on_one_grid(self, there: Destination) -> None:
        """At constant speeds the time between them grows with the distance: 1/48 - 1/60 s a metre."""
        first, second = (
            laps.LapKey(driven.RIG, driven.SESSION, name) for name in ("car003-0002", "car012-0001")
        )
        cells = list(grid(there, first, second, ["speed", "gear"], 25.0))
        assert [cell.distance for cell in cells] == [12.5 + 25 * n for n in range(48)]
        for cell in cells:
            assert cell.delta == pytest.approx(cell.distance * (1 / 48 - 1 / 60), abs=1e-4)
            assert cell.a["LAP_TIME"] == pytest.approx(cell.distance / 60, abs=1e-4)
            assert (cell.a["SPEED"], cell.b["SPEED"]) == (60.0, 48.0)
            assert cell.a["GEAR"] == cell.b["GEAR"] == (3 if cell.distance < 600 else 4)

    def test_a_channel_without_values_is_none(self, there: Destination) -> None:
        lap = laps.LapKey(driven.RIG, driven.SESSION, "car003-0002")
        assert {cell.a["THROTTLE"] for cell in grid(there, lap, lap, ["throttle"], 100.0)} == {None}

    def test_the_best_laps_of_two_drivers(self, there: Destination) -> None:
        found = compare.compare(there, MEANDER, "alder", "BIRCH")
        assert [(lap.driver, lap.key.lap) for lap in (found.a, found.b)] == [
            (ALDER, "car003-0002"),  # the faster one did not count
            (BIRCH, "car012-0003"),
        ]
        assert [split.name for split in found.splits] == ["S1", "S2", "lap"]
        assert found.splits[-1].b - found.splits[-1].a == pytest.approx(1200 / 50 - 1200 / 60)
        last = list(found.cells(there, ["speed"], 10.0))[-1]
        assert last.delta == pytest.approx(last.distance * (1 / 50 - 1 / 60), abs=1e-4)

    def test_without_telemetry_the_timing_lines_are_compared(self, there: Destination) -> None:
        found = compare.compare(there, Choice(track="austin"), "#46", "#7")
        assert not found.has_telemetry
        assert [split.name for split in found.splits] == ["IM1a", "S1", "IM2a", "S2", "IM3a", "lap"]
        assert [round(split.a - split.b, 3) for split in found.splits][-1] == pytest.approx(148.630 - 148.678)

    def test_drivers_who_never_met_are_told_apart(self, there: Destination) -> None:
        with pytest.raises(NotFound, match="no track in common"):
            compare.compare(there, Choice(), "alder", "#46")
        with pytest.raises(BadRequest, match=r"both A\. Alder"):
            compare.compare(there, MEANDER, "alder", "a. ald")
        with pytest.raises(BadRequest, match=r"may be A\. Alder, B\. Birch"):
            compare.compare(there, MEANDER, ".", "birch")
        with pytest.raises(NotFound, match=r"no lap of driver 'Bobb'.*B\. Birch"):
            compare.compare(there, MEANDER, "alder", "Bobb")

    def test_a_lap_is_named_by_part_of_its_session_and_its_own_name(self, there: Destination) -> None:
        assert lookup.find_lap(there, "5f3a-2/car003-0002").lap == "car003-0002"
        assert lookup.find_lap(there, "5f3a-2/best").lap == "car003-0002"
        assert lookup.find_lap(there, f"sessions/{driven.SESSION}/laps/car012-0001").session == driven.SESSION
        with pytest.raises(BadRequest, match=r"may be .*barber.*austin"):
            lookup.find_lap(there, "car000-0002")
        with pytest.raises(NotFound):
            lookup.find_lap(there, "5f3a-2/car999-0001")


class TestSessions:
    def session(self, there: Destination, choice: Choice = MEANDER) -> lookup.SessionSummary:
        return lookup.sessions(there, choice, 5)[0]

    def test_the_result_is_by_laps_and_time(self, there: Destination) -> None:
        rows = list(standings.results(there, self.session(there)))
        assert [(row["place"], row["driver"], row["laps"]) for row in rows] == [
            (1, ALDER, 3),
            (2, BIRCH, 3),
            (3, OHARA, 1),
        ]
        a, b = 1200 / 50 + 1200 / 60 + 1200 / 80, 1200 / 48 * 2 + 1200 / 50
        assert [row["total_time"] for row in rows[:2]] == [pytest.approx(a), pytest.approx(b)]
        assert [row["gap"] for row in rows] == [0.0, pytest.approx(b - a), None]
        assert [row["laps_down"] for row in rows] == [0, 0, 2]
        assert [row["best"] for row in rows] == [20.0, 24.0, 30.0]
        assert [(row["best_lap_no"], row["laps_led"]) for row in rows] == [(2, 3), (3, 0), (1, 0)]

    def test_statistics_are_of_laps_at_pace(self, there: Destination) -> None:
        rows = {row["driver"]: row for row in standings.statistics(there, self.session(there), "best")}
        assert list(rows) == [ALDER, BIRCH, OHARA]
        birch = rows[BIRCH]
        assert (birch["laps"], birch["flying_laps"], birch["pace_laps"]) == (3, 2, 2)
        assert birch["mean"] == pytest.approx((25 + 24) / 2)
        assert birch["median"] == pytest.approx((25 + 24) / 2)
        assert birch["consistency"] == pytest.approx(0.5**0.5)
        assert (rows[ALDER]["pace_laps"], rows[ALDER]["consistency"]) == (1, None)
        assert rows[ALDER]["top_speed"] == 80.0

    def test_statistics_are_ordered_as_asked(self, there: Destination) -> None:
        rows = standings.statistics(there, self.session(there), "top_speed")
        assert [row["driver"] for row in rows] == [ALDER, BIRCH, OHARA]

    def test_the_lap_chart_is_the_place_after_every_lap(self, there: Destination) -> None:
        rows = [
            (row["lap_no"], row["place"], row["car"])
            for row in standings.lap_chart(there, self.session(there))
        ]
        assert rows == [(1, 1, 3), (1, 2, 12), (1, 3, 40), (2, 1, 3), (2, 2, 12), (3, 1, 3), (3, 2, 12)]

    def test_of_an_official_race_it_ends_as_the_race_did(self, there: Destination) -> None:
        session = self.session(there, Choice(track="austin"))
        places = [row["car_number"] for row in standings.results(there, session)]
        assert places == ["46", "7", "3", "3"]


class TestDriversAndNothing:
    def test_drivers_with_telemetry_are_listed_by_track(self, there: Destination) -> None:
        found = list(drivers.drivers(there, Choice(telemetry=True)))
        assert [(row["track"], row["driver"], row["laps_with_telemetry"]) for row in found] == [
            ("Barber", "GR86-002-000", 2),
            (driven.TRACK, ALDER, 3),
            (driven.TRACK, BIRCH, 3),
            (driven.TRACK, OHARA, 1),
        ]
        assert [row["best"] for row in found[1:]] == [20.0, 24.0, 30.0]

    @pytest.mark.parametrize(
        ("choice", "words"),
        [
            (Choice(track="Meandr"), ["no lap of track 'Meandr'", "Meander Valley Grand"]),
            (Choice(track="meander", driver="Berch"), ["no lap of driver 'Berch'", "drivers B. Birch"]),
            (Choice(track="meander", cars=("4",)), ["no lap of car 4 among those of track", "cars 40"]),
            (Choice(track="meander", race=2), ["no lap of race 2", "there is race 1"]),
            (Choice(track="austin", telemetry=True), ["the 68 laps that would fit are without telemetry"]),
            (Choice(driver="hara", green=True), ["the only lap that would fit is not known to be green"]),
            (Choice(track="austin", vehicle_class="GT9"), ["no lap of class 'GT9'", "there is class Am"]),
            (Choice(track="nowhere", driver="nobody"), ["no lap is like that; there are tracks"]),
        ],
    )
    def test_where_there_is_nothing_it_says_what_there_is(
        self, there: Destination, choice: Choice, words: list[str]
    ) -> None:
        assert list(laps.laps(there, choice)) == []
        shown = suggestion(there, choice)
        assert all(word in shown for word in words), shown
