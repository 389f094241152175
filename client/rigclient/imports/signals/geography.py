"""Places on earth as metres around the circuit: x east, y up, z north, left-handed as in the game.

The origin is a corner of a grid of a quarter of a degree, not a place of the recording: two recordings of one
circuit lie on each other. At most 20 km from it a float32 keeps 2 mm. The plane touches the ellipsoid of
WGS 84 there, which stretches lengths by less than 5 in a million.
"""

from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_GRID_DEG: Final = 0.25
_EQUATOR_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563
_ECCENTRICITY2: Final = _FLATTENING * (2 - _FLATTENING)
_MIDDLE: Final = (2, 98)
"""Percentiles that bound a circuit: receivers that lose their satellites put some places elsewhere."""
_FAR_M: Final = 50_000.0
"""From the origin: no circuit is so long; what lies beyond is no place of it."""


class MapOrigin(NamedTuple):
    """A place on earth, in degrees."""

    latitude: float
    longitude: float

    def __str__(self) -> str:
        return f"{self.latitude:.2f}, {self.longitude:.2f}"


def known_places(latitude: Array, longitude: Array) -> Array:
    """Return which rows have a place, shape (rows,): 0, 0 is what receivers write without satellites."""
    inside = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    return np.asarray(inside & ((latitude != 0) | (longitude != 0)))


def origin_of(latitude: Array, longitude: Array) -> MapOrigin | None:
    """Return the origin for a circuit at these degrees, shape (rows,); None without a place."""
    there = known_places(latitude, longitude)
    if not there.any():
        return None
    middles = (np.percentile(degrees[there], _MIDDLE).mean() for degrees in (latitude, longitude))
    return MapOrigin(*(round(float(middle) / _GRID_DEG) * _GRID_DEG for middle in middles))


def metres(latitude: Array, longitude: Array, origin: MapOrigin) -> Array:
    """Return x and z [m], shape (rows, 2), of degrees, shape (rows,). What is no place near the origin is
    NaN.
    """
    here = _earth_centred(np.float64(origin.latitude), np.float64(origin.longitude))
    usable = known_places(latitude, longitude)
    there = _earth_centred(np.where(usable, latitude, np.nan), np.where(usable, longitude, np.nan))
    east, north = _axes(origin)
    flat = (there - here) @ np.stack([east, north], axis=1)
    flat[~(np.abs(flat).max(axis=-1, initial=0.0) < _FAR_M)] = np.nan
    return np.asarray(flat, np.float64)


def _earth_centred(latitude: Array | np.float64, longitude: Array | np.float64) -> Array:
    """Return places on the ellipsoid [m], shape (..., 3)."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    normal = _EQUATOR_M / np.sqrt(1 - _ECCENTRICITY2 * np.sin(phi) ** 2)
    around = normal * np.cos(phi)
    return np.stack(
        [around * np.cos(lam), around * np.sin(lam), normal * (1 - _ECCENTRICITY2) * np.sin(phi)], axis=-1
    )


def _axes(origin: MapOrigin) -> tuple[Array, Array]:
    phi, lam = np.radians(origin.latitude), np.radians(origin.longitude)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    north = np.array([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)])
    return east, north


def turning(places: Array, times: Array) -> Array:
    """Return how fast the way turns right [rad/s], shape (rows,), of x and z [m], shape (rows, 2). NaN where
    the car stands.
    """
    step = np.gradient(places, times, axis=0)
    moving = np.hypot(*step.T) > _CRAWL_MPS
    heading = np.where(moving, np.arctan2(step[:, 0], step[:, 1]), np.nan)
    change = (np.diff(heading, prepend=np.nan) + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(change / np.diff(times, prepend=np.nan))


_CRAWL_MPS: Final = 5.0


def local_metres(latitude: Array, longitude: Array) -> Array:
    """Return positions [m] of degrees, shape (rows, 2): x east and z north, as the game's axes lie (y is up).

    They count from a place that files of one circuit have in common.
    """
    origin = origin_of(latitude, longitude)
    if origin is None:
        return np.full((len(latitude), 2), np.nan)
    return metres(latitude, longitude, origin)
