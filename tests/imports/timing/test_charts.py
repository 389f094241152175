"""Endurance lap charts: all that is in them, and every row that is not sound."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.timing.charts import ChartLap
from tests.imports.recorded import Chart, chart, read
from tests.imports.written import HEAD, row, table


def kept(*rows: str) -> list[tuple[int, str, int]]:
    """Entry, number and lap of what is read."""
    return [(lap.entry, lap.number, lap.lap) for lap in read(table(*rows))[0]]


class TestTheOfficialCharts:
    def test_every_row_is_a_lap(self, official: dict[Path, Chart]) -> None:
        for path, (laps, refused) in official.items():
            assert (len(laps), refused) == (len(path.read_text().splitlines()) - 1, []), path
        assert sum(len(laps) for laps, _ in official.values()) == 7214

    def test_what_is_odd_in_them_is_what_the_list_says(self, official: dict[Path, Chart]) -> None:
        """The table in data/README.md."""
        odd: Counter[str] = Counter()
        for laps, _ in official.values():
            odd["second car of a number"] += sum(_second(laps, lap) for lap in laps)
            odd["sector missing"] += sum(None in lap.sectors_ms for lap in laps)
            odd["no top speed"] += sum(lap.top_speed_kph is None for lap in laps)
            odd["chequered"] += sum(lap.flag == "FF" for lap in laps)
            odd["nobody knows whether green"] += sum(lap.green is None for lap in laps)
        assert odd == {
            "second car of a number": 78,
            "sector missing": 93,
            "no top speed": 1605,
            "chequered": 330,
            "nobody knows whether green": 306,
        }

    def test_sectors_make_the_lap_to_the_millisecond(self, official: dict[Path, Chart]) -> None:
        for path, (laps, _) in official.items():
            for lap in laps:
                if None not in lap.sectors_ms:
                    assert sum(map(int, filter(None, lap.sectors_ms))) == lap.lap_time_ms, (path, lap.line)

    def test_laps_follow_each_other_without_a_gap(self, official: dict[Path, Chart]) -> None:
        for path, (laps, _) in official.items():
            totals: Counter[int] = Counter()
            for lap in laps:
                totals[lap.entry] += lap.lap_time_ms
                assert abs(totals[lap.entry] - lap.elapsed_ms) <= 1 + lap.lap, (path, lap.line)

    def test_a_number_keeps_its_leading_zeros(self, official: dict[Path, Chart], recordings: Path) -> None:
        laps, _ = official[chart(recordings, "indianapolis", 1)]
        numbers = list(dict.fromkeys(lap.number for lap in laps))
        assert {"021", "03", "3"} <= set(numbers)
        assert len(numbers) == len({lap.entry for lap in laps}) == 29

    def test_two_cars_of_one_number_are_two_cars(self, official: dict[Path, Chart], recordings: Path) -> None:
        laps, _ = official[chart(recordings, "COTA", 1)]
        by_entry = Counter(lap.entry for lap in laps if lap.number == "3")
        assert sorted(by_entry.values()) == [17, 17]

    def test_intermediates_and_pits_are_read(self, official: dict[Path, Chart], recordings: Path) -> None:
        laps, _ = official[chart(recordings, "Sonoma", 1)]
        first = laps[1]
        assert [line.name for line in first.intermediates] == ["IM1a", "INT-1", "IM2a", "INT-2", "IM3a"]
        assert [line.elapsed_ms for line in first.intermediates] == [18_071, 42_808, 58_896, 82_416, 97_728]
        assert [line.time_ms for line in first.intermediates] == [18_071, 24_737, 16_088, 23_520, 15_312]
        assert sum(lap.in_pit for lap in laps) == 5
        assert max(lap.pit_time_ms or 0 for lap in laps) == 18 * 60_000 + 46_455


def _second(laps: list[ChartLap], lap: ChartLap) -> bool:
    """Another car had that number before."""
    return any(one.number == lap.number and one.entry < lap.entry for one in laps)


class TestGreen:
    """A lap is green when neither end of it was under a yellow."""

    @pytest.mark.parametrize(
        ("flags", "green"),
        [
            ("GF GF GF", [True, True, True]),
            ("FCY GF GF", [False, False, True]),
            ("GF FCY GF FF", [True, False, False, None]),
            ("GF FF", [True, None]),
            ("FCY FF", [False, False]),
            ("GF SF GF GF", [True, False, False, True]),
            ("GF RF GF FF", [True, False, False, None]),
            ("GF SC gf", [True, False, False]),
            ("GF VSC", [True, False]),
            ("XYZ GF", [False, False]),
            ("SF FF FF", [False, False, None]),
        ],
    )
    def test_by_the_flags_at_its_ends(self, flags: str, green: list[bool | None]) -> None:
        rows = [row(lap=lap, FLAG_AT_FL=flag) for lap, flag in enumerate(flags.split(), start=1)]
        assert [lap.green for lap in read(table(*rows))[0]] == green

    def test_nobody_knows_it_after_a_lap_that_was_refused(self) -> None:
        laps, _ = read(table(row(lap=1), row(lap=2, LAP_TIME="fast"), row(lap=3)))
        assert [lap.green for lap in laps] == [True, None]


class TestMalformedRows:
    """Each is refused with its line and a reason, and its neighbours are read."""

    @pytest.mark.parametrize(
        ("cells", "reason"),
        [
            ({"LAP_TIME": "1:4x.000"}, "no time"),
            ({"LAP_TIME": ""}, "no time"),
            ({"LAP_TIME": "0.000"}, "no time"),
            ({"S2": "1:75.000"}, "no time"),
            ({"IM1a_elapsed": "later"}, "no time"),
            ({"PIT_TIME": "long"}, "no time"),
            ({"HOUR": "25:00:00.000"}, "no time"),
            ({"NUMBER": ""}, "no car number"),
            ({"LAP_NUMBER": "32768"}, "no lap number"),
            ({"LAP_NUMBER": "0"}, "no lap number"),
            ({"LAP_NUMBER": "two"}, "no lap number"),
            ({"KPH": "fast"}, "no number"),
            ({"TOP_SPEED": "nan"}, "no number"),
            ({"DRIVER_NUMBER": "A"}, "no number"),
            ({"S1": "30.003"}, "sectors do not make the lap"),
            ({"ELAPSED": "3:20.100"}, "clock and total do not agree"),
            ({"IM1a_elapsed": "1:55.000"}, "intermediates out of order"),
        ],
    )
    def test_one_bad_cell(self, cells: dict[str, str], reason: str) -> None:
        laps, refused = read(table(row(lap=1), row(lap=2, cells=cells), row(lap=3)))
        assert [(one.line, one.reason) for one in refused] == [(3, reason)]
        assert [lap.lap for lap in laps] == [1, 3]

    def test_the_first_row_does_not_decide_for_the_others(self) -> None:
        laps, refused = read(table(row(lap=1, HOUR="11:00:00.000"), row(lap=2), row("9"), row("9", 2)))
        assert [(lap.number, lap.lap) for lap in laps] == [("7", 2), ("9", 1), ("9", 2)]
        assert [(one.line, one.reason) for one in refused] == [(2, "clock and total do not agree")]

    def test_a_total_that_does_not_grow_by_the_lap(self) -> None:
        laps, refused = read(table(row(lap=1), row(lap=2, total=200_500), row(lap=3)))
        assert [(one.line, one.reason) for one in refused] == [(3, "total does not fit the laps")]
        assert "3:20" not in refused[0].detail
        assert "200.500" in refused[0].detail
        assert [lap.lap for lap in laps] == [1, 3]

    def test_sectors_may_be_a_rounding_away(self) -> None:
        assert kept(row(S1="30.002"), row(lap=2, S1="29.998")) == [(0, "7", 1), (0, "7", 2)]

    def test_a_missing_sector_is_no_fault(self) -> None:
        laps, refused = read(table(row(S1="", S2="")))
        assert (laps[0].sectors_ms, refused) == ((None, None, 40_000), [])

    def test_a_missing_lap_is_no_fault_of_the_next(self) -> None:
        assert kept(row(lap=1), row(lap=3)) == [(0, "7", 1), (0, "7", 3)]


class TestRepeats:
    def test_a_lap_that_was_there_is_refused(self) -> None:
        laps, refused = read(table(row(lap=1), row(lap=2), row(lap=2), row(lap=3)))
        assert [lap.lap for lap in laps] == [1, 2, 3]
        assert [(one.line, one.reason) for one in refused] == [(4, "a repeated lap")]

    def test_a_first_lap_that_is_repeated_with_another_time_is_refused(self) -> None:
        laps, refused = read(table(row(lap=1), row(lap=1, ms=101_000), row(lap=2), row(lap=3)))
        assert [(lap.entry, lap.lap, lap.lap_time_ms) for lap in laps] == [
            (0, 1, 100_000),
            (0, 2, 100_000),
            (0, 3, 100_000),
        ]
        assert [one.line for one in refused] == [3]

    def test_a_number_that_begins_again_and_goes_on_is_another_car(self) -> None:
        first = [row(lap=lap) for lap in (1, 2, 3)]
        second = [row(lap=lap, ms=101_000) for lap in (1, 2, 3, 4)]
        assert kept(*first, row("9"), *second) == [
            *((0, "7", lap) for lap in (1, 2, 3)),
            (1, "9", 1),
            *((2, "7", lap) for lap in (1, 2, 3, 4)),
        ]

    def test_also_when_the_first_car_fell_out_on_its_first_lap(self) -> None:
        assert kept(row(), row(ms=101_000), row(lap=2, ms=101_000)) == [(0, "7", 1), (1, "7", 1), (1, "7", 2)]

    def test_also_when_a_row_in_between_is_malformed(self) -> None:
        rows = (row(), row(lap=2), row(ms=101_000), row(lap=2, ms=101_000, S1="x"), row(lap=3, ms=101_000))
        laps, refused = read(table(*rows))
        assert [(lap.entry, lap.lap) for lap in laps] == [(0, 1), (0, 2), (1, 1), (1, 3)]
        assert [one.line for one in refused] == [5]

    def test_a_chart_pasted_twice_is_read_once(self) -> None:
        rows = [row(number, lap) for number in ("7", "9") for lap in (1, 2, 3)]
        laps, refused = read(table(*rows, *rows))
        assert [(lap.number, lap.lap) for lap in laps] == [(n, lap) for n in ("7", "9") for lap in (1, 2, 3)]
        assert [(one.line, one.reason) for one in refused] == [
            (line, "a repeated lap") for line in range(8, 14)
        ]

    def test_a_lone_first_lap_at_the_end_is_a_repeat(self) -> None:
        _, refused = read(table(row(), row(lap=2), row(ms=101_000)))
        assert [(one.line, one.reason) for one in refused] == [(4, "a repeated lap")]


@given(st.data())
def test_whatever_happens_to_a_row_its_neighbours_are_read(data: st.DataObject) -> None:
    """A byte of one row is another one: that row is read or refused, and no other car depends on it."""
    lines = [row(number, lap).encode() for number in ("7", "9", "11") for lap in (1, 2, 3)]
    at = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    byte = data.draw(st.integers(0, 255))
    lines[at] = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    laps, refused = read(b"\n".join([HEAD.encode(), *lines, b""]))
    untouched = {(number, lap) for number in ("7", "9", "11") for lap in (1, 2, 3)}
    untouched -= {(("7", "9", "11")[at // 3], lap) for lap in (1, 2, 3)}
    assert untouched <= {(lap.number, lap.lap) for lap in laps}
    assert all(line.line >= at + 2 for line in refused)
