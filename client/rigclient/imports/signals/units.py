"""Units of columns: as a file states them, against positions and the range of the values.

Loggers label a column m/s and write km/h. What is found is applied, and said in a note: `labelled m/s, holds
km/h`.
"""

from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SPEEDS: Final = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 0.514444}
"""Units of speed, and the factor from each to m/s."""
_SPELLED: Final = {
    "mps": "m/s",
    "m·s⁻¹": "m/s",
    "kph": "km/h",
    "kmh": "km/h",
    "kmph": "km/h",
    "mi/h": "mph",
    "knots": "kn",
    "knot": "kn",
    "kt": "kn",
}
_NEAR: Final = 0.12
"""How far a unit may be from what positions tell: the next one is 14 % away (mph and kn), others more."""
_WINDOW_S: Final = 2.0
"""Speed and way are compared over so much time: positions come in steps of a fifth of a second."""
_MOVING_M: Final = 10.0
"""Way in a window from which it is compared: a car that stands tells no unit."""
_FASTEST_MPS: Final = 130.0
"""468 km/h: no car on a circuit is faster, so a greater number is in another unit."""
_COLDEST_K: Final = 200.0
"""No coolant or tyre is warmer than 1500 °C nor, at its coldest, above 200: then it is told in kelvin."""
_ABSURD: Final = 1e12


class ColumnUnit(NamedTuple):
    """What makes a column's values those of the registry: value * factor + offset."""

    unit: str
    """That the column holds."""
    factor: float
    offset: float = 0.0
    note: str = ""
    """What was found, where it is not what the file says."""


def speed_unit(speed: Array, way: Array | None, times: Array, stated: str) -> ColumnUnit:
    """Return the unit of a speed, by the way that the car went; its factor makes m/s.

    `speed` and `times` [s] have shape (rows,); `way` is the distance [m], shape (rows,), which may jump back
    once a lap, or positions [m], shape (rows, 2 or 3); None where the file has neither. `stated` is what the
    file says, "" for nothing. Where way and time tell no unit it is the stated one, or km/h for what no car
    reaches in m/s.
    """
    label = _spelled(stated)
    found = _by_way(speed, way, times) if way is not None else None
    if found is None:
        return _by_range(speed, label, stated)
    if found == label:
        return ColumnUnit(found, SPEEDS[found])
    return ColumnUnit(found, SPEEDS[found], note=_labelled(stated, found))


def _by_way(speed: Array, way: Array, times: Array) -> str | None:
    """Return the unit in which speed times time is nearest to the way; None where none is near."""
    steps, gaps = _steps(np.asarray(way, np.float64)), np.diff(times)
    usable = (gaps > 0) & np.isfinite(steps) & np.isfinite(speed[1:]) & (gaps < _WINDOW_S)
    if not usable.any():
        return None
    window = ((times[1:] - times[1:][usable][0]) // _WINDOW_S).astype(np.int64)[usable]
    _, part = np.unique(window, return_inverse=True)
    went = np.bincount(part, steps[usable])
    reckoned = np.bincount(part, np.abs(speed[1:][usable]) * gaps[usable])
    moving = (went > _MOVING_M) & (reckoned > 0)
    if not moving.any():
        return None
    ratio = float(np.median(went[moving] / reckoned[moving]))
    best = min(SPEEDS, key=lambda unit: abs(ratio / SPEEDS[unit] - 1))
    return best if abs(ratio / SPEEDS[best] - 1) <= _NEAR else None


def _steps(way: Array) -> Array:
    """Return the way between two rows [m]; NaN where a distance jumps back, at the line."""
    if way.ndim == 2:
        return np.asarray(np.linalg.norm(np.diff(way, axis=0), axis=1), np.float64)
    steps = np.diff(way)
    return np.where(steps >= 0, steps, np.nan)


def _by_range(speed: Array, label: str, stated: str) -> ColumnUnit:
    finite = np.abs(speed[np.isfinite(speed)])
    top = float(finite.max()) if len(finite) else 0.0
    if label not in SPEEDS:
        label, stated = "m/s", ""
        if top <= _FASTEST_MPS:
            return ColumnUnit(label, 1.0, note="no unit stated, taken as m/s")
    if top * SPEEDS[label] > _FASTEST_MPS and label == "m/s":
        return ColumnUnit("km/h", SPEEDS["km/h"], note=_labelled(stated, "km/h"))
    return ColumnUnit(label, SPEEDS[label])


def temperature_unit(values: Array, stated: str) -> ColumnUnit:
    """Return the unit of a temperature; factor and offset make °C. Kelvin labelled °C are found: the coldest
    of them are above 200.
    """
    plain = stated.strip().strip("°").upper().removeprefix("DEG").strip() or "C"
    finite = values[np.isfinite(values) & (values != 0)]
    if plain in ("F", "FAHRENHEIT"):
        return ColumnUnit("°F", 5 / 9, -32 * 5 / 9)
    if plain in ("K", "KELVIN"):
        return ColumnUnit("K", 1.0, -273.15)
    if len(finite) and float(np.median(finite)) > _COLDEST_K and float(finite.min()) > _COLDEST_K:
        return ColumnUnit("K", 1.0, -273.15, _labelled(stated, "K"))
    return ColumnUnit("°C", 1.0)


def _spelled(unit: str) -> str:
    plain = unit.strip().lower()
    return _SPELLED.get(plain, plain)


def _labelled(stated: str, found: str) -> str:
    return f"labelled {stated}, holds {found}" if stated else f"no unit stated, holds {found}"


def sane(values: Array) -> Array:
    """Return numbers, NaN where one is beyond all that a car can tell."""
    return np.where(np.abs(values) < _ABSURD, values, np.nan)
