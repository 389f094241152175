"""Clocks that repeat, fall back and start again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.signals.clock import clock


class TestClocks:
    def clock(self, *times: float) -> tuple[list[int], list[int], list[int], list[int]]:
        found = clock(np.array(times, np.float64))
        return (
            found.rows.tolist(),
            found.begins.tolist(),
            found.repeated.tolist(),
            found.backwards.tolist(),
        )

    def test_one_that_grows_is_as_it_is(self) -> None:
        assert self.clock(0.0, 0.1, 0.2) == ([0, 1, 2], [0], [], [])

    def test_rows_that_repeat_it_are_left_out(self) -> None:
        assert self.clock(0.0, 0.0, 0.1, 0.1, 0.1, 0.2) == ([0, 2, 5], [0], [1, 3, 4], [])

    def test_rows_in_the_wrong_order_are_left_out(self) -> None:
        assert self.clock(0.0, 0.1, 0.05, 0.08, 0.2) == ([0, 1, 4], [0], [], [2, 3])
        assert self.clock(50.0, 50.1, 0.0, 50.2) == ([0, 1, 3], [0], [], [2])
        assert self.clock(0.0, 0.1, 70.0, 0.2, 0.3, 0.4) == ([0, 1, 3, 4, 5], [0], [], [2])

    def test_one_that_starts_again_is_another_run(self) -> None:
        assert self.clock(0.0, 60.0, 120.0, 0.0, 60.0) == ([0, 1, 2, 3, 4], [0, 3], [], [])

    def test_a_row_without_one_is_left_out(self) -> None:
        assert self.clock(0.0, np.nan, 0.1) == ([0, 2], [0], [], [1])

    @given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, np.nan]), max_size=60))
    def test_within_a_run_it_grows_and_every_row_is_somewhere(self, times: list[float]) -> None:
        found = clock(np.array(times, np.float64))
        for run in found.runs():
            assert (np.diff(np.array(times)[run]) > 0).all()
        everywhere = sorted([*found.rows, *found.repeated, *found.backwards])
        assert everywhere == list(range(len(times)))
