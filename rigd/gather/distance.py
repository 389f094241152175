"""Distance along a lap. The game tells it five times a second; between, and exactly, it has to be made."""

from typing import Any, Final, NamedTuple

import numpy as np

from rig.v1 import lap_pb2

Array = np.ndarray[Any, np.dtype[Any]]

_STALE_S: Final = 1.0
_STALE_M: Final = 300.0
"""For 0.2 s after the line the game may still tell the last lap's distance."""

_LEAST_M: Final = 20.0
"""Anchors nearer to each other than this would turn their noise into speed."""

_RATIO: Final = (0.8, 1.25)
"""Way driven against distance along the track: a racing line is within 3 % of it, a cut chicane is not."""


class _Anchor(NamedTuple):
    driven: float
    distance: float


def held(clock: Array, at_s: Array, values: Array) -> Array:
    """Return for every clock the latest value by then, shape (n,), float32; NaN before the first."""
    at = np.searchsorted(at_s, clock, "right") - 1
    padded: Array = np.append(values.astype(np.float32), np.float32(np.nan))
    return padded[at].astype(np.float32)


def update_distances(samples: dict[str, Array], scoring: dict[str, Array]) -> dict[str, Array]:
    """Return `session_time` (s, rising) and `lap_distance` (m), shape (n,), of every scoring update of a lap.
    Its samples carry them all; those that release 0.1 recorded do not, and there only stored ones are known.
    """
    at = np.concatenate((scoring["session_time"], samples["update_time"]))
    metres = np.concatenate((scoring["lap_distance"], samples["update_distance"]))
    times, first = np.unique(at[np.isfinite(at)], return_index=True)
    return {"session_time": times, "lap_distance": metres[np.isfinite(at)][first]}


def distances(samples: dict[str, Array], scoring: dict[str, Array], lap: lap_pb2.Lap) -> Array:
    """Return metres since the line for every sample, float32, continuous: speed integrated over the samples'
    own clocks, then stretched so that it meets the game's distance at the line and at both splits. A piece of
    a lap is laid where most of the game's distances want it.
    """
    clock, speed = samples["elapsed_time"], np.nan_to_num(samples["speed"].astype(np.float64))
    if not len(clock):
        return np.empty(0, np.float32)
    driven = _integrated(clock, speed, lap.start_time)
    game = _game_distances(scoring, lap, clock, driven)
    if not lap.complete or lap.track_length <= 0:
        offset = float(np.median(game[:, 1] - game[:, 0])) if len(game) else 0.0
        return (driven + offset).astype(np.float32)
    end = _Anchor(float(driven[-1] + (lap.end_time - clock[-1]) * speed[-1]), lap.track_length)
    splits = _at_splits(lap, clock, driven, game)
    # The first lap of a race begins on the grid, somewhere before the line: there the line is no anchor.
    anchors = _plausible(splits if lap.number == 0 and splits else [_Anchor(0.0, 0.0), *splits], end)
    ways, metres = zip(*anchors, strict=True)
    before = np.minimum(driven - ways[0], 0.0)
    along: Array = (np.interp(driven, ways, metres) + before).astype(np.float32)
    return along


def _integrated(clock: Array, speed: Array, start: float) -> Array:
    """Return the way driven since `start`, by trapezoids; the first sample's speed holds before it."""
    steps = np.diff(clock) * (speed[1:] + speed[:-1]) / 2
    way: Array = np.concatenate(([0.0], np.cumsum(steps))) + (clock[0] - start) * speed[0]
    return way


def _game_distances(scoring: dict[str, Array], lap: lap_pb2.Lap, clock: Array, driven: Array) -> Array:
    """Return what the game told, shape (n, 2): way driven by then, distance. Stale and impossible values are
    left out.
    """
    at, value = scoring["session_time"], scoring["lap_distance"].astype(np.float64)
    sound = np.isfinite(value) & (value >= 0) & (at >= clock[0]) & (at <= clock[-1])
    sound &= ~((at < lap.start_time + _STALE_S) & (value > _STALE_M))
    return np.stack([np.interp(at[sound], clock, driven), value[sound]], axis=1)


def _at_splits(lap: lap_pb2.Lap, clock: Array, driven: Array, game: Array) -> list[_Anchor]:
    """Return where the car was at both splits: between the two distances that the game told around them."""
    if not (lap.HasField("sector1") and lap.HasField("sector2") and len(game)):
        return []
    anchors = []
    for split in (lap.sector1, lap.sector1 + lap.sector2):
        way = float(np.interp(lap.start_time + split, clock, driven))
        if game[0, 0] <= way <= game[-1, 0]:
            anchors.append(_Anchor(way, float(np.interp(way, game[:, 0], game[:, 1]))))
    return anchors


def _plausible(anchors: list[_Anchor], end: _Anchor) -> list[_Anchor]:
    """Return anchors between which the way driven agrees with the distance. The last one always stays."""
    kept = [end]
    for anchor in reversed(anchors):
        if anchor.distance == 0.0 or _agree(anchor, kept[0]):
            kept.insert(0, anchor)
    return kept


def _agree(one: _Anchor, other: _Anchor) -> bool:
    way, along = other.driven - one.driven, other.distance - one.distance
    return way > _LEAST_M and _RATIO[0] < along / way < _RATIO[1]
