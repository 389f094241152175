"""Forecasts of pace: what they give back of a season made by their own model, and how sure they are."""

import itertools

import numpy as np
import pytest

from rig.v1 import season_pb2
from tests.riglap.season.driven import race, season

NAMES = tuple(f"driver {at:02d}" for at in range(16))
TRACKS = ("Meander", "Harbour", "Quarry", "Dunes", "Orchard")
LENGTHS = (90.0, 100.0, 110.0, 120.0, 130.0)
OF_DRIVER, OF_SESSION, CHANCE = 0.008, 0.01, 0.003


@pytest.fixture(scope="module")
def skill() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, OF_DRIVER, len(NAMES))


@pytest.fixture(scope="module")
def told(skill: np.ndarray) -> season_pb2.Season:
    """Two races on each of five circuits; who is how fast is known."""
    dice = np.random.default_rng(7)
    races = []
    for nth, (track, length) in enumerate(
        itertools.chain.from_iterable(zip(TRACKS, LENGTHS, strict=True) for _ in range(2)), start=1
    ):
        asked = np.log(length) + dice.normal(0.0, OF_SESSION)
        paces = np.exp(asked + skill + dice.normal(0.0, CHANCE, len(NAMES)))
        times = {name: [pace + 9.0, *[float(pace)] * 8] for name, pace in zip(NAMES, paces, strict=True)}
        races.append(race(times, nth, track))
    return season(races)


def test_every_circuit_has_a_forecast_of_everybody(told: season_pb2.Season) -> None:
    assert [one.track_name for one in told.forecasts] == list(TRACKS)
    for one, length in zip(told.forecasts, LENGTHS, strict=True):
        assert {each.driver for each in one.drivers} == set(NAMES)
        assert one.sessions == 2
        assert np.mean([each.pace for each in one.drivers]) == pytest.approx(length, rel=0.03)
        assert all(each.low < each.pace < each.high for each in one.drivers)


def test_the_gaps_are_those_of_the_drivers(told: season_pb2.Season, skill: np.ndarray) -> None:
    found = {each.driver: each.gap for each in told.forecasts[0].drivers}
    truth = 100 * (skill - skill.mean())
    gaps = np.array([found[name] for name in NAMES])
    assert np.abs(gaps - truth).mean() < 100 * CHANCE
    assert np.corrcoef(gaps, truth)[0, 1] > 0.97


def test_the_back_test_says_how_good_it_is(told: season_pb2.Season) -> None:
    quality = told.quality
    assert (quality.sessions, quality.forecasts) == (10, 160)
    assert 0.65 <= quality.gap_coverage <= 0.92
    assert quality.gap_error == pytest.approx(100 * CHANCE * np.sqrt(2 / np.pi), rel=0.25)
    assert quality.gap_error < quality.naive_gap_error
    assert quality.error < 2.0


def test_who_has_driven_once_is_expected_nearer_to_the_field() -> None:
    fast = {name: [109.0, *[100.0 + at] * 8] for at, name in enumerate(NAMES[:6])}
    races = [race(fast, nth, TRACKS[nth % 2]) for nth in range(1, 7)]
    newcomer = {**fast, "newcomer": [109.0, *[100.0] * 8]}
    told = season([*races, race(newcomer, 7, TRACKS[1])])
    gaps = {each.driver: each for each in told.forecasts[0].drivers}
    assert gaps[NAMES[0]].gap < gaps["newcomer"].gap < 0
    assert gaps["newcomer"].gap_error > gaps[NAMES[0]].gap_error
    assert (gaps["newcomer"].sessions, gaps[NAMES[0]].sessions) == (1, 7)


def test_too_little_has_no_forecast() -> None:
    times = {name: [109.0, *[100.0 + at] * 8] for at, name in enumerate(NAMES[:4])}
    told = season([race(times, 1), race(times, 2)])
    assert not told.forecasts
    assert not told.HasField("quality")
