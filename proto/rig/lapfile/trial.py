"""Trial: how each component of a lap is coded best, tried on a sample of its rows, or as in a lap before."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import Channel
from rig.lapfile import blocks
from rig.lapfile.codings import Coded, Coding, cheapest, constant, encode, keys_of, less, on_grid, still
from rig.lapfile.neighbours import LINEAR, Key, candidates
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Prediction = archive_pb2.Prediction

_PIECES: Final = 4
_PIECE: Final = 256
"""Rows per piece of the sample, which has to hold slow corners and straights."""
_WORTH_BITS: Final = 0.3
"""A prediction that saves less per value is left: whoever reads the channel has to read its neighbours."""
_GRIDS: Final = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0, 50.0, 400.0, 255.0, 64.0, 4096.0])
"""Divisors of values that have few digits: decimals, frames at 50 and 400 Hz, bytes, binary fractions."""
_SNAP_BITS: Final = 34
"""Bits kept of a fitted factor, ten more than a float32 has, so that 1 is found to be 1."""


def coded(
    channels: Sequence[Channel], components: Mapping[Key, Array], known: Mapping[Key, Coding]
) -> dict[Key, Coded]:
    """Return all components of a section, shape (rows,): coded as `known` where that suits, else by trial."""
    owners = {(channel.name, at): channel for channel in channels for at in range(channel.width)}
    out = {key: still(values) for key, values in components.items() if constant(values)}
    trial = Trial(components)
    with np.errstate(all="ignore"):  # a prediction may be no number, and then does not pay
        left = {key: channel for key, channel in owners.items() if key not in out}
        out |= encode(components, trial.again(left, known))
        left = {key: channel for key, channel in left.items() if key not in out}
        return out | encode(components, {key: trial.choose(channel, key[1]) for key, channel in left.items()})


def sampled(values: Array) -> Array:
    """Return pieces of a component, shape (pieces, rows of a piece)."""
    rows = len(values)
    if rows <= _PIECES * _PIECE:
        return values[None]
    starts = [piece * (rows - _PIECE) // (_PIECES - 1) for piece in range(_PIECES)]
    return np.stack([values[start : start + _PIECE] for start in starts])


class Trial:
    """Chooses codings for the components of one section, given by key, shape (rows,)."""

    def __init__(self, components: Mapping[Key, Array]) -> None:
        self._components = components
        self._samples: dict[Key, Array] = {}
        self._sources: dict[Key, Array] = {}

    def choose(self, channel: Channel, component: int) -> Coding:
        """Return the coding that costs least, as far as it can be said before the component is coded."""
        sample = self._sample((channel.name, component))
        best, codec = cheapest(blocks.image(sample))
        coding = Coding(codec=codec)
        if channel.dtype.kind != "f":
            return coding
        for way in self._ways(channel, component):
            cost, way.codec = cheapest(self._tried(sample, way))
            if cost < best - _WORTH_BITS:
                best, coding = cost, way
        return coding

    def again(self, owners: Mapping[Key, Channel], known: Mapping[Key, Coding]) -> dict[Key, Coding]:
        """Return the known codings of components with factors of this lap, but those that `choose` could not
        have come to.
        """
        found = {key: self._like(known[key], owners[key], key[1]) for key in owners if key in known}
        out = {key: coding for key, coding in found.items() if coding}
        fitted = self._fitted([(key, coding.prediction) for key, coding in out.items()])
        return {key: coding for (key, coding), fits in zip(out.items(), fitted, strict=True) if fits}

    def _like(self, known: Coding, channel: Channel, component: int) -> Coding | None:
        """Return a known coding without its factors; None for one that `choose` could not have come to."""
        out = Coding(codec=known.codec, held=known.held, grid=known.grid)
        steps, floats = blocks.XOR <= known.codec <= blocks.DIRECT, channel.dtype.kind == "f"
        if not known.HasField("prediction"):
            return out if steps and (floats or not known.grid) else None
        # A constant may be all that a prediction leaves.
        if known.grid or not floats or not (steps or known.codec == blocks.CONSTANT):
            return None
        for prediction in self._predictions(channel, component):
            if _alike(prediction, known.prediction):
                out.prediction.CopyFrom(prediction)
                return out
        return None

    def _ways(self, channel: Channel, component: int) -> Iterator[Coding]:
        key = channel.name, component
        if grid := _grid(self._sample(key), self._components[key]):
            yield Coding(grid=grid)
        predictions = self._predictions(channel, component)
        fitted = self._fitted([(key, prediction) for prediction in predictions])
        yield from (Coding(prediction=one) for one, fits in zip(predictions, fitted, strict=True) if fits)

    def _predictions(self, channel: Channel, component: int) -> list[Prediction]:
        """Return candidates whose neighbours are there."""
        found = candidates(channel, component)
        return [one for one in found if all(key in self._components for key in keys_of(one))]

    def _fitted(self, wanted: Sequence[tuple[Key, Prediction]]) -> list[bool]:
        """Give predictions of components the factors they lack; False for one that can have none."""
        lacking: dict[int, list[int]] = defaultdict(list)
        for at, (_, prediction) in enumerate(wanted):
            if prediction.formula == LINEAR and not prediction.factors:
                lacking[len(prediction.neighbours)].append(at)
        for places in lacking.values():
            keys = [[key, *keys_of(prediction)] for key, prediction in (wanted[at] for at in places)]
            factors = _factors(np.array([[self._source(key) for key in row] for row in keys]))
            for at, own in zip(places, factors, strict=True):
                wanted[at][1].factors.extend(own)
        return [bool(it.factors) or it.formula != LINEAR for _, it in wanted]

    def _sample(self, key: Key) -> Array:
        if key not in self._samples:
            self._samples[key] = sampled(self._components[key])
        return self._samples[key]

    def _source(self, key: Key) -> Array:
        if key not in self._sources:
            self._sources[key] = self._sample(key).astype(np.float64)
        return self._sources[key]

    def _tried(self, sample: Array, way: Coding) -> Array:
        sources = [self._source(key) for key in keys_of(way.prediction)]
        return less(sample, way, sources, list(way.prediction.factors))


def _alike(one: Prediction, other: Prediction) -> bool:
    return (one.formula, keys_of(one)) == (other.formula, keys_of(other))


def _grid(sample: Array, values: Array) -> float:
    """Return the divisor that makes whole numbers of all values; 0 for none."""
    few = sample[:, :4].ravel()
    likely = on_grid(few, _GRIDS[:, None])
    return next((float(grid) for grid in _GRIDS[likely] if on_grid(values, grid[None, None])[0]), 0.0)


def _factors(sources: Array) -> list[list[float]]:
    """Return factors of LINEAR by least squares of the differences: what changes together belongs together.

    `sources` are components, each before its neighbours, shape (components, 1 + neighbours, pieces, rows).
    Without anything to fit there are no factors.
    """
    moves = np.diff(sources).reshape(*sources.shape[:2], -1)
    moves = np.where(np.isfinite(moves).all(axis=1, keepdims=True), moves, 0.0)
    slopes = [_solved(square[1:, 1:], square[1:, 0]) for square in moves @ moves.transpose(0, 2, 1)]
    solved = np.array([own or np.zeros(sources.shape[1] - 1) for own in slopes])
    rest = sources[:, 0] - (solved[..., None, None] * sources[:, 1:]).sum(axis=1)
    most = np.abs(sources[:, 0]).max(axis=(1, 2))
    found = zip(_medians(rest).tolist(), most.tolist(), slopes, strict=True)
    return [[_snapped(one, size), *own] if own and np.isfinite(one) else [] for one, size, own in found]


def _medians(values: Array) -> Array:
    """Return the upper median of what is finite in each row, shape (rows,); NaN for none."""
    flat = np.where(np.isfinite(values), values, np.nan).reshape(len(values), -1)
    flat.sort(axis=1)  # puts NaN last
    return np.asarray(flat[np.arange(len(flat)), np.isfinite(flat).sum(axis=1) // 2])


def _solved(square: Array, right: Array) -> list[float]:
    try:
        slopes = np.linalg.solve(square, right)
    except np.linalg.LinAlgError:
        return []
    return [_shortened(float(slope)) for slope in slopes] if np.isfinite(slopes).all() else []


def _shortened(factor: float) -> float:
    mantissa, exponent = np.frexp(factor)
    return float(np.ldexp(np.rint(np.ldexp(mantissa, _SNAP_BITS)), exponent - _SNAP_BITS))


def _snapped(summand: float, size: float) -> float:
    """Return 0 where it is nothing beside the values: else a value of 0 would be missed by far, in its
    image.
    """
    return _shortened(summand) if abs(summand) > 1e-7 * size else 0.0
