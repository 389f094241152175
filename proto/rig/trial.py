"""Trial: how each component of a lap is coded best, tried on a sample of its rows."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from rig import blocks
from rig.channels import Channel
from rig.neighbours import LINEAR, Key, candidates, predict, rounded
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Prediction = archive_pb2.Prediction
Coding = archive_pb2.Coding

_CODECS: Final = (blocks.DIRECT, blocks.DELTA, blocks.DELTA_OF_DELTA, blocks.XOR)
_PIECES: Final = 4
_PIECE: Final = 256
"""Rows per piece of the sample, which has to hold slow corners and straights."""
_WORTH_BITS: Final = 0.3
"""A prediction that saves less per value is left: whoever reads the channel has to read its neighbours."""
_GRIDS: Final = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0, 50.0, 400.0, 255.0, 64.0, 4096.0])
"""Divisors of values that have few digits: decimals, frames at 50 and 400 Hz, bytes, binary fractions."""
_HELD_SHARE: Final = 0.12
"""Most rows that may differ from the row before for the others to be left out: a tenth does in what moves at
5 Hz. zstd alone does as well with more."""
_SNAP_BITS: Final = 34
"""Bits kept of a fitted factor, ten more than a float32 has, so that 1 is found to be 1."""


def sampled(values: Array) -> Array:
    """Return pieces of a component, shape (pieces, rows of a piece)."""
    rows = len(values)
    if rows <= _PIECES * _PIECE:
        return values[None]
    starts = [piece * (rows - _PIECE) // (_PIECES - 1) for piece in range(_PIECES)]
    return np.stack([values[start : start + _PIECE] for start in starts])


def bits(numbers: Array) -> float:
    """Return about what numbers cost, bits per value: they lie in planes without their leading zeros."""
    return float(np.log2(numbers.astype(np.float32) + np.float32(1.0)).sum()) / max(1, numbers.size)


def untried(values: Array) -> tuple[Coding, list[bytes]]:
    """Return a component without any trial: raw, or constant."""
    if _constant(images := blocks.image(values)):
        return Coding(codec=blocks.CONSTANT, value=images[:1].tobytes()), []
    return Coding(codec=blocks.RAW), [values.tobytes()]


class Trial:
    """Chooses codings for the components of one section.

    `columns` are the channels by name, as arrays of their components, shape (width, rows).
    """

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._components = {
            (name, at): values for name, parts in columns.items() for at, values in enumerate(parts)
        }
        self._samples = {key: sampled(values) for key, values in self._components.items()}
        self._sources: dict[Key, Array] = {}

    def encode(self, channel: Channel, component: int) -> tuple[Coding, list[bytes]]:
        """Return how the component is coded, and its bytes plane by plane."""
        key = (channel.name, component)
        values = self._components[key]
        images = blocks.image(values)
        if _constant(images):
            return Coding(codec=blocks.CONSTANT, value=images[:1].tobytes()), []
        with np.errstate(all="ignore"):  # a prediction may be no number, and then does not pay
            codec, coding = self._best(channel, component)
            residuals = self._residuals(values, images, coding)
        if _constant(residuals):
            coding.codec, coding.value = blocks.CONSTANT, residuals[:1].tobytes()
            return coding, []
        return _written(coding, codec, residuals)

    def _best(self, channel: Channel, component: int) -> tuple[blocks.Codec, Coding]:
        """Return the last step and, still without it, the coding that costs least."""
        sample = self._samples[channel.name, component]
        best, codec = _cheapest(blocks.image(sample))
        coding = Coding()
        if channel.dtype.kind != "f":
            return codec, coding
        for way in self._ways(channel, component, sample):
            cost, last = _cheapest(self._tried(sample, way))
            if cost < best - _WORTH_BITS:
                best, codec, coding = cost, last, way
        return codec, coding

    def _ways(self, channel: Channel, component: int, sample: Array) -> Iterator[Coding]:
        grid = _grid(sample, self._components[channel.name, component])
        if grid:
            yield Coding(grid=grid)
        for prediction in candidates(channel, component):
            keys = _keys(prediction)
            if any(key not in self._components for key in keys):
                continue
            if prediction.factors or prediction.formula != LINEAR:
                yield Coding(prediction=prediction)
                continue
            for factors in _fits(sample, [self._source(key) for key in keys]):
                del prediction.factors[:]
                prediction.factors.extend(factors)
                yield Coding(prediction=prediction)

    def _source(self, key: Key) -> Array:
        if key not in self._sources:
            self._sources[key] = self._samples[key].astype(np.float64)
        return self._sources[key]

    def _tried(self, sample: Array, way: Coding) -> Array:
        sources = [self._source(key) for key in _keys(way.prediction)]
        return _less(sample, blocks.image(sample), way, sources)

    def _residuals(self, values: Array, images: Array, coding: Coding) -> Array:
        keys = _keys(coding.prediction)
        sources = [self._components[key].astype(np.float64) for key in keys]
        return _less(values, images, coding, sources)


def _keys(prediction: Prediction) -> list[Key]:
    return [(it.channel, it.component) for it in prediction.neighbours]


def _less(values: Array, images: Array, coding: Coding, sources: list[Array]) -> Array:
    """Return residuals: what the coding leaves of the values."""
    if coding.grid:
        whole = np.rint(values * np.float64(coding.grid))
        return whole.astype(f"<i{values.itemsize}").view(images.dtype)
    if not sources:
        return images
    predicted = predict(coding.prediction.formula, sources, list(coding.prediction.factors))
    return images - blocks.image(rounded(predicted, values.dtype))


def _constant(residuals: Array) -> bool:
    return residuals.size == 0 or bool((residuals == residuals[0]).all())


def _cheapest(residuals: Array) -> tuple[float, blocks.Codec]:
    """Return bits per value and codec, judged by a sample, shape (pieces, rows)."""
    return min((bits(blocks.coded(residuals, codec)), codec) for codec in _CODECS)


def _grid(sample: Array, values: Array) -> float:
    """Return the divisor that makes whole numbers of all values; 0 for none."""
    few = sample[:, :4].ravel()
    likely = _on_grid(few, _GRIDS[:, None])
    return next((float(grid) for grid in _GRIDS[likely] if _on_grid(values, grid[None, None])[0]), 0.0)


def _on_grid(values: Array, grids: Array) -> Array:
    """Return of each divisor, shape (divisors, 1): every value, to the bit, is a whole number divided by
    it.
    """
    whole = np.rint(values * grids)
    back = (whole / grids).astype(values.dtype)
    same = blocks.image(back) == blocks.image(values)
    same &= np.abs(whole) < 2.0 ** min(8 * values.itemsize - 2, 53)
    # The integer 0 has no sign to give back.
    same &= ~(np.signbit(values) & (whole == 0))
    return np.asarray(same.all(axis=1))


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


def _written(coding: Coding, codec: blocks.Codec, residuals: Array) -> tuple[Coding, list[bytes]]:
    """Return the finished coding and its planes, led by the bits of the changed rows if most rows are
    held.
    """
    changed = np.ones(len(residuals), bool)
    np.not_equal(residuals[1:], residuals[:-1], out=changed[1:])
    mask: list[bytes] = []
    if np.count_nonzero(changed) < _HELD_SHARE * len(changed):
        coding.held = True
        residuals = residuals[changed]
        mask = [np.packbits(changed, bitorder="little").tobytes()]
        _, codec = _cheapest(residuals[None])
    coding.codec = codec
    if codec != blocks.DIRECT:
        coding.value = residuals[:1].tobytes()
    planes = blocks.planes(blocks.coded(residuals, codec))
    coding.planes = len(planes)
    return coding, mask + planes
