"""Dates and clocks as loggers write them."""

import numpy as np

from rigclient.imports.loggers.times import seconds_of, seconds_of_day, wall_clock_ns


def test_dates_and_clocks() -> None:
    assert wall_clock_ns("30/10/2022", "19:49:00") == 1_667_159_340_000_000_000
    assert wall_clock_ns("Sunday, December 15, 2024", "1:34 PM") == 1_734_269_640_000_000_000
    assert wall_clock_ns("01/01/1980", "00:00:00") == wall_clock_ns("", "") == 0
    assert (seconds_of("01:02.8"), seconds_of("62.774"), seconds_of("x")) == (62.8, 62.774, None)
    assert seconds_of_day("113221.00") == 41_541.0
    assert np.isnan([seconds_of_day(text) for text in ("250000.00", "116100.00", "12", "-")]).all()
