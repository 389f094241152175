"""Laps by numbers, beacons and lines."""

import numpy as np
import pytest

from rigclient.imports.signals import cuts


class TestLaps:
    TIMES = np.arange(0, 30, 0.1)

    def test_by_a_number(self) -> None:
        found = cuts.laps_by_number(np.floor((self.TIMES + 5) / 10), self.TIMES)
        assert [(cut.number, cut.complete) for cut in found] == [(0, False), (1, True), (2, True), (3, False)]
        assert [cut.lap_time_s for cut in found] == [
            None,
            pytest.approx(10, abs=0.11),
            pytest.approx(10, abs=0.11),
            None,
        ]
        assert [cut.first for cut in found[1:]] == [cut.end for cut in found[:-1]]

    def test_by_beacons_exactly(self) -> None:
        found = cuts.laps_by_times([12.345, 2.111, 22.7, 400.0], self.TIMES)
        assert [cut.lap_time_s for cut in found] == [None, pytest.approx(10.234), pytest.approx(10.355), None]
        assert [cut.begin_s for cut in found] == [0.0, 2.111, 12.345, 22.7]

    def test_at_a_start_line(self) -> None:
        angle = self.TIMES * 2 * np.pi / 9.5 - 1
        positions = 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        found = cuts.laps_at_line(positions, self.TIMES, ((90.0, 0.0), (110.0, 0.0)), least_s=5)
        assert [cut.complete for cut in found] == [False, True, True, False]
        assert found[1].lap_time_s == pytest.approx(9.5, abs=1e-3)

    def test_without_a_line_all_is_one_piece(self) -> None:
        (cut,) = cuts.laps_by_times([], self.TIMES)
        assert (cut.rows, cut.complete, cut.lap_time_s) == (slice(0, 300), False, None)
