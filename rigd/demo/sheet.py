"""One frame's numbers, a row per channel and a column per car, and their way into the game's records.

Physics is computed on contiguous rows. Doubles that lie together in a record form a block, so that a frame
is filled with seven strided copies rather than one per channel (104 cars: 30 us instead of 200).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rigd.sources.rf2.layout import VEHICLE_TELEMETRY, WHEEL

Floats = npt.NDArray[np.float64]
Records = np.ndarray[tuple[int], np.dtype[np.void]]

_CAR_BLOCKS: Final = (
    ("mDeltaTime", "mElapsedTime"),
    ("mPos", "mLocalRotAccel"),
    ("mEngineRPM", "mEngineMaxRPM"),
    ("mEngineTorque", "mEngineTorque"),
    ("mRearBrakeBias", "mTurboBoostPressure"),
    ("mDeltaBest", "mElectricBoostWaterTemperature"),
)
_WHEEL_BLOCKS: Final = (
    ("mSuspensionDeflection", "mWear"),
    ("mVerticalTireDeflection", "mTireInnerLayerTemperature"),
)


def _span(dtype: np.dtype[Any], first: str, last: str) -> tuple[int, int]:
    """Return byte offset and count of the doubles from field `first` through field `last`."""
    spans = dtype.fields
    assert spans is not None
    start, end = spans[first][1], spans[last][1] + spans[last][0].itemsize
    return start, (end - start) // 8


class FieldColumns:
    """Rows of a frame by the game's field name; `publish` copies them into `records`."""

    def __init__(self, cars: int) -> None:
        self.records: Records = np.zeros(cars, VEHICLE_TELEMETRY)
        self._rows: dict[str, Floats] = {}
        self._place: dict[str, tuple[int, int, int]] = {}  # block, first row, row after
        self._copies: list[tuple[Floats, Floats]] = []
        for first, last in _CAR_BLOCKS:
            self._add_car_block(first, last)
        for first, last in _WHEEL_BLOCKS:
            self._add_wheel_block(first, last)

    def __getitem__(self, name: str) -> Floats:
        """Return the row of a channel: (cars), (k, cars), (wheels, cars) or (k, wheels, cars)."""
        return self._rows[name]

    def span(self, first: str, last: str) -> Floats:
        """Return the rows from `first` through `last`, which lie together in the record."""
        block, start, _ = self._place[first]
        same, _, end = self._place[last]
        assert same == block
        return self._copies[block][1][start:end]

    def publish(self) -> None:
        """Copy every row into the records."""
        for target, source in self._copies:
            target[...] = source

    def _add_car_block(self, first: str, last: str) -> None:
        offset, count = _span(VEHICLE_TELEMETRY, first, last)
        cars = len(self.records)
        rows = np.zeros((count, cars))
        target = self._doubles(offset, (cars, count), (VEHICLE_TELEMETRY.itemsize, 8))
        self._copies.append((target.T, rows))
        self._name(VEHICLE_TELEMETRY, offset, rows)

    def _add_wheel_block(self, first: str, last: str) -> None:
        offset, count = _span(WHEEL, first, last)
        wheels_at = _span(VEHICLE_TELEMETRY, "mWheels", "mWheels")[0]
        cars = len(self.records)
        rows = np.zeros((count, 4, cars))
        strides = (VEHICLE_TELEMETRY.itemsize, WHEEL.itemsize, 8)
        target = self._doubles(wheels_at + offset, (cars, 4, count), strides)
        self._copies.append((target.transpose(2, 1, 0), rows))
        self._name(WHEEL, offset, rows)

    def _doubles(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Floats:
        return np.ndarray(shape, np.dtype("<f8"), self.records.data, offset, strides)

    def _name(self, dtype: np.dtype[Any], start: int, rows: Floats) -> None:
        """Remember which rows of a block are which field."""
        assert dtype.fields is not None
        for name, spec in dtype.fields.items():
            row, rest = divmod(spec[1] - start, 8)
            inside = rest == 0 and 0 <= row < len(rows)
            if inside and spec[0].base == np.dtype("<f8"):
                count = spec[0].itemsize // 8
                self._place[name] = len(self._copies) - 1, row, row + spec[0].itemsize // 8
                self._rows[name] = rows[row] if count == 1 else rows[row : row + count]
