"""A drive on a circuit that is somewhere on earth: half a lap, two whole ones, half a lap."""

import dataclasses
import functools
from typing import Final

import numpy as np

from tests.imports import known
from tests.imports.known import Array

LATITUDE: Final = 45.61
LONGITUDE: Final = 10.11
_EQUATOR_M: Final = 6_378_137.0
_ECCENTRICITY2: Final = 0.00669437999014


@dataclasses.dataclass(frozen=True)
class Drive:
    """Rows of the whole drive, its clock from 0; and when it crossed the line."""

    time: Array
    latitude: Array
    longitude: Array
    height: Array
    speed: Array
    left: Array
    forward: Array
    throttle: Array
    brake: Array
    steering: Array
    gear: Array
    rpm: Array
    water: Array
    distance: Array
    """Since the line."""
    lap: Array
    """0 before the first line."""
    lines: tuple[float, float, float]

    @property
    def lap_times(self) -> tuple[float, float]:
        return self.lines[1] - self.lines[0], self.lines[2] - self.lines[1]

    def __len__(self) -> int:
        return len(self.time)

    def sliced(self, rows: slice) -> "Drive":
        columns = {
            one.name: getattr(self, one.name)[rows] for one in dataclasses.fields(self) if one.name != "lines"
        }
        return self.replaced(**columns)

    def replaced(self, **columns: Array) -> "Drive":
        return dataclasses.replace(self, **columns)


@functools.cache
def drive(rate_hz: float = 20.0) -> Drive:
    laps = known.laps(4, rate_hz)
    whole = {
        name: np.concatenate([getattr(lap, name) for lap in laps])
        for name in ("clock", "position", "speed", "left", "forward", "throttle", "brake", "steering")
    }
    whole |= {
        name: np.concatenate([getattr(lap, name) for lap in laps]) for name in ("gear", "rpm", "distance")
    }
    numbers = np.concatenate([np.full(len(lap), lap.number) for lap in laps])
    rows = slice(len(laps[0]) // 2, len(numbers) - len(laps[3]) // 2)
    begin = float(whole["clock"][rows][0])
    x, y, z = whole.pop("position")[rows].T
    latitude, longitude = degrees(x, z)
    lines = tuple(lap.start_s - begin for lap in laps[1:])
    columns = {name: values[rows] for name, values in whole.items() if name != "clock"}
    return Drive(
        time=whole["clock"][rows] - begin,
        latitude=latitude,
        longitude=longitude,
        height=150 + y,
        water=80 + columns["throttle"] * 5,
        lap=numbers[rows],
        lines=(lines[0], lines[1], lines[2]),
        **columns,
    )


def degrees(x: Array, z: Array) -> tuple[Array, Array]:
    """Latitude and longitude of metres east and north of the circuit's middle."""
    phi = np.radians(LATITUDE)
    bend = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    north = _EQUATOR_M * (1 - _ECCENTRICITY2) / bend**1.5
    across = _EQUATOR_M / np.sqrt(bend) * np.cos(phi)
    return LATITUDE + np.degrees(z / north), LONGITUDE + np.degrees(x / across)


def line_degrees(
    metres: float = 0.0, half_m: float = 20.0
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends, latitude and longitude, of a line across the track."""
    before, here, after = known.places(np.array([metres - 1.0, metres, metres + 1.0]))
    ahead = (after - before)[[0, 2]] / np.linalg.norm((after - before)[[0, 2]])
    across = np.array([-ahead[1], ahead[0]])
    ends = [here[[0, 2]] + side * half_m * across for side in (-1, 1)]
    found = [degrees(np.array([end[0]]), np.array([end[1]])) for end in ends]
    (one, other) = ((float(latitude[0]), float(longitude[0])) for latitude, longitude in found)
    return one, other
