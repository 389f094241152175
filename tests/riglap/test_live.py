"""Live deltas and gaps, fed tick by tick with the positions of recorded laps."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from rig.errors import Mismatch
from riglap.alignment import align
from riglap.circuits.circuit import Circuit
from riglap.compare import compare, trace
from riglap.lap import Lap
from riglap.live import LiveDelta
from tests.riglap.raced import Raced

Array = np.ndarray[Any, np.dtype[Any]]


def driven(lap: Lap) -> tuple[Array, Array, float]:
    """Session clock and positions of a lap, and when it began."""
    start = lap.info.start_time
    return lap["lap_time"] + start, lap["position"].astype(float), start


def own(laps: list[Lap]) -> list[Lap]:
    """The flying laps of one car."""
    return [lap for lap in laps if lap.info.car == laps[0].info.car and lap.info.number]


def test_the_live_delta_is_that_of_the_finished_lap(laps: list[Lap], circuit: Circuit) -> None:
    reference, lap = own(laps)[:2]
    live = LiveDelta(circuit, 1)
    live.refer(0, trace(align(reference, circuit)))
    clock, places, start = driven(lap)
    told = [live.tick(clock[at : at + 1], places[at : at + 1], np.array([start])) for at in range(len(clock))]
    found = compare([reference, lap], circuit)
    s, delta = np.array([[one.s[0], one.delta[0]] for one in told]).T
    late = np.interp(s[5:-5], found.places, found.delta())
    assert np.abs(delta[5:-5] - late).max() < 0.002
    assert told[-1].predicted[0] == pytest.approx(lap.info.lap_time, abs=0.02)
    assert told[1000].predicted[0] == pytest.approx(reference.info.lap_time + delta[1000])


def test_a_reference_ends_at_its_official_time(laps: list[Lap], circuit: Circuit) -> None:
    live = LiveDelta(circuit, 1)
    good = trace(align(own(laps)[0], circuit))
    live.refer(0, good)
    with pytest.raises(Mismatch, match="ms off its official"):
        live.refer(0, dataclasses.replace(good, lap_time=good.lap_time + 0.002))


def test_without_a_reference_or_a_place_there_is_no_number(laps: list[Lap], circuit: Circuit) -> None:
    live = LiveDelta(circuit, 3)
    clock, places, start = driven(own(laps)[0])
    nowhere = np.full(3, np.nan)
    told = live.tick(clock[:3], np.stack((places[9], nowhere, places[9] + 5000)), np.full(3, start))
    assert np.isnan(told.delta).all()
    assert np.isfinite(told.s[0])
    assert np.isnan(told.s[1:]).all()


def test_gaps_are_crossing_times(race: Raced, laps: list[Lap], circuit: Circuit) -> None:
    """Two cars in the same lap of the race: the gap is the time since the other was there."""
    pair = [next(lap for lap in laps if lap.info.car == car and lap.info.number == 1) for car in _cars(laps)]
    live, ticks = LiveDelta(circuit, 2), []
    begin = max(driven(lap)[0][0] for lap in pair)
    end = min(driven(lap)[0][-1] for lap in pair)
    for clock in np.arange(begin + 20, end - 1, 0.02):
        rows = [int(np.searchsorted(driven(lap)[0], clock)) for lap in pair]
        clocks = np.array([driven(lap)[0][row] for lap, row in zip(pair, rows, strict=True)])
        places = np.stack([driven(lap)[1][row] for lap, row in zip(pair, rows, strict=True)])
        live.tick(clocks, places, np.zeros(2))
        ticks.append((clocks, live.gap(0, 1), live.gap(1, 0)))
    lines = [trace(align(lap, circuit)) for lap in pair]
    starts = [lap.info.start_time for lap in pair]
    found = 0
    for clocks, *gaps in ticks[200::97]:
        for behind, told in enumerate(gaps):
            if np.isfinite(told) and told > 0:
                s = np.interp(clocks[behind] - starts[behind], lines[behind].time, lines[behind].places)
                ahead = np.interp(s, lines[1 - behind].places, lines[1 - behind].time) + starts[1 - behind]
                if clocks[behind] - ahead < 15:
                    assert told == pytest.approx(clocks[behind] - ahead, abs=0.02)
                    found += 1
    assert found > 10


def _cars(laps: list[Lap]) -> list[int]:
    return sorted({lap.info.car for lap in laps})[:2]
