"""Whether what a file says of itself can be true: units against positions, clocks, and where its laps begin.

Loggers label a column m/s and write km/h, repeat a clock, start it again, and count laps as they like. What
is found is applied, and said in a note: `labelled m/s, holds km/h`. Nothing here knows a dialect.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rigclient.imports.geography import metres, origin_of
from rigclient.imports.recording import Refuse

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
_FALL_S: Final = 1.0
"""A clock that falls back by more, and stays there, is another run; by less, rows in the wrong order."""
_LOOK: Final = 3
"""Rows after which a clock that fell back must be where it was, so that they alone are wrong."""


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


def angle_unit(values: Array, stated: str) -> ColumnUnit:
    """Return the unit of an angle; its factor makes rad. Degrees labelled rad are found by values beyond a
    turn, radians labelled deg where a heading goes through whole turns and stays within 6.3.
    """
    degrees = stated.strip().lower() in ("deg", "°", "degree", "degrees")
    finite = values[np.isfinite(values)]
    most = float(np.abs(finite).max()) if len(finite) else 0.0
    if not degrees and most > 2 * np.pi * 1.01:
        return ColumnUnit("deg", np.pi / 180, note=_labelled(stated, "deg"))
    if degrees and most <= 2 * np.pi and _turns(finite):
        return ColumnUnit("rad", 1.0, note=_labelled(stated, "rad"))
    return ColumnUnit("deg", np.pi / 180) if degrees else ColumnUnit("rad", 1.0)


def _turns(values: Array) -> bool:
    """Return whether an angle jumps by a turn of radians, as a heading does."""
    jumps = np.abs(np.diff(values))
    return bool((np.abs(jumps - 2 * np.pi) < 0.5).any())


def _spelled(unit: str) -> str:
    plain = unit.strip().lower()
    return _SPELLED.get(plain, plain)


def _labelled(stated: str, found: str) -> str:
    return f"labelled {stated}, holds {found}" if stated else f"no unit stated, holds {found}"


class SoundClock(NamedTuple):
    """The rows of a clock that can be used, and where it starts again."""

    rows: Array
    """Positions of the rows that stay; between two of `begins` their clock grows."""
    begins: Array
    """Positions within `rows` where a run begins, 0 first; more than one where two sessions are in a file."""
    repeated: Array
    """Positions of the rows that repeat the clock of the one before."""
    backwards: Array
    """Positions of the rows whose clock runs backwards, or that have none."""

    def runs(self) -> list[Array]:
        """Return the rows of every run."""
        return np.split(self.rows, self.begins[1:])

    def tell(self, refuse: Refuse, lines: Array) -> None:
        """Tell the rows that are left out; `lines` are those of all rows."""
        for place in self.repeated:
            refuse(int(lines[place]), "a repeated clock", "the row before has the same time")
        for place in self.backwards:
            refuse(int(lines[place]), "the clock runs backwards", "it has a time before that of a row before")


def clock(times: Array) -> SoundClock:
    """Return what of a clock [s], shape (rows,), can be used.

    A row with the clock of the one before is repeated. Where the clock falls back by up to a second the rows
    are left out until it is where it was; so are up to three rows that stand alone with any clock. Where it
    falls back by more and goes on from there another run begins.
    """
    finite = np.flatnonzero(np.isfinite(times))
    kept, begins, repeated = list[int](), [0], list[int]()
    backwards = [int(at) for at in np.flatnonzero(~np.isfinite(times))]
    falls = np.append(np.flatnonzero(np.diff(times[finite]) <= 0) + 1, len(finite))
    at = 0
    while at < len(finite):
        last, now = times[kept[-1]] if kept else -np.inf, times[finite[at]]
        if now > last:
            rise = int(falls[np.searchsorted(falls, at, side="right")])
            kept += finite[at:rise].tolist()
            at = rise
            continue
        if now == last:
            repeated.append(int(finite[at]))
        elif last - now <= _FALL_S or bool((times[finite[at + 1 : at + 1 + _LOOK]] > last).any()):
            backwards.append(int(finite[at]))
        elif _stray(times, kept, begins[-1], now):
            backwards.append(kept.pop())
            continue
        else:
            begins.append(len(kept))
            kept.append(int(finite[at]))
        at += 1
    order = np.sort(np.array(backwards, np.int64))
    return SoundClock(
        np.array(kept, np.int64), np.array(begins, np.int64), np.array(repeated, np.int64), order
    )


def _stray(times: Array, kept: Sequence[int], begin: int, now: float) -> bool:
    """Return whether the last row that was kept is alone ahead of its time: the ones around it follow each
    other.
    """
    if len(kept) - begin < 2:
        return False
    before = times[kept[-2]]
    return bool(0 < now - before <= _FALL_S < times[kept[-1]] - before)


class LapCut(NamedTuple):
    """A lap among rows: from `first` to before `end`."""

    first: int
    end: int
    number: int
    """As the file counts; else from 0 on."""
    begin_s: float
    """SoundClock at the line; where nobody knows that of the first row."""
    end_s: float
    complete: bool
    """From line to line: the file has rows of the lap before and of the one after."""

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.first, self.end)

    @property
    def lap_time_s(self) -> float | None:
        """Between its two lines; None for a piece."""
        return self.end_s - self.begin_s if self.complete else None


def laps_by_number(numbers: Array, times: Array) -> list[LapCut]:
    """Return the laps by a column that counts them, shape (rows,). A lap begins with its first row, so that
    its time is right within a sample; the first and the last are pieces.
    """
    begins = np.flatnonzero(np.diff(numbers, prepend=np.nan) != 0)
    cuts = _cuts(begins, times, times[begins[1:]])
    return [cut._replace(number=int(numbers[cut.first])) for cut in cuts]


def laps_by_distance(distance: Array, times: Array, length_m: float = 0.0) -> list[LapCut]:
    """Return the laps by a distance [m], shape (rows,), that falls back by more than half its greatest at the
    line. The moment at the line lies between two rows, in proportion to the way to it; `length_m` is the
    lap's, 0: by the steps around.
    """
    finite = np.isfinite(distance)
    most = float(distance[finite].max()) if finite.any() else 0.0
    falls = np.flatnonzero(np.diff(distance) < -most / 2) + 1
    lines = np.array([_crossing(distance, times, int(at), length_m) for at in falls], np.float64)
    return _cuts(np.concatenate([[0], falls]), times, lines)


def _crossing(distance: Array, times: Array, after: int, length_m: float) -> float:
    """Return when the line was crossed before row `after` [s]."""
    before, gone = after - 1, max(float(distance[after]), 0.0)
    gap = float(times[after] - times[before])
    way = length_m - float(distance[before]) + gone if length_m else 0.0
    if not 0 < gone <= way:
        step = float(distance[before] - distance[before - 1]) if before else 0.0
        way = max(step, gone)
    return float(times[after]) - (min(gone / way, 1.0) * gap if way > 0 else 0.0)


def laps_by_times(lines_s: Sequence[float], times: Array) -> list[LapCut]:
    """Return the laps by the clock of every crossing of the line [s], exactly; what is before the first and
    after the last is a piece.
    """
    lines = np.array(sorted(one for one in lines_s if times[0] < one <= times[-1]), np.float64)
    begins = np.searchsorted(times, lines)
    apart = np.flatnonzero(np.diff(begins, prepend=0) > 0)
    return _cuts(np.concatenate([[0], begins[apart]]).astype(np.int64), times, lines[apart])


def laps_at_line(
    positions: Array, times: Array, line: tuple[Sequence[float], Sequence[float]], least_s: float = 10.0
) -> list[LapCut]:
    """Return the laps by crossings of a start line between two points; `positions` have shape (rows, 2), in
    the axes of the points. Only crossings in the direction of the first count, `least_s` apart.
    """
    one, other = (np.asarray(point, np.float64) for point in line)
    along, side = other - one, positions - one
    ahead = along[0] * side[:, 1] - along[1] * side[:, 0]
    crossings = list[float]()
    direction = 0.0
    for at in np.flatnonzero(np.sign(ahead[:-1]) * np.sign(ahead[1:]) <= 0):
        change = ahead[at + 1] - ahead[at]
        if not change or (direction and np.sign(change) != direction):
            continue
        share = -ahead[at] / change
        where = side[at] + share * (side[at + 1] - side[at])
        when = float(times[at] + share * (times[at + 1] - times[at]))
        if 0 <= where @ along <= along @ along and (not crossings or when - crossings[-1] >= least_s):
            crossings.append(when)
            direction = float(np.sign(change))
    return laps_by_times(crossings, times)


def _cuts(begins: Array, times: Array, lines: Array) -> list[LapCut]:
    """Return the laps that begin at these rows; `lines` are the clocks [s] of all lines but the first."""
    ends = [*begins[1:].tolist(), len(times)]
    clocks = [float(times[0]), *map(float, lines), float(times[-1])]
    return [
        LapCut(int(first), int(end), at, clocks[at], clocks[at + 1], 0 < at < len(begins) - 1)
        for at, (first, end) in enumerate(zip(begins, ends, strict=True))
    ]


def local_metres(latitude: Array, longitude: Array) -> Array:
    """Return positions [m] of degrees, shape (rows, 2): x east and z north, as the game's axes lie (y is up).

    They count from a place that files of one circuit have in common: `geography`.
    """
    origin = origin_of(latitude, longitude)
    if origin is None:
        return np.full((len(latitude), 2), np.nan)
    return metres(latitude, longitude, origin)
