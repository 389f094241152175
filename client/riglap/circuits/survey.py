"""The centre line of a track from what all cars told: position minus `path_lateral` along the normal.

The game tells position, distance from the line, offset from the centre and edge of the track in one scoring
update, about once a second and car. A few laps of a few cars cover a track.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from rig.errors import BadRequest, Unavailable
from riglap.circuits.line import LEAST_M, MOST_M, Floats, ReferenceLine, even, smooth
from riglap.lap import Lap
from riglap.rows import Array

GOOD_COVERAGE: Final = 0.98
GOOD_RESIDUAL_M: Final = 0.3
"""Between lines of one half of the updates and of the other. Alignment is off by as much as two laps differ
sideways, 3 m, times the error of the direction: 0.3 m over 20 m are 0.015 rad, 45 mm, 1 ms at 45 m/s.
"""
_NEAR_M: Final = 10.0
"""A place counts as covered with an update so near: half of the shortest wave that the line can follow."""
_WAVES_M: Final = (40.0, 25.0, 16.0, 10.0)
"""Waves shorter than this are taken for noise: the one of these that foretells the other half best. Where the
game tells exactly, the shortest that the updates carry; where it tells a coarse path, a longer one.
"""
_ROUNDS: Final = 3
_LEAST_MPS: Final = 8.0
_BESIDE_M: Final = 1.0
"""Beyond the edge of the track."""
_STRAY: Final = 4.0
"""An update further from the line than so many medians is left out."""
_LEAST_UPDATES: Final = 60
_NEEDED: Final = ("position", "orientation", "local_velocity", "lap_distance", "path_lateral", "track_edge")
MOST_UPDATES: Final = 200_000
"""What a survey keeps: 400 laps of a long track."""


@dataclasses.dataclass(frozen=True)
class Updates:
    """Scoring updates of cars on the track: arrays of shape (updates,), `lap` tells which belong together."""

    x: Floats
    y: Floats
    z: Floats
    ahead: Floats
    """Direction of motion in (x, z), shape (2, updates)."""
    distance: Floats
    lateral: Floats
    edge: Floats
    lap: Array

    @property
    def places(self) -> Floats:
        """Positions, shape (updates, 3)."""
        return np.stack((self.x, self.y, self.z), axis=1)

    def picked(self, rows: Array) -> "Updates":
        """Return some of them."""
        return Updates(
            **{f.name: getattr(self, f.name)[..., rows] for f in dataclasses.fields(self)},
        )


@dataclasses.dataclass(frozen=True)
class Surveyed:
    """A centre line and how well it is known."""

    line: ReferenceLine
    left: Floats
    """Metres from the line to the left edge, shape (cells,); NaN where nobody told."""
    right: Floats
    """Metres from the line to the right edge, above zero."""
    coverage: float
    """Share of the line with an update within 10 m."""
    residual_m: float
    """rms distance of the updates of every second lap from the line of all others."""
    updates: int

    @property
    def good(self) -> bool:
        """Whether the line is good enough to stay."""
        return self.coverage >= GOOD_COVERAGE and self.residual_m <= GOOD_RESIDUAL_M


def updates_of(laps: Iterable[Lap]) -> Updates:
    """Return the updates of laps that tell of the centre line: of cars that drive, on the track, outside the
    pits. Raises Unavailable where there are none.
    """
    found = [one for lap in laps if (one := _of_lap(lap)) is not None]
    if not found:
        raise Unavailable("no scoring update tells position and offset from the centre of the track")
    return joined(found)


def joined(found: Sequence[Updates]) -> Updates:
    """Return updates of several laps as one, each a lap of its own."""
    columns = [field.name for field in dataclasses.fields(Updates) if field.name != "lap"]
    together = {name: np.concatenate([getattr(one, name) for one in found], axis=-1) for name in columns}
    return Updates(**together, lap=np.repeat(np.arange(len(found)), [len(one.x) for one in found]))


def covered(updates: Updates, track_length: float) -> bool:
    """Return whether the updates are enough for a good line: a millisecond, where a survey takes half a
    second.
    """
    there = (updates.distance >= 0) & (updates.distance < track_length)
    length = min(max(track_length, LEAST_M), MOST_M)
    return _coverage(updates.distance[there], length) >= GOOD_COVERAGE


def survey(updates: Updates, track_length: float) -> Surveyed:
    """Return the centre line. Raises BadRequest for an impossible length, Unavailable for too few updates."""
    if not LEAST_M <= track_length <= MOST_M:
        raise BadRequest(f"a track of {track_length:.0f} m", hint=f"tracks have {LEAST_M} to {MOST_M} m")
    rows = np.flatnonzero((updates.distance >= 0) & (updates.distance < track_length))[:MOST_UPDATES]
    if len(rows) < _LEAST_UPDATES:
        raise Unavailable(
            f"{len(rows)} scoring updates tell of the centre line", hint=f"it takes {_LEAST_UPDATES} or more"
        )
    updates = _one_side(updates.picked(rows), track_length)
    worth = _coverage(updates.distance, track_length) >= GOOD_COVERAGE / 2  # else it takes long for nothing
    residual, wave = _best_wave(updates, track_length) if worth else (float("inf"), _WAVES_M[1])
    line, sound = _fitted(updates, track_length, wave)
    kept = updates.picked(sound)
    left, right = _edges(kept, line, track_length)
    return Surveyed(line, left, right, _coverage(kept.distance, track_length), residual, len(kept.x))


def _best_wave(updates: Updates, length: float) -> tuple[float, float]:
    """Return the least residual and its wave: from the longest on while a shorter one foretells better."""
    best = (float("inf"), _WAVES_M[0])
    for wave in _WAVES_M:
        residual = _residual(updates, length, wave)
        if residual > best[0]:
            break
        best = (residual, wave)
    return best


def _of_lap(lap: Lap) -> Updates | None:
    rows = lap.scoring
    if any(name not in rows for name in _NEEDED):
        return None
    position, distance = rows["position"].astype(np.float64), rows["lap_distance"].astype(np.float64)
    lateral, edge = rows["path_lateral"].astype(np.float64), rows["track_edge"].astype(np.float64)
    ahead, speed = _motion(rows["orientation"], rows["local_velocity"])
    sound = (speed > _LEAST_MPS) & (np.abs(lateral) < np.abs(edge) + _BESIDE_M) & (edge != 0)
    sound &= np.isfinite(position).all(axis=1) & np.isfinite(distance)
    if "in_pits" in rows:
        sound &= ~rows["in_pits"].astype(bool)
    x, y, z = position.T
    whole = Updates(x, y, z, ahead, distance, lateral, edge, np.zeros(len(distance)))
    return whole.picked(np.flatnonzero(sound)) if sound.any() else None


def _motion(orientation: Array, velocity: Array) -> tuple[Floats, Floats]:
    """Return direction of motion in (x, z), shape (2, rows), and the speed over ground."""
    turned = orientation.reshape(-1, 3, 3).astype(np.float64) @ velocity.astype(np.float64)[..., None]
    ground = turned[:, (0, 2), 0].T
    speed = np.hypot(*ground)
    return np.asarray(ground / np.maximum(speed, 1e-9)), np.asarray(np.nan_to_num(speed))


def _one_side(updates: Updates, length: float) -> Updates:
    """Return the updates with offsets positive to the left, which not every build of the game may mean: with
    the right sign those of one place meet, with the other they lie twice as far apart.
    """
    turned = dataclasses.replace(updates, lateral=-updates.lateral, edge=-updates.edge)
    return min((updates, turned), key=lambda one: _spread(one, length))


def _spread(updates: Updates, length: float) -> float:
    x, z = _centres(updates, updates.ahead)
    cell = (updates.distance / length * (length // _NEAR_M)).astype(np.int64)
    order = np.argsort(cell, kind="stable")
    same = np.diff(cell[order]) == 0
    before, ahead = order[:-1][same], updates.ahead[:, order[:-1][same]]
    off_x, off_z = x[order[1:][same]] - x[before], z[order[1:][same]] - z[before]
    across = off_z * ahead[0] - off_x * ahead[1]
    return float(np.median(np.abs(across))) if len(across) else 0.0


def _centres(updates: Updates, ahead: Floats) -> tuple[Floats, Floats]:
    """Return where the centre line is beside every update: left of (x, z) ahead is (-z, x)."""
    return updates.x + updates.lateral * ahead[1], updates.z - updates.lateral * ahead[0]


def _fitted(updates: Updates, length: float, wave: float) -> tuple[ReferenceLine, Array]:
    """Return the line, and which updates lie near it: the first normals are those of the cars' motion, the
    next ones those of the line itself.
    """
    cells = round(length)
    x, z = _centres(updates, updates.ahead)
    sound = np.ones(len(x), bool)
    y, distance = updates.y, updates.distance
    for _ in range(_ROUNDS):
        line = _through(x[sound], y[sound], z[sound], distance[sound] * (cells / length), cells, wave)
        found = line.project(updates.x, updates.z, distance * (line.length / length))
        (to_x, to_z) = line.at(found.s, *line.tangent)
        x, z = _centres(updates, np.stack((to_x, to_z)))
        off = np.abs(found.lateral - updates.lateral)
        sound = off <= _STRAY * max(float(np.median(off)), 0.05)
    return line, np.flatnonzero(sound)


def _through(x: Floats, y: Floats, z: Floats, at: Floats, cells: int, wave: float) -> ReferenceLine:
    """Return the smooth closed line through places, `at` [cells] along it."""
    cell = np.rint(at).astype(np.int64) % cells
    count = np.bincount(cell, minlength=cells).astype(np.float64)
    mean = [np.bincount(cell, column, minlength=cells) / np.maximum(count, 1.0) for column in (x, y, z)]
    return even(*(smooth(column, count, wave) for column in mean))


def _edges(updates: Updates, line: ReferenceLine, length: float) -> tuple[Floats, Floats]:
    """Return the distance to both edges: of every 20 m the median of what was told, linear between."""
    pieces = max(int(length // (2 * _NEAR_M)), 1)
    piece = np.minimum((updates.distance / length * pieces).astype(np.int64), pieces - 1)
    sides = []
    for side in (1.0, -1.0):
        rows = np.sign(updates.edge) == side
        told = [np.median(np.abs(updates.edge[rows & (piece == one)])) for one in np.unique(piece[rows])]
        at = (np.unique(piece[rows]) + 0.5) * (line.length / pieces)
        known = np.interp(line.s, at, told, period=line.length) if len(at) else np.full(line.cells, np.nan)
        sides.append(known)
    return sides[0], sides[1]


def _coverage(distance: Floats, length: float) -> float:
    near = np.zeros(round(length), bool)
    reach = int(_NEAR_M)
    at = np.rint(distance).astype(np.int64)
    for off in range(-reach, reach + 1):
        near[(at + off) % len(near)] = True
    return float(near.mean())


def _residual(updates: Updates, length: float, wave: float) -> float:
    """Return how far the updates of every second lap lie from the line of the others, rms, in metres, without
    strays.
    """
    laps = np.unique(updates.lap, return_inverse=True)[1]
    odd = laps % 2 == 1 if laps.max(initial=0) else np.arange(len(laps)) % 2 == 1
    if min(odd.sum(), (~odd).sum()) < _LEAST_UPDATES // 2:
        return float("inf")
    half, other = updates.picked(np.flatnonzero(~odd)), updates.picked(np.flatnonzero(odd))
    line, _ = _fitted(half, length, wave)
    found = line.project(other.x, other.z, other.distance * (line.length / length))
    off = np.abs(found.lateral - other.lateral)
    sound = off <= _STRAY * max(float(np.median(off)), 0.05)
    return float(np.sqrt(np.mean(off[sound] ** 2)))
