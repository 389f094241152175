"""Bombs: small files that claim to be large are refused, or read in the memory and time of a real lap."""

import contextlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

from rig.errors import Corrupt, Exhausted
from rig.lapfile import (
    COLUMNS_LIMIT,
    DECODE_BYTES,
    DECODED_LIMIT,
    FILE_LIMIT,
    HEAD_LIMIT,
    ROWS_LIMIT,
    SAMPLES,
    TOGETHER_LIMIT,
    WORK_LIMIT,
    LapFile,
    blocks,
    pack,
)
from rig.v1 import archive_pb2
from tests.rig.laps import drive, header, same

MIB = 1 << 20
ROOM = 320 * MIB
"""Memory that a reader of a whole file may take, next to the interpreter: `TOGETHER_LIMIT` unpacked, decoded
and on the way, and a head.
"""

READER = """
import resource, sys
from rig.errors import Corrupt
from rig.lapfile import LapFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with LapFile.open(sys.argv[1]) as lap:
        lap.verify()
    said = "sound"
except Corrupt as error:
    said = error.message
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10, said)
"""


def bomb(head: archive_pb2.LapHeader, block: bytes = b"") -> bytes:
    """A file whose columns all have that block, with a head that is sound in itself."""
    for at, column in enumerate(head.columns):
        column.offset, column.size, column.crc = at * len(block), len(block), zlib.crc32(block)
    data = head.SerializeToString()
    stored = zstandard.compress(data)
    start = struct.pack("<7sBII", b"\x89rigLAP", 1, len(stored), len(data))
    crc = struct.pack("<I", zlib.crc32(stored, zlib.crc32(start)))
    return start + crc + stored + block * len(head.columns)


def columns(count: int, width: int, rows: int, *, predicted: bool = False) -> bytes:
    """Doubles that never change but are coded as if they did; predicted ones from the first column."""
    head = archive_pb2.LapHeader(samples=rows)
    for number in range(count):
        column = head.columns.add(name=f"c{number}", section=SAMPLES, dtype="<f8", width=width)
        column.unpacked = width * rows
        for _ in range(width):
            coding = column.codings.add(codec=blocks.DELTA, value=bytes(8), planes=1)
            if predicted and number:
                coding.prediction.formula = archive_pb2.FORMULA_NORM
                for component in range(16):
                    coding.prediction.neighbours.add(channel="c0", component=component)
    return bomb(head, zstandard.compress(bytes(width * rows)))


def read(path: Path, data: bytes) -> tuple[int, str]:
    """Memory that a process of its own took to read the file, bytes, and what it said."""
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    taken, _, said = done.stdout.strip().partition(" ")
    return int(taken), said


@pytest.mark.parametrize(
    ("count", "width", "rows", "said"),
    [
        (1, 1, ROWS_LIMIT + 1, f"{ROWS_LIMIT} is the limit"),
        (1, 1, (1 << 32) - 1, f"{ROWS_LIMIT} is the limit"),
        (COLUMNS_LIMIT + 1, 1, 1, f"{COLUMNS_LIMIT} is the limit"),
        (COLUMNS_LIMIT, 1, ROWS_LIMIT, f"{DECODED_LIMIT} is the limit"),
        (16, 64, ROWS_LIMIT // 2, f"{DECODED_LIMIT} is the limit"),
        (1, 65, 1000, "1 to 64"),
        (1, 64, ROWS_LIMIT, f"{TOGETHER_LIMIT} is the limit"),
    ],
)
def test_claims_beyond_the_limits_cost_nothing(
    tmp_path: Path, count: int, width: int, rows: int, said: str
) -> None:
    head = archive_pb2.LapHeader(samples=rows)
    for number in range(count):
        column = head.columns.add(name=f"c{number}", section=SAMPLES, dtype="<f8", width=width)
        for _ in range(min(width, 70)):
            column.codings.add(codec=blocks.DELTA, value=bytes(8), planes=1)
    taken, found = read(tmp_path / "claims.lap", bomb(head))
    assert said in found
    assert taken < 32 * MIB


def test_the_largest_claim_within_the_limits_is_read_a_part_at_a_time(tmp_path: Path) -> None:
    count = DECODED_LIMIT // (8 * ROWS_LIMIT)
    data = columns(count, 1, ROWS_LIMIT)
    assert len(data) < 40_000
    taken, said = read(tmp_path / "large.lap", data)
    assert said == "sound"
    assert taken < 96 * MIB


def test_the_most_that_needs_one_another_stays_within_the_room(tmp_path: Path) -> None:
    data = columns(TOGETHER_LIMIT // (8 * ROWS_LIMIT), 1, ROWS_LIMIT)
    head = LapFile(data).header
    for column in head.columns[1:]:
        prediction = column.codings[0].prediction
        prediction.formula = archive_pb2.FORMULA_NORM
        prediction.neighbours.add(channel="c0")
    taken, said = read(tmp_path / "kin.lap", bomb(head, zstandard.compress(bytes(ROWS_LIMIT))))
    assert said == "sound"
    assert taken < ROOM


def test_neighbours_decoded_again_and_again_are_refused(tmp_path: Path) -> None:
    """A thousand narrow columns that each need a wide one make 64 GB of values out of 200 MB."""
    head = archive_pb2.LapHeader(samples=20_000)
    for number in range(COLUMNS_LIMIT):
        width = 16 if not number else 1
        column = head.columns.add(name=f"c{number}", section=SAMPLES, dtype="<f8", width=width)
        for _ in range(width):
            coding = column.codings.add(codec=blocks.DELTA, value=bytes(8), planes=1)
            if number:
                coding.prediction.formula = archive_pb2.FORMULA_NORM
                for component in range(16):
                    coding.prediction.neighbours.add(channel="c0", component=component)
    taken, said = read(tmp_path / "again.lap", bomb(head))
    assert f"{WORK_LIMIT} is the limit" in said
    assert taken < 64 * MIB


@pytest.mark.parametrize("field", [5, 6, 7])
def test_a_head_of_a_million_empty_messages_stays_within_the_room(tmp_path: Path, field: int) -> None:
    data = bytes([field << 3 | 2, 0]) * (HEAD_LIMIT // 2)
    stored = zstandard.compress(data)
    start = struct.pack("<7sBII", b"\x89rigLAP", 1, len(stored), len(data))
    crc = struct.pack("<I", zlib.crc32(stored, zlib.crc32(start)))
    taken, _ = read(tmp_path / "empty.lap", start + crc + stored)
    assert taken < ROOM


@pytest.mark.parametrize("window_log", [27, 30])
def test_a_frame_with_a_huge_window_takes_what_it_holds(window_log: int) -> None:
    settings = zstandard.ZstdCompressionParameters(window_log=window_log, write_content_size=True)
    frame = zstandard.ZstdCompressor(compression_params=settings).compress(bytes(100_000))
    with contextlib.suppress(Corrupt):  # refused is as good
        assert blocks.unpacked(frame, 100_000) == bytes(100_000)


@pytest.mark.parametrize("size", [None, 10, 1 << 40])
def test_a_frame_that_does_not_say_its_size_or_another_is_corrupt(size: int | None) -> None:
    frame = zstandard.ZstdCompressor(write_content_size=size is not None).compress(bytes(100_000))
    with pytest.raises(Corrupt, match="zstd frame"):
        blocks.unpacked(frame, size or 100_000)


def test_a_frame_in_a_frame_is_what_the_outer_one_holds() -> None:
    inner = zstandard.compress(bytes(1 << 26))
    frame = zstandard.compress(inner)
    assert blocks.unpacked(frame, len(inner)) == inner
    with pytest.raises(Corrupt, match="zstd frame"):
        blocks.unpacked(frame + frame, len(inner))


def test_a_lap_that_is_decoded_in_parts_is_the_same_lap() -> None:
    rows = 30_000
    samples = {name: np.resize(values, (rows, *values.shape[1:])) for name, values in drive().items()}
    lap = LapFile(pack(header(), samples, {}, plain=True))
    lap.verify()
    parts = list(lap.portions(most=1 << 20))
    assert len(parts) > 1
    assert same({name: values for part in parts for name, values in part.items()}, lap.columns())
    assert [name for part in parts for name in part] == lap.channels()
    assert sum(values.nbytes for values in parts[0].values()) <= 1 << 20 < DECODE_BYTES < FILE_LIMIT


def test_a_head_that_no_reader_would_take_is_not_written() -> None:
    head = header()
    head.events.extend([archive_pb2.LapHeader().events.add(seq=1 << 60)] * (HEAD_LIMIT // 10))
    with pytest.raises(Exhausted, match=str(HEAD_LIMIT)):
        pack(head, {}, {})
