"""Files that no writer makes: well sealed, but with what the page forbids, allows or does not know inside.

The second reader and `rig.lapfile` have to agree about them; where the page was silent, this settled it.
"""

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pytest
import zstandard

from rig.errors import Corrupt
from rig.lapfile import LapFile
from rig.v1 import archive_pb2
from rig.v1.archive_pb2 import Coding, Column, LapHeader, Neighbour, Prediction
from riglap.lap import Lap
from tests.rig.second_reader import read

SAMPLES: Final = archive_pb2.SECTION_SAMPLES


def coded(codec: int, value: bytes = b"", **more: Any) -> Coding:
    return Coding(codec=codec, value=value, **more)  # type: ignore[arg-type]


def predicted(formula: int, *neighbours: str, factors: Sequence[float] = (), component: int = 0) -> Coding:
    """Whatever is predicted, exactly."""
    places = [Neighbour(channel=channel, component=component) for channel in neighbours]
    prediction = Prediction(formula=formula, neighbours=places, factors=factors)  # type: ignore[arg-type]
    return coded(archive_pb2.CODEC_CONSTANT, bytes(4), prediction=prediction)


def described(name: str, dtype: str, *codings: Coding, section: int = 1, width: int = -1) -> Column:
    width = len(codings) if width < 0 else width
    return Column(name=name, dtype=dtype, codings=codings, section=section, width=width)  # type: ignore[arg-type]


def sealed(rows: int, *columns: tuple[Column, bytes]) -> bytes:
    """A file of these columns and their blocks: sizes and CRCs are right, whatever else is not."""
    header, at = LapHeader(samples=rows, scorings=rows), 0
    for column, block in columns:
        header.columns.append(column)
        fit = Column(
            offset=at, size=len(block), unpacked=column.unpacked or len(block), crc=zlib.crc32(block)
        )
        header.columns[-1].MergeFrom(fit)
        at += len(block)
    head = header.SerializeToString()
    start = b"\x89rigLAP\x01" + struct.pack("<II", len(head), len(head))
    return b"".join(
        [start, struct.pack("<I", zlib.crc32(start + head)), head, *(block for _, block in columns)]
    )


def both(data: bytes) -> LapHeader:
    """Both readers find the same samples in a file; its head."""
    LapFile(data).verify()
    header, columns = read(data)
    theirs = Lap.from_bytes(data)
    for column in header.columns:
        values = columns[column.section, column.name]
        assert values.tobytes() == np.ascontiguousarray(theirs[column.name]).tobytes(), column.name
    return header


THREE = (described("fuel", "<f4", coded(1, struct.pack("<f", 3.0))), b"")
RAW_FILE = sealed(2, (described("drag", "<f4", coded(2)), struct.pack("<ff", -0.0, 2.5)))
"""The writer finds something better than raw every time."""


@pytest.mark.parametrize(
    ("codec", "values"),
    [(3, [98, 100, 102, 100]), (4, [103, 106, 107, 108]), (5, [103, 109, 116, 124]), (6, [3, 3, 1, 1])],
)
def test_a_first_integer_that_is_not_zero_counts(codec: int, values: list[int]) -> None:
    data = sealed(4, (described("gear", "<i4", coded(codec, struct.pack("<i", 100), planes=1)), b"\6\6\2\2"))
    both(data)
    assert read(data)[1][SAMPLES, "gear"].tolist() == values


def test_bits_of_a_mask_beyond_the_rows_mean_nothing() -> None:
    held = described("gear", "<i4", coded(4, struct.pack("<i", 7), planes=1, held=True))
    data = sealed(6, (held, b"\xe9\0\4\1"))
    both(data)
    assert read(data)[1][SAMPLES, "gear"].tolist() == [7, 7, 7, 9, 9, 8]


def chained(steps: int) -> bytes:
    names = ["fuel", *(f"c{i}" for i in range(steps))]
    links = [(described(b, "<f4", predicted(2, a)), b"") for a, b in pairwise(names)]
    return sealed(2, *reversed([THREE, *links]))


def test_eight_steps_are_followed_and_nine_are_not() -> None:
    assert read(chained(8))[1][SAMPLES, "c7"].tolist() == [3.0, 3.0]
    with pytest.raises(ValueError, match="too many"):
        read(chained(9))


UNKNOWN = {
    "codec": (described("drag", "<f4", coded(99)), b"abc"),
    "formula": (described("drag", "<f4", predicted(99, "fuel")), b""),
    "dtype": (described("drag", "<f2", coded(1, b"ab")), b""),
    "section": (described("drag", "?", width=1000, section=9), b"abc"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_not_known_is_left_out_and_the_rest_is_read(what: str) -> None:
    assert read(sealed(2, UNKNOWN[what], THREE))[1].keys() == {(SAMPLES, "fuel")}


def test_what_the_unknown_foretells_is_left_out() -> None:
    pace = described("speed", "<f4", predicted(2, "drag", "fuel")), b""
    assert read(sealed(2, pace, UNKNOWN["dtype"], THREE))[1].keys() == {(SAMPLES, "fuel")}


def zstd(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def framed(block: bytes, unpacked: int = 400) -> tuple[Column, bytes]:
    column = described("gear", "<i4", coded(2))
    column.unpacked = unpacked
    return column, block


def gear(block: bytes = b"", **coding: Any) -> tuple[Column, bytes]:
    return described("gear", "<i4", Coding(**coding)), block


def drag(coding: Coding) -> tuple[Column, bytes]:
    return described("drag", "<f4", coding), b""


EXACT = predicted(2, "fuel")
F = bytes(4)
DAMAGE = {
    "more planes than bytes": gear(bytes(500), codec=4, value=F, planes=5),
    "a block too short": gear(bytes(99), codec=4, value=F, planes=1),
    "a block too long": gear(bytes(101), codec=4, value=F, planes=1),
    "a mask cut short": gear(bytes(12), codec=4, value=F, held=True),
    "a first row that is held": gear(b"\2" + bytes(13), codec=4, value=F, planes=1, held=True),
    "a first residual too short": gear(bytes(100), codec=4, value=b"abc", planes=1),
    "a constant with planes": gear(codec=1, value=F, planes=1),
    "a held constant": gear(codec=1, value=F, held=True),
    "raw with planes": gear(bytes(400), codec=2, planes=4),
    "an integer on a grid": gear(codec=1, value=F, grid=10.0),
    "an integer predicted": gear(codec=1, value=F, prediction=EXACT.prediction),
    "grid and prediction": drag(coded(1, F, grid=10.0, prediction=EXACT.prediction)),
    "raw on a grid": (described("drag", "<f4", coded(2, grid=10.0)), bytes(400)),
    "raw and predicted": (described("drag", "<f4", coded(2, prediction=EXACT.prediction)), bytes(400)),
    "a flag of two": (described("overheating", "|b1", coded(1, b"\2")), b""),
    "no values per row": (described("gear", "<i4"), b""),
    "65 values per row": (described("gear", "<i4", *[coded(1, F)] * 65), b""),
    "a coding too many": (described("gear", "<i4", coded(1, F), coded(1, F), width=1), b""),
    "a channel twice": THREE,
    "a neighbour that is not there": drag(predicted(2, "speed")),
    "a component that is not there": drag(predicted(2, "fuel", component=1)),
    "a circle": drag(predicted(2, "drag")),
    "norm of nothing": drag(predicted(2)),
    "norm of 17": drag(predicted(2, *["fuel"] * 17)),
    "norm with a factor": drag(predicted(2, "fuel", factors=[1.0])),
    "linear with a factor too few": drag(predicted(1, "fuel", factors=[1.0])),
    "linear of 16": drag(predicted(1, *["fuel"] * 16, factors=[1.0] * 17)),
    "cross of 3": drag(predicted(4, *["fuel"] * 3)),
    "orthogonal of 4": drag(predicted(5, *["fuel"] * 4)),
    "no frame": framed(b"abc"),
    "a frame of no stated size": framed(zstd(bytes(400), write_content_size=False)),
    "a frame of another size": framed(zstd(bytes(400)), 396),
    "a frame cut short": framed(zstd(bytes(400))[:-1]),
    "a byte after the frame": framed(zstd(bytes(400)) + b"x"),
    "two frames": framed(zstd(bytes(400)) + zstd(b"")),
    "a block beyond its limit": framed(zstd(bytes(814)), 814),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_both_readers_refuse(what: str) -> None:
    data = sealed(100, THREE, DAMAGE[what])
    with pytest.raises(ValueError, match=r"."):
        read(data)
    with pytest.raises(Corrupt):
        LapFile(data).verify()


def test_a_head_beyond_the_limits_is_refused() -> None:
    wide = [(described(f"c{i}", "<f4", width=64, section=9), b"") for i in range(9)]
    narrow = [(described(f"c{i}", "<f4", section=9), b"") for i in range(1025)]
    for data in (sealed((1 << 20) + 1, THREE), sealed(1 << 20, *wide), sealed(1, *narrow)):
        with pytest.raises(ValueError, match="too many"):
            read(data)
