"""The capture file: what goes in comes out, what is cut is a prefix, what is damaged is said."""

import json
import os
import struct
import tracemalloc
import zlib
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt, NotFound
from rigd.sources.rf2 import capture
from rigd.sources.rf2.capture import CapturedFrame, CaptureReader, CaptureWriter, Header
from rigd.sources.rf2.layout import BUFFERS

HEADER = Header("2026-01-01T00:00:00+00:00", "/dev/shm")

records = st.lists(
    st.builds(
        CapturedFrame,
        offset_ns=st.integers(0, 2**64 - 1),
        buffer=st.sampled_from([buffer.name for buffer in BUFFERS]),
        whole=st.booleans(),
        payload=st.binary(max_size=200),
    ),
    max_size=8,
)

in_one_folder = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(path: Path, content: list[CapturedFrame], *, killed: bool = False) -> bytes:
    """The bytes of a capture; `killed` leaves out the end mark."""
    path.unlink(missing_ok=True)
    writer = CaptureWriter(path, HEADER)
    for index, record in enumerate(content):
        writer.add(record.offset_ns, record.buffer, record.payload, whole=record.whole)
        if index % 3 == 2:
            writer.flush()
    writer.flush()
    if not killed:
        writer.close()
    return path.read_bytes()


def sealed(offset_ns: int, buffer: int, payload: bytes) -> bytes:
    """A record whose check holds."""
    head = struct.pack("<QBBHI", offset_ns, buffer, 1, 0, len(payload))
    return head + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little") + payload


def read(path: Path) -> tuple[list[CapturedFrame], bool]:
    """All records, and whether the end is missing."""
    reader = CaptureReader(path)
    assert reader.header == HEADER
    return list(reader), reader.truncated


@in_one_folder
@given(content=records)
def test_what_goes_in_comes_out(tmp_path: Path, content: list[CapturedFrame]) -> None:
    write(tmp_path / "c", content)
    assert read(tmp_path / "c") == (content, False)


@in_one_folder
@given(content=records)
def test_every_truncation_gives_a_prefix_and_says_so(folder: Path, content: list[CapturedFrame]) -> None:
    path = folder / "c"
    data = write(path, content)
    start = CaptureReader(path)._first_block
    before = 0
    for length in range(start, len(data)):
        path.write_bytes(data[:length])
        found, truncated = read(path)
        assert truncated
        assert found == content[: len(found)]
        assert len(found) >= before
        before = len(found)


def test_a_capture_cut_within_its_header_is_corrupt(folder: Path) -> None:
    path = folder / "c"
    data = write(path, [])
    for length in range(CaptureReader(path)._first_block):
        path.write_bytes(data[:length])
        with pytest.raises(Corrupt):
            CaptureReader(path)


@settings(in_one_folder, max_examples=5)
@given(content=records)
def test_every_flipped_bit_is_detected(folder: Path, content: list[CapturedFrame]) -> None:
    path = folder / "c"
    data = write(path, content)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(Corrupt):
            read(path)


def test_damage_names_its_offset_and_spares_what_came_before(tmp_path: Path) -> None:
    content = [CapturedFrame(index, "Scoring", True, bytes([index]) * 50) for index in range(6)]
    path = tmp_path / "c"
    data = bytearray(write(path, content))
    data[-30] ^= 1
    path.write_bytes(data)
    found: list[CapturedFrame] = []
    with pytest.raises(Corrupt, match=r"damaged at byte \d+: a block fails its check") as error:
        found.extend(CaptureReader(path))
    reader = iter(CaptureReader(path))
    assert [next(reader) for _ in range(3)] == content[:3]
    assert 0 < int(error.value.facts["offset"]) < len(data)


def test_bytes_behind_the_end_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(write(path, []) + b"x")
    with pytest.raises(Corrupt, match="behind the end mark"):
        read(path)


def test_a_killed_capture_gives_all_complete_blocks(tmp_path: Path) -> None:
    content = [CapturedFrame(index, "Extended", True, b"abc") for index in range(5)]
    write(tmp_path / "c", content, killed=True)
    assert read(tmp_path / "c") == (content, True)


def test_blocks_close_by_themselves_after_a_second_and_beyond_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "BLOCK_BYTES", 1000)
    path = tmp_path / "c"
    with CaptureWriter(path, HEADER) as writer:
        sizes = [writer.file_bytes]
        for offset_ns, length in ((0, 10), (999_999_999, 10), (1_000_000_000, 999), (1_000_000_001, 1)):
            writer.add(offset_ns, "Scoring", bytes(length))
            sizes.append(writer.file_bytes)
    steps = [after > before for before, after in pairwise(sizes)]
    assert steps == [False, False, True, True]


def test_a_capture_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("precious")
    with pytest.raises(BadRequest, match="never overwritten"):
        CaptureWriter(tmp_path / "c", HEADER)
    assert (tmp_path / "c").read_text() == "precious"


def test_a_missing_file_and_another_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        CaptureReader(tmp_path / "nothing")
    (tmp_path / "other").write_bytes(b"PK\3\4" * 100)
    with pytest.raises(Corrupt, match="no capture"):
        CaptureReader(tmp_path / "other")


def framed(kind: bytes, stored: bytes, raw: int) -> bytes:
    """A block whose checks hold."""
    head = struct.pack("<4sIII", kind, len(stored), raw, zlib.crc32(stored))
    return head + zlib.crc32(head).to_bytes(4, "little") + stored


def started(header: bytes) -> bytes:
    """The beginning of a capture whose check holds."""
    return capture.MAGIC + struct.pack("<II", len(header), zlib.crc32(header)) + header


def sound_header() -> bytes:
    return json.dumps(asdict(HEADER)).encode()


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b"\xff", b"[" * 9000, b"{}", b'{"created": 3, "folder": "", "buffers": {}}']
    + [
        b'{"created": "", "folder": "", "buffers": %s}' % each
        for each in (b"[]", b'{"Telemetry": "x"}', b'{"Telemetry": -1}', b'{"Telemetry": 1e9}')
    ],
)
def test_a_header_that_cannot_be_read_is_damage(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "c").write_bytes(started(header))
    with pytest.raises(Corrupt, match="the header cannot be read"):
        CaptureReader(tmp_path / "c")


def test_what_a_later_version_adds_to_the_header_is_passed_over(tmp_path: Path) -> None:
    later = json.dumps(asdict(HEADER) | {"game": "rFactor 2"}).encode()
    (tmp_path / "c").write_bytes(started(later) + framed(b"DONE", b"", 0))
    assert read(tmp_path / "c") == ([], False)


def test_lengths_take_no_memory_that_is_not_there(tmp_path: Path) -> None:
    """A header and a block that say they are long, and a block that unpacks to a gigabyte."""
    path = tmp_path / "c"
    bomb = zstandard.ZstdCompressor().compressobj(size=1 << 30)
    packed = b"".join(bomb.compress(bytes(1 << 24)) for _ in range(64)) + bomb.flush()
    for data in (
        capture.MAGIC + struct.pack("<II", 0xFFFF_FFFF, 0),
        started(sound_header()) + framed(b"DATA", packed, 1 << 30),
        started(sound_header()) + framed(b"DATA", packed, 1000),
        started(sound_header()) + framed(b"DATA", b"x", 0xFFFF_FFFF),
    ):
        path.write_bytes(data)
        tracemalloc.start()
        with pytest.raises(Corrupt):
            list(CaptureReader(path))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("raw", "claimed", "words"),
    [
        (bytes(11), 11, "ends within a record"),
        (bytes(20), 21, "does not hold 21 bytes"),
        (sealed(0, 9, b""), None, "fits no buffer 9"),
        (sealed(0, 1, bytes(75_313)), None, "fits no buffer Scoring"),
    ],
)
def test_records_that_cannot_be_are_damage(
    tmp_path: Path, raw: bytes, claimed: int | None, words: str
) -> None:
    stored = zstandard.compress(raw)
    data = started(sound_header()) + framed(b"DATA", stored, len(raw) if claimed is None else claimed)
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(Corrupt, match=words):
        list(CaptureReader(tmp_path / "c"))


def test_a_block_that_is_no_frame_is_damage(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(started(sound_header()) + framed(b"DATA", b"no frame at all", 30))
    with pytest.raises(Corrupt, match="cannot be unpacked"):
        list(CaptureReader(tmp_path / "c"))


def test_a_fifo_is_no_capture_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Corrupt, match="is no regular file"):
        CaptureReader(tmp_path / "fifo")
