"""A second reader of lap files, written from ARCHIVE.md alone: one number at a time, without numpy."""

import math
import struct
import zlib
from typing import NamedTuple

import zstandard

from rig.v1 import archive_pb2

LETTER = {"<f4": "f", "<f8": "d", "<i4": "i", "<u4": "I", "<u8": "Q", "|b1": "?"}
SIZE = {"<f4": 4, "<f8": 8, "<i4": 4, "<u4": 4, "<u8": 8, "|b1": 1}


class Component(NamedTuple):
    coding: archive_pb2.Coding
    dtype: str
    data: bytes


def read(file: bytes, section: int) -> dict[str, list[list[bytes]]]:
    """Channel name -> component -> the bytes of each row's value."""
    assert file[:8] == b"\x89rigLAP\x01"
    stored, plain, crc = struct.unpack_from("<III", file, 8)
    assert zlib.crc32(file[:16] + file[20 : 20 + stored]) == crc
    head = archive_pb2.LapHeader.FromString(unpack(file[20 : 20 + stored], plain))
    rows = head.samples if section == archive_pb2.SECTION_SAMPLES else head.scorings
    todo: dict[tuple[str, int], Component] = {}
    at = 20 + stored
    for column in head.columns:
        block = file[at : at + column.size]
        assert zlib.crc32(block) == column.crc
        if column.section == section:
            todo |= cut(column, unpack(block, column.unpacked), rows)
        at += column.size
    assert at == len(file)
    done: dict[tuple[str, int], list[bytes]] = {}
    for key in todo:
        solve(key, todo, done, rows)
    mine = [column for column in head.columns if column.section == section]
    return {column.name: [done[column.name, c] for c in range(column.width)] for column in mine}


def unpack(data: bytes, size: int) -> bytes:
    if len(data) == size:
        return data
    assert zstandard.get_frame_parameters(data).content_size == size
    return zstandard.decompress(data)


def cut(column: archive_pb2.Column, block: bytes, rows: int) -> dict[tuple[str, int], Component]:
    out, at, size = {}, 0, SIZE[column.dtype]
    for number, coding in enumerate(column.codings):
        mask = (rows + 7) // 8 if coding.held else 0
        count = sum(map(int.bit_count, block[at : at + mask])) if coding.held else rows
        end = at + mask + count * (size if coding.codec == archive_pb2.CODEC_RAW else coding.planes)
        out[column.name, number] = Component(coding, column.dtype, block[at:end])
        at = end
    assert at == len(block)
    return out


def solve(
    key: tuple[str, int],
    todo: dict[tuple[str, int], Component],
    done: dict[tuple[str, int], list[bytes]],
    rows: int,
) -> None:
    if key in done:
        return
    coding, dtype, data = todo[key]
    size, letter = SIZE[dtype], "<" + LETTER[dtype]
    if coding.codec == archive_pb2.CODEC_RAW:
        done[key] = [data[size * row : size * (row + 1)] for row in range(rows)]
        return
    found = residuals(coding, data, rows, size)
    if coding.grid:
        done[key] = [struct.pack(letter, signed(r, size) / coding.grid) for r in found]
        return
    guesses = [b""] * rows
    if coding.HasField("prediction"):
        keys = [(it.channel, it.component) for it in coding.prediction.neighbours]
        for other in keys:
            solve(other, todo, done, rows)
        kinds = ["<" + LETTER[todo[other].dtype] for other in keys]
        table = [[struct.unpack(k, v)[0] for v in done[o]] for k, o in zip(kinds, keys, strict=True)]
        guesses = [
            packed(predicted(coding.prediction, list(row)), letter) for row in zip(*table, strict=True)
        ]
    done[key] = [value(r, guess, size, dtype) for r, guess in zip(found, guesses, strict=True)]


def value(residual: int, guess: bytes, size: int, dtype: str) -> bytes:
    top = 1 << (8 * size)
    if guess:
        residual = (residual + image(int.from_bytes(guess, "little"), size)) % top
    return (image(residual, size) if dtype[1] == "f" else residual).to_bytes(size, "little")


def image(bits: int, size: int) -> int:
    sign = 1 << (8 * size - 1)
    return bits ^ (sign - 1) if bits & sign else bits


def signed(number: int, size: int) -> int:
    return number - (1 << 8 * size) if number >> (8 * size - 1) else number


def residuals(coding: archive_pb2.Coding, data: bytes, rows: int, size: int) -> list[int]:
    first = int.from_bytes(coding.value, "little")
    if coding.codec == archive_pb2.CODEC_CONSTANT or not rows:
        return [first] * rows
    if not coding.held:
        return coded(coding, data, rows, first, size)
    mask, data = data[: (rows + 7) // 8], data[(rows + 7) // 8 :]
    kept = iter(coded(coding, data, len(data) // coding.planes, first, size))
    out: list[int] = []
    for row in range(rows):
        out.append(next(kept) if mask[row // 8] >> row % 8 & 1 else out[-1])
    return out


def coded(coding: archive_pb2.Coding, data: bytes, count: int, first: int, size: int) -> list[int]:
    out: list[int] = []
    step, top = 0, 1 << (8 * size)
    for i in range(count):
        z = sum(data[plane * count + i] << 8 * plane for plane in range(coding.planes))
        unfolded = -(z + 1) // 2 if z % 2 else z // 2
        before = out[-1] if out else first
        if coding.codec == archive_pb2.CODEC_XOR:
            out.append(before ^ z)
        elif coding.codec == archive_pb2.CODEC_DIRECT:
            out.append(unfolded % top)
        else:
            step = unfolded + (step if coding.codec == archive_pb2.CODEC_DELTA_OF_DELTA else 0)
            out.append((before + step) % top)
    return out


def predicted(prediction: archive_pb2.Prediction, a: list[float]) -> float:
    f = prediction.factors
    try:
        match prediction.formula:
            case archive_pb2.FORMULA_LINEAR:
                out = a[0] * f[1] + f[0]
                for source, factor in zip(a[1:], f[2:], strict=True):
                    out = out + source * factor
                return out
            case archive_pb2.FORMULA_NORM:
                return math.sqrt(squares(a))
            case archive_pb2.FORMULA_UNIT:
                return math.sqrt(1.0 - squares(a))
            case archive_pb2.FORMULA_CROSS:
                return a[0] * a[1] - a[2] * a[3]
        return -(a[0] * a[1] + a[2] * a[3]) / a[4]
    except ValueError:  # the root of a negative number
        return math.nan


def squares(a: list[float]) -> float:
    out = a[0] * a[0]
    for one in a[1:]:
        out = out + one * one
    return out


def packed(number: float, letter: str) -> bytes:
    try:
        return struct.pack(letter, 0.0 if math.isnan(number) else number)
    except OverflowError:
        return struct.pack(letter, math.copysign(math.inf, number))
