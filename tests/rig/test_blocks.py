"""Blocks: numbers to planes and back, to the bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rig.errors import Corrupt
from rig.lapfile import blocks
from tests.rig.laps import SPECIAL, Array

SIZES = {"<u1": 1, "<u4": 4, "<u8": 8}
CODECS = (blocks.DIRECT, blocks.DELTA, blocks.DELTA_OF_DELTA, blocks.XOR)

numbers = st.sampled_from(sorted(SIZES)).flatmap(
    lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
)


class TestImages:
    @given(hnp.arrays("<u4", st.integers(0, 40)))
    def test_every_bit_of_a_float_comes_back(self, bits: Array) -> None:
        for values in (bits.view("<f4"), np.concatenate([bits, bits]).view("<f8"), SPECIAL.view("<f4")):
            assert blocks.number(blocks.image(values), values.dtype).tobytes() == values.tobytes()

    def test_they_are_ordered_as_the_floats_are(self) -> None:
        floats = np.array([-np.inf, -1e30, -1.0, -1e-45, -0.0, 0.0, 1e-45, 1.0, 1e30, np.inf], "<f4")
        assert (np.diff(blocks.image(floats).view("<i4").astype(np.int64)) > 0).all()

    def test_neighbours_are_one_apart(self) -> None:
        pair = np.array([1.5, np.nextafter(np.float32(1.5), np.float32(2))], "<f4")
        assert blocks.image(pair).tolist() == [0x3FC00000, 0x3FC00001]
        assert blocks.image(np.array([-0.0, 0.0], "<f4")).view("<i4").tolist() == [-1, 0]

    def test_a_flag_of_two_is_corrupt(self) -> None:
        with pytest.raises(Corrupt, match="neither 0 nor 1"):
            blocks.number(np.array([0, 2], np.uint8), np.dtype(bool))


class TestFolds:
    def test_small_numbers_of_either_sign_become_small(self) -> None:
        signed = np.array([0, -1, 1, -2, 2**31 - 1, -(2**31)], "<i4")
        assert blocks.folded(signed.view("<u4")).tolist() == [0, 1, 2, 3, 2**32 - 2, 2**32 - 1]

    @given(numbers)
    def test_they_come_back(self, values: Array) -> None:
        assert (blocks.unfolded(blocks.folded(values)) == values).all()


class TestCodecs:
    @pytest.mark.parametrize("codec", CODECS)
    @given(values=numbers)
    def test_residuals_come_back(self, codec: blocks.Codec, values: Array) -> None:
        coded = blocks.coded(values, codec)
        assert (blocks.uncoded(coded.copy(), codec, values[:, 0]) == values).all()

    @pytest.mark.parametrize(
        ("codec", "values"),
        [
            (blocks.DELTA, 5 + 3 * np.arange(50)),
            (blocks.DELTA_OF_DELTA, 5 + 3 * np.arange(50) ** 2),
            (blocks.XOR, 0xABC0 ^ (np.arange(50) & 1)),
        ],
    )
    def test_what_suits_is_constant_after_the_start(self, codec: blocks.Codec, values: Array) -> None:
        coded = blocks.coded(values.astype("<u4"), codec)
        assert coded[0] == 0
        assert len(set(coded[2:].tolist())) == 1


class TestPlanes:
    def test_low_bytes_come_first_and_empty_ones_are_left(self) -> None:
        assert blocks.planes(np.array([[0x0102, 0x03, 0x0405], [1, 2, 3]], "<u4")) == [
            [b"\x02\x03\x05", b"\x01\x00\x04"],
            [b"\x01\x02\x03"],
        ]
        assert blocks.planes(np.zeros((1, 3), "<u8")) == [[bytes(3)]]

    @given(numbers)
    def test_they_come_back(self, values: Array) -> None:
        for row, planes in zip(values, blocks.planes(values), strict=True):
            back = blocks.unplaned(b"".join(planes), len(planes), len(row))
            assert (back[0] == row).all()


class TestPacking:
    @given(st.lists(st.binary(max_size=200), min_size=1, max_size=6), st.integers(1, 50))
    def test_bytes_come_back(self, planes: list[bytes], times: int) -> None:
        planes = [plane * times for plane in planes]
        plain = b"".join(planes)
        packed = blocks.packed(planes)
        assert len(packed) <= len(plain)
        assert blocks.unpacked(packed, len(plain)) == plain

    def test_any_zstd_reads_it(self) -> None:
        assert zstandard.decompress(blocks.packed([b"a" * 100, b"b" * 100])) == b"a" * 100 + b"b" * 100

    def test_a_frame_of_another_size_is_corrupt(self) -> None:
        with pytest.raises(Corrupt, match="holds 1000 bytes instead of 999"):
            blocks.unpacked(blocks.packed([bytes(1000)]), 999)

    def test_a_frame_that_hides_its_size_is_corrupt(self) -> None:
        frame = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))
        with pytest.raises(Corrupt, match="instead of 1000"):
            blocks.unpacked(frame, 1000)

    def test_a_bomb_is_not_unpacked(self) -> None:
        bomb = zstandard.compress(bytes(1 << 28))
        with pytest.raises(Corrupt, match="instead of 4096"):
            blocks.unpacked(bomb, 4096)

    @pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\0" * len(b)])
    def test_a_broken_frame_is_corrupt(self, spoil: object) -> None:
        packed = blocks.packed([bytes(range(256)) * 20])
        with pytest.raises(Corrupt, match="zstd"):
            blocks.unpacked(spoil(packed), 5120)  # type: ignore[operator]


def test_threads_pack_and_unpack_at_once() -> None:
    """A server reads laps in several threads; two in one zstd context ended the process with SIGSEGV."""
    rng = np.random.default_rng(1)
    plains = [np.repeat(rng.integers(0, 50, 20_000, np.uint8), 7).tobytes() for _ in range(6)]

    def back(number: int) -> bool:
        plain = plains[number % len(plains)]
        frame = blocks.packed([plain[:50_000], plain[50_000:]])
        return blocks.unpacked(frame, len(plain)) == plain

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(back, range(100)))
