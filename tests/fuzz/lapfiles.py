"""Lap files, and what client and server make of them."""

import struct
import zlib
from functools import cache, partial
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from rig.channels import DTYPES
from rig.errors import MissingChannel
from rig.lapfile import MAGIC, ROWS_LIMIT, SAMPLES, SCORINGS, VERSION, LapFile, blocks, components, pack
from rig.v1 import archive_pb2, laps_pb2
from rigd.serve.laps import lapdata
from riglap.lap import Lap, plain_rows
from tests.fuzz.target import Target
from tests.rig.laps import CHANNELS, SCORING_CHANNELS, drive, header, table
from tests.store import lap_store

_START = struct.Struct("<7sBIII")
_SIZE = struct.Struct("<I")
_FEW_ROWS = 3000
"""A constant of a million rows takes a header of 30 bytes and seconds to look at."""


@cache
def _files() -> list[bytes]:
    """A drive, columns of every style, and no rows at all."""
    return [
        pack(header(), drive(60), lap_store.scoring()),
        pack(header(), table(CHANNELS, sorted(CHANNELS)[::9], 20, 1), {}),
        pack(header(), {}, table(SCORING_CHANNELS, sorted(SCORING_CHANNELS)[::4], 9, 2), plain=True),
        pack(header(), lap_store.samples(12), lap_store.scoring(3), plain=True),
        pack(header(), {}, {}),
    ]


def _laid_open(file: bytes) -> bytes:
    """A file in the form that `_meant` takes."""
    head, stored = LapFile(file).header, _START.unpack_from(file)[2]
    data = head.SerializeToString(deterministic=True)
    return _SIZE.pack(len(data)) + data + file[_START.size + stored :]


def _meant(data: bytes) -> bytes:
    """A file of these bytes whose checks hold: somebody meant it. First the size of the head, then the head,
    then the blocks.
    """
    size = int.from_bytes(data[:4], "little")
    head, tail = data[4 : 4 + size], data[4 + size :]
    try:
        parsed = archive_pb2.LapHeader.FromString(head)
    except DecodeError:
        return _framed(head, tail)
    parsed.samples, parsed.scorings = parsed.samples % _FEW_ROWS, parsed.scorings % _FEW_ROWS
    for column in parsed.columns:
        column.crc = zlib.crc32(tail[column.offset : column.offset + column.size])
    return _framed(parsed.SerializeToString(), tail)


def _framed(head: bytes, tail: bytes) -> bytes:
    start = struct.pack("<7sBII", MAGIC, VERSION, len(head), len(head))
    return start + _SIZE.pack(zlib.crc32(start + head)) + head + tail


def _read(data: bytes) -> None:
    """All columns are what the head says; a cut of them holds the same."""
    file = LapFile(data)
    for section, rows in ((SAMPLES, file.header.samples), (SCORINGS, file.header.scorings)):
        for name, values in file.columns((), section).items():
            column = next(c for c in file.header.columns if (c.section, c.name) == (section, name))
            assert values.shape == ((rows,) if column.width == 1 else (rows, column.width))
            assert values.dtype == np.dtype(column.dtype)
    file.verify()
    part = LapFile(file.cut(file.channels(), file.channels(SCORINGS)))
    for section in (SAMPLES, SCORINGS):
        for name, values in part.columns((), section).items():
            assert values.tobytes() == file.column(name, section).tobytes()


def _block(data: bytes) -> None:
    """A block of one column: type, width, rows, then codings, then the bytes."""
    shape, codings, block = data[:3].ljust(3, b"\1"), data[3:35].ljust(32, b"\0"), data[35:]
    rows = int.from_bytes(shape[1:], "little") % 700
    column = archive_pb2.Column(name="x", dtype=list(DTYPES)[shape[0] % 6], width=1 + shape[0] // 86)
    for at in range(0, 8 * column.width, 8):
        codec, planes, flags, *value = codings[at : at + 8]
        coding = column.codings.add(codec=codec % 7, planes=planes % 10, held=bool(flags & 1))
        coding.value, coding.grid = bytes(value).ljust(8, b"\0")[: 8 if flags & 2 else 4], flags >> 4
    column.unpacked = len(block)
    assert blocks.unpacked(blocks.packed([block]), len(block)) == block
    done = components.decode([column], lambda _: block, rows)
    values = components.column_of("x", column.width, done)
    assert values.dtype == DTYPES[column.dtype]
    assert len(values) == rows


@cache
def _blocks() -> list[bytes]:
    """A walk in integers as each codec has it, every number for itself and all held."""
    walk = np.cumsum(np.random.default_rng(3).integers(-3, 4, 40)).astype("<u4")
    kind = list(DTYPES).index("<u4")
    out = []
    for codec in (blocks.RAW, blocks.XOR, blocks.DELTA, blocks.DELTA_OF_DELTA, blocks.DIRECT):
        planes = (
            [walk.tobytes()] if codec == blocks.RAW else blocks.planes(blocks.coded(walk[None], codec))[0]
        )
        coding = bytes([codec, 0 if codec == blocks.RAW else len(planes), 0]) + walk[:1].tobytes() + bytes(1)
        out.append(bytes([kind, len(walk), 0]) + coding.ljust(32, b"\0") + b"".join(planes))
        if codec != blocks.RAW:
            coding = coding[:2] + b"\1" + coding[3:]
            out.append(
                bytes([kind, len(walk), 0]) + coding.ljust(32, b"\0") + bytes([255] * 5) + b"".join(planes)
            )
    return out


def _unpacked(data: bytes) -> None:
    """A zstd frame, of which the first four bytes say how much it holds."""
    size = int.from_bytes(data[:4], "little") % (ROWS_LIMIT + 1)
    assert len(blocks.unpacked(data[4:], size)) == size


@cache
def _frames() -> list[bytes]:
    plain = [bytes(2000), bytes(range(256)) * 9, b"a" * 70]
    return [_SIZE.pack(len(data)) + blocks.packed([data]) for data in plain]


def _used(data: bytes) -> None:
    """The client's view: flat columns, and the lap joined with its scoring where both have clocks."""
    lap = Lap.from_bytes(_meant(data))
    assert all(len(column.values) == len(lap) for column in lap.flat())
    assert len(lap.scoring) == lap.scoring._rows
    if {"lap_time", "session_time"} & set(lap.channels) & set(lap.scoring.channels):
        joined = lap.with_scoring(tolerance_s=0.5)
        assert all(len(joined[name]) == len(lap) for name in joined.channels)
    if "distance" in lap and "speed" in lap:
        assert lap.over_distance("speed", np.arange(3.0)).shape == (3,)
    repr(lap)


_WISHES = (
    laps_pb2.ReadLapRequest(),
    laps_pb2.ReadLapRequest(encoding=laps_pb2.ENCODING_COLUMNS),
    laps_pb2.ReadLapRequest(max_rate_hz=5.0, lap_time=laps_pb2.Range(until=3.0)),
    laps_pb2.ReadLapRequest(step_m=10.0, distance=laps_pb2.Range(until=30.0), encoding=2),  # type: ignore[arg-type]
)


def _served(data: bytes) -> None:
    """The server's view: whole, as plain columns, and some of its rows."""
    file = LapFile(_meant(data))
    scoring = laps_pb2.ReadScoringRequest(triggers=[1], lap_time=laps_pb2.Range(until=3.0))
    tasks: list[Any] = [partial(lapdata.samples, file.header.lap, file, wish) for wish in _WISHES]
    tasks += [partial(lapdata.scoring, file, scoring)]
    for task in tasks:
        try:
            assert all(isinstance(message, bytes) for message in task())
        except MissingChannel:
            continue


def _received(data: bytes) -> None:
    """Plain columns as a client takes them."""
    found = plain_rows(laps_pb2.ReadScoringResponse.FromString(data).columns)
    for name in found.channels:
        assert len(found[name]) == len(found)


def _received_safely(data: bytes) -> None:
    """What is no message at all is refused by gRPC before anyone sees it."""
    try:
        _received(data)
    except DecodeError:
        return


@cache
def _columns() -> list[bytes]:
    file = LapFile(pack(header(), {}, lap_store.scoring()))
    request = laps_pb2.ReadScoringRequest()
    return [
        laps_pb2.ReadScoringResponse.FromString(each).SerializeToString()
        for each in lapdata.scoring(file, request)
    ]


@cache
def _opened() -> list[bytes]:
    return [_laid_open(file) for file in _files()]


TARGETS = (
    Target("lap_file", _files, _read),
    Target("lap_file_meant", _opened, lambda data: _read(_meant(data))),
    Target("lap_block", _blocks, _block),
    Target("lap_zstd", _frames, _unpacked, most_bytes=8 << 20),
    Target("lap_of_client", _opened, _used),
    Target("lap_of_server", _opened, _served),
    Target("lap_columns", _columns, _received_safely),
)
