"""Codings put to work: components become residuals, and residuals planes. ARCHIVE.md says the way back.

What is coded alike is coded as one two-dimensional array, for a call of numpy costs as much as a thousand
values.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rig.lapfile import blocks
from rig.lapfile.neighbours import Key, predict, rounded
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Coding = archive_pb2.Coding
Coded = tuple[Coding, list[bytes]]
"""A finished coding, and the bytes of its component plane by plane."""

_CODECS: Final = (blocks.DIRECT, blocks.DELTA, blocks.DELTA_OF_DELTA, blocks.XOR)
_HELD_SHARE: Final = 0.12
"""Most rows that may differ from the row before for the others to be left out: a tenth does in what moves at
5 Hz. zstd alone does as well with more."""
_GROUP_BYTES: Final = 1 << 19
"""Of values coded together: with the arrays in between they stay in a second-level cache."""


def bits(numbers: Array) -> float:
    """Return about what numbers cost, bits per value: they lie in planes without their leading zeros."""
    return float(np.log2(numbers.astype(np.float32) + np.float32(1.0)).sum()) / max(1, numbers.size)


def cheapest(residuals: Array) -> tuple[float, blocks.Codec]:
    """Return bits per value and codec, judged by a sample, shape (pieces, rows)."""
    return min((bits(blocks.coded(residuals, codec)), codec) for codec in _CODECS)


def untried(values: Array) -> Coded:
    """Return a component without any trial: raw, or constant."""
    return still(values) if constant(values) else (Coding(codec=blocks.RAW), [values.tobytes()])


def still(values: Array) -> Coded:
    """Return a component that is constant."""
    return Coding(codec=blocks.CONSTANT, value=blocks.image(values[:1]).tobytes()), []


def constant(values: Array) -> bool:
    """Return whether all rows are the same to the bit."""
    same = values.view(blocks.unsigned(values.dtype))
    return same.size == 0 or bool(same[0] == same[-1] and (same == same[0]).all())


def less(values: Array, coding: Coding, sources: Sequence[Array], factors: Sequence[Array | float]) -> Array:
    """Return residuals: what a coding leaves of values of any shape. `sources` are its neighbours as doubles,
    `factors` numbers, or arrays that fit them.
    """
    if coding.grid:
        whole = np.rint(values * np.float64(coding.grid))
        return whole.astype(f"<i{values.itemsize}").view(blocks.unsigned(values.dtype))
    images = blocks.image(values)
    if not sources:
        return images
    predicted = predict(coding.prediction.formula, sources, factors)
    return images - blocks.image(rounded(predicted, values.dtype))


def on_grid(values: Array, grids: Array) -> Array:
    """Return of each row of the product: every value, to the bit, is a whole number divided by the grid."""
    whole = np.rint(values * grids)
    back = (whole / grids).astype(values.dtype)
    same = blocks.image(back) == blocks.image(values)
    same &= np.abs(whole) < 2.0 ** min(8 * values.itemsize - 2, 53)
    # The integer 0 has no sign to give back.
    same &= ~(np.signbit(values) & (whole == 0))
    return np.asarray(same.all(axis=1))


def _comes_back(values: Array, residuals: Array, grid: float) -> Array:
    """Return of each component, shape (components,): its residuals give every value back to the bit."""
    whole = residuals.view(f"<i{residuals.itemsize}")
    back = (whole / np.float64(grid)).astype(values.dtype)
    return np.asarray((blocks.image(back) == blocks.image(values)).all(axis=1))


def keys_of(prediction: archive_pb2.Prediction) -> list[Key]:
    """Return the components that a prediction is made from."""
    return [(it.channel, it.component) for it in prediction.neighbours]


def encode(components: Mapping[Key, Array], chosen: Mapping[Key, Coding]) -> dict[Key, Coded]:
    """Return the components that have a chosen coding, but for those it does not fit: off its grid, changing
    where it was constant, or in more rows than can be held. `components` have their neighbours too.
    """
    out: dict[Key, Coded] = {}
    with np.errstate(all="ignore"):  # a prediction may be no number
        for keys in _groups(components, chosen):
            codings = [chosen[key] for key in keys]
            values = np.stack([components[key] for key in keys])
            residuals = _residuals(values, codings, components)
            fits = _comes_back(values, residuals, codings[0].grid) if codings[0].grid else None
            for at, coded in _coded(codings, residuals).items():
                if fits is None or fits[at]:
                    out[keys[at]] = coded
    return out


def _groups(components: Mapping[Key, Array], chosen: Mapping[Key, Coding]) -> Iterator[list[Key]]:
    """Yield components that are coded alike."""
    kinds: dict[tuple[object, ...], list[Key]] = defaultdict(list)
    for key, coding in chosen.items():
        prediction = coding.prediction
        kind = coding.codec, coding.grid, prediction.formula, len(prediction.neighbours)
        kinds[components[key].dtype, *kind].append(key)
    for keys in kinds.values():
        step = max(1, _GROUP_BYTES // max(1, components[keys[0]].size * components[keys[0]].itemsize))
        yield from (keys[at : at + step] for at in range(0, len(keys), step))


def _residuals(values: Array, codings: Sequence[Coding], components: Mapping[Key, Array]) -> Array:
    """Return residuals of components of one kind, shape (components, rows)."""
    columns = zip(*(keys_of(coding.prediction) for coding in codings), strict=True)
    sources = [_doubles([components[key] for key in column]) for column in columns]
    factors = np.array([coding.prediction.factors for coding in codings]).T[..., None]
    return less(values, codings[0], sources, list(factors))


def _doubles(parts: Sequence[Array]) -> Array:
    out = np.empty((len(parts), len(parts[0])))
    for row, values in zip(out, parts, strict=True):
        row[:] = values
    return out


def _coded(codings: Sequence[Coding], residuals: Array) -> dict[int, Coded]:
    """Return the components of these residuals, by their row, that their coding fits."""
    changed = np.ones_like(residuals, bool)
    np.not_equal(residuals[:, 1:], residuals[:, :-1], out=changed[:, 1:])
    out: dict[int, Coded] = {}
    moving: list[int] = []
    for at, coding in enumerate(codings):
        count = int(np.count_nonzero(changed[at]))
        few = count < _HELD_SHARE * len(changed[at])
        if count == 1:
            out[at] = _finished(coding, blocks.CONSTANT, residuals[at]), []
        elif coding.codec == blocks.CONSTANT or (coding.held and not few):
            continue
        elif few:
            out[at] = _held(coding, residuals[at], changed[at])
        else:
            moving.append(at)
    out.update(_moving(codings, residuals, moving))
    return out


def _moving(codings: Sequence[Coding], residuals: Array, moving: list[int]) -> Iterator[tuple[int, Coded]]:
    """Yield the components that change all the time."""
    if moving:
        codec = codings[0].codec
        numbers = blocks.coded(residuals if len(moving) == len(codings) else residuals[moving], codec)
        for at, planes in zip(moving, blocks.planes(numbers), strict=True):
            coding = _finished(codings[at], codec, residuals[at])
            coding.planes = len(planes)
            yield at, (coding, planes)


def _held(coding: Coding, residuals: Array, changed: Array) -> Coded:
    """Return a component of which most rows repeat the one before: bits of those that do not lead its
    planes.
    """
    kept = residuals[changed]
    codec = coding.codec if coding.held else cheapest(kept[None])[1]
    (planes,) = blocks.planes(blocks.coded(kept[None], codec))
    out = _finished(coding, codec, kept)
    out.held, out.planes = True, len(planes)
    return out, [np.packbits(changed, bitorder="little").tobytes(), *planes]


def _finished(coding: Coding, codec: blocks.Codec, residuals: Array) -> Coding:
    out = Coding(codec=codec, grid=coding.grid)
    if coding.HasField("prediction"):
        out.prediction.CopyFrom(coding.prediction)
    if codec != blocks.DIRECT:
        out.value = residuals[:1].tobytes()
    return out
