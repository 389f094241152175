"""The histogram of durations: quantiles as numpy has them, at most a tenth too high."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigd.record.latency import Histogram

durations = st.lists(st.integers(1_000, 100_000_000_000), min_size=1, max_size=300)
"""Nanoseconds: 1 µs to 100 s."""


def counted(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def quantile_ms(values: list[int], share: float) -> float:
    """The least duration that `share` of all do not exceed."""
    return float(np.percentile(np.array(values), 100 * share, method="inverted_cdf")) / 1e6


@given(durations, st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]))
def test_quantiles_are_numpys_within_a_tenth(values: list[int], share: float) -> None:
    wanted = quantile_ms(values, share)
    got = counted(values).quantile_ms(share)
    assert wanted * (1 - 1e-9) <= got <= wanted * 1.1 * (1 + 1e-9)


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_many_durations_keep_the_bound(spread: float) -> None:
    random = np.random.default_rng(5)
    values = np.exp(random.normal(math.log(200_000), spread, 20_000)).astype(int).clip(1000).tolist()
    histogram = counted(values)
    for share in (0.5, 0.99):
        wanted = quantile_ms(values, share)
        assert wanted <= histogram.quantile_ms(share) <= 1.1 * wanted


@given(durations)
def test_nothing_is_above_the_longest(values: list[int]) -> None:
    histogram = counted(values)
    assert histogram.max_ms == max(values) / 1e6
    assert histogram.quantile_ms(0.5) <= histogram.quantile_ms(0.99) <= histogram.max_ms


def test_nothing_counted_is_nothing() -> None:
    status = Histogram().status()
    assert (status.count, status.p50_ms, status.p99_ms, status.max_ms) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("ns", [0, 1, 999, 1000, 10**12, 10**15])
def test_extremes_are_counted(ns: int) -> None:
    status = counted([ns]).status()
    assert status.count == 1
    assert status.max_ms == ns / 1e6
    assert status.p99_ms <= status.max_ms


def test_the_status_tells_the_same() -> None:
    values = [100_000] * 98 + [5_000_000] * 2
    status = counted(values).status()
    assert status.count == 100
    assert 0.1 <= status.p50_ms <= 0.11
    assert status.p99_ms == status.max_ms == 5.0


@given(durations)
def test_the_buckets_of_the_status_hold_all_and_their_sum(values: list[int]) -> None:
    status = counted(values).status()
    assert len(status.counts) == len(status.edges_ms) + 1
    assert sum(status.counts) == len(values)
    assert status.sum_ms == pytest.approx(sum(values) / 1e6)
    below = 0
    for edge, count in zip(status.edges_ms, status.counts, strict=False):
        below += count
        sure = [value for value in values if not edge / 1.0001 < value / 1e6 < edge * 1.0001]
        unsure = len(values) - len(sure)
        assert 0 <= below - sum(value / 1e6 <= edge for value in sure) <= unsure
