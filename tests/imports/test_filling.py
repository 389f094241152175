"""What a logger leaves out, and what stays out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports import filling
from rigclient.imports.log_times import seconds_of, seconds_of_day, wall_clock_ns
from rigclient.imports.spooled import SpooledColumns

NAN = np.nan


def test_between_two_values_a_second_apart_lies_a_line() -> None:
    times = np.array([0.0, 0.5, 1.0, 3.0, 5.0, 5.5])
    values = np.array([NAN, 1.0, NAN, 3.0, NAN, 5.0])
    np.testing.assert_equal(filling.filled(values, times), [NAN, 1.0, NAN, 3.0, NAN, 5.0])
    close = filling.filled(np.array([1.0, NAN, 2.0]), np.array([0.0, 0.25, 1.0]))
    np.testing.assert_allclose(close, [1.0, 1.25, 2.0])


def test_steps_keep_the_value_before() -> None:
    np.testing.assert_equal(filling.held(np.array([NAN, 2.0, NAN, 3.0, NAN])), [2, 2, 2, 3, 3])
    np.testing.assert_equal(filling.held(np.full(2, NAN)), [0, 0])


def test_a_car_that_stands_stays_and_one_that_moves_between_fixes_moves() -> None:
    times = np.arange(0, 4, 0.25)
    moving = np.repeat([45.0, 45.001, 45.002, 45.003], 4)
    north, _ = filling.moving(moving, np.full(16, 10.0), times)
    np.testing.assert_allclose(north[:13], np.linspace(45.0, 45.003, 13))
    still, _ = filling.moving(np.full(16, 45.0), np.full(16, 10.0), times)
    np.testing.assert_equal(still, 45.0)


def test_dates_and_clocks() -> None:
    assert wall_clock_ns("30/10/2022", "19:49:00") == 1_667_159_340_000_000_000
    assert wall_clock_ns("Sunday, December 15, 2024", "1:34 PM") == 1_734_269_640_000_000_000
    assert wall_clock_ns("01/01/1980", "00:00:00") == wall_clock_ns("", "") == 0
    assert (seconds_of("01:02.8"), seconds_of("62.774"), seconds_of("x")) == (62.8, 62.774, None)
    assert seconds_of_day("113221.00") == 41_541.0
    assert np.isnan([seconds_of_day(text) for text in ("250000.00", "116100.00", "12", "-")]).all()


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.data())
def test_a_stretch_of_a_spooled_column_is_that_of_the_column(sizes: list[int], data: st.DataObject) -> None:
    whole = np.arange(float(sum(sizes)))
    with SpooledColumns(["a", "b"]) as columns:
        at = 0
        for size in sizes:
            columns.append({"a": whole[at : at + size], "b": -whole[at : at + size]})
            at += size
        first = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(first, len(whole) + 2))
        np.testing.assert_equal(columns.values("a", first, end), whole[first:end])
        np.testing.assert_equal(columns.values("b"), -whole)
        assert len(columns) == len(whole)
