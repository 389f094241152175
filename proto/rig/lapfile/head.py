"""The head of a lap file: what is inside, within which limits. ARCHIVE.md is the format."""

import struct
import zlib
from collections.abc import Callable
from typing import Final, TypeAlias

from rig import parse
from rig.errors import Corrupt, Exhausted, Newer
from rig.lapfile import blocks, components
from rig.v1 import archive_pb2

Section: TypeAlias = "archive_pb2.Section.ValueType"
Read = Callable[[int, int], bytes]
"""Gives so many bytes at a place of the file."""

SAMPLES: Final = archive_pb2.SECTION_SAMPLES
SCORINGS: Final = archive_pb2.SECTION_SCORING
RECORDED: Final = archive_pb2.SECTION_RECORDED

MAGIC: Final = b"\x89rigLAP"
VERSION: Final = 1
_START: Final = struct.Struct("<7sBII")
"""Magic, version, bytes of the head as it lies there, bytes of the head once unpacked."""
_CRC: Final = struct.Struct("<I")
START_BYTES: Final = _START.size + _CRC.size

HEAD_LIMIT: Final = 1 << 21
"""Bytes of a head: thirty thousand events. Empty messages take 46 times their bytes, 90 MB in all."""
ROWS_LIMIT: Final = 1 << 18
"""Rows of a section: an hour and a half at 50 Hz, eleven minutes at 400 Hz."""
COLUMNS_LIMIT: Final = 1024
DECODED_LIMIT: Final = 1 << 28
"""Bytes of all values: `ROWS_LIMIT` rows of all channels of today are 240 MB."""
TOGETHER_LIMIT: Final = 1 << 26
"""Bytes of the values that need one another: of today's channels 132 a row, 35 MB in the longest lap."""
WORK_LIMIT: Final = 1 << 30
"""Bytes of the values that come up when every channel is read by itself, with all that it is predicted from:
of today's channels it is 1.1 times the values.
"""
FILE_LIMIT: Final = DECODED_LIMIT + HEAD_LIMIT
"""Bytes of a file: no block is longer than its values, but for a bit a row."""


def version_of(start: bytes) -> int:
    """Return the version of the lap file with these first START_BYTES. Raises Corrupt for no lap file."""
    if len(start) < START_BYTES or not start.startswith(MAGIC):
        raise Corrupt(f"this is no lap file: it does not begin with {MAGIC!r}")
    return int(_START.unpack_from(start)[1])


def beginning(head: archive_pb2.LapHeader) -> bytes:
    """Return what stands before the blocks, whose offsets are set by their sizes."""
    at = 0
    for column in head.columns:
        column.offset = at
        at += column.size
    data = head.SerializeToString(deterministic=True)
    if len(data) > HEAD_LIMIT:
        raise Exhausted(f"a head of {len(data)} bytes, a lap file holds {HEAD_LIMIT}", limit=HEAD_LIMIT)
    stored = blocks.packed([data])
    start = _START.pack(MAGIC, VERSION, len(stored), len(data))
    crc = _CRC.pack(zlib.crc32(stored, zlib.crc32(start)))
    return b"".join([start, crc, stored])


def read_head(read: Read, size: int) -> tuple[archive_pb2.LapHeader, int]:
    """Return the head, and where the blocks begin."""
    start = read(0, START_BYTES)
    if MAGIC[: len(start)] != start[: len(MAGIC)] or not start:
        raise Corrupt(f"this is no lap file: it does not begin with {MAGIC!r}")
    if len(start) < START_BYTES:
        raise Corrupt(f"the file ends after {size} bytes, within the first {START_BYTES}")
    _, version, stored, plain = _START.unpack_from(start)
    if version > VERSION:
        raise Newer(
            f"written by a newer version: the file has version {version}, this program reads {VERSION}",
            hint="read it with that version",
        )
    if version != VERSION:
        raise Corrupt(f"the file has version {version}, this program reads {VERSION}")
    if max(stored, plain) > HEAD_LIMIT:
        raise Corrupt(f"the file claims a head of {max(stored, plain)} bytes, {HEAD_LIMIT} is the limit")
    data = read(START_BYTES, stored)
    if len(data) != stored:
        raise Corrupt(f"the file ends after {size} bytes, within a head of {stored}")
    if zlib.crc32(data, zlib.crc32(start[: _START.size])) != _CRC.unpack_from(start, _START.size)[0]:
        raise Corrupt("the head is not what was written: its CRC-32 differs")
    header = parse.message(archive_pb2.LapHeader, blocks.unpacked(data, plain))
    return header, START_BYTES + stored


def check_head(head: archive_pb2.LapHeader, size: int) -> None:
    """Raise Corrupt unless the head agrees with itself and with the `size` bytes after it."""
    if max(head.samples, head.scorings) > ROWS_LIMIT:
        raise Corrupt(f"the head claims {max(head.samples, head.scorings)} rows, {ROWS_LIMIT} is the limit")
    if len(head.columns) > COLUMNS_LIMIT:
        raise Corrupt(f"the head claims {len(head.columns)} columns, {COLUMNS_LIMIT} is the limit")
    if len({(column.section, column.name) for column in head.columns}) < len(head.columns):
        raise Corrupt("the head names a column twice")
    at = 0
    for column in head.columns:
        if column.offset != at:
            raise Corrupt(f"the block of {column.name} begins at {column.offset} instead of {at}")
        at += column.size
    if at != size:
        raise Corrupt(f"the blocks have {size} bytes, the head says {at}")


def checked_values(head: archive_pb2.LapHeader) -> int:
    """Return bytes of all values, which are no more than a lap can have."""
    values = sum(value_bytes(head, column) for column in head.columns)
    if values > DECODED_LIMIT:
        raise Corrupt(f"the head claims {values} bytes of values, {DECODED_LIMIT} is the limit")
    return values


def value_bytes(head: archive_pb2.LapHeader, column: archive_pb2.Column) -> int:
    """Return bytes of a column's values."""
    rows = head.scorings if column.section == SCORINGS else head.samples
    return rows * column.width * components.size_of(column)
