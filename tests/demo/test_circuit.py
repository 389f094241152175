import numpy as np
import pytest

from rigd.demo.car import CLASSES
from rigd.demo.circuit import ROUGHNESS_PER_M, build
from rigd.demo.line import racing_line, speed_limit


@pytest.mark.parametrize(("short", "least", "most"), [(False, 4000, 5000), (True, 1100, 1300)])
def test_the_circuit_closes_on_a_one_metre_grid(short: bool, least: int, most: int) -> None:
    circuit = build(short)
    steps = np.hypot(np.roll(circuit.x, -1) - circuit.x, np.roll(circuit.z, -1) - circuit.z)
    assert least < circuit.length < most
    assert np.abs(steps - 1.0).max() < 1e-3
    assert circuit.curvature.sum() == pytest.approx(2 * np.pi, abs=1e-9)
    assert circuit.roughness.shape == (2, int(circuit.length) * ROUGHNESS_PER_M)


@pytest.mark.parametrize("short", [False, True])
def test_it_has_three_sectors_and_a_pit_lane_across_the_line(short: bool) -> None:
    circuit = build(short)
    first, second = circuit.splits
    assert 0.0 < circuit.pit_exit < first < second < circuit.pit_entry < circuit.length
    assert circuit.pit_length == pytest.approx(circuit.length - circuit.pit_entry + circuit.pit_exit)
    straight = np.abs(np.concatenate((circuit.curvature[-100:], circuit.curvature[:100])))
    assert straight.max() < 1e-3


def test_it_is_the_same_circuit_every_time() -> None:
    one, other = build(True), build(True)
    assert np.array_equal(one.x, other.x)
    assert np.array_equal(one.roughness, other.roughness)


@pytest.mark.parametrize("short", [False, True])
def test_the_racing_line_stays_on_the_road_and_is_faster_than_its_middle(short: bool) -> None:
    circuit = build(short)
    line = racing_line(circuit)
    assert (np.abs(line.offset) < circuit.width / 2 - 1.0).all()
    assert (line.curvature**2).sum() < 0.85 * (circuit.curvature**2).sum()


@pytest.mark.parametrize("car", CLASSES, ids=lambda car: car.name)
def test_nobody_needs_more_brakes_than_the_friction_circle_has(car: object) -> None:
    circuit = build(True)
    line = racing_line(circuit)
    one = next(each for each in CLASSES if each is car)
    limit = speed_limit(circuit, line, one)
    slowing = (limit**2 - np.roll(limit, -1) ** 2) / 2 / line.stretch
    room = one.grip * (9.81 + one.downforce / one.mass * limit**2) + one.drag / one.mass * limit**2 + 0.6
    assert (slowing < room * 1.05).all()
    assert 12.0 < limit.min() < 30.0
