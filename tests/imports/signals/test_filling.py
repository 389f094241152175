"""What a logger leaves out, and what stays out."""

import numpy as np

from rigclient.imports.signals import filling

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
