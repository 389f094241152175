"""The capture file: what goes in comes out, what is cut is a prefix, what is damaged is said."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt, NotFound
from rigd.game import capture
from rigd.game.capture import CaptureReader, CaptureWriter, Header, Record
from rigd.game.layout import BUFFERS

HEADER = Header("2026-01-01T00:00:00+00:00", "/dev/shm")

records = st.lists(
    st.builds(
        Record,
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


def write(path: Path, content: list[Record], *, killed: bool = False) -> bytes:
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


def read(path: Path) -> tuple[list[Record], bool]:
    """All records, and whether the end is missing."""
    reader = CaptureReader(path)
    assert reader.header == HEADER
    return list(reader), reader.truncated


@in_one_folder
@given(content=records)
def test_what_goes_in_comes_out(tmp_path: Path, content: list[Record]) -> None:
    write(tmp_path / "c", content)
    assert read(tmp_path / "c") == (content, False)


@in_one_folder
@given(content=records)
def test_every_truncation_gives_a_prefix_and_says_so(tmp_path: Path, content: list[Record]) -> None:
    path = tmp_path / "c"
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


def test_a_capture_cut_within_its_header_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "c"
    data = write(path, [])
    for length in range(CaptureReader(path)._first_block):
        path.write_bytes(data[:length])
        with pytest.raises(Corrupt):
            CaptureReader(path)


@settings(in_one_folder, max_examples=5)
@given(content=records)
def test_every_flipped_bit_is_detected(tmp_path: Path, content: list[Record]) -> None:
    path = tmp_path / "c"
    data = write(path, content)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(Corrupt):
            read(path)


def test_damage_names_its_offset_and_spares_what_came_before(tmp_path: Path) -> None:
    content = [Record(index, "Scoring", True, bytes([index]) * 50) for index in range(6)]
    path = tmp_path / "c"
    data = bytearray(write(path, content))
    data[-30] ^= 1
    path.write_bytes(data)
    found: list[Record] = []
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
    content = [Record(index, "Extended", True, b"abc") for index in range(5)]
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
