"""What a file says of itself, against what its rows tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports import plausible

RATE = 50.0
TIMES = np.arange(0, 60, 1 / RATE)
MPS = 40 + 20 * np.sin(TIMES / 7)
WAY = np.concatenate([[0.0], np.cumsum((MPS[1:] + MPS[:-1]) / 2 / RATE)])
ANGLE = WAY / 500
CIRCLE = 500 * np.stack([np.cos(ANGLE), np.zeros_like(ANGLE), np.sin(ANGLE)], axis=1)


class TestSpeed:
    @pytest.mark.parametrize("unit", plausible.SPEEDS)
    @pytest.mark.parametrize("stated", ["m/s", "km/h", "kph", "MPH", ""])
    def test_positions_tell_the_unit_whatever_is_stated(self, unit: str, stated: str) -> None:
        found = plausible.speed_unit(MPS / plausible.SPEEDS[unit], CIRCLE, TIMES, stated)
        assert found.unit == unit
        assert found.factor == pytest.approx(plausible.SPEEDS[unit])
        right = {"kph": "km/h", "MPH": "mph"}.get(stated, stated)
        assert found.note == ("" if right == unit else plausible._labelled(stated, unit))

    def test_so_does_a_distance_in_steps_that_jumps_back_at_the_line(self) -> None:
        stepped = (WAY[::10].repeat(10)[: len(WAY)]) % 1000
        found = plausible.speed_unit(MPS * 3.6, stepped, TIMES, "m/s")
        assert found.note == "labelled m/s, holds km/h"

    def test_without_a_way_no_car_is_faster_than_cars_are(self) -> None:
        assert plausible.speed_unit(np.array([262.4]), None, np.zeros(1), "m/s").unit == "km/h"
        assert plausible.speed_unit(np.array([62.4]), None, np.zeros(1), "m/s").note == ""
        assert (
            plausible.speed_unit(np.array([62.4]), None, np.zeros(1), "").note
            == "no unit stated, taken as m/s"
        )

    def test_a_car_that_stands_tells_nothing(self) -> None:
        still = np.zeros_like(TIMES)
        assert plausible.speed_unit(still, np.zeros((len(TIMES), 3)), TIMES, "km/h").unit == "km/h"


def test_temperatures_and_angles_tell_theirs() -> None:
    assert plausible.temperature_unit(np.array([293.0, 350.0]), "C").note == "labelled C, holds K"
    assert plausible.temperature_unit(np.array([93.0, 950.0]), "°C").note == ""
    assert plausible.temperature_unit(np.array([93.0]), "K").offset == -273.15
    warm = plausible.temperature_unit(np.array([212.0]), "F")
    assert 212 * warm.factor + warm.offset == pytest.approx(100)
    heading = np.arange(0, 30, 0.05) % (2 * np.pi)
    assert plausible.angle_unit(heading, "deg").note == "labelled deg, holds rad"
    assert plausible.angle_unit(np.degrees(heading), "rad").note == "labelled rad, holds deg"
    assert plausible.angle_unit(np.array([-3.0, 2.0]), "deg") == ("deg", np.pi / 180, 0.0, "")


class TestClocks:
    def clock(self, *times: float) -> tuple[list[int], list[int], list[int], list[int]]:
        found = plausible.clock(np.array(times, np.float64))
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
        found = plausible.clock(np.array(times, np.float64))
        for run in found.runs():
            assert (np.diff(np.array(times)[run]) > 0).all()
        everywhere = sorted([*found.rows, *found.repeated, *found.backwards])
        assert everywhere == list(range(len(times)))


class TestLaps:
    TIMES = np.arange(0, 30, 0.1)

    def test_by_a_number(self) -> None:
        cuts = plausible.laps_by_number(np.floor((self.TIMES + 5) / 10), self.TIMES)
        assert [(cut.number, cut.complete) for cut in cuts] == [(0, False), (1, True), (2, True), (3, False)]
        assert [cut.lap_time_s for cut in cuts] == [
            None,
            pytest.approx(10, abs=0.11),
            pytest.approx(10, abs=0.11),
            None,
        ]
        assert [cut.first for cut in cuts[1:]] == [cut.end for cut in cuts[:-1]]

    def test_by_a_distance_to_a_part_of_a_sample(self) -> None:
        times = self.TIMES + 0.037
        distance = (times * 50 + 210) % 500
        cuts = plausible.laps_by_distance(distance, times, 500.0)
        assert [cut.complete for cut in cuts] == [False, True, True, False]
        assert [cut.begin_s for cut in cuts[1:]] == [
            pytest.approx(5.8),
            pytest.approx(15.8),
            pytest.approx(25.8),
        ]
        without = plausible.laps_by_distance(distance, times)
        assert [cut.lap_time_s for cut in without[1:3]] == [pytest.approx(10), pytest.approx(10)]

    def test_by_beacons_exactly(self) -> None:
        cuts = plausible.laps_by_times([12.345, 2.111, 22.7, 400.0], self.TIMES)
        assert [cut.lap_time_s for cut in cuts] == [None, pytest.approx(10.234), pytest.approx(10.355), None]
        assert [cut.begin_s for cut in cuts] == [0.0, 2.111, 12.345, 22.7]

    def test_at_a_start_line(self) -> None:
        angle = self.TIMES * 2 * np.pi / 9.5 - 1
        positions = 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        cuts = plausible.laps_at_line(positions, self.TIMES, ((90.0, 0.0), (110.0, 0.0)), least_s=5)
        assert [cut.complete for cut in cuts] == [False, True, True, False]
        assert cuts[1].lap_time_s == pytest.approx(9.5, abs=1e-3)

    def test_without_a_line_all_is_one_piece(self) -> None:
        (cut,) = plausible.laps_by_distance(self.TIMES, self.TIMES)
        assert (cut.rows, cut.complete, cut.lap_time_s) == (slice(0, 300), False, None)


def test_degrees_become_metres_from_the_same_place_in_every_file() -> None:
    latitude, longitude = np.array([50.02, 50.021]), np.array([6.01, 6.011])
    found = plausible.local_metres(latitude, longitude)
    np.testing.assert_allclose(np.diff(found, axis=0), np.array([[71.70, 111.24]]), atol=0.05)
    later = plausible.local_metres(latitude[1:], longitude[1:])
    np.testing.assert_allclose(later[0], found[1], atol=1e-6)
