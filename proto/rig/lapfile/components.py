"""Components of columns, from the bytes of their blocks: cut apart, checked, decoded together.

All values of a size lie in one array, so that a column is a view of it. What is coded alike is decoded as one
two-dimensional array, for a call of numpy costs as much as a thousand values. Foretold components hold their
residuals until their neighbours are there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import DTYPES
from rig.errors import Corrupt
from rig.lapfile import blocks
from rig.lapfile.neighbours import COUNTS, LINEAR, Key, predict, rounded
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]

WIDTH_LIMIT: Final = 64
DEEPEST: Final = 8
"""Most neighbours in a row from a component to one that is not predicted; the chain of a lap has five."""
_GROUP_BYTES: Final = 1 << 18
"""Of numbers decoded together: with the arrays in between they stay in a second-level cache."""


class Part:
    """One component, still coded: what the head says of it, read once, and its bytes of the block."""

    below: Sequence[Key] = ()
    """Components it is predicted from."""
    formula: int = archive_pb2.FORMULA_UNSPECIFIED
    factors: Sequence[float] = ()
    data: bytes | memoryview = b""
    """Its planes."""
    edges: Array | None = None
    """If held, rows whose residual is coded, and the number of rows."""

    def __init__(self, name: str, coding: archive_pb2.Coding, dtype: np.dtype[Any]) -> None:
        self.dtype, self.codec, self.planes = dtype, coding.codec, coding.planes
        self.held, self.grid, self.first = coding.held, coding.grid, coding.value
        self._check_planes(name)
        if coding.HasField("prediction"):
            self._predict(name, coding.prediction)
        elif self.grid and (dtype.kind != "f" or self.codec == blocks.RAW):
            raise Corrupt(f"{name} cannot be on a grid: only floats are, and not raw")

    def _check_planes(self, name: str) -> None:
        if not blocks.CONSTANT <= self.codec <= blocks.DIRECT:
            raise Corrupt(f"{name} is coded by an unknown codec {self.codec}")
        if self.codec in (blocks.CONSTANT, blocks.RAW):
            if self.planes or self.held:
                raise Corrupt(f"{name} cannot have planes or be held: it is constant or raw")
        elif not 1 <= self.planes <= self.dtype.itemsize:
            raise Corrupt(f"{name} has {self.planes} planes, its values have {self.dtype.itemsize} bytes")

    def _predict(self, name: str, prediction: archive_pb2.Prediction) -> None:
        self.formula, self.factors = prediction.formula, list(prediction.factors)
        self.below = [(it.channel, it.component) for it in prediction.neighbours]
        if self.formula not in COUNTS:
            raise Corrupt(f"{name} is predicted by an unknown formula {self.formula}")
        least, most = COUNTS[self.formula]
        factors = len(self.below) + 1 if self.formula == LINEAR else 0
        if not least <= len(self.below) <= most or len(self.factors) != factors:
            raise Corrupt(f"{name} has {len(self.below)} neighbours and {len(self.factors)} factors")
        if self.dtype.kind != "f" or self.grid or self.codec == blocks.RAW:
            raise Corrupt(f"{name} cannot be predicted: only floats are, off the grid and not raw")

    def check_first(self, name: str) -> None:
        """Raise Corrupt unless there is a first residual, where the codec has one."""
        size = self.dtype.itemsize
        if len(self.first) != size and self.codec not in (blocks.RAW, blocks.DIRECT):
            raise Corrupt(f"the first residual of {name} has {len(self.first)} bytes instead of {size}")

    def take(self, name: str, view: memoryview, at: int, rows: int) -> int:
        """Take its bytes, which begin at `at`; return where they end. Raises Corrupt."""
        count = rows
        if rows:
            self.check_first(name)
        if self.held:
            self.edges = _edges(name, view[at : at + _mask_bytes(rows)], rows)
            at, count = at + _mask_bytes(rows), len(self.edges) - 1
        end = at + count * (self.dtype.itemsize if self.codec == blocks.RAW else self.planes)
        self.data = view[at:end]
        return end

    def forget(self) -> None:
        """Let go of its bytes."""
        self.data, self.edges = b"", None

    @property
    def still(self) -> bool:
        """Whether it never changes."""
        return self.codec == blocks.CONSTANT and not self.below and not self.grid

    @property
    def kind(self) -> tuple[int, ...]:
        """Equal for components whose residuals can be decoded together: size, codec, planes, and whether the
        residuals are images of floats, or on a grid.
        """
        images = self.dtype.kind == "f" and not (self.below or self.grid or self.codec == blocks.RAW)
        return self.dtype.itemsize, self.codec, self.planes, images, bool(self.grid)


class Place(NamedTuple):
    """Where a component's values are."""

    group: Array
    """Components of a type, those of a column one after another, shape (components, rows)."""
    at: int


Places = dict[Key, Place]


def column_of(name: str, width: int, places: Places) -> Array:
    """Return a column, shape (rows,) or (rows, width), as a view."""
    group, at = places[name, 0]
    return np.asarray(group[at] if width == 1 else group[at : at + width].T)


def parts_of(column: archive_pb2.Column) -> list[Part]:
    """Return the components of a column, without their bytes. Raises Corrupt for a column that this program
    does not know or that cannot be.
    """
    dtype, name = DTYPES.get(column.dtype), column.name
    if dtype is None:
        raise Corrupt(f"{name} has values of an unknown type {column.dtype!r}")
    if not 1 <= column.width <= WIDTH_LIMIT or len(column.codings) != column.width:
        raise Corrupt(
            f"{name} has {column.width} values a row and {len(column.codings)} codings, "
            f"1 to {WIDTH_LIMIT} of both are possible"
        )
    return [Part(name, coding, dtype) for coding in column.codings]


def _still_columns(columns: Iterable[archive_pb2.Column], rows: int) -> Places:
    """Return components of the columns that never change, without memory of their own.

    Most channels of a lap are such, and this is all the work they cause.
    """
    found: dict[np.dtype[Any], list[tuple[str, list[Part]]]] = defaultdict(list)
    for column in columns:
        parts = parts_of(column) if rows and not column.unpacked else []
        if parts and all(part.still for part in parts):
            found[parts[0].dtype].append((column.name, parts))
    return {key: place for dtype, alike in found.items() for key, place in _still(dtype, alike, rows)}


def _still(
    dtype: np.dtype[Any], columns: Iterable[tuple[str, list[Part]]], rows: int
) -> Iterator[tuple[Key, Place]]:
    for name, parts in columns:
        for part in parts:
            part.check_first(name)
    keys = [(name, at) for name, parts in columns for at in range(len(parts))]
    firsts = b"".join(part.first for _, parts in columns for part in parts)
    values = blocks.number(np.frombuffer(firsts, blocks.unsigned(dtype)), dtype).tobytes()
    group = np.ndarray((len(keys), rows), dtype, values, strides=(dtype.itemsize, 0))
    return ((key, Place(group, at)) for at, key in enumerate(keys))


def size_of(column: archive_pb2.Column) -> int:
    """Return bytes of one value; of an unknown type 8, which is the most."""
    dtype = DTYPES.get(column.dtype)
    return dtype.itemsize if dtype else 8


def limit(column: archive_pb2.Column, rows: int) -> int:
    """Return most bytes that a column of so many rows can have once unpacked."""
    return column.width * (size_of(column) * rows + _mask_bytes(rows))


def _mask_bytes(rows: int) -> int:
    return (rows + 7) // 8


def _take(name: str, parts: Sequence[Part], data: bytes, rows: int) -> None:
    """Give the components of a column their bytes of its unpacked block. Raises Corrupt."""
    view, at = memoryview(data), 0
    for part in parts:
        at = part.take(name, view, at, rows)
    if at != len(data):
        raise Corrupt(f"the block of {name} has {len(data)} bytes, its components need {at}")


def _edges(name: str, data: memoryview, rows: int) -> Array:
    if len(data) != _mask_bytes(rows):
        raise Corrupt(f"the block of {name} ends within the bits of a component")
    changed = np.unpackbits(np.frombuffer(data, np.uint8), count=rows + 1, bitorder="little")
    if not rows or not changed[0]:
        raise Corrupt(f"a component of {name} begins with a value to hold before there is one")
    changed[rows] = 1
    return changed.nonzero()[0]


def neighbours(column: archive_pb2.Column) -> set[str]:
    """Return channels that a column is predicted from."""
    codings = (coding for coding in column.codings if coding.HasField("prediction"))
    return {it.channel for coding in codings for it in coding.prediction.neighbours}


def decode(
    columns: Sequence[archive_pb2.Column], unpacked: Callable[[archive_pb2.Column], bytes], rows: int
) -> Places:
    """Return where the values of the columns are, whose blocks are `unpacked` one by one. Raises Corrupt.

    Every neighbour has to be among the columns.
    """
    done = _still_columns(columns, rows)
    coded = [(column, parts_of(column)) for column in columns if (column.name, 0) not in done]
    parts = {(column.name, at): part for column, own in coded for at, part in enumerate(own)}
    depths = _depths(parts, done)
    done.update(_places(parts, rows))
    with np.errstate(all="ignore"):
        _settle_all(coded, unpacked, done, rows)
        _check_flags(done[key] for key in parts)
        for keys in _foretold_together(parts, depths, rows):
            _foretell([parts[key] for key in keys], [done[key] for key in keys], done)
    return done


def _together(size: int, rows: int) -> int:
    """Return how many components with numbers of that size are decoded together."""
    return max(1, _GROUP_BYTES // max(1, size * rows))


def _places(parts: Mapping[Key, Part], rows: int) -> Places:
    """Return room for all values, a component a row, those of a size in one array."""
    counts: dict[int, int] = defaultdict(int)
    at = {}
    for key, part in parts.items():
        at[key] = counts[part.dtype.itemsize]
        counts[part.dtype.itemsize] += 1
    room = {size: np.empty((count, rows), f"<u{size}") for size, count in counts.items()}
    groups = {dtype: room[dtype.itemsize].view(dtype) for dtype in {part.dtype for part in parts.values()}}
    return {key: Place(groups[part.dtype], at[key]) for key, part in parts.items()}


def _depths(parts: Mapping[Key, Part], done: Iterable[Key]) -> dict[Key, int]:
    """Return of each foretold component how many neighbours are in a row below it, the least first. Raises
    Corrupt for a circle.
    """
    depths = dict.fromkeys(done, 0)
    foretold = [key for key, part in parts.items() if part.below]
    for key in foretold:
        _depth(key, parts, depths)
    return dict(sorted(((key, depths[key]) for key in foretold), key=lambda each: each[1]))


def _depth(key: Key, parts: Mapping[Key, Part], depths: dict[Key, int], above: int = 0) -> int:
    if key not in depths:
        if key not in parts:
            raise Corrupt(f"component {key[1]} of {key[0]} is a neighbour, but not in the file")
        below = parts[key].below if above <= DEEPEST else ()  # a circle has no end
        depth = max((_depth(other, parts, depths, above + 1) + 1 for other in below), default=0)
        if max(above, depth) > DEEPEST:
            raise Corrupt(
                f"{key[0]} is predicted over more than {DEEPEST} neighbours in a row, or from itself"
            )
        depths[key] = depth
    return depths[key]


def _settle_all(
    coded: Iterable[tuple[archive_pb2.Column, list[Part]]],
    unpacked: Callable[[archive_pb2.Column], bytes],
    places: Places,
    rows: int,
) -> None:
    """Undo the codings of components as their blocks come, and forget the bytes: they are still in the cache,
    and no lap is in memory twice.
    """
    waiting: dict[tuple[int, ...], list[tuple[Part, Place]]] = defaultdict(list)
    for column, parts in coded:
        _take(name := column.name, parts, unpacked(column), rows)
        for at, part in enumerate(parts):
            group = waiting[part.kind]
            group.append((part, places[name, at]))
            if len(group) == _together(part.dtype.itemsize, rows):
                _settle(waiting.pop(part.kind), rows)
    for group in waiting.values():
        _settle(group, rows)


def _settle(found: Sequence[tuple[Part, Place]], rows: int) -> None:
    """Put values of components of one kind into their places; residuals where something is foretold."""
    group = [part for part, _ in found]
    dtype, numbers = group[0].dtype, _residuals(group, rows)
    *_, images, on_grid = group[0].kind
    if images:
        numbers = blocks.number(numbers, dtype)
    elif on_grid:
        grids = np.array([part.grid for part in group])
        numbers = (numbers.view(blocks.signed(dtype)) / grids[:, None]).astype(dtype)
    # Types of a size share their room.
    found[0][1].group.view(numbers.dtype)[[place.at for _, place in found]] = numbers
    for part in group:
        part.forget()


def _residuals(group: Sequence[Part], rows: int) -> Array:
    """Return residuals, shape (components, rows); constant ones (components, 1), raw ones as they are."""
    unsigned, codec = blocks.unsigned(group[0].dtype), group[0].codec
    if not rows:
        return np.empty((len(group), 0), unsigned)
    if codec == blocks.RAW:
        return np.frombuffer(b"".join(part.data for part in group), unsigned).reshape(len(group), rows)
    first = np.frombuffer(b"".join(part.first for part in group if codec != blocks.DIRECT), unsigned)
    if codec == blocks.CONSTANT:
        return first[:, None]
    data = b"".join(chain.from_iterable(_planes(part, rows) for part in group))
    residuals = blocks.uncoded(blocks.unplaned(data, group[0].planes, rows), codec, first)
    for row, part in zip(residuals, group, strict=True):
        if part.edges is not None:
            row[:] = row[: len(part.edges) - 1].repeat(part.edges[1:] - part.edges[:-1])
    return residuals


def _planes(part: Part, rows: int) -> Iterator[bytes | memoryview]:
    """Yield planes of `rows` bytes; those of a held component are filled up."""
    if part.edges is None:
        yield part.data
        return
    count = len(part.edges) - 1
    for at in range(0, len(part.data), count):
        yield bytes(part.data[at : at + count]).ljust(rows, b"\0")


def _check_flags(places: Iterable[Place]) -> None:
    for group in {id(place.group): place.group for place in places if place.group.dtype.kind == "b"}.values():
        blocks.number(group.view(np.uint8), group.dtype)


def _foretold_together(
    parts: Mapping[Key, Part], depths: Mapping[Key, int], rows: int
) -> Iterator[list[Key]]:
    """Yield components that one formula foretells, neighbours before those they foretell."""
    kinds: dict[tuple[int, ...], list[Key]] = defaultdict(list)
    for key, depth in depths.items():
        part = parts[key]
        kinds[depth, part.dtype.itemsize, part.formula, len(part.below)].append(key)
    step = _together(np.dtype(np.float64).itemsize, rows)
    for alike in kinds.values():
        yield from (alike[at : at + step] for at in range(0, len(alike), step))


def _foretell(group: Sequence[Part], places: Sequence[Place], done: Places) -> None:
    """Turn residuals into values, in their places."""
    values, at = places[0].group, [place.at for place in places]
    images = blocks.image(_foretold(group, done))
    images += values[at].view(images.dtype)
    values[at] = blocks.number(images, values.dtype)


def _foretold(group: Sequence[Part], done: Places) -> Array:
    """Return predictions, shape (components, rows)."""
    keys = [part.below for part in group]
    sources = [_doubles([done[key] for key in column]) for column in zip(*keys, strict=True)]
    factors = np.array([part.factors for part in group]).T[..., None]
    return rounded(predict(group[0].formula, sources, list(factors)), group[0].dtype)


def _doubles(places: Sequence[Place]) -> Array:
    out = np.empty((len(places), places[0].group.shape[1]))
    for row, place in zip(out, places, strict=True):
        row[:] = place.group[place.at]
    return out
