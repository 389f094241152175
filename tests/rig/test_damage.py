"""Damage: whatever the bytes of a lap file are, the answer is Corrupt or the numbers that were written."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Corrupt
from rig.lapfile import (
    COLUMNS_LIMIT,
    DECODED_LIMIT,
    HEAD_LIMIT,
    ROWS_LIMIT,
    SAMPLES,
    SCORINGS,
    LapFile,
    blocks,
    pack,
)
from rig.v1 import archive_pb2
from tests.rig.laps import CHANNELS, Array, drive, header, same, table

START = struct.Struct("<7sBIII")
HEAD_BYTES = START.size

Spoil = Callable[[archive_pb2.LapHeader], object]


def small() -> tuple[dict[str, Array], dict[str, Array]]:
    whole = drive(12)
    samples = {name: whole[name] for name in ("local_velocity", "speed", "gear", "lap_start_time")}
    return samples, {"place": np.array([3, 3, 2], "<u4"), "in_pits": np.array([False, True, False])}


def written(head: bytes, data: bytes, *, magic: bytes = b"\x89rigLAP", version: int = 1) -> bytes:
    """A file as the format says, made without the code under test."""
    start = struct.pack("<7sBII", magic, version, len(head), len(head))
    return start + struct.pack("<I", zlib.crc32(start + head)) + head + data


def parted(data: bytes) -> tuple[archive_pb2.LapHeader, bytes]:
    """Head and blocks of a sound file."""
    size = START.unpack_from(data)[2]
    return LapFile(data).header, data[HEAD_BYTES + size :]


def spoiled(data: bytes, spoil: Spoil) -> bytes:
    head, tail = parted(data)
    spoil(head)
    return written(head.SerializeToString(), tail)


def read_all(data: bytes) -> None:
    lap = LapFile(data)
    lap.verify()


class TestTheBytes:
    def test_any_flipped_bit_is_noticed(self) -> None:
        samples, scoring = small()
        data = bytearray(pack(header(), samples, scoring))
        read_all(bytes(data))
        for place in range(8 * len(data)):
            data[place // 8] ^= 1 << place % 8
            with pytest.raises(Corrupt):
                read_all(bytes(data))
            data[place // 8] ^= 1 << place % 8

    def test_any_flipped_bit_is_noticed_in_a_plain_file(self) -> None:
        data = bytearray(pack(header(), {"speed": np.arange(4, dtype="<f4")}, {}, plain=True))
        for place in range(8 * len(data)):
            data[place // 8] ^= 1 << place % 8
            with pytest.raises(Corrupt):
                read_all(bytes(data))
            data[place // 8] ^= 1 << place % 8

    def test_any_missing_end_is_noticed_at_once(self) -> None:
        data = pack(header(), *small())
        for size in range(len(data)):
            with pytest.raises(Corrupt):
                LapFile(data[:size])

    def test_any_byte_too_many_is_noticed_at_once(self) -> None:
        with pytest.raises(Corrupt, match="the head says"):
            LapFile(pack(header(), *small()) + b"\0")

    @given(st.binary(max_size=300))
    def test_bytes_that_are_no_lap_file_are_corrupt(self, data: bytes) -> None:
        with pytest.raises(Corrupt):
            LapFile(data)

    @given(st.binary(max_size=300))
    def test_a_head_that_is_no_message_is_corrupt_or_has_nothing_to_read(self, head: bytes) -> None:
        try:
            lap = LapFile(written(head, b""))
        except Corrupt:
            return
        assert not any(column.size for column in lap.header.columns)

    def test_an_empty_file_says_so(self) -> None:
        with pytest.raises(Corrupt, match="no lap file"):
            LapFile(b"")

    def test_a_foreign_file_says_so(self) -> None:
        with pytest.raises(Corrupt, match="no lap file"):
            LapFile(written(b"", b"", magic=b"\x89PNG\r\n\x1a"))

    def test_a_newer_version_says_so(self) -> None:
        with pytest.raises(Corrupt, match="version 2, this program reads 1"):
            LapFile(written(b"", b"", version=2))

    def test_a_damaged_channel_leaves_the_others(self) -> None:
        samples = drive()
        data = bytearray(pack(header(), samples, {}))
        lap = LapFile(bytes(data))
        at = len(data) - sum(column.size for column in lap.header.columns)
        gear = lap.header.columns[lap.channels().index("gear")]
        data[at + gear.offset] ^= 1
        lap = LapFile(bytes(data))
        with pytest.raises(Corrupt, match="gear"):
            lap.column("gear")
        assert same(lap.columns(["speed"]), {"speed": samples["speed"]})
        for read in (lap.verify, lap.columns, lambda: lap.cut(["gear"])):
            with pytest.raises(Corrupt):
                read()


def first(head: archive_pb2.LapHeader) -> archive_pb2.Column:
    return head.columns[0]


def at_codec(**changes: object) -> Spoil:
    def spoil(head: archive_pb2.LapHeader) -> None:
        for name, value in changes.items():
            setattr(first(head).codings[0], name, value)

    return spoil


def predicted(formula: int, neighbours: list[tuple[str, int]], factors: list[float]) -> Spoil:
    def spoil(head: archive_pb2.LapHeader) -> None:
        prediction = first(head).codings[0].prediction
        prediction.formula = formula  # type: ignore[assignment]
        for name, component in neighbours:
            prediction.neighbours.add(channel=name, component=component)
        prediction.factors.extend(factors)

    return spoil


def sound() -> bytes:
    rng = np.random.default_rng(1)
    return pack(header(), {"speed": np.cumsum(rng.normal(0, 1, 50)).astype("<f4")}, {})


LINEAR, NORM = archive_pb2.FORMULA_LINEAR, archive_pb2.FORMULA_NORM


class TestHeadsThatLie:
    """The checks of the head hold, so somebody meant it."""

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda head: setattr(head, "samples", ROWS_LIMIT + 1),
            lambda head: setattr(head, "samples", 51),
            lambda head: setattr(head, "samples", 49),
            lambda head: setattr(head, "samples", 0),
            lambda head: setattr(first(head), "offset", 1),
            lambda head: setattr(first(head), "size", 1 << 60),
            lambda head: setattr(first(head), "size", 0),
            lambda head: setattr(first(head), "unpacked", 1 << 60),
            lambda head: setattr(first(head), "unpacked", 0),
            lambda head: setattr(first(head), "unpacked", first(head).unpacked + 1),
            lambda head: setattr(first(head), "crc", 0),
            lambda head: setattr(first(head), "width", 0),
            lambda head: setattr(first(head), "width", 2),
            lambda head: setattr(first(head), "width", 1 << 31),
            lambda head: setattr(first(head), "dtype", "<f8"),
            lambda head: setattr(first(head), "dtype", "<f2"),
            lambda head: setattr(first(head), "dtype", "O"),
            lambda head: setattr(first(head), "dtype", ""),
            lambda head: head.columns.append(first(head)),
            lambda head: first(head).codings.pop(),
            lambda head: first(head).codings.add(codec=blocks.CONSTANT, value=bytes(4)),
            at_codec(codec=0),
            at_codec(codec=99),
            at_codec(codec=blocks.RAW),
            at_codec(codec=blocks.CONSTANT),
            at_codec(codec=blocks.CONSTANT, planes=0),
            at_codec(planes=0),
            at_codec(planes=5),
            at_codec(planes=1),
            at_codec(value=b""),
            at_codec(value=bytes(5)),
            at_codec(held=True),
            predicted(0, [], []),
            predicted(99, [], []),
            predicted(NORM, [], []),
            predicted(NORM, [("speed", 0)], []),
            predicted(NORM, [("speed", 1)], []),
            predicted(NORM, [("gear", 0)], []),
            predicted(NORM, [("speed", 0)] * 17, []),
            predicted(LINEAR, [("speed", 0)], [1.0]),
            predicted(archive_pb2.FORMULA_CROSS, [("speed", 0)] * 3, []),
            predicted(archive_pb2.FORMULA_ORTHOGONAL, [("speed", 0)] * 4, []),
        ],
    )
    def test_are_corrupt(self, spoil: Spoil) -> None:
        with pytest.raises(Corrupt):
            read_all(spoiled(sound(), spoil))

    @pytest.mark.parametrize("dtype", ["<i4", "<u4"])
    def test_other_types_of_the_same_size_are_taken_at_their_word(self, dtype: str) -> None:
        lap = LapFile(spoiled(sound(), lambda head: setattr(first(head), "dtype", dtype)))
        assert lap.column("speed").dtype == dtype

    def test_columns_of_the_future_fail_alone(self) -> None:
        def spoil(head: archive_pb2.LapHeader) -> None:
            one = head.columns.add(name="aura", section=SAMPLES, dtype="<f2", width=1)
            one.offset = first(head).size
            one.codings.add(codec=99)
            head.columns.add(name="else", section=7, dtype="<f4", width=1, offset=one.offset)

        lap = LapFile(spoiled(sound(), spoil))
        assert lap.channels() == ["speed", "aura"]
        assert same(lap.columns(["speed"]), LapFile(sound()).columns())
        assert LapFile(lap.cut(["speed"])).channels() == ["speed"]
        with pytest.raises(Corrupt, match="aura"):
            lap.column("aura")

    @pytest.mark.parametrize("held", [False, True])
    def test_beside_a_direct_coding_nobody_looks_at_the_value(self, held: bool) -> None:
        numbers = np.repeat([3, 9], 40) if held else np.arange(80) % 7
        data = pack(header(), {"gear": numbers.astype("<i4")}, {}, plain=True)
        head, _ = parted(data)
        (planes,) = blocks.planes(
            blocks.coded(numbers[None, :: 40 if held else 1].astype("<u4"), blocks.DIRECT)
        )
        tail = (b"\1" + bytes(4) + b"\1" + bytes(4) if held else b"") + b"".join(planes)
        coding = first(head).codings[0]
        coding.codec, coding.planes, coding.held, coding.value = blocks.DIRECT, len(planes), held, b"abc"
        first(head).size = first(head).unpacked = len(tail)
        first(head).crc = zlib.crc32(tail)
        found = LapFile(written(head.SerializeToString(), tail)).column("gear")
        assert found.tolist() == numbers.tolist()

    def test_fields_of_the_future_are_read_over(self) -> None:
        head, tail = parted(sound())
        lap = LapFile(written(head.SerializeToString() + b"\xfa\x07\x03abc", tail))
        assert same(lap.columns(), LapFile(sound()).columns())

    def test_circles_of_neighbours_are_corrupt(self) -> None:
        def spoil(head: archive_pb2.LapHeader) -> None:
            for column, other in zip(head.columns, reversed(head.columns), strict=True):
                prediction = column.codings[0].prediction
                prediction.formula = NORM
                prediction.neighbours.add(channel=other.name)

        data = spoiled(pack(header(), table_of_two(), {}), spoil)
        with pytest.raises(Corrupt, match="from itself"):
            LapFile(data).column("speed")

    @pytest.mark.parametrize("falling", [False, True])
    @pytest.mark.parametrize("steps", [8, 9])
    def test_more_than_eight_neighbours_in_a_row_are_corrupt(self, steps: int, falling: bool) -> None:
        head = archive_pb2.LapHeader(samples=3)
        for number in sorted(range(steps + 1), reverse=falling):
            column = head.columns.add(name=f"c{number}", section=SAMPLES, width=1, dtype="<f4")
            coding = column.codings.add(codec=blocks.CONSTANT, value=bytes(4))
            if number:
                coding.prediction.formula = NORM
                coding.prediction.neighbours.add(channel=f"c{number - 1}")
        lap = LapFile(written(head.SerializeToString(), b""))
        if steps == 8:
            assert same(lap.columns(["c8"]), {"c8": np.zeros(3, "<f4")})
            return
        for read in (lap.columns, lap.verify, lambda: lap.column("c9")):
            with pytest.raises(Corrupt, match="more than 8 neighbours"):
                read()

    def test_a_flag_of_two_is_corrupt(self) -> None:
        data = pack(header(), {}, {"in_pits": np.array([True, False, True])}, plain=True)
        head, tail = parted(data)
        tail = b"\x02" + tail[1:]
        first(head).crc = zlib.crc32(tail)
        with pytest.raises(Corrupt, match="flag"):
            LapFile(written(head.SerializeToString(), tail)).column("in_pits", SCORINGS)

    def test_bits_that_hold_nothing_are_corrupt(self) -> None:
        data = pack(header(), {"gear": np.repeat([1, 2], 40).astype("<i4")}, {})
        head, tail = parted(data)
        plain = blocks.unpacked(tail, first(head).unpacked)
        tail = b"\0" + plain[1:]
        first(head).crc, first(head).size, first(head).unpacked = zlib.crc32(tail), len(tail), len(tail)
        with pytest.raises(Corrupt, match="gear"):
            LapFile(written(head.SerializeToString(), tail)).column("gear")


def table_of_two() -> dict[str, Array]:
    rng = np.random.default_rng(4)
    return {name: rng.normal(50, 9, 40).astype("<f4") for name in ("speed", "throttle")}


class TestMemory:
    """Bytes that claim much do not make the reader take much."""

    def peak(self, data: bytes) -> int:
        tracemalloc.start()
        try:
            with pytest.raises(Corrupt):
                read_all(data)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_a_head_that_unpacks_to_too_much(self) -> None:
        head = zstandard.compress(bytes(HEAD_LIMIT + 1))
        start = struct.pack("<7sBII", b"\x89rigLAP", 1, len(head), HEAD_LIMIT + 1)
        data = start + struct.pack("<I", zlib.crc32(start + head)) + head
        assert self.peak(data) < 1 << 20

    def test_a_head_that_lies_about_its_size(self) -> None:
        head = zstandard.compress(bytes(1 << 26))
        start = struct.pack("<7sBII", b"\x89rigLAP", 1, len(head), 5000)
        data = start + struct.pack("<I", zlib.crc32(start + head)) + head
        assert self.peak(data) < 1 << 20

    def test_a_block_that_unpacks_to_more_than_its_rows(self) -> None:
        block = zstandard.compress(bytes(1 << 26))

        def spoil(head: archive_pb2.LapHeader) -> None:
            column = first(head)
            column.size, column.unpacked, column.crc = len(block), 1 << 26, zlib.crc32(block)

        head, _ = parted(sound())
        spoil(head)
        assert self.peak(written(head.SerializeToString(), block)) < 1 << 20

    def test_more_columns_than_there_can_be(self) -> None:
        head = archive_pb2.LapHeader(samples=5)
        for number in range(COLUMNS_LIMIT + 1):
            head.columns.add(name=str(number), section=SAMPLES)
        with pytest.raises(Corrupt, match="columns"):
            LapFile(written(head.SerializeToString(), b""))

    def test_more_values_than_there_can_be(self) -> None:
        head = archive_pb2.LapHeader(samples=ROWS_LIMIT)
        for number in range(COLUMNS_LIMIT):
            head.columns.add(name=str(number), section=SAMPLES, width=64)
        with pytest.raises(Corrupt, match="values"):
            LapFile(written(head.SerializeToString(), b""))

    def test_a_long_constant_takes_none(self) -> None:
        head = archive_pb2.LapHeader(samples=ROWS_LIMIT)
        for number in range(DECODED_LIMIT // ROWS_LIMIT // 128):
            column = head.columns.add(name=str(number), section=SAMPLES, width=16, dtype="<f8")
            for _ in range(16):
                column.codings.add(codec=blocks.CONSTANT, value=bytes(8))
        lap = LapFile(written(head.SerializeToString(), b""))
        tracemalloc.start()
        assert lap.columns()["7"].shape == (ROWS_LIMIT, 16)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20


def test_mixed_tables_survive_no_flip() -> None:
    """A few bits of a larger file, spread over it."""
    samples = table(CHANNELS, ["fuel", "drag", "seq"], 300, 9)
    data = bytearray(pack(header(), samples, {}))
    for place in range(0, 8 * len(data), 97):
        data[place // 8] ^= 1 << place % 8
        with pytest.raises(Corrupt):
            read_all(bytes(data))
        data[place // 8] ^= 1 << place % 8
