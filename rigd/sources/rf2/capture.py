"""Raw captures: the buffers as the game wrote them, with their timing, in one compressed file.

    magic "RIGDCAP" + version byte
    u32 length, u32 CRC-32, header (JSON: created, folder, buffers with their sizes)
    blocks:  "DATA", u32 stored length, u32 raw length, u32 CRC-32 of the stored bytes, u32 CRC-32 of the
             sixteen bytes before; then one zstd frame of records
    records: u64 offset in ns, u8 buffer (index into the header's list), u8 flags, u16 0, u32 length,
             u32 CRC-32 of the sixteen bytes before and the payload; then the payload: the used bytes of
             the file from offset 0, version words included
    at last: "DONE", laid out like a block of length 0

All numbers are little endian. A block is one second, written in one piece: a capture that is killed loses
at most its last second, and the rest reads. Reading is lenient about an end that is missing (`truncated`)
and strict about bytes that are not what was written (Corrupt, with the offset).
"""

import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple

import zstandard

from rig import parse
from rig.errors import BadRequest, Corrupt, NotFound
from rig.regular import open_regular
from rigd.sources.rf2.layout import BUFFERS, Extended, Scoring, Telemetry
from rigd.sources.rf2.reader import BufferReader, Snapshot

MAGIC: Final = b"RIGDCAP\x01"

LEVEL: Final = 3
"""zstd: 0.4 ms for a frame of 40 cars and 1 ms at worst, between two polls.
Level 10 stalls for 10 ms, half a frame time, and saves nothing on noisy physics."""

BLOCK_NS: Final = 1_000_000_000
"""What a kill may cost."""

BLOCK_BYTES: Final = 32 << 20
"""A block is closed early beyond this, so that reading one needs a bounded amount of memory."""

BLOCK_LIMIT: Final = BLOCK_BYTES + (1 << 20)
"""Most bytes of a block: what closes it, and a frame more, of a quarter of a mebibyte."""

HEADER_LIMIT: Final = 64 << 10
"""Bytes of a header: the one we write has 150."""

POLL_S: Final = 0.001
"""Frames are 20 ms apart and stay for 20 ms; the stamp is at most this late."""

WHOLE: Final = 1
"""Flag: the frame was taken whole, not record by record."""

_LENGTHS: Final = struct.Struct("<II")
_BLOCK: Final = struct.Struct("<4sIIII")
_RECORD: Final = struct.Struct("<QBBHII")
_DATA: Final = b"DATA"
_DONE: Final = b"DONE"
_UNTOLD: Final = -1
"""A zstd frame that does not say how much it holds; such are ours."""


class CapturedFrame(NamedTuple):
    """One frame of one buffer."""

    offset_ns: int
    """Since the capture began."""
    buffer: str
    """Short name: Telemetry, Scoring, Extended."""
    whole: bool
    payload: bytes
    """The used bytes of the buffer file from offset 0."""

    @property
    def version(self) -> int:
        """The End word the game had written."""
        return int.from_bytes(self.payload[4:8], "little")


@dataclass(frozen=True)
class Header:
    """What a capture says of itself."""

    created: str
    """UTC, ISO 8601."""
    folder: str
    """Where the buffers were."""
    buffers: dict[str, int] = field(default_factory=lambda: {each.name: each.size for each in BUFFERS})
    """Bytes of each buffer file; the order is that of the records' buffer index."""


@dataclass
class CaptureSummary:
    """What has been captured so far."""

    frames: dict[str, int] = field(default_factory=lambda: {buffer.name: 0 for buffer in BUFFERS})
    missed: int = 0
    """Frames the game closed that were not captured."""
    seconds: float = 0.0
    raw_bytes: int = 0
    file_bytes: int = 0


class CaptureWriter:
    """Writes a new capture; BadRequest if the file exists, for a capture is never overwritten."""

    def __init__(self, path: Path, header: Header) -> None:
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError as error:
            raise BadRequest(f"{path} exists", hint="a capture is never overwritten") from error
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._indices = {name: index for index, name in enumerate(header.buffers)}
        self._block_ns = 0
        self.raw_bytes = 0
        text = json.dumps(asdict(header)).encode()
        self._write(MAGIC + _LENGTHS.pack(len(text), zlib.crc32(text)) + text)
        self._start_block()

    @property
    def file_bytes(self) -> int:
        """Bytes written to the file."""
        return self._file.tell()

    def add(self, offset_ns: int, buffer: str, payload: bytes | memoryview, *, whole: bool = True) -> None:
        """Append one frame and close the block when it is a second long."""
        if self._raw and (offset_ns - self._block_ns >= BLOCK_NS or self._raw >= BLOCK_BYTES):
            self.flush()
        if not self._raw:
            self._block_ns = offset_ns
        head = struct.pack("<QBBHI", offset_ns, self._indices[buffer], WHOLE * whole, 0, len(payload))
        crc = zlib.crc32(payload, zlib.crc32(head))
        for part in (head, crc.to_bytes(4, "little"), payload):
            self._parts.append(self._stream.compress(part))
        self._raw += _RECORD.size + len(payload)

    def flush(self) -> None:
        """Close the running block and write it in one piece."""
        if not self._raw:
            return
        stored = b"".join((*self._parts, self._stream.flush()))
        self._write(_block_head(_DATA, stored, self._raw) + stored)
        self.raw_bytes += self._raw
        self._start_block()

    def close(self) -> None:
        """Write what is pending and the end mark."""
        self.flush()
        self._write(_block_head(_DONE, b"", 0))
        self._file.close()

    def _start_block(self) -> None:
        self._stream = self._compressor.compressobj()
        self._parts: list[bytes] = []
        self._raw = 0

    def _write(self, data: bytes) -> None:
        """Write all of it: one call as a rule; a full disk or a signal may cut it into several."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()


class CaptureReader:
    """Reads a capture; iterating gives its records in order.

    NotFound without the file, Corrupt if it is no capture or damaged; what comes before the damage has
    been given by then. `truncated` is known after the last record: the end mark is missing, the capture
    was killed or is still running.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.truncated = False
        try:
            with open(open_regular(path), "rb") as file:
                self.header = self._read_header(file)
                self._first_block = file.tell()
        except FileNotFoundError as error:
            raise NotFound(f"{path} does not exist") from error

    def __iter__(self) -> Iterator[CapturedFrame]:
        self.truncated = False
        with open(open_regular(self.path), "rb") as file:
            file.seek(self._first_block)
            while (block := self._read_block(file)) is not None:
                yield from self._records(*block)

    def _read_header(self, file: BinaryIO) -> Header:
        start = file.read(len(MAGIC) + _LENGTHS.size)
        if not start.startswith(MAGIC) or len(start) < len(MAGIC) + _LENGTHS.size:
            raise Corrupt(f"{self.path} is no capture that this version reads", offset=0)
        length, crc = _LENGTHS.unpack_from(start, len(MAGIC))
        if length > HEADER_LIMIT:
            raise self._damage(0, f"it claims a header of {length} bytes, {HEADER_LIMIT} is the limit")
        text = file.read(length)
        if zlib.crc32(text) != crc:
            raise self._damage(len(start), "the header fails its check")
        try:
            return _header(parse.json_object(text))
        except (Corrupt, KeyError, TypeError) as error:
            raise self._damage(len(start), f"the header cannot be read: {error}") from error

    def _read_block(self, file: BinaryIO) -> tuple[int, bytes] | None:
        """Return offset and raw bytes of the next block; None at the end, be it marked or missing."""
        offset = file.tell()
        head = file.read(_BLOCK.size)
        if len(head) < _BLOCK.size:
            self.truncated = True
            return None
        kind, stored, raw, crc, head_crc = _BLOCK.unpack(head)
        if zlib.crc32(head[:-4]) != head_crc or kind not in (_DATA, _DONE):
            raise self._damage(offset, "a block's head fails its check")
        if kind == _DONE:
            self._expect_end(file)
            return None
        if max(stored, raw) > BLOCK_LIMIT:
            raise self._damage(offset, f"a block claims {max(stored, raw)} bytes, {BLOCK_LIMIT} is the limit")
        return self._read_data(file, offset, stored, raw, crc)

    def _read_data(
        self, file: BinaryIO, offset: int, stored: int, raw: int, crc: int
    ) -> tuple[int, bytes] | None:
        data = file.read(stored)
        if len(data) < stored:
            self.truncated = True
            return None
        if zlib.crc32(data) != crc:
            raise self._damage(offset, "a block fails its check")
        return offset, self._unpacked(offset, data, raw)

    def _unpacked(self, offset: int, data: bytes, raw: int) -> bytes:
        """Return the records of a block. A frame that names its size is made so large, whatever is
        asked for.
        """
        try:
            if zstandard.frame_content_size(data) in (_UNTOLD, raw):
                found = zstandard.ZstdDecompressor().decompress(data, raw, allow_extra_data=False)
                if len(found) == raw:
                    return found
        except zstandard.ZstdError as error:
            raise self._damage(offset, f"a block cannot be unpacked: {error}") from error
        raise self._damage(offset, f"a block does not hold {raw} bytes")

    def _records(self, offset: int, raw: bytes) -> Iterator[CapturedFrame]:
        buffers, at = list(self.header.buffers.items()), 0
        while at < len(raw):
            if len(raw) - at < _RECORD.size:
                raise self._damage(offset, "a block ends within a record")
            offset_ns, index, flags, _, length, crc = _RECORD.unpack_from(raw, at)
            head, at = raw[at : at + _RECORD.size - 4], at + _RECORD.size
            payload, at = raw[at : at + length], at + length
            if zlib.crc32(payload, zlib.crc32(head)) != crc:
                raise self._damage(offset, "a record fails its check")
            name, size = buffers[index] if index < len(buffers) else ("", -1)
            if length > size:
                raise self._damage(offset, f"a record of {length} bytes fits no buffer {name or index}")
            yield CapturedFrame(offset_ns, name, bool(flags & WHOLE), payload)

    def _expect_end(self, file: BinaryIO) -> None:
        offset = file.tell()
        if file.read(1):
            raise self._damage(offset, "there are bytes behind the end mark")

    def _damage(self, offset: int, what: str) -> Corrupt:
        return Corrupt(f"{self.path} is damaged at byte {offset}: {what}", offset=offset)


def capture(
    folder: Path,
    file: Path,
    stop: threading.Event,
    progress: Callable[[CaptureSummary], None] | None = None,
) -> CaptureSummary:
    """Write every consistent frame in `folder` to the new `file` until `stop`, cleared ones too.

    `progress` is called about once a second. Raises BadRequest if the file exists.
    """
    summary = CaptureSummary()
    header = Header(datetime.now(UTC).isoformat(timespec="milliseconds"), str(folder))
    with CaptureWriter(file, header) as writer:
        run = _Run(folder, writer, summary)
        while not stop.wait(POLL_S):
            if run.poll(time.monotonic_ns()) and progress is not None:
                progress(summary)
        run.finish()
    summary.file_bytes = file.stat().st_size
    return summary


class _Run:
    """One capture in progress."""

    def __init__(self, folder: Path, writer: CaptureWriter, summary: CaptureSummary) -> None:
        self._writer, self._summary = writer, summary
        # What scoring and Extended hold at the start is part of the capture; an old telemetry frame is not.
        self._readers = [
            BufferReader(folder, buffer, first=buffer is not Telemetry, everything=True)
            for buffer in (Extended, Scoring, Telemetry)
        ]
        self._start_ns = self._reported_ns = time.monotonic_ns()

    def poll(self, now_ns: int) -> bool:
        """Capture what is new. True once a second, after the block of that second was written."""
        for reader in self._readers:
            frame = reader.snapshot(now_ns)
            if frame is not None:
                self._add(reader.buffer.name, frame, now_ns)
        if now_ns - self._reported_ns < BLOCK_NS:
            return False
        self._reported_ns = now_ns
        self._writer.flush()
        self._sum_up(now_ns)
        return True

    def finish(self) -> None:
        """Write what is pending and close the files."""
        self._writer.flush()
        self._sum_up(time.monotonic_ns())
        for reader in self._readers:
            reader.close()

    def _add(self, name: str, frame: Snapshot, now_ns: int) -> None:
        self._writer.add(now_ns - self._start_ns, name, frame.raw, whole=frame.whole)
        self._summary.frames[name] += 1
        self._summary.missed += frame.missed

    def _sum_up(self, now_ns: int) -> None:
        self._summary.seconds = (now_ns - self._start_ns) / 1e9
        self._summary.raw_bytes = self._writer.raw_bytes
        self._summary.file_bytes = self._writer.file_bytes


def _header(words: dict[str, Any]) -> Header:
    """Return the header out of its JSON; what is from the future is passed over. Raises KeyError,
    TypeError.
    """
    header = Header(words["created"], words["folder"], words["buffers"])
    sizes = header.buffers.values() if isinstance(header.buffers, dict) else [None]
    if not all(type(size) is int and 0 <= size <= BLOCK_LIMIT for size in sizes):
        raise TypeError(f"its buffers are {header.buffers!r}")
    if not isinstance(header.created, str) or not isinstance(header.folder, str):
        raise TypeError("it does not say when and where in words")
    return header


def _block_head(kind: bytes, stored: bytes, raw: int) -> bytes:
    head = struct.pack("<4sIII", kind, len(stored), raw, zlib.crc32(stored))
    return head + zlib.crc32(head).to_bytes(4, "little")
