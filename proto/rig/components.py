"""Components of columns, from the bytes of their blocks: cut apart, checked, decoded together.

What is coded alike is decoded as one two-dimensional array, for a call of numpy costs as much as a thousand
values. Foretold components wait until their neighbours are there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rig import blocks
from rig.channels import DTYPES
from rig.errors import Corrupt
from rig.neighbours import COUNTS, LINEAR, Key, predict, rounded
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]

WIDTH_LIMIT: Final = 64
DEEPEST: Final = 8
"""Most neighbours in a row from a component to one that is not predicted; the chain of a lap has five."""
_GROUP_BYTES: Final = 1 << 19
"""Of numbers decoded together: with the arrays in between they stay in a second-level cache."""


class Part(NamedTuple):
    """One component, still coded."""

    coding: archive_pb2.Coding
    dtype: np.dtype[Any]
    data: bytes
    """Its planes."""
    changed: Array | None
    """Rows whose residual is coded; None: all."""
    below: list[Key]
    """Components it is predicted from."""

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for components that can be decoded together."""
        coding = self.coding
        shape = self.dtype, coding.codec, coding.planes, coding.held, coding.grid
        if not self.below:
            return shape
        prediction = coding.prediction
        return *shape, prediction.formula, len(self.below), len(prediction.factors)


class Place(NamedTuple):
    """Where a component's values are."""

    group: Array
    """Components decoded together, shape (components, rows)."""
    at: int


Places = dict[Key, Place]


def column_of(name: str, width: int, places: Places) -> Array:
    """Return a column, shape (rows,) or (rows, width): a view where its components lie side by side."""
    found = [places[name, component] for component in range(width)]
    group, at = found[0]
    if width == 1:
        return np.asarray(group[at])
    if all(place.group is group and place.at == at + offset for offset, place in enumerate(found)):
        return group[at : at + width].T
    return np.stack([place.group[place.at] for place in found]).T


def dtype_of(column: archive_pb2.Column) -> np.dtype[Any]:
    """Return type of the values. Raises Corrupt for a column that this program does not know or that cannot
    be.
    """
    dtype = DTYPES.get(column.dtype)
    if dtype is None:
        raise Corrupt(f"{column.name} has values of an unknown type {column.dtype!r}")
    if not 1 <= column.width <= WIDTH_LIMIT or len(column.codings) != column.width:
        raise Corrupt(
            f"{column.name} has {column.width} values a row and {len(column.codings)} codings, "
            f"1 to {WIDTH_LIMIT} of both are possible"
        )
    for coding in column.codings:
        _check(column.name, coding, dtype)
    return dtype


def _check(name: str, coding: archive_pb2.Coding, dtype: np.dtype[Any]) -> None:
    if not blocks.CONSTANT <= coding.codec <= blocks.DIRECT:
        raise Corrupt(f"{name} is coded by an unknown codec {coding.codec}")
    _check_planes(name, coding, dtype.itemsize)
    if not coding.HasField("prediction"):
        return _check_grid(name, coding, dtype)
    formula, neighbours = coding.prediction.formula, len(coding.prediction.neighbours)
    if formula not in COUNTS:
        raise Corrupt(f"{name} is predicted by an unknown formula {formula}")
    least, most = COUNTS[formula]
    factors = neighbours + 1 if formula == LINEAR else 0
    if not least <= neighbours <= most or len(coding.prediction.factors) != factors:
        raise Corrupt(f"{name} has {neighbours} neighbours and {len(coding.prediction.factors)} factors")
    if dtype.kind != "f" or coding.grid or coding.codec == blocks.RAW:
        raise Corrupt(f"{name} cannot be predicted: only floats are, off the grid and not raw")
    return None


def _check_planes(name: str, coding: archive_pb2.Coding, size: int) -> None:
    if coding.codec in (blocks.CONSTANT, blocks.RAW):
        if coding.planes or coding.held:
            raise Corrupt(f"{name} cannot have planes or be held: it is constant or raw")
    elif not 1 <= coding.planes <= size:
        raise Corrupt(f"{name} has {coding.planes} planes, its values have {size} bytes")


def _check_grid(name: str, coding: archive_pb2.Coding, dtype: np.dtype[Any]) -> None:
    if coding.grid and (dtype.kind != "f" or coding.codec == blocks.RAW):
        raise Corrupt(f"{name} cannot be on a grid: only floats are, and not raw")


def constant(column: archive_pb2.Column, rows: int) -> Array | None:
    """Return a column that never changes, shape (width, rows), without memory of its own; None: it does
    change.

    Most channels of a lap are such, and this is all the work they cause.
    """
    if column.unpacked or not rows or not all(map(_still, column.codings)):
        return None
    dtype = dtype_of(column)
    _check_first(column, dtype.itemsize)
    values = np.frombuffer(b"".join(c.value for c in column.codings), blocks.unsigned(dtype))
    return np.broadcast_to(blocks.number(values, dtype)[:, None], (column.width, rows))


def _still(coding: archive_pb2.Coding) -> bool:
    return coding.codec == blocks.CONSTANT and not coding.HasField("prediction") and not coding.grid


def size_of(column: archive_pb2.Column) -> int:
    """Return bytes of one value; of an unknown type 8, which is the most."""
    dtype = DTYPES.get(column.dtype)
    return dtype.itemsize if dtype else 8


def limit(column: archive_pb2.Column, rows: int) -> int:
    """Return most bytes that a column of so many rows can have once unpacked."""
    return column.width * (size_of(column) * rows + _mask_bytes(rows))


def _mask_bytes(rows: int) -> int:
    return (rows + 7) // 8


def split(column: archive_pb2.Column, data: bytes, rows: int) -> list[Part]:
    """Return the components of a column from its unpacked block. Raises Corrupt."""
    dtype, at, parts = dtype_of(column), 0, []
    for coding in column.codings:
        changed, count = None, rows
        if coding.held:
            changed = _mask(column.name, data[at : at + _mask_bytes(rows)], rows)
            at, count = at + _mask_bytes(rows), int(np.count_nonzero(changed))
        end = at + count * (dtype.itemsize if coding.codec == blocks.RAW else coding.planes)
        parts.append(Part(coding, dtype, data[at:end], changed, neighbours(coding)))
        at = end
    if at != len(data):
        raise Corrupt(f"the block of {column.name} has {len(data)} bytes, its components need {at}")
    if rows:
        _check_first(column, dtype.itemsize)
    return parts


def _check_first(column: archive_pb2.Column, size: int) -> None:
    for coding in column.codings:
        if coding.codec not in (blocks.RAW, blocks.DIRECT) and len(coding.value) != size:
            raise Corrupt(
                f"the first residual of {column.name} has {len(coding.value)} bytes instead of {size}"
            )


def _mask(name: str, data: bytes, rows: int) -> Array:
    if len(data) != _mask_bytes(rows):
        raise Corrupt(f"the block of {name} ends within the bits of a component")
    changed = np.unpackbits(np.frombuffer(data, np.uint8), count=rows, bitorder="little")
    if not rows or not changed[0]:
        raise Corrupt(f"a component of {name} begins with a value to hold before there is one")
    return changed.view(bool)


def neighbours(coding: archive_pb2.Coding) -> list[Key]:
    """Return components that have to be known before."""
    if not coding.HasField("prediction"):
        return []
    return [(it.channel, it.component) for it in coding.prediction.neighbours]


def decode(parts: Mapping[Key, Part], done: Places, rows: int) -> None:
    """Add all components to those that are `done`. Raises Corrupt.

    Every neighbour has to be among one or the other.
    """
    with np.errstate(all="ignore"):
        for keys in _groups(parts, done.keys(), rows):
            values = _decoded([parts[key] for key in keys], done, rows)
            if values.shape[1] != rows:
                values = np.broadcast_to(values, (len(keys), rows))
            done.update((key, Place(values, at)) for at, key in enumerate(keys))


def _groups(parts: Mapping[Key, Part], done: Iterable[Key], rows: int) -> Iterator[list[Key]]:
    """Yield components of a kind, neighbours before those they predict."""
    kinds: dict[tuple[int, tuple[object, ...]], list[Key]] = defaultdict(list)
    depths = dict.fromkeys(done, 0)
    for key, part in parts.items():
        kinds[_depth(key, parts, depths), part.kind].append(key)
    for kind in sorted(kinds, key=lambda kind: kind[0]):
        keys = kinds[kind]
        step = max(1, _GROUP_BYTES // max(1, rows * parts[keys[0]].dtype.itemsize))
        yield from (keys[at : at + step] for at in range(0, len(keys), step))


def _depth(key: Key, parts: Mapping[Key, Part], depths: dict[Key, int], above: int = 0) -> int:
    """Return how many neighbours are in a row below a component. Raises Corrupt for a circle."""
    if key not in depths:
        if key not in parts:
            raise Corrupt(f"component {key[1]} of {key[0]} is a neighbour, but not in the file")
        if above > DEEPEST:
            raise Corrupt(
                f"{key[0]} is predicted over more than {DEEPEST} neighbours in a row, or from itself"
            )
        below = [_depth(other, parts, depths, above + 1) + 1 for other in parts[key].below]
        depths[key] = max(below, default=0)
    return depths[key]


def _decoded(group: Sequence[Part], done: Places, rows: int) -> Array:
    """Return values of components of one kind, shape (components, rows); constant ones (components, 1)."""
    dtype, coding = group[0].dtype, group[0].coding
    if coding.codec == blocks.RAW:
        values = np.frombuffer(b"".join(part.data for part in group), dtype).reshape(len(group), rows)
        return blocks.number(values.view(np.uint8), dtype) if dtype.kind == "b" else values
    residuals = _residuals(group, rows)
    if coding.grid:
        whole = residuals.view(f"<i{dtype.itemsize}")
        return np.asarray((whole / np.float64(coding.grid)).astype(dtype))
    if not coding.HasField("prediction"):
        return blocks.number(residuals, dtype)
    images = blocks.image(_foretold(group, done))
    images += residuals
    return blocks.number(images, dtype)


def _residuals(group: Sequence[Part], rows: int) -> Array:
    unsigned, coding = blocks.unsigned(group[0].dtype), group[0].coding
    if not rows:
        return np.empty((len(group), 0), unsigned)
    if coding.held:
        return np.concatenate([_spread(part, unsigned) for part in group])
    first = _first(group, unsigned)
    if coding.codec == blocks.CONSTANT:
        return first[:, None]
    numbers = blocks.unplaned(b"".join(part.data for part in group), coding.planes, rows)
    return blocks.uncoded(numbers, coding.codec, first)


def _first(group: Sequence[Part], unsigned: np.dtype[Any]) -> Array:
    """Return first residuals, shape (components,); none for DIRECT, of which readers do not look at
    `value`.
    """
    if group[0].coding.codec == blocks.DIRECT:
        return np.empty(0, unsigned)
    return np.frombuffer(b"".join(part.coding.value for part in group), unsigned)


def _spread(part: Part, unsigned: np.dtype[Any]) -> Array:
    """Return residuals of a held component, each repeated up to the next change, shape (1, rows)."""
    assert part.changed is not None
    starts = np.flatnonzero(part.changed)
    numbers = blocks.unplaned(part.data, part.coding.planes, len(starts))
    kept = blocks.uncoded(numbers, part.coding.codec, _first([part], unsigned))
    return np.repeat(kept, np.diff(starts, append=len(part.changed)), axis=1)


def _foretold(group: Sequence[Part], done: Places) -> Array:
    """Return predictions, shape (components, rows)."""
    keys = [part.below for part in group]
    sources = [_doubles([done[key] for key in column]) for column in zip(*keys, strict=True)]
    factors = np.array([part.coding.prediction.factors for part in group]).T[..., None]
    return rounded(predict(group[0].coding.prediction.formula, sources, list(factors)), group[0].dtype)


def _doubles(places: list[Place]) -> Array:
    out = np.empty((len(places), places[0].group.shape[1]))
    for row, place in zip(out, places, strict=True):
        row[:] = place.group[place.at]
    return out
