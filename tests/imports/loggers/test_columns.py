"""Columns that lie in a file come back, stretch by stretch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.loggers.columns import SpooledColumns


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
