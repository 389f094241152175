"""Telemetry in long form: values gathered to samples, in any order, and placed on the track."""

import random
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.signals.distance import along
from rigclient.imports.text.sheet import RefusedLine
from rigclient.imports.timing.longform import LoggedValue, readings
from rigclient.imports.timing.sample_sorter import Sample, SampleSorter
from tests.imports.recorded import SAMPLE, sheet

SHORT = "meta_time,telemetry_name,telemetry_value"
MS = 1_000_000


@contextmanager
def gathered(folder: Path, rows: Iterable[LoggedValue | RefusedLine]) -> Iterator[list[Sample | RefusedLine]]:
    folder.mkdir(exist_ok=True)
    with closing(SampleSorter(folder)) as sorter:
        sorter.take(row for row in rows if isinstance(row, LoggedValue))
        yield list(sorter.samples())


def samples(folder: Path, data: bytes) -> tuple[list[Sample], list[RefusedLine]]:
    with gathered(folder, readings(sheet(data), "car")) as found:
        return [row for row in found if isinstance(row, Sample)], [
            row for row in found if isinstance(row, RefusedLine)
        ]


def short(*rows: tuple[int, str, object]) -> bytes:
    """A table of one car: milliseconds, name, value."""
    lines = (f"2025-09-06T18:40:{ms // 1000:02}.{ms % 1000:03}Z,{name},{value}" for ms, name, value in rows)
    return "\n".join([SHORT, *lines]).encode()


class TestTheSample:
    def test_ten_thousand_values_are_a_thousand_samples(self, recordings: Path, tmp_path: Path) -> None:
        found, refused = samples(tmp_path, (recordings / SAMPLE).read_bytes())
        assert (len(found), len(refused)) == (1021, 188)
        assert sum(len(sample.values) for sample in found) == 10_000 - 188
        assert {refusal.reason for refusal in refused} == {"a second value at the same moment"}
        assert {(sample.car, sample.lap) for sample in found} == {("GR86-002-000", 2), ("GR86-002-000", 3)}

    def test_they_come_by_lap_and_time_however_the_file_lies(self, recordings: Path, tmp_path: Path) -> None:
        head, *lines = (recordings / SAMPLE).read_bytes().splitlines(keepends=True)
        random.Random(7).shuffle(lines)
        here, _ = samples(tmp_path / "as it is", (recordings / SAMPLE).read_bytes())
        there, _ = samples(tmp_path / "shuffled", b"".join([head, *lines]))
        assert [sample[:3] for sample in here] == [sample[:3] for sample in there]
        assert [sample[:3] for sample in here] == sorted(sample[:3] for sample in here)
        assert [sorted(sample.values) for sample in here] == [sorted(sample.values) for sample in there]

    def test_values_are_as_they_were_told(self, recordings: Path, tmp_path: Path) -> None:
        found, _ = samples(tmp_path, (recordings / SAMPLE).read_bytes())
        by_time = {sample.time_ns: sample for sample in found}
        one = by_time[1_757_032_100_593 * MS]
        assert one.values["accx_can"] == 0.34600000000000003
        assert (one.values["aps"], one.values["pbrake_r"]) == (100.0, 0.0)


class TestMalformedRows:
    HEAD = "lap,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id"
    GOOD = "2,2025-09-06T18:40:41.926Z,speed,120.5,2025-09-05T00:28:20.593Z,GR86-002-000"

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ("2,2025-09-06T18:40:41.926Z,speed,fast,2025-09-05T00:28:20.593Z,GR86-002-000", "no number"),
            ("2,2025-09-06T18:40:41.926Z,speed,,2025-09-05T00:28:20.593Z,GR86-002-000", "no number"),
            ("2,2025-09-06T18:40:41.926Z,speed,nan,2025-09-05T00:28:20.593Z,GR86-002-000", "no number"),
            ("2,2025-09-06T18:40:41.926Z,gear,2.5,2025-09-05T00:28:20.593Z,GR86-002-000", "no number"),
            ("2,2025-09-06T18:40:41.926Z,speed,1e300,2025-09-05T00:28:20.593Z,GR86-002-000", "no number"),
            ("32768,2025-09-06T18:40:41.926Z,speed,1,2025-09-05T00:28:20.593Z,GR86-002-000", "no lap number"),
            ("-1,2025-09-06T18:40:41.926Z,speed,1,2025-09-05T00:28:20.593Z,GR86-002-000", "no lap number"),
            ("2,then,speed,1,2025-09-05T00:28:20.593Z,GR86-002-000", "no moment"),
            ("2,2025-09-06T18:40:41.926Z,speed,1,,GR86-002-000", "no moment"),
            ("2,2025-09-06T18:40:41.926Z,,1,2025-09-05T00:28:20.593Z,GR86-002-000", "no channel"),
            ("2,2025-09-06T18:40:41.926Z,speed,1,2025-09-05T00:28:20.593Z,", "no car"),
            ("2,2025-09-06T18:40:41.926Z,speed", "wrong number of cells"),
            (",,,,,", "an empty row"),
        ],
    )
    def test_it_is_refused_with_its_line(self, bad: str, reason: str) -> None:
        found = list(readings(sheet("\n".join([self.HEAD, self.GOOD, bad, self.GOOD]).encode()), "car"))
        assert [(row.line, row.reason) for row in found if isinstance(row, RefusedLine)] == [(3, reason)]
        assert [row.line for row in found if isinstance(row, LoggedValue)] == [2, 4]


class TestAFileOfOneCar:
    """Where the lap is a value like any other."""

    def test_a_value_is_of_the_lap_that_was_told_last(self, tmp_path: Path) -> None:
        rows = [
            (0, "lap", 1),
            (0, "speed", 100),
            (40, "speed", 101),
            (80, "speed", 99),
            (80, "lap", 2),
            (120, "gear", 3),
        ]
        found, refused = samples(tmp_path, short(*rows))
        assert [(sample.lap, sample.values.get("speed")) for sample in found] == [
            (1, 100),
            (1, 101),
            (2, 99),
            (2, None),
        ]
        assert (refused, found[0].car) == ([], "car")

    def test_what_comes_before_the_first_lap_is_refused(self, tmp_path: Path) -> None:
        found, refused = samples(tmp_path, short((0, "speed", 100), (40, "lap", 1), (40, "speed", 101)))
        assert [(row.line, row.reason) for row in refused] == [(2, "no lap number")]
        assert [sample.values["speed"] for sample in found] == [101]

    def test_the_first_of_two_values_at_a_moment_is_kept(self, tmp_path: Path) -> None:
        found, refused = samples(tmp_path, short((0, "lap", 1), (0, "speed", 100), (0, "speed", 101)))
        assert [sample.values["speed"] for sample in found] == [100]
        assert [(row.line, row.reason) for row in refused] == [(4, "a second value at the same moment")]


def where(*shown: tuple[int, float | None]) -> list[float | None]:
    """The distance at samples of a lap: milliseconds, and the distance where it is told."""
    told = np.array([np.nan if at is None else at for _, at in shown], np.float64)
    found = along(np.array([ms / 1000 for ms, _ in shown]), told)
    return [None if np.isnan(at) else round(float(at), 9) for at in found]


class TestDistance:
    def test_between_two_distances_it_is_on_the_line(self) -> None:
        assert where((0, 100.0), (40, None), (80, None), (200, 120.0)) == [100.0, 104.0, 108.0, 120.0]

    def test_nobody_knows_it_before_the_first_and_after_the_last(self) -> None:
        assert where((0, None), (40, 100.0), (80, None)) == [None, 100.0, None]

    def test_nobody_knows_it_in_a_hole(self) -> None:
        assert where((0, 100.0), (500, None), (1_001, 160.0)) == [100.0, None, 160.0]

    def test_what_is_still_the_lap_before_is_not_believed(self) -> None:
        """The first rows of a lap may hold the previous lap's distance."""
        before = ((0, 3690.0), (40, None), (200, 3700.0), (240, None))
        after = ((400, 20.0), (440, None), (600, 30.0))
        assert where(*before, *after) == [None, None, None, None, 20.0, 22.0, 30.0]

    def test_later_a_jump_back_takes_nothing_away(self) -> None:
        shown = [(ms, 20.0 + ms / 20) for ms in range(0, 4_200, 200)]
        assert where(*shown, (4_400, 5.0)) == [at for _, at in shown] + [5.0]

    @given(st.lists(st.tuples(st.integers(1, 1500), st.none() | st.floats(0, 5000)), max_size=40))
    def test_every_sample_comes_once_in_its_order(self, steps: list[tuple[int, float | None]]) -> None:
        clock, shown = 0, []
        for step, at in steps:
            clock += step
            shown.append((clock, at))
        found = where(*shown)
        assert len(found) == len(shown)
        assert all(
            at is None or one in (None, round(at, 9)) for one, (_, at) in zip(found, shown, strict=True)
        )
