"""Numbers to bytes and back: ordered images, folded differences, byte planes, zstd. ARCHIVE.md says it step
by step.

Arrays hold components, shape (rows,) or (components, rows): one call serves all components that are coded
alike, which is what makes decoding fast.
"""

import threading
from typing import Any, Final, TypeAlias

import numpy as np
import zstandard

from rig.errors import Corrupt
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Codec: TypeAlias = "archive_pb2.Codec.ValueType"

CONSTANT: Final = archive_pb2.CODEC_CONSTANT
RAW: Final = archive_pb2.CODEC_RAW
XOR: Final = archive_pb2.CODEC_XOR
DELTA: Final = archive_pb2.CODEC_DELTA
DELTA_OF_DELTA: Final = archive_pb2.CODEC_DELTA_OF_DELTA
DIRECT: Final = archive_pb2.CODEC_DIRECT

LEVEL: Final = 7
"""Of zstd. A lap is 0.7 % smaller than at level 3, for a tenth more time; 9 gains 0.2 % and costs a third."""


class _Zstd(threading.local):
    """A pair for each thread: they let go of the interpreter at work, and two threads in one spoil both."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
        self.unpacker = zstandard.ZstdDecompressor()


_zstd: Final = _Zstd()

_SMALLEST: Final = [np.dtype(f"<u{size}") for size in (1, 1, 2, 4, 4, 8, 8, 8, 8)]
"""Integer types by the number of planes they hold."""

_UNSIGNED: Final = {size: np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
_SIGNED: Final = {size: np.dtype(f"<i{size}") for size in (1, 2, 4, 8)}
"""Integers by their bytes: reading a type's name costs as much as turning a hundred values."""
_LARGEST: Final = {size: np.iinfo(dtype).max for size, dtype in _SIGNED.items()}


def unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the integer type of the same size."""
    return _UNSIGNED[dtype.itemsize]


def signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the integer type of the same size that has a sign."""
    return _SIGNED[dtype.itemsize]


def image(values: Array) -> Array:
    """Return unsigned integers of the same size, in two's complement ordered as the floats are.

    Integers and flags are their own image. Of a negative float all bits but the sign are turned over, so the
    same step leads back.
    """
    size = values.dtype.itemsize
    if values.dtype.kind != "f":
        return values.view(_UNSIGNED[size])
    bits = values.view(_SIGNED[size])
    mask = bits >> (8 * size - 1)
    mask &= _LARGEST[size]
    mask ^= bits
    return mask.view(_UNSIGNED[size])


def number(images: Array, dtype: np.dtype[Any]) -> Array:
    """Undo `image`. Raises Corrupt for a flag that is neither 0 nor 1."""
    if dtype.kind == "f":
        images = image(images.view(dtype))
    elif dtype.kind == "b" and images.size and images.max() > 1:
        raise Corrupt("a flag is neither 0 nor 1")
    return images.view(dtype)


def folded(differences: Array) -> Array:
    """Return small numbers of either sign as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3."""
    bits = 8 * differences.dtype.itemsize
    signed = differences.view(f"<i{bits // 8}")
    folds: Array = ((signed << 1) ^ (signed >> (bits - 1))).view(differences.dtype)
    return folds


def unfolded(folds: Array) -> Array:
    """Undo `folded`, in place."""
    one = folds.dtype.type(1)
    sign = folds & one
    np.negative(sign, out=sign)
    folds >>= one
    folds ^= sign
    return folds


def steps(numbers: Array) -> Array:
    """Return each number less the one before, the first less itself; wraps around."""
    out = np.zeros_like(numbers)
    np.subtract(numbers[..., 1:], numbers[..., :-1], out=out[..., 1:])
    return out


def coded(residuals: Array, codec: Codec) -> Array:
    """Return residuals as the numbers of a codec, which are small where the codec suits.

    The first is 0, but for DIRECT: it is kept beside them, for it is the one that is never small.
    """
    if codec == XOR:
        out = np.zeros_like(residuals)
        np.bitwise_xor(residuals[..., 1:], residuals[..., :-1], out=out[..., 1:])
        return out
    if codec in (DELTA, DELTA_OF_DELTA):
        residuals = steps(residuals)
    if codec == DELTA_OF_DELTA:
        residuals[..., 1:] = steps(residuals)[..., 1:]
    return folded(residuals)


def uncoded(numbers: Array, codec: Codec, first: Array) -> Array:
    """Undo `coded`; uses up `numbers`, shape (components, rows), of any size.

    `first` are the first residuals, shape (components,), of the size wanted; none for DIRECT.
    """
    if codec == XOR:
        out = numbers.astype(first.dtype)
        out[:, 0] ^= first
        return np.asarray(np.bitwise_xor.accumulate(out, axis=1, out=out))
    # Unfolding bytes and then widening them takes a third of the time of the other order, and numpy adds up
    # signed numbers in half the time of unsigned ones. Both wrap around.
    out = _widened(unfolded(numbers), first.dtype)
    if codec == DELTA_OF_DELTA:
        np.add.accumulate(out, axis=1, dtype=out.dtype, out=out)
    if codec in (DELTA, DELTA_OF_DELTA):
        out[:, 0] += first.view(out.dtype)
        np.add.accumulate(out, axis=1, dtype=out.dtype, out=out)
    return out.view(first.dtype)


def _widened(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """Return two's complement of more bytes, signed."""
    return numbers.view(signed(numbers.dtype)).astype(signed(dtype), copy=False)


def planes(numbers: Array) -> list[list[bytes]]:
    """Return the byte planes of each component, shape (components, rows): the lowest bytes of all numbers,
    then the next, as many as it takes.
    """
    used = [max(1, (int(most).bit_length() + 7) // 8) for most in numbers.max(axis=1)]
    out: list[list[bytes]] = [[] for _ in used]
    for plane in range(max(used)):
        # Shifting is faster than a transposed copy of bytes.
        low = (numbers >> numbers.dtype.type(8 * plane) if plane else numbers).astype(np.uint8)
        for own, count, row in zip(out, used, low, strict=True):
            if plane < count:
                own.append(row.tobytes())
    return out


def unplaned(data: bytes, count: int, rows: int) -> Array:
    """Undo `planes` for components of `count` planes each, shape (components, rows), in the
    smallest type that holds them.
    """
    dtype = _SMALLEST[count]
    shuffled = np.frombuffer(data, np.uint8).reshape(-1, count, rows)
    # Shifting in whole planes is ten times as fast as a transposed copy of bytes.
    out = shuffled[:, -1].astype(dtype)
    for plane in range(count - 2, -1, -1):
        out <<= dtype.type(8)
        out |= shuffled[:, plane]
    return out


def packed(planes: list[bytes]) -> bytes:
    """Return one zstd frame, or the joined planes as they are where that saves nothing.

    Each plane is a block of its own within the frame: planes differ so much that common statistics would cost
    5 %.
    """
    plain = b"".join(planes)
    frame = _zstd.packer.compressobj(size=len(plain))
    parts: list[bytes] = []
    for plane in planes:
        parts += frame.compress(plane), frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    parts.append(frame.flush())
    small = b"".join(parts)
    return small if len(small) < len(plain) else plain


def unpacked(data: bytes, size: int) -> bytes:
    """Undo `packed` to `size` bytes. Raises Corrupt."""
    if len(data) == size:
        return data
    try:
        held = zstandard.frame_content_size(data)
        if held != size:
            raise Corrupt(f"the zstd frame holds {held} bytes instead of {size}")
        return _zstd.unpacker.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(f"the zstd frame is broken: {error}") from error
