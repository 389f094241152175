"""Laps whose every number is known: a car that goes around a closed way, faster from lap to lap."""

import dataclasses
import functools
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

TRACK: Final = "Meander Valley Grand"
DRIVER: Final = "A. Alder"
VEHICLE: Final = "Copper GT3 #21"
LENGTH_M: Final = 2400.0
BEGIN_S: Final = 214.5
"""Clock of the session when the first lap began."""
_FINE_S: Final = 0.001
_G: Final = 9.80665


@dataclasses.dataclass(frozen=True)
class Known:
    """One lap: rows at a rate, in the units and the axes of the game."""

    number: int
    """Laps before it."""
    start_s: float
    time_s: float
    sectors_s: tuple[float, float, float]
    clock: Array
    """Of the session, as all below with a value per row."""
    distance: Array
    position: Array
    speed: Array
    left: Array
    """Acceleration to the left, m/s²."""
    forward: Array
    throttle: Array
    brake: Array
    steering: Array
    gear: Array
    rpm: Array
    fuel: Array
    sector: Array
    """From 0."""
    brake_temp: Array
    """By wheel, as all below."""
    tyre_temp: Array
    """Of shape (rows, 12), as the driver sees them."""
    carcass: Array
    pressure: Array
    tread: Array
    load: Array
    deflection: Array

    @property
    def lap_time(self) -> Array:
        return self.clock - self.start_s

    def __len__(self) -> int:
        return len(self.clock)


@functools.cache
def laps(count: int = 3, rate_hz: float = 50.0) -> tuple[Known, ...]:
    """Laps that follow each other, and rows at whole steps of the session's clock."""
    fine = np.arange(0.0, 80.0 * (count + 1), _FINE_S)
    way = _way(fine, count)
    lines = np.interp(np.arange(0, 3 * count + 1) * LENGTH_M / 3, way, fine)
    return tuple(
        _lap(number, lines[3 * number : 3 * number + 4], fine, way, rate_hz) for number in range(count)
    )


def _way(fine: Array, count: int) -> Array:
    """Metres since the first line at fine steps of time."""
    metres = np.arange(0.0, LENGTH_M * (count + 2), 0.5)
    paces = _pace(metres)
    times = np.concatenate([[0.0], np.cumsum(0.5 * 2 / (paces[1:] + paces[:-1]))])
    way: Array = np.interp(fine, times, metres)
    return way


def _pace(metres: Array) -> Array:
    around = 2 * np.pi * metres / LENGTH_M
    paces: Array = (48 + 16 * np.cos(3 * around) + 4 * np.sin(around)) * (1 + 0.01 * metres / LENGTH_M)
    return paces


@functools.cache
def _line() -> tuple[Array, Array]:
    """The way around: metres since the line, and x, y (up), z."""
    angle = np.linspace(0, 2 * np.pi, 20001)
    radius = 1 + 0.25 * np.cos(2 * angle) + 0.1 * np.sin(3 * angle)
    plane = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    steps = np.linalg.norm(np.diff(plane, axis=0), axis=1)
    plane *= LENGTH_M / steps.sum()
    height = 7 + 2 * np.sin(angle)
    return np.concatenate([[0.0], np.cumsum(steps) * LENGTH_M / steps.sum()]), np.insert(
        plane, 1, height, axis=1
    )


def places(metres: Array) -> Array:
    along, points = _line()
    return np.stack([np.interp(metres % LENGTH_M, along, points[:, axis]) for axis in range(3)], axis=1)


def _curvature(metres: Array) -> Array:
    """To the left, 1/m."""
    before, here, after = (places(metres + step)[:, [0, 2]] for step in (-5.0, 0.0, 5.0))
    one, other = (here - before) / 5, (after - here) / 5
    turn = (other - one) / 5
    curvature: Array = turn[:, 1] * one[:, 0] - turn[:, 0] * one[:, 1]
    return curvature


def _lap(number: int, lines: Array, fine: Array, way: Array, rate_hz: float) -> Known:
    first, last = np.ceil(lines[0] * rate_hz), np.ceil(lines[3] * rate_hz)
    clock = np.arange(first, last) / rate_hz
    metres = np.interp(clock, fine, way)
    speed = _pace(metres)
    forward = (np.interp(clock + 0.01, fine, _pace(way)) - np.interp(clock - 0.01, fine, _pace(way))) / 0.02
    curvature = _curvature(metres)
    throttle, brake = np.clip(forward / 6, 0, 1), np.clip(-forward / 12, 0, 1)
    wheel = np.arange(4.0)
    ones = np.ones((len(clock), 1))
    return Known(
        number=number,
        start_s=BEGIN_S + float(lines[0]),
        time_s=float(lines[3] - lines[0]),
        sectors_s=tuple(np.diff(lines).tolist()),
        clock=BEGIN_S + clock,
        distance=metres - number * LENGTH_M,
        position=places(metres),
        speed=speed,
        left=speed**2 * curvature,
        forward=forward,
        throttle=throttle,
        brake=brake,
        steering=np.clip(-curvature * 40, -1, 1),
        gear=np.clip(speed // 10, 1, 6),
        rpm=5000 + 40 * speed,
        fuel=60 - metres / 1000,
        sector=np.minimum((metres - number * LENGTH_M) * 3 // LENGTH_M, 2),
        brake_temp=300 + 200 * brake[:, None] + 30 * wheel,
        tyre_temp=70 + 10 * brake[:, None] + np.arange(12.0),
        carcass=80 + 3 * wheel + 5 * throttle[:, None],
        pressure=165 + wheel * ones,
        tread=(0.95 - 0.02 * wheel) - 0.001 * metres[:, None] / LENGTH_M,
        load=3000 + 500 * wheel + 100 * brake[:, None],
        deflection=0.02 + 0.002 * wheel + 0.001 * brake[:, None],
    )


def in_g(acceleration: Array) -> Array:
    return acceleration / _G
