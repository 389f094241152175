"""A second reader of lap files, written from `proto/ARCHIVE.md` alone: it shows that the page is enough.

It shares nothing with `rig.lapfile` but the messages of the contract, and follows the page's order and words.
It is made to be compared with the page, not to be fast.
"""

import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import zstandard
from google.protobuf.message import DecodeError

from rig.v1 import archive_pb2
from rig.v1.archive_pb2 import Coding, Column, LapHeader, Prediction

Array = np.ndarray[Any, np.dtype[Any]]
Key = tuple["archive_pb2.Section.ValueType", str]
"""Section and channel name."""

_MAGIC: Final = b"\x89rigLAP"
_FIXED: Final = 20
"""Bytes before the head."""
_MOST_HEAD: Final = 16 << 20
_MOST_ROWS: Final = 1 << 20
_MOST_COLUMNS: Final = 1024
_MOST_WIDTH: Final = 64
_MOST_VALUES: Final = 1 << 29
_MOST_STEPS: Final = 8
_SIZES: Final = {"<f4": 4, "<f8": 8, "<i4": 4, "<u4": 4, "<u8": 8, "|b1": 1}
_ZSTD_FRAME: Final = b"\x28\xb5\x2f\xfd"


class _Unknown(Exception):
    """A neighbour uses a codec, formula or dtype of a later version."""


class _Part(NamedTuple):
    """A component: what the head says of it, and its own bytes of the block."""

    coding: Coding
    dtype: str
    rows: int
    data: bytes

    @property
    def size(self) -> int:
        """S, bytes of a value."""
        return _SIZES[self.dtype]

    @property
    def integer(self) -> str:
        """The unsigned integer of S bytes, in numpy's words."""
        return f"<u{self.size}"


def read(data: bytes) -> tuple[LapHeader, dict[Key, Array]]:
    """The head and every column that can be read, of shape (rows,), or (rows, width) if it is wider than 1.

    A column with a codec, formula, dtype or section that the page does not know is left out, and so are those
    it predicts. Raises ValueError on anything that the page calls damage.
    """
    header, start = _head(data)
    _within_limits(header)
    parts: dict[Key, list[_Part]] = {}
    for column, block in zip(header.columns, _blocks(header, data[start:]), strict=True):
        _add(parts, header, column, block)
    return header, _Lap(header, parts).columns()


def _check(fine: bool, complaint: str) -> None:
    if not fine:
        raise ValueError(complaint)


# Bytes of the file


def _head(data: bytes) -> tuple[LapHeader, int]:
    """The head, and the offset of the first block."""
    _check(len(data) >= _FIXED and data[:7] == _MAGIC, "no lap file")
    _check(data[7] == 1, f"version {data[7]} is not known")
    stored, unpacked, crc = np.frombuffer(data, "<u4", 3, 8).tolist()
    _check(max(stored, unpacked) <= _MOST_HEAD, "the head is too large")
    _check(len(data) >= _FIXED + stored, "the file ends in its head")
    packed = data[_FIXED : _FIXED + stored]
    _check(zlib.crc32(data[:16] + packed) == crc, "the head fails its CRC")
    try:
        return LapHeader.FromString(_unpack(packed, unpacked)), _FIXED + stored
    except DecodeError as error:
        raise ValueError("the head is no LapHeader") from error


def _unpack(packed: bytes, unpacked: int) -> bytes:
    if len(packed) == unpacked:
        return packed
    try:
        _check(packed[:4] == _ZSTD_FRAME, "no zstd frame")
        _check(zstandard.frame_content_size(packed) == unpacked, "a frame of another size")
        frame = zstandard.ZstdDecompressor().decompressobj()
        data = frame.decompress(packed)
    except zstandard.ZstdError as error:
        raise ValueError(f"a frame that cannot be unpacked: {error}") from error
    _check(frame.eof and not frame.unused_data and len(data) == unpacked, "not exactly one frame")
    return data


def _within_limits(header: LapHeader) -> None:
    columns, rows = header.columns, max(header.samples, header.scorings)
    _check(rows <= _MOST_ROWS, "too many rows")
    _check(len(columns) <= _MOST_COLUMNS, "too many columns")
    _check(rows * sum(column.width for column in columns) <= _MOST_VALUES, "too many values")
    _check(len({(c.section, c.name) for c in columns}) == len(columns), "a channel comes twice")


def _blocks(header: LapHeader, data: bytes) -> list[bytes]:
    """The blocks as they lie in the file, their CRCs checked."""
    end = 0
    for column in header.columns:
        _check(column.offset == end, f"{column.name} does not begin where the one before ends")
        end += column.size
    _check(end == len(data), "the file does not end with its last block")
    blocks = [data[column.offset : column.offset + column.size] for column in header.columns]
    for column, block in zip(header.columns, blocks, strict=True):
        _check(zlib.crc32(block) == column.crc, f"{column.name} fails its CRC")
    return blocks


# From a block to components


def _add(parts: dict[Key, list[_Part]], header: LapHeader, column: Column, block: bytes) -> None:
    """Cut a column's block into components, unless something about it is not known."""
    rows = {1: header.samples, 2: header.scorings}.get(column.section)
    if rows is None or column.dtype not in _SIZES:
        return
    _check(1 <= column.width == len(column.codings) <= _MOST_WIDTH, f"{column.name}: wrong width")
    if all(map(_known, column.codings)):
        block = _unpacked(column, rows, block)
        parts[column.section, column.name] = _cut(column, rows, block)


def _known(coding: Coding) -> bool:
    formula = not coding.HasField("prediction") or coding.prediction.formula in _FORMULAS
    return formula and coding.codec in _CODECS


def _unpacked(column: Column, rows: int, block: bytes) -> bytes:
    most = column.width * (8 * rows + (rows + 7) // 8)
    _check(column.unpacked <= most, f"{column.name} unpacks to too much")
    return _unpack(block, column.unpacked)


def _cut(column: Column, rows: int, block: bytes) -> list[_Part]:
    parts, at = [], 0
    for coding in column.codings:
        end = at + _length(_Part(coding, column.dtype, rows, block[at:]))
        _check(end <= len(block), f"{column.name}: the block is too short")
        parts.append(_Part(coding, column.dtype, rows, block[at:end]))
        at = end
    _check(at == len(block), f"{column.name}: the block is too long")
    return parts


def _length(part: _Part) -> int:
    """Bytes of a component that begins where `part.data` does."""
    coding = part.coding
    if coding.codec in _BARE:
        _check(not (coding.planes or coding.held), "planes or a mask of what has none")
        return part.rows * part.size if coding.codec == archive_pb2.CODEC_RAW else 0
    _check(coding.planes <= part.size, "more planes than a value has bytes")
    if not coding.held:
        return coding.planes * part.rows
    return _mask_bytes(part.rows) + coding.planes * int(_mask(part).sum())


def _mask_bytes(rows: int) -> int:
    return (rows + 7) // 8


def _mask(part: _Part) -> Array:
    """True for the rows that are coded, shape (rows,)."""
    stored = np.frombuffer(part.data[: _mask_bytes(part.rows)], np.uint8)
    _check(len(stored) == _mask_bytes(part.rows), "the block ends in a mask")
    mask = np.unpackbits(stored, count=part.rows, bitorder="little").astype(bool)
    _check(bool(mask[:1].any()), "the first row is not coded")
    return mask


# From a component to residuals


def _residuals(part: _Part) -> Array:
    """Unsigned integers of shape (rows,)."""
    if part.coding.codec == archive_pb2.CODEC_CONSTANT:
        return np.full(part.rows, _first(part))
    if not part.coding.held:
        return _RESIDUALS[part.coding.codec](part, _integers(part, part.data, part.rows))
    mask = _mask(part)
    coded = _integers(part, part.data[_mask_bytes(part.rows) :], int(mask.sum()))
    residuals = _RESIDUALS[part.coding.codec](part, coded)
    return np.asarray(residuals[np.cumsum(mask) - 1])


def _integers(part: _Part, planes: bytes, count: int) -> Array:
    total = np.zeros(count, part.integer)
    for plane in range(part.coding.planes):
        total += np.frombuffer(planes, np.uint8, count, plane * count).astype(part.integer) << 8 * plane
    return total


def _first(part: _Part) -> Any:
    """F; of no consequence where there are no rows."""
    if not part.rows:
        return np.dtype(part.integer).type(0)
    _check(len(part.coding.value) == part.size, "a first residual of the wrong size")
    return np.frombuffer(part.coding.value, part.integer)[0]


def _unfold(z: Array) -> Array:
    one = z.dtype.type(1)
    return np.asarray((z >> one) ^ (np.zeros_like(z) - (z & one)))


def _summed(values: Array) -> Array:
    return np.cumsum(values, dtype=values.dtype)


def _direct(_: _Part, z: Array) -> Array:
    return _unfold(z)


def _delta(part: _Part, z: Array) -> Array:
    return np.asarray(_first(part) + _summed(_unfold(z)))


def _delta_of_delta(part: _Part, z: Array) -> Array:
    return np.asarray(_first(part) + _summed(_summed(_unfold(z))))


def _xor(part: _Part, z: Array) -> Array:
    return np.asarray(np.bitwise_xor.accumulate(z) ^ _first(part), z.dtype)


_RESIDUALS: Final[dict[int, Callable[[_Part, Array], Array]]] = {
    archive_pb2.CODEC_XOR: _xor,
    archive_pb2.CODEC_DELTA: _delta,
    archive_pb2.CODEC_DELTA_OF_DELTA: _delta_of_delta,
    archive_pb2.CODEC_DIRECT: _direct,
}
_BARE: Final = {archive_pb2.CODEC_CONSTANT, archive_pb2.CODEC_RAW}
"""Codecs without planes."""
_CODECS: Final = _BARE | _RESIDUALS.keys()


# From residuals to values


class _Lap:
    """The components of a file by section, channel and place, turned into values: neighbours come first."""

    def __init__(self, header: LapHeader, parts: dict[Key, list[_Part]]) -> None:
        self._parts = parts
        self._widths = {(column.section, column.name): column.width for column in header.columns}
        self._steps: dict[tuple[Key, int], int] = {}
        self._values: dict[tuple[Key, int], Array] = {}

    def columns(self) -> dict[Key, Array]:
        """Every column that can be read."""
        for key, parts in self._parts.items():
            for c in range(len(parts)):
                self._count_steps(key, c)
        found = {key: self._column(key) for key in self._parts}
        return {key: values for key, values in found.items() if values is not None}

    def _count_steps(self, key: Key, c: int) -> int:
        """Steps from a component down to one without a prediction; a circle meets itself as one too deep."""
        _check(c < self._widths.get(key, 0), f"there is no {key[1]}[{c}] to predict from")
        if (key, c) not in self._steps:
            self._steps[key, c] = _MOST_STEPS
            below = [self._count_steps(*neighbour) for neighbour in self._neighbours(key, c)]
            self._steps[key, c] = 1 + max(below) if below else 0
            _check(self._steps[key, c] <= _MOST_STEPS, f"{key[1]} is predicted by way of too many")
        return self._steps[key, c]

    def _neighbours(self, key: Key, c: int) -> list[tuple[Key, int]]:
        if key not in self._parts:
            return []
        neighbours = self._parts[key][c].coding.prediction.neighbours
        return [((key[0], neighbour.channel), neighbour.component) for neighbour in neighbours]

    def _column(self, key: Key) -> Array | None:
        """None where a neighbour cannot be read."""
        try:
            components = [self._component(key, c) for c in range(len(self._parts[key]))]
        except _Unknown:
            return None
        return components[0] if len(components) == 1 else np.stack(components, axis=1)

    def _component(self, key: Key, c: int) -> Array:
        if key not in self._parts:
            raise _Unknown
        if (key, c) not in self._values:
            neighbours = [self._component(*neighbour) for neighbour in self._neighbours(key, c)]
            self._values[key, c] = _decode(self._parts[key][c], neighbours)
        return self._values[key, c]


def _decode(part: _Part, neighbours: list[Array]) -> Array:
    coding, floats = part.coding, part.dtype in ("<f4", "<f8")
    raw, predicted = coding.codec == archive_pb2.CODEC_RAW, coding.HasField("prediction")
    _check((floats and not raw) or not (predicted or coding.grid), "a grid or a prediction where none can be")
    _check(not (predicted and coding.grid), "a grid and a prediction")
    if raw:
        return _whole(np.frombuffer(part.data, part.integer), part.dtype)
    image = _residuals(part)
    if coding.grid:
        return _on_grid(image.view(f"<i{part.size}"), coding.grid, part.dtype)
    if predicted:
        image = image + _turned(_foretold(coding.prediction, neighbours, part.dtype).view(part.integer))
    return _whole(_turned(image) if floats else image, part.dtype)


def _on_grid(numbers: Array, grid: float, dtype: str) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray((numbers.astype("<f8") / grid).astype(dtype))


def _whole(bits: Array, dtype: str) -> Array:
    _check(dtype != "|b1" or not (bits > 1).any(), "a flag that is neither 0 nor 1")
    return bits.view(dtype)


def _turned(bits: Array) -> Array:
    """From a float's bits to its image, and from the image to its bits."""
    sign = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    return np.where(bits & sign, bits ^ (sign - bits.dtype.type(1)), bits)


def _foretold(prediction: Prediction, neighbours: list[Array], dtype: str) -> Array:
    formula, fewest, most, factors = _FORMULAS[prediction.formula]
    _check(fewest <= len(neighbours) <= most, "a formula with another number of neighbours")
    _check(len(prediction.factors) == factors * (len(neighbours) + 1), "another number of factors")
    with np.errstate(all="ignore"):
        values = formula([values.astype("<f8") for values in neighbours], list(prediction.factors))
        return np.where(np.isnan(values), 0.0, values).astype(dtype)


def _linear(neighbours: list[Array], factors: list[float]) -> Array:
    total = neighbours[0] * factors[1] + factors[0]
    for values, factor in zip(neighbours[1:], factors[2:], strict=True):
        total = total + values * factor
    return total


def _squares(neighbours: list[Array]) -> Array:
    total = neighbours[0] * neighbours[0]
    for values in neighbours[1:]:
        total = total + values * values
    return total


def _norm(neighbours: list[Array], _: list[float]) -> Array:
    return np.asarray(np.sqrt(_squares(neighbours)))


def _unit(neighbours: list[Array], _: list[float]) -> Array:
    return np.asarray(np.sqrt(1.0 - _squares(neighbours)))


def _cross(neighbours: list[Array], _: list[float]) -> Array:
    a, b, c, d = neighbours
    return np.asarray(a * b - c * d)


def _orthogonal(neighbours: list[Array], _: list[float]) -> Array:
    a, b, c, d, e = neighbours
    return np.asarray(-(a * b + c * d) / e)


class _Rule(NamedTuple):
    """A formula, the fewest and the most neighbours it takes, and whether it has factors."""

    predict: Callable[[list[Array], list[float]], Array]
    fewest: int
    most: int
    factors: bool = False


_FORMULAS: Final[dict[int, _Rule]] = {
    archive_pb2.FORMULA_LINEAR: _Rule(_linear, 1, 15, factors=True),
    archive_pb2.FORMULA_NORM: _Rule(_norm, 1, 16),
    archive_pb2.FORMULA_UNIT: _Rule(_unit, 1, 16),
    archive_pb2.FORMULA_CROSS: _Rule(_cross, 4, 4),
    archive_pb2.FORMULA_ORTHOGONAL: _Rule(_orthogonal, 5, 5),
}
