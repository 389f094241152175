"""Columns of an imported file that no channel holds: kept in a section of their own."""

import numpy as np
import pytest

from rig.errors import BadRequest, Corrupt, Exhausted, MissingChannel
from rig.lapfile import COLUMNS_LIMIT, RECORDED, SAMPLES, LapFile, pack
from rig.v1 import archive_pb2, lap_pb2

TIMES = np.arange(0, 20, 0.1)
PRESSURE = np.where(TIMES % 3 < 1, 40.0, np.nan)
HEADER = archive_pb2.LapHeader(lap=lap_pb2.Lap(name="sessions/a/laps/car000-0001"))


def packed() -> bytes:
    return pack(HEADER, {"lap_time": TIMES}, {}, {"pbrake f [bar]": PRESSURE, "zero": np.zeros_like(TIMES)})


def test_they_come_back_to_the_bit_and_are_no_channels() -> None:
    file = LapFile(packed())
    file.verify()
    assert (file.channels(SAMPLES), file.channels(RECORDED)) == (["lap_time"], ["pbrake f [bar]", "zero"])
    np.testing.assert_array_equal(file.column("pbrake f [bar]", RECORDED), PRESSURE)
    with pytest.raises(MissingChannel):
        file.column("pbrake f [bar]")


def test_another_header_leaves_every_column_as_it_is() -> None:
    file = LapFile(packed())
    header = archive_pb2.LapHeader()
    header.CopyFrom(file.header)
    header.recording.laps = 3
    again = LapFile(file.with_header(header))
    again.verify()
    assert (again.header.recording.laps, again.header.samples) == (3, len(TIMES))
    np.testing.assert_array_equal(again.column("pbrake f [bar]", RECORDED), PRESSURE)
    assert again.digest != file.digest


def test_a_damaged_one_is_found() -> None:
    data = bytearray(packed())
    data[-1] ^= 1
    with pytest.raises(Corrupt):
        LapFile(bytes(data)).verify()


def test_they_have_a_value_for_every_sample_and_are_not_too_many() -> None:
    with pytest.raises(BadRequest, match="pbrake"):
        pack(HEADER, {"lap_time": TIMES}, {}, {"pbrake": PRESSURE[1:]})
    with pytest.raises(Exhausted, match="columns"):
        pack(HEADER, {"lap_time": TIMES}, {}, {str(at): TIMES for at in range(COLUMNS_LIMIT)})
