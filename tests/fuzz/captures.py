"""Capture files, and what a replay makes of them."""

import json
import struct
import zlib
from functools import cache

import zstandard

from rigd.sources.rf2.capture import MAGIC, CaptureReader, CaptureWriter, Header
from rigd.sources.rf2.layout import BUFFERS
from rigd.sources.rf2.replay import ReplayBuffers, _check_layout
from tests.fuzz.target import Target, file_of, folder

_BLOCK = struct.Struct("<4sIII")
_RECORD = struct.Struct("<QBBHI")
_MOST = 80 << 20
"""A block of 33 MiB, and what it was unpacked from."""


@cache
def _captures() -> list[bytes]:
    """Some frames in two blocks, a capture that was killed, and one without frames."""
    header, out = Header("2026-01-01T00:00:00+00:00", "/dev/shm"), []
    for frames in (4, 1, 0):
        path = folder() / "capture-seed"
        path.unlink(missing_ok=True)
        writer = CaptureWriter(path, header)
        for number in range(frames):
            buffer = BUFFERS[number % len(BUFFERS)]
            writer.add(number * 600_000_000, buffer.name, bytes([number]) * 60)
        writer.flush()
        if frames != 1:
            writer.close()
        out.append(path.read_bytes())
    return out


def _capture(data: bytes) -> None:
    """Records are of a buffer that the header names and as long as the file of it at most."""
    reader = CaptureReader(file_of("capture", data))
    for record in reader:
        assert len(record.payload) <= reader.header.buffers[record.buffer]
        assert 0 <= record.version < 1 << 32


def _taken_apart(file: bytes) -> bytes:
    """A capture in the form that `_meant` takes: its header, then its blocks unpacked."""
    size, _ = struct.unpack_from("<II", file, len(MAGIC))
    at = len(MAGIC) + 8 + size
    out = struct.pack("<H", size) + file[at - size : at]
    while at + 20 <= len(file):
        kind, stored, held, _ = _BLOCK.unpack_from(file, at)
        at += 20
        if kind == b"DATA":
            raw = zstandard.ZstdDecompressor().decompress(file[at : at + stored], held)
            out += struct.pack("<H", len(raw)) + raw
        at += stored
    return out


def _meant(data: bytes) -> bytes:
    """A capture of these parts whose checks hold."""
    size = int.from_bytes(data[:2], "little")
    text, rest = data[2 : 2 + size], data[2 + size :]
    out = MAGIC + struct.pack("<II", len(text), zlib.crc32(text)) + text
    while rest:
        size, rest = int.from_bytes(rest[:2], "little"), rest[2:]
        raw, rest = _records(rest[:size]), rest[size:]
        out += _framed(b"DATA", zstandard.compress(raw), len(raw))
    return out + _framed(b"DONE", b"", 0)


def _records(raw: bytes) -> bytes:
    """Records with their checks put right."""
    out, at = b"", 0
    while at + 20 <= len(raw):
        head = raw[at : at + 16]
        payload = raw[at + 20 : at + 20 + _RECORD.unpack(head)[-1]]
        out += head + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little") + payload
        at += 20 + len(payload)
    return out + raw[at:]


def _framed(kind: bytes, stored: bytes, raw: int) -> bytes:
    head = _BLOCK.pack(kind, len(stored), raw, zlib.crc32(stored))
    return head + zlib.crc32(head).to_bytes(4, "little") + stored


def _block(data: bytes) -> None:
    """A block whose head claims what the input's first eight bytes say, around whatever follows."""
    header = json.dumps(
        {"created": "", "folder": "", "buffers": {each.name: each.size for each in BUFFERS}}
    ).encode()
    stored = data[8:]
    head = _BLOCK.pack(b"DATA", *struct.unpack("<II", data[:8].ljust(8, b"\0")), zlib.crc32(stored))
    start = MAGIC + struct.pack("<II", len(header), zlib.crc32(header)) + header
    _capture(start + head + zlib.crc32(head).to_bytes(4, "little") + stored)


def _blocks() -> list[bytes]:
    raw = _records(_RECORD.pack(0, 0, 1, 0, 40).ljust(20, b"\0") + bytes(40))
    stored = zstandard.compress(raw)
    return [struct.pack("<II", len(stored), len(raw)) + stored]


def _replayed(data: bytes) -> None:
    """Every record fits the buffer that a replay writes it into."""
    source = CaptureReader(file_of("replayed", _meant(data)))
    _check_layout(source.header)
    (folder() / "stage").mkdir(exist_ok=True)
    with ReplayBuffers(folder() / "stage") as stage:
        for record in source:
            stage.write(record)


TARGETS = (
    Target("capture", _captures, _capture, most_bytes=_MOST),
    Target(
        "capture_meant",
        lambda: list(map(_taken_apart, _captures())),
        lambda data: _capture(_meant(data)),
        most_bytes=_MOST,
    ),
    Target("capture_block", _blocks, _block, most_bytes=_MOST),
    Target("capture_replayed", lambda: list(map(_taken_apart, _captures())), _replayed, most_bytes=_MOST),
)
