"""Where on the reference line every sample of a lap lies, and which stretches are not to be trusted."""

import dataclasses
import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.errors import BadRequest, Mismatch, Unavailable
from riglap.circuits.circuit import Circuit
from riglap.circuits.line import LEAST_M, MOST_M, Floats
from riglap.lap import Lap
from riglap.names import short_names

Flags = npt.NDArray[np.bool_]

POSITIONS: Final = "positions"
DISTANCE: Final = "scaled distance"

_LEAST_SAMPLES: Final = 60
_SLOWEST_HZ: Final = 2.0
_WORLD_M: Final = 1e6
"""No place of a game is further from its origin."""
_MISS_M: Final = 0.005
"""0.1 ms at 50 m/s. What three steps leave beyond it is looked for, and marked where it stays."""
_SEARCH_M: Final = 240.0
_SEARCH_STEP_M: Final = 4.0
"""Around the seed, for samples that three steps did not bring to the line: spins, cut chicanes, bad seeds."""
_BEYOND_M: Final = 12.0
"""Further beyond the edge of the track a place along it means little."""
_ROLLED_M: Final = 1.0
_FASTEST_MPS: Final = 200.0
"""No car; a field that says so holds no speed."""
_HOLE_S: Final = 0.6
_HOLE_M: Final = 30.0
_JUMP_M: Final = 1.5
_JUMP: Final = 0.2
"""Way along the line against speed: 1.5 m and a fifth more or less is no driving."""
_TELEPORT_M: Final = 3.0
_SLIDE_RAD: Final = np.radians(60)
_STANDING_MPS: Final = 1.0
LINE_NOTE_S: Final = 0.005
LINE_LIMIT_S: Final = 0.1
"""Crossing the line by place against crossing it by the official clock. Beyond it, it is another line."""
_GRID_M: Final = 2.0
"""Further before the line than this at the beginning, a lap began on the grid."""
_PUSH_MPS2: Final = 12.0
_USUAL_MPS: Final = 40.0
"""For the error between samples: braking, and the speed at which it happens."""
_DISTANCE_ERROR_S: Final = 0.1
"""Integrated speed scaled to the lap: 0.03 s rms, 0.03 to 0.3 s at worst within a lap."""


class Doubt(NamedTuple):
    """A stretch that is not compared, in metres from the line."""

    begin: float
    end: float
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Alignment:
    """One lap on a line: arrays over the samples that took the car on, in the order of time and of place."""

    lap: Lap
    length: float
    rows: npt.NDArray[np.intp]
    """Which samples of the lap."""
    s: Floats
    """m along the line, rising."""
    time: Floats
    """s since the lap began, rising."""
    lateral: Floats
    """m left of the line; NaN without positions."""
    how: str
    """POSITIONS or DISTANCE."""
    doubts: tuple[Doubt, ...]
    error_s: float
    """To expect of a time at a place."""
    notes: tuple[str, ...]
    """What a reader should know, a sentence each."""
    shift: tuple[float, float] = (0.0, 0.0)
    """m by which places were ahead of the official moments at the begin and the end, and were taken back."""

    def doubtful(self, s: Floats) -> Flags:
        """Return which places lie in a doubtful stretch."""
        found = np.zeros(len(s), bool)
        for doubt in self.doubts:
            found |= (s >= doubt.begin) & (s <= doubt.end)
        return found

    def clear(self, begin: float, end: float) -> bool:
        """Return whether nothing between two places is doubtful. Places beyond the length are behind the
        line.
        """
        return not any(
            begin + lap < doubt.end and doubt.begin < end + lap
            for doubt in self.doubts
            for lap in (0.0, -self.length)
        )

    def times(self, s: Floats) -> Floats:
        """Return seconds since the lap began at places along the line; NaN where the lap did not get."""
        return np.interp(s, self.s, self.time, np.nan, np.nan)

    def column(self, name: str) -> Floats:
        """Return a channel of one value per row at the samples of `s`, as float64; NaN where it is not
        available.
        """
        if name not in self.lap or not self.lap.available(name):
            return np.full(len(self.s), np.nan)
        values = self._known(name)
        return values if values.ndim == 1 else np.full(len(self.s), np.nan)

    def columns(self, name: str) -> Floats | None:
        """Return a channel of several values per row, float64 of shape (rows, values), or None."""
        if name not in self.lap or not self.lap.available(name):
            return None
        values = self._known(name)
        return values if values.ndim == 2 else None

    def _known(self, name: str) -> Floats:
        inner = self.rows >= 0  # the line itself is no sample
        values = self.lap[name][self.rows[inner]].astype(np.float64)
        if inner.all():
            return values
        whole = np.empty((len(self.rows), *values.shape[1:]))
        whole[inner] = values
        whole[~inner] = values[np.minimum(np.cumsum(inner)[~inner], len(values) - 1)]
        return whole


def align(lap: Lap, circuit: Circuit | None) -> Alignment:
    """Return where on the line of `circuit` the samples of a complete lap lie.

    None as circuit, or a lap without positions: by its distance, scaled to the length of the track, which
    says so. Raises BadRequest for a piece of a lap, Unavailable for too few samples or channels, Mismatch for
    a lap of another circuit.
    """
    return _Aligning(lap, circuit).done()


def places_of(lap: Lap) -> Floats | None:
    """Return the positions of a lap, float64 of shape (samples, 3), or None where it has none."""
    if "position" not in lap or not lap.available("position"):
        return None
    places = lap["position"].astype(np.float64)
    return None if not np.any(places) else places


def name_of(lap: Lap) -> str:
    """Return the name of a lap for a sentence."""
    return short_names([lap.info.name])[0] if lap.info.name else "the lap"


class _Aligning:
    """The work on one lap: what is known of its samples narrows from step to step."""

    def __init__(self, lap: Lap, circuit: Circuit | None) -> None:
        info = lap.info
        if not info.complete or not info.lap_time or not math.isfinite(info.lap_time):
            raise BadRequest(f"{name_of(lap)} is no complete lap", hint="only whole laps are compared")
        if not len(lap):
            raise Unavailable(
                f"{name_of(lap)} has no samples", hint="its times alone are known, compare those"
            )
        if not LEAST_M <= info.track_length <= MOST_M:
            raise Unavailable(f"{name_of(lap)} does not say how long its track is ({info.track_length:g} m)")
        self._lap, self._circuit = lap, circuit
        self._lap_time = float(info.lap_time)
        self._length = circuit.length if circuit else float(info.track_length)
        self._notes: list[str] = []
        self._doubts: list[Doubt] = []
        self._rows = self._in_time()

    def done(self) -> Alignment:
        places = places_of(self._lap) if self._circuit else None
        seed = self._seed()
        if places is None or self._circuit is None:
            self._lateral, self._s = np.full(len(seed), np.nan), seed
            self._notes.append(
                f"{name_of(self._lap)} has no positions: it is compared by scaled distance, 0.03 to 0.3 s "
                "wrong within the lap"
            )
        else:
            self._project(places[self._rows], seed, self._circuit)
            self._distrust(places[self._rows])  # fewer rows by now
        self._mark_lane()
        self._pin(by_place=places is not None)
        return self._forward(POSITIONS if places is not None else DISTANCE)

    def _in_time(self) -> npt.NDArray[np.intp]:
        """Return samples in the order of time, from the beginning of the lap to its end."""
        lap = self._lap
        if "lap_time" not in lap:
            raise Unavailable(f"{name_of(lap)} came without times of its samples")
        time = lap["lap_time"].astype(np.float64)
        within = np.flatnonzero(np.isfinite(time) & (time >= 0) & (time <= self._lap_time))
        before = np.maximum.accumulate(np.concatenate(([-np.inf], time[within])))[:-1]
        rows = within[time[within] > before]
        rate = len(rows) / self._lap_time
        if len(rows) < _LEAST_SAMPLES or rate < _SLOWEST_HZ:
            raise Unavailable(
                f"{name_of(lap)} has {len(rows)} samples in {self._lap_time:.1f} s, {rate:.1f} a second",
                hint=f"comparing takes {_LEAST_SAMPLES} and {_SLOWEST_HZ:g} a second",
            )
        if len(rows) < len(within):
            lost = len(within) - len(rows)
            self._notes.append(f"the clock of {name_of(lap)} stood still or went backwards at {lost} samples")
        self._time = time[rows]
        return rows

    def _seed(self) -> Floats:
        """Return metres along the line, roughly: the distance, or speed integrated, scaled."""
        lap, scale = self._lap, self._length / float(self._lap.info.track_length)
        if "distance" in lap and lap.available("distance"):
            metres = lap["distance"][self._rows].astype(np.float64)
            known = np.abs(metres) < 2 * MOST_M
            if known.sum() < _LEAST_SAMPLES:
                raise Unavailable(f"{name_of(lap)} has a distance in {known.sum()} samples only")
            return np.asarray(np.interp(self._time, self._time[known], metres[known]) * scale)
        if "speed" not in lap or not lap.available("speed"):
            raise Unavailable(f"{name_of(lap)} has neither distance nor speed")
        speed = lap["speed"][self._rows].astype(np.float64)
        speed = np.where(np.abs(speed) < _FASTEST_MPS, speed, 0.0)
        way = np.concatenate(([0.0], np.cumsum(np.diff(self._time) * (speed[1:] + speed[:-1]) / 2)))
        way += self._time[0] * speed[0]
        whole = way[-1] + (self._lap_time - self._time[-1]) * speed[-1]
        return np.asarray(way * (self._length / max(whole, 1.0)))

    def _project(self, places: Floats, seed: Floats, circuit: Circuit) -> None:
        line, (left, right) = circuit.line, circuit.edges
        x, z = places[:, 0], places[:, 2]
        known = (np.abs(x) < _WORLD_M) & (np.abs(z) < _WORLD_M) & ((x != 0) | (z != 0))
        if not known.any():
            raise Unavailable(f"{name_of(self._lap)} has no position in any sample")
        if not known.all():
            self._keep(known)
            x, z, seed = x[known], z[known], seed[known]
        found = line.project(x, z, seed)
        s, lateral, miss, sharp = found.s, found.lateral, np.abs(found.miss), found.sharp
        lost = np.flatnonzero(
            (miss > _MISS_M) | sharp | (np.abs(s - seed) > _SEARCH_M) | _far(lateral, s, circuit)
        )
        if len(lost):
            again = line.project(x[lost], z[lost], _searched(circuit, x[lost], z[lost], seed[lost]))
            s[lost], lateral[lost] = again.s, again.lateral
            miss[lost], sharp[lost] = np.abs(again.miss), again.sharp
        edge_left, edge_right = line.at(s, left, right)
        far = (lateral > edge_left + _BEYOND_M) | (lateral < -edge_right - _BEYOND_M)
        if np.mean(far) > 0.5:
            raise Mismatch(
                f"{name_of(self._lap)} was not driven on {circuit.name}",
                hint=f"its samples lie {np.median(np.abs(lateral)):.0f} m beside that line",
            )
        self._s, self._lateral = s, lateral
        self._mark(far, "far off the track")
        self._mark((miss > _MISS_M) | sharp, "no one place on the line")

    def _distrust(self, places: Floats) -> None:
        """Mark what moves otherwise than a car does: jumps of the place, or of its foot on the line."""
        steps, ways = np.diff(self._time), np.diff(self._s)
        moved = np.hypot(np.diff(places[:, 0]), np.diff(places[:, 2]))
        speed = self._speed()
        hole = (steps > _HOLE_S) | (moved > _HOLE_M)
        if np.isfinite(speed).all():
            mean = (speed[1:] + speed[:-1]) / 2 * steps
            self._mark_steps(moved > mean * 1.5 + _TELEPORT_M + 12 * steps**2, "teleported")
            along = self._along(ways)
            # Between sparse samples speed changes by up to 12 m/s²: a slack that 50 Hz does not need.
            slack = _JUMP_M + _JUMP * mean + 12 * steps**2 / 2
            self._mark_steps(
                ~hole & (np.abs(along) > np.maximum(mean, moved) + slack), "jumps along the line"
            )
        self._mark_steps(hole & (ways > _HOLE_M), "no samples")
        self._mark_slides()

    def _along(self, ways: Floats) -> Floats:
        """Return metres of way that metres of line are worth beside it."""
        assert self._circuit is not None
        (bend,) = self._circuit.line.at(self._s, self._circuit.line.curvature)
        worth = 1.0 + bend * self._lateral
        return np.asarray(ways * np.maximum((worth[1:] + worth[:-1]) / 2, 0.0))

    def _speed(self) -> Floats:
        lap = self._lap
        if "speed" not in lap or not lap.available("speed"):
            return np.full(len(self._rows), np.nan)
        return np.asarray(lap["speed"][self._rows].astype(np.float64))

    def _mark_slides(self) -> None:
        lap = self._lap
        if "local_velocity" not in lap or not lap.available("local_velocity"):
            return
        side, _, back = lap["local_velocity"][self._rows].astype(np.float64).T
        fast = np.hypot(side, back) > 2.0
        self._mark(fast & (np.abs(np.arctan2(side, -back)) > _SLIDE_RAD), "spun or rolled back")

    def _mark_lane(self) -> None:
        lap = self._lap
        if "in_pit_lane" in lap:
            self._mark(lap["in_pit_lane"][self._rows].astype(bool), "pit lane")

    def _pin(self, *, by_place: bool) -> None:
        """Stretch the places so that the car is on the line at the official moments, where it nearly is."""
        first, last = (
            self._crossing(0.0, begin=True),
            self._crossing(self._lap_time, begin=False) - self._length,
        )
        grid = self._s[0] < -_GRID_M and self._lap.info.number == 0
        self._begun_before = grid
        speeds = (max(self._pace(0), 1.0), max(self._pace(-1), 1.0))
        errors = (0.0 if grid else first / speeds[0], last / speeds[1])
        worst = max(errors, key=abs)
        if by_place and abs(worst) > LINE_LIMIT_S and not self._in_lane(worst == errors[0]):
            raise Mismatch(
                f"{name_of(self._lap)} crosses the line {abs(worst):.3f} s "
                f"{'after' if worst < 0 else 'before'} its official time",
                hint=f"{LINE_LIMIT_S:g} s is the limit; its clock, its positions or the circuit are wrong",
            )
        if by_place and abs(worst) > LINE_NOTE_S:
            self._notes.append(
                f"{name_of(self._lap)} crosses the line {1000 * abs(worst):.0f} ms off its official time"
            )
        begin = 0.0 if grid else first
        share = np.clip(self._s / self._length, 0.0, 1.0)
        self._shift = (begin, last)
        self._s = self._s - (begin + (last - begin) * share)

    def _in_lane(self, begin: bool) -> bool:
        """Return whether the car was in the pit lane at the line."""
        at = 0.0 if begin else self._length
        return any(
            doubt.begin <= at + 50 and at - 50 <= doubt.end
            for doubt in self._doubts
            if doubt.reason == "pit lane"
        )

    def _pace(self, at: int) -> float:
        """Return metres of line per second at the first or last samples."""
        ends = slice(0, 4) if at == 0 else slice(-4, None)
        s, time = self._s[ends], self._time[ends]
        return float((s[-1] - s[0]) / (time[-1] - time[0]))

    def _crossing(self, moment: float, *, begin: bool) -> float:
        """Return where the car was at a moment just outside its samples."""
        at = 0 if begin else -1
        return float(self._s[at] + (moment - self._time[at]) * self._pace(at))

    def _forward(self, how: str) -> Alignment:
        """Return the samples that took the car on; mark where it came back."""
        peak = np.maximum.accumulate(self._s)
        back = peak - self._s > _ROLLED_M
        if back.any():
            for begin, end in _runs(back):
                self._doubts.append(
                    Doubt(float(self._s[begin:end].min()), float(peak[end - 1]) + 1.0, "rolled back")
                )
        before = np.concatenate(([-np.inf], peak[:-1]))
        on = (self._s > before + 1e-6) & (self._s < self._length) & (self._time < self._lap_time)
        on &= ((self._s > 0) & (self._time > 0)) | self._begun_before
        s, time, lateral, rows = self._s[on], self._time[on], self._lateral[on], self._rows[on]
        if len(s) < _LEAST_SAMPLES:
            raise Unavailable(f"{name_of(self._lap)} has only {len(s)} samples that follow the track")
        ends = [(self._length, self._lap_time)]
        starts = [] if self._begun_before else [(0.0, 0.0)]
        s = np.concatenate(([one[0] for one in starts], s, [one[0] for one in ends]))
        time = np.concatenate(([one[1] for one in starts], time, [one[1] for one in ends]))
        lateral = np.concatenate((lateral[: len(starts)], lateral, lateral[-1:]))
        rows = np.concatenate((np.full(len(starts), -1), rows, [-1]))
        interval = float(np.median(np.diff(self._time)))
        error = _PUSH_MPS2 * interval**2 / 8 / _USUAL_MPS + (0.0 if how == POSITIONS else _DISTANCE_ERROR_S)
        if interval > 0.06:
            self._notes.append(
                f"{name_of(self._lap)} has {1 / interval:.1f} samples a second: times within the lap are "
                f"{1000 * error:.0f} ms uncertain, what happens in a moment is not seen"
            )
        return Alignment(
            self._lap,
            self._length,
            rows,
            s,
            time,
            lateral,
            how,
            _joined(self._doubts),
            error,
            tuple(self._notes),
            self._shift,
        )

    def _keep(self, known: Flags) -> None:
        self._rows, self._time = self._rows[known], self._time[known]
        if len(self._rows) < _LEAST_SAMPLES:
            raise Unavailable(f"{name_of(self._lap)} has only {len(self._rows)} samples with a position")

    def _mark(self, samples: Flags, reason: str) -> None:
        for begin, end in _runs(samples):
            low, high = max(begin - 1, 0), min(end, len(self._s) - 1)
            part = self._s[low : high + 1]
            self._doubts.append(Doubt(float(part.min()), float(part.max()), reason))

    def _mark_steps(self, steps: Flags, reason: str) -> None:
        for at in np.flatnonzero(steps):
            ends = sorted((float(self._s[at]), float(self._s[at + 1])))
            self._doubts.append(Doubt(ends[0], ends[1], reason))


def _far(lateral: Floats, s: Floats, circuit: Circuit) -> Flags:
    left, right = circuit.line.at(s, *circuit.edges)
    return np.asarray((lateral > left + _BEYOND_M) | (lateral < -right - _BEYOND_M))


def _searched(circuit: Circuit, x: Floats, z: Floats, seed: Floats) -> Floats:
    """Return the nearest of places around each seed."""
    around = np.arange(-_SEARCH_M, _SEARCH_M + 1, _SEARCH_STEP_M)
    tried = seed[:, None] + around
    on_x, on_z = circuit.line.at(tried.ravel(), circuit.line.x, circuit.line.z)
    away = (on_x.reshape(tried.shape) - x[:, None]) ** 2 + (on_z.reshape(tried.shape) - z[:, None]) ** 2
    return np.asarray(tried[np.arange(len(seed)), away.argmin(axis=1)])


def _runs(flags: Flags) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _joined(doubts: list[Doubt]) -> tuple[Doubt, ...]:
    """Return stretches of one reason joined where they touch, in order."""
    kept: list[Doubt] = []
    for doubt in sorted(doubts, key=lambda one: (one.reason, one.begin)):
        if kept and kept[-1].reason == doubt.reason and doubt.begin <= kept[-1].end + 5.0:
            kept[-1] = kept[-1]._replace(end=max(kept[-1].end, doubt.end))
        else:
            kept.append(doubt)
    return tuple(sorted(kept))
