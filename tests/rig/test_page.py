"""ARCHIVE.md: what the format page shows is what the program writes and reads."""

import re
from pathlib import Path

import numpy as np
import pytest

from rig.lapfile import LapFile, blocks, pack
from rig.lapfile.neighbours import NORM, predict
from rig.lapfile.trial import coded
from rig.v1 import archive_pb2
from tests.rig.laps import CHANNELS, Array

PAGE = (Path(__file__).resolve().parents[2] / "proto/ARCHIVE.md").read_text()


def test_the_whole_file_is_what_the_program_writes() -> None:
    shown = bytes.fromhex(PAGE.split("```")[1])
    samples = {"throttle": np.array([0.1, 0.7, -0.3], "<f4"), "gear": np.full(3, 3, "<i4")}
    assert pack(archive_pb2.LapHeader(version="1"), samples, {}) == shown
    assert LapFile(shown).column("throttle").tobytes() == samples["throttle"].tobytes()
    assert LapFile(shown).column("gear").tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("values", "codec", "planes"),
    [
        (np.array([1.0, 1.5, 1.25, -0.0], "<f4"), blocks.DELTA, "0000ff01 0000ff00 00803f40 0000007f"),
        (np.array([100, 103, 107, 112], "<i4"), blocks.DELTA_OF_DELTA, "00060202"),
    ],
)
def test_planes_are_as_shown(values: Array, codec: blocks.Codec, planes: str) -> None:
    (made,) = blocks.planes(blocks.coded(blocks.image(values)[None], codec))
    assert made == [bytes.fromhex(plane) for plane in planes.split()]
    for plane in made:
        assert f"`{plane.hex(' ').upper()}`" in PAGE


def test_a_held_component_is_as_shown() -> None:
    values = np.array([7, 7, 7, 9, 9, 8] + [8] * 30, "<i4")
    coding, planes = coded([CHANNELS["gear"]], {("gear", 0): values}, {})["gear", 0]
    assert (coding.held, planes[0]) == (True, b"\x29" + bytes(4))
    assert "`29 00 04 01`" in PAGE
    assert blocks.coded(np.array([7, 9, 8], "<u4"), blocks.DELTA).tolist() == [0, 4, 1]


def test_a_norm_is_as_shown() -> None:
    sources = [np.array([3.0, 5.0]), np.array([4.0, 12.0])]
    assert predict(NORM, sources, []).tolist() == [5.0, 13.0]


def test_every_number_of_the_messages_is_listed() -> None:
    tables = PAGE.split("## ")[2] + PAGE.split("## Corners of a lap")[1]
    rows = re.findall(r"^\|\s*(\w*) \| (\d+) \| [^|]*\| (\w+) \|", tables, re.M)
    message, listed = "", set()
    for name, number, field in rows:
        message = name or message
        listed.add((message, int(number), field))
    file = archive_pb2.DESCRIPTOR.message_types_by_name
    assert listed == {
        (name, field.number, field.name) for name, descriptor in file.items() for field in descriptor.fields
    }
