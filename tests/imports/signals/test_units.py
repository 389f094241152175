"""Units that a file states, against what its rows tell."""

import numpy as np
import pytest

from rigclient.imports.signals import units

RATE = 50.0
TIMES = np.arange(0, 60, 1 / RATE)
MPS = 40 + 20 * np.sin(TIMES / 7)
WAY = np.concatenate([[0.0], np.cumsum((MPS[1:] + MPS[:-1]) / 2 / RATE)])
ANGLE = WAY / 500
CIRCLE = 500 * np.stack([np.cos(ANGLE), np.zeros_like(ANGLE), np.sin(ANGLE)], axis=1)


class TestSpeed:
    @pytest.mark.parametrize("unit", units.SPEEDS)
    @pytest.mark.parametrize("stated", ["m/s", "km/h", "kph", "MPH", ""])
    def test_positions_tell_the_unit_whatever_is_stated(self, unit: str, stated: str) -> None:
        found = units.speed_unit(MPS / units.SPEEDS[unit], CIRCLE, TIMES, stated)
        assert found.unit == unit
        assert found.factor == pytest.approx(units.SPEEDS[unit])
        right = {"kph": "km/h", "MPH": "mph"}.get(stated, stated)
        assert found.note == ("" if right == unit else units._labelled(stated, unit))

    def test_so_does_a_distance_in_steps_that_jumps_back_at_the_line(self) -> None:
        stepped = (WAY[::10].repeat(10)[: len(WAY)]) % 1000
        found = units.speed_unit(MPS * 3.6, stepped, TIMES, "m/s")
        assert found.note == "labelled m/s, holds km/h"

    def test_without_a_way_no_car_is_faster_than_cars_are(self) -> None:
        assert units.speed_unit(np.array([262.4]), None, np.zeros(1), "m/s").unit == "km/h"
        assert units.speed_unit(np.array([62.4]), None, np.zeros(1), "m/s").note == ""
        assert (
            units.speed_unit(np.array([62.4]), None, np.zeros(1), "").note == "no unit stated, taken as m/s"
        )

    def test_a_car_that_stands_tells_nothing(self) -> None:
        still = np.zeros_like(TIMES)
        assert units.speed_unit(still, np.zeros((len(TIMES), 3)), TIMES, "km/h").unit == "km/h"


def test_temperatures_tell_theirs() -> None:
    assert units.temperature_unit(np.array([293.0, 350.0]), "C").note == "labelled C, holds K"
    assert units.temperature_unit(np.array([93.0, 950.0]), "°C").note == ""
    assert units.temperature_unit(np.array([93.0]), "K").offset == -273.15
    warm = units.temperature_unit(np.array([212.0]), "F")
    assert 212 * warm.factor + warm.offset == pytest.approx(100)
