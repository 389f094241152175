"""Places on earth, in metres that two recordings share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.signals import geography


@given(st.floats(1, 70), st.floats(-179, 179), st.floats(-0.02, 0.02), st.floats(-0.02, 0.02))
def test_two_recordings_of_one_circuit_lie_on_each_other(
    latitude: float, longitude: float, north: float, east: float
) -> None:
    places = np.array([[latitude, longitude], [latitude + north, longitude + east]])
    whole = geography.origin_of(places[:, 0], places[:, 1])
    assert whole is not None
    assert max(abs(whole.latitude - latitude), abs(whole.longitude - longitude)) <= 0.16
    first = geography.metres(places[:, 0], places[:, 1], whole)
    again = geography.metres(places[1:, 0], places[1:, 1], whole)
    np.testing.assert_allclose(first[1], again[0], atol=1e-6)
    assert np.sign(first[1, 1] - first[0, 1]) == np.sign(north) or abs(north) < 1e-4


@pytest.mark.parametrize(("latitude", "metre"), [(0.0, 110_574.3), (45.0, 111_131.8), (60.0, 111_412.2)])
def test_a_degree_is_as_long_as_it_is_there(latitude: float, metre: float) -> None:
    origin = geography.MapOrigin(latitude, 10.0)
    along = geography.metres(np.array([latitude - 0.01, latitude + 0.01]), np.array([10.0, 10.0]), origin)
    assert np.linalg.norm(np.diff(along, axis=0)) == pytest.approx(metre * 0.02, rel=2e-5)


def test_a_receiver_without_satellites_is_nowhere() -> None:
    latitude, longitude = np.array([0.0, 45.0, np.nan, 45.0, 91.0]), np.array([0.0, 10.0, 10.0, 60.0, 10.0])
    origin = geography.origin_of(np.full(5, 45.0), np.full(5, 10.0))
    assert origin is not None
    found = geography.metres(latitude, longitude, origin)
    assert np.isfinite(found).all(axis=1).tolist() == [False, True, False, False, False]
    assert geography.origin_of(np.zeros(3), np.zeros(3)) is None


def test_turning_right_is_positive() -> None:
    times = np.arange(0, 20, 0.1)
    way = 100 * np.stack([np.sin(times / 5), np.cos(times / 5)], axis=1)  # clockwise, as seen from above
    np.testing.assert_allclose(geography.turning(way, times)[5:-5], 0.2, atol=1e-3)


def test_degrees_become_metres_from_the_same_place_in_every_file() -> None:
    latitude, longitude = np.array([50.02, 50.021]), np.array([6.01, 6.011])
    found = geography.local_metres(latitude, longitude)
    np.testing.assert_allclose(np.diff(found, axis=0), np.array([[71.65, 111.24]]), atol=0.05)
    later = geography.local_metres(latitude[1:], longitude[1:])
    np.testing.assert_allclose(later[0], found[1], atol=1e-6)
