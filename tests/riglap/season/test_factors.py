"""Factors on known orders: who is better in one respect has the higher one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riglap.season.fields import scores
from tests.riglap.season.driven import NAMED, driver_of, even, factor, order, race, season

A, B, C, D, *_ = NAMED
FIELD = list(NAMED[:4])


@given(st.dictionaries(st.integers(0, 30), st.floats(-1e6, 1e6), min_size=2), st.booleans())
def test_scores_say_how_much_of_the_field_is_worse(values: dict[int, float], less: bool) -> None:
    found = scores(values, less_is_better=less)
    assert all(0.0 <= score <= 100.0 for score in found.values())
    assert sum(found.values()) == pytest.approx(50.0 * len(values))
    for one in values:
        for other in values:
            better = values[one] < values[other] if less else values[one] > values[other]
            assert not better or found[one] > found[other]


def test_who_is_faster_everywhere_has_the_pace() -> None:
    told = season([race(even([100.0, 101.0, 102.0, 103.0]), nth) for nth in (1, 2)])
    assert order(told, "pace") == FIELD
    assert [factor(told, "pace", name) for name in FIELD] == pytest.approx([100.0, 200 / 3, 100 / 3, 0.0])


def test_who_drives_more_evenly_is_more_consistent_whatever_the_pace() -> None:
    times = {
        name: [pace + 8, *(pace + scatter * (-1) ** lap for lap in range(12))]
        for name, pace, scatter in zip(FIELD, (103.0, 100.0, 102.0, 101.0), (0.1, 0.3, 0.5, 0.7), strict=True)
    }
    assert order(season([race(times)]), "consistency") == FIELD


def test_who_comes_home_ahead_of_faster_cars_has_the_racecraft() -> None:
    """A drives even laps all the way, B is faster in most laps and loses more in two of them."""
    paces = even([100.0, 99.5, 101.0, 102.0], 14)
    paces[B][6] += 8.0
    paces[B][9] += 8.0
    told = season([race(paces, nth) for nth in (1, 2)])
    assert [car.driver for car in told.rounds[0].results][:2] == [A, B]
    assert factor(told, "racecraft", A) > factor(told, "racecraft", B)
    assert driver_of(told, A).rounds[0].beyond_pace == 1


def test_whose_laps_grow_less_within_a_stint_cares_for_the_tyres() -> None:
    times = {
        name: [110.0, *(pace + lap * fade for lap in range(12))]
        for name, pace, fade in zip(FIELD, (102.0, 101.0, 100.0, 99.0), (0.00, 0.05, 0.10, 0.15), strict=True)
    }
    told = season([race(times)])
    assert order(told, "tyre care") == FIELD
    assert driver_of(told, B).rounds[0].fade == pytest.approx(-0.025, abs=0.005)


def test_who_passes_in_the_first_laps_starts_well() -> None:
    paces = even([100.0, 100.2, 100.4, 100.6], 12)
    for name, first in zip(FIELD, (112.0, 111.0, 110.0, 109.0), strict=True):
        paces[name][0] = first  # the order after the first lap is the reverse
    paces[A][1] -= 3.0
    paces[A][2] -= 3.0
    told = season([race(paces)])
    assert driver_of(told, A).rounds[0].gained_at_start == 3
    assert order(told, "starts")[0] == A


def test_the_parts_of_a_factor_add_up_to_it() -> None:
    told = season([race(even([100.0, 101.0, 102.0, 103.0, 104.0, 105.0]), nth) for nth in (1, 2, 3)])
    for driver in told.drivers:
        for one in driver.factors:
            assert one.HasField("score")
            assert sum(part.brings for part in one.parts) == pytest.approx(one.score)
            assert sum(part.weight for part in one.parts) == pytest.approx(1.0)


def test_too_few_laps_and_a_field_of_one_have_no_factors() -> None:
    short = season([race({A: [100.0] * 12, B: [101.0] * 12, C: [102.0] * 4})])
    assert factor(short, "pace", C) == -1.0
    assert factor(short, "pace", A) == 100.0
    alone = season([race({A: [100.0] * 12})])
    assert [one.HasField("score") for one in alone.drivers[0].factors] == [False] * 5


def test_a_trend_is_how_the_gap_grows() -> None:
    told = season([race(even([100.0, 100.0 + nth]), nth) for nth in range(1, 7)])
    assert driver_of(told, B).trend == pytest.approx(1.0, abs=0.02)
    assert driver_of(told, A).trend == pytest.approx(0.0, abs=1e-9)
    assert not driver_of(season([race(even([100.0, 101.0]))]), A).HasField("trend")
