"""Trial: how each component of a lap is coded best, tried on a sample of its rows, or as in a lap before."""

import functools
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rig import blocks
from rig.channels import Channel
from rig.codings import Coded, Coding, cheapest, constant, encode, keys_of, less, on_grid, still
from rig.neighbours import LINEAR, Key, candidates

Array = np.ndarray[Any, np.dtype[Any]]

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
    left = {key: owners[key] for key in components if key not in out}
    out |= encode(
        components,
        {
            key: known[key]
            for key in left
            if key in known and suits(known[key], left[key], key[1], components)
        },
    )
    trial = Trial(components)
    with np.errstate(all="ignore"):  # a prediction may be no number, and then does not pay
        chosen = {key: trial.choose(channel, key[1]) for key, channel in left.items() if key not in out}
    return out | encode(components, chosen)


def suits(coding: Coding, channel: Channel, component: int, there: Container[Key]) -> bool:
    """Return whether a trial of a component that changes could have ended with this coding, whose neighbours
    have to be `there`.
    """
    steps = blocks.XOR <= coding.codec <= blocks.DIRECT
    if not coding.HasField("prediction"):
        return steps and (not coding.grid or channel.dtype.kind == "f")
    prediction, keys = coding.prediction, keys_of(coding)
    return (
        (steps or coding.codec == blocks.CONSTANT)
        and not coding.grid
        and channel.dtype.kind == "f"
        and (prediction.formula, *keys) in _shapes(channel, component)
        and len(prediction.factors) == (len(keys) + 1 if prediction.formula == LINEAR else 0)
        and all(key in there for key in keys)
    )


@functools.cache
def _shapes(channel: Channel, component: int) -> set[tuple[object, ...]]:
    """Return formula and neighbours of all predictions that are tried."""
    return {(it.formula, *keys_of(Coding(prediction=it))) for it in candidates(channel, component)}


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
        for way in self._ways(channel, component, sample):
            cost, way.codec = cheapest(self._tried(sample, way))
            if cost < best - _WORTH_BITS:
                best, coding = cost, way
        return coding

    def _ways(self, channel: Channel, component: int, sample: Array) -> Iterator[Coding]:
        grid = _grid(sample, self._components[channel.name, component])
        if grid:
            yield Coding(grid=grid)
        for prediction in candidates(channel, component):
            keys = keys_of(Coding(prediction=prediction))
            if any(key not in self._components for key in keys):
                continue
            if prediction.factors or prediction.formula != LINEAR:
                yield Coding(prediction=prediction)
                continue
            for factors in _fits(sample, [self._source(key) for key in keys]):
                del prediction.factors[:]
                prediction.factors.extend(factors)
                yield Coding(prediction=prediction)

    def _sample(self, key: Key) -> Array:
        if key not in self._samples:
            self._samples[key] = sampled(self._components[key])
        return self._samples[key]

    def _source(self, key: Key) -> Array:
        if key not in self._sources:
            self._sources[key] = self._sample(key).astype(np.float64)
        return self._sources[key]

    def _tried(self, sample: Array, way: Coding) -> Array:
        sources = [self._source(key) for key in keys_of(way)]
        return less(sample, way, sources, list(way.prediction.factors))


def _grid(sample: Array, values: Array) -> float:
    """Return the divisor that makes whole numbers of all values; 0 for none."""
    few = sample[:, :4].ravel()
    likely = on_grid(few, _GRIDS[:, None])
    return next((float(grid) for grid in _GRIDS[likely] if on_grid(values, grid[None, None])[0]), 0.0)


def _fits(sample: Array, sources: list[Array]) -> Iterator[list[float]]:
    """Yield factors of LINEAR by least squares of the differences: what changes together belongs together."""
    target = sample.astype(np.float64)
    moves = np.stack([np.diff(values, axis=1).ravel() for values in (target, *sources)])
    moves = moves[:, np.isfinite(moves).all(axis=0)]
    slopes = _solved(moves[1:] @ moves[1:].T, moves[1:] @ moves[0])
    if slopes is None:
        return
    rest = target - sum(slope * source for slope, source in zip(slopes, sources, strict=True))
    rest = rest[np.isfinite(rest)]
    if rest.size:
        yield [_snapped(float(np.median(rest)), float(np.abs(target).max())), *slopes]


def _solved(square: Array, right: Array) -> list[float] | None:
    try:
        slopes = np.linalg.solve(square, right)
    except np.linalg.LinAlgError:
        return None
    return [_shortened(float(slope)) for slope in slopes] if np.isfinite(slopes).all() else None


def _shortened(factor: float) -> float:
    mantissa, exponent = np.frexp(factor)
    return float(np.ldexp(np.rint(np.ldexp(mantissa, _SNAP_BITS)), exponent - _SNAP_BITS))


def _snapped(summand: float, size: float) -> float:
    """Return 0 where it is nothing beside the values: else a value of 0 would be missed by far, in its
    image.
    """
    return _shortened(summand) if abs(summand) > 1e-7 * size else 0.0
