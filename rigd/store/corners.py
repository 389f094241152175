"""The file beside a lap with what it did in the corners: found out once, and at any time anew. ARCHIVE.md is
the format.
"""

import math
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rig import parse
from rig.errors import Corrupt
from rig.regular import read_regular
from rig.v1 import analysis_pb2, archive_pb2

if TYPE_CHECKING:
    from riglap.cornering import CornerPass

MAGIC: Final = b"\x89rigCRN\x01"
"""The last byte is the version."""
_CRC: Final = struct.Struct("<I")
_MOST_BYTES: Final = 1 << 18
"""500 corners of 200 bytes, twice."""

_FIELDS: Final = {
    "time": "time_s",
    "entry_speed": "entry_mps",
    "least_speed": "least_mps",
    "least_place": "least_m",
    "exit_speed": "exit_mps",
    "brake_place": "brake_m",
    "brake_peak": "brake_peak",
    "release_place": "release_m",
    "trail": "trail_m",
    "turn_in_place": "turn_in_m",
    "throttle_place": "throttle_m",
    "full_throttle_place": "full_throttle_m",
    "coast": "coast_s",
    "gear": "gear",
    "entry_lateral": "entry_lateral_m",
    "apex_lateral": "apex_lateral_m",
    "exit_lateral": "exit_lateral_m",
    "grip_use": "grip_use",
    "slip": "slip",
}
"""Fields of the contract, whose units are in their comments, and the attributes that they come from."""


def pass_message(one: "CornerPass") -> analysis_pb2.CornerPass:
    """Return what a lap did in a corner; what is not known is absent."""
    told = {field: getattr(one, name) for field, name in _FIELDS.items()}
    known = {field: value for field, value in told.items() if math.isfinite(value)}
    return analysis_pb2.CornerPass(corner=one.corner, clear=one.clear, speed_class=one.speed_class, **known)


def pass_messages(passes: Iterable["CornerPass"]) -> list[analysis_pb2.CornerPass]:
    """Return what a lap did in its corners."""
    return [pass_message(one) for one in passes]


def pack_corners(kept: archive_pb2.LapCorners) -> bytes:
    """Return the bytes of the file."""
    data = kept.SerializeToString()
    return MAGIC + _CRC.pack(zlib.crc32(data)) + data


def unpack_corners(data: bytes) -> archive_pb2.LapCorners:
    """Return what the file holds. Raises Corrupt, also for another version: then it is computed anew."""
    start = len(MAGIC) + _CRC.size
    if not data.startswith(MAGIC) or len(data) < start:
        raise Corrupt("these are no corners of a lap that this version reads")
    body = data[start:]
    if _CRC.unpack_from(data, len(MAGIC))[0] != zlib.crc32(body):
        raise Corrupt(f"{len(data)} bytes of corners are not what was written: their CRC-32 differs")
    return parse.message(archive_pb2.LapCorners, body)


def read_corners(path: Path) -> tuple[archive_pb2.LapCorners, int] | None:
    """Return what a file holds, and its bytes; None where there is none. Raises Corrupt."""
    try:
        data = read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return None
    return unpack_corners(data), len(data)


def stated(kept: archive_pb2.LapCorners, size: int) -> tuple[int, int]:
    """Return what a lap's message says of its corners: their fingerprint, 0 where there are none, and the
    bytes of the file.
    """
    return kept.fingerprint if kept.corners else 0, size
