"""Where time is won or lost while it is driven: every car against its reference, tick by tick.

Places are found on the reference line, so that nothing is integrated. A reference is the times of a lap along
that line; it is taken only where it ends at the lap's official time.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.errors import Mismatch
from riglap.circuits.circuit import Circuit
from riglap.circuits.line import Floats
from riglap.compare import Trace

Rows = npt.NDArray[np.intp]

OFFICIAL_S: Final = 0.001
_FAR_M: Final = 60.0
"""A foot further from where the car was, or from the line, is looked for anew."""
_STATION_M: Final = 5.0
"""Between two of them time is linear: at 20 m/s and 10 m/s² it is 4 ms off."""


MOST_GAP_S: Final = 120.0
"""No gap is longer: who was here so long ago is nobody to race with. It also bounds what has to be read to
tell gaps of a tick in the past.
"""


class ReferenceTimes(NamedTuple):
    """What a car is held against: 40 kB, where a lap has megabytes."""

    title: str
    lap_time: float
    """s, official."""
    times: Floats
    """s since the lap began, on the line's grid of about a metre; NaN where it is doubtful."""
    shift: tuple[float, float]
    """m that its places are off the line's at both ends."""


def reference_of(lap: Trace) -> ReferenceTimes:
    """Return a lap, or an ideal lap, as a reference. Raises Mismatch for one whose times do not end at its
    official time.
    """
    times = np.where(lap.doubtful, np.nan, lap.time)
    off = abs(float(times[-1]) - lap.lap_time)
    if not off <= OFFICIAL_S:
        raise Mismatch(
            f"{lap.title} ends {1000 * off:.1f} ms off its official time", hint="1 ms is the limit"
        )
    return ReferenceTimes(lap.title, lap.lap_time, times, lap.aligned.shift if lap.aligned else (0.0, 0.0))


class References:
    """Cars on a circuit, each held against a reference of its own."""

    def __init__(self, circuit: Circuit, cars: int) -> None:
        self._length, self._cells = circuit.length, round(circuit.length)
        self._step = circuit.length / self._cells
        self._times = np.full((cars, self._cells + 1), np.nan)
        self._shift = np.zeros((2, cars))
        self._cars = np.arange(cars)

    def refer(self, car: int, reference: ReferenceTimes) -> None:
        """Hold a car against a reference. Raises Mismatch for one of another length."""
        if len(reference.times) != self._cells + 1:
            raise Mismatch(
                f"{reference.title} has {len(reference.times) - 1} m", hint=f"the line has {self._cells}"
            )
        self._times[car], self._shift[:, car] = reference.times, reference.shift

    def forget(self, car: int) -> None:
        """Let go of a car's reference."""
        self._times[car] = np.nan

    def compare(self, s: Floats, into: Floats) -> tuple[Floats, Floats]:
        """Return delta and predicted lap time [s] of all cars that are at `s` metres along the line, `into`
        seconds after they began their lap.
        """
        # Just before the line the lap may have begun by the clock, and just behind it not yet.
        place = np.where((into < 3.0) & (s > 0.5 * self._length), 0.0, s)
        begin, end = self._shift
        place = place - (begin + (end - begin) * (place / self._length))
        at = np.fmax(place, 0.0) / self._step
        cell = np.minimum(at.astype(np.int64), self._cells - 1)
        before, after = self._times[self._cars, cell], self._times[self._cars, cell + 1]
        delta = into - (before + (after - before) * (at - cell))
        return np.where(np.isnan(s), np.nan, delta), self._times[:, -1] + delta


class LiveTimes(NamedTuple):
    """One tick: arrays of shape (cars,), NaN where there is no reference or no place."""

    s: Floats
    """m along the line."""
    into: Floats
    """s since the lap began."""
    delta: Floats
    """s behind the reference, above zero, or ahead."""
    predicted: Floats
    """s of the lap, should nothing more be lost."""


class LiveDelta:
    """Cars on a circuit, each with a reference of its own."""

    def __init__(self, circuit: Circuit, cars: int) -> None:
        self._line, self.cars = circuit.line, cars
        self.references = References(circuit, cars)
        self._s = np.full(cars, np.nan)
        self._stations = int(circuit.length / _STATION_M)
        self._passed = np.full((cars, self._stations + 1), np.nan)
        self._clock = np.full(cars, np.nan)

    def refer(self, car: int, reference: Trace) -> None:
        """Hold a car against a lap, or an ideal lap, on this circuit. Raises Mismatch for one whose times do
        not end at its official time, or that has doubtful stretches.
        """
        self.references.refer(car, reference_of(reference))

    def forget(self, car: int) -> None:
        """Let go of a car's reference and places: another car has its slot."""
        self.references.forget(car)
        self._passed[car] = np.nan
        self._s[car] = self._clock[car] = math.nan

    def tick(self, clock: Floats, places: Floats, lap_start: Floats) -> LiveTimes:
        """Return the times of all cars. `clock` and `lap_start` are session clocks [s], shape (cars,);
        `places` positions, shape (cars, 3); what is not there is NaN.
        """
        s = self.place(clock, places)
        into = clock - lap_start
        return LiveTimes(s, into, *self.references.compare(s, into))

    def place(self, clock: Floats, places: Floats) -> Floats:
        """Return metres along the line of all cars, and note when they were there: `tick` without times."""
        s = self._placed(places[:, 0], places[:, 2])
        self._note(s, clock)
        return s

    def gap(self, car: int, ahead: int) -> float:
        """Return seconds since another car was where this one is now; NaN where it was not yet."""
        return float(self.between(np.array([car]), np.array([ahead]))[0])

    def between(self, cars: Rows, ahead: Rows) -> Floats:
        """Return for each of these cars the seconds since the other one was where it is now; NaN where it was
        not yet, or longer ago than `MOST_GAP_S`.
        """
        at = np.fmax(self._s[cars], 0.0) / self._line.length * self._stations
        station = np.minimum(at.astype(np.intp), self._stations - 1)
        before, after = self._passed[ahead, station], self._passed[ahead, station + 1]
        gap = self._clock[cars] - (before + (after - before) * (at - station))
        # Where it is between the two, of the one behind it only the lap before is known.
        there = (after >= before) & np.isfinite(self._s[cars]) & (gap <= MOST_GAP_S)
        return np.where(there, gap, np.nan)

    def gaps(self, cars: Sequence[int]) -> Floats:
        """Return the gap of each of these cars to the one before it in the list; NaN for the first."""
        pairs = zip(cars[1:], cars[:-1], strict=True)
        return np.array([math.nan, *(self.gap(car, ahead) for car, ahead in pairs)][: len(cars)])

    def _placed(self, x: Floats, z: Floats) -> Floats:
        """Return metres along the line, from 0 to the length."""
        lost = np.isnan(self._s) & np.isfinite(x)
        if lost.any():
            self._find(np.flatnonzero(lost), x, z)
        found = self._line.project(x, z, np.fmax(self._s, 0.0))
        strange = np.isfinite(x) & ((np.abs(found.miss) > 0.01) | (np.abs(found.lateral) > _FAR_M))
        if strange.any():
            self._find(np.flatnonzero(strange), x, z)
            found = self._line.project(x, z, np.nan_to_num(self._s))
        near = np.isfinite(x) & (np.abs(found.lateral) <= _FAR_M)
        return np.where(near, found.s % self._line.length, np.nan)

    def _find(self, cars: Rows, x: Floats, z: Floats) -> None:
        for car in cars:
            self._s[car] = self._line.nearest(float(x[car]), float(z[car]))

    def _note(self, s: Floats, clock: Floats) -> None:
        """Keep when every car passed its stations since the tick before."""
        per_m = self._stations / self._line.length
        before, now = self._s * per_m, s * per_m
        ahead = (now - before) % self._stations
        cars = np.flatnonzero((np.floor(before) != np.floor(now)) & (ahead < 0.25 * self._stations))
        before, ahead = before[cars], ahead[cars]
        began, ended = self._clock[cars], clock[cars]
        first, last = before.astype(np.intp) + 1, (before + ahead).astype(np.intp)
        # All cars at once: one passes mostly one, and those that pass more go around again.
        for station in range(int((last - first).max(initial=-1)) + 1):
            stations = first + station
            share = np.divide(stations - before, ahead, out=np.zeros_like(ahead), where=ahead != 0)
            at = began + share * (ended - began)
            passed = stations <= last
            self._passed[cars[passed], stations[passed] % self._stations] = at[passed]
        self._passed[cars, -1] = self._passed[cars, 0]
        self._s, self._clock = s, clock.copy()
