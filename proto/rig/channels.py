"""The channel registry, read from the contract's descriptors.

A channel is added in one place, its field in `proto/rig/v1`. dtypes, encoder, exports and the channel
reference all come from here.
"""

import difflib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from rig.errors import UnknownChannel
from rig.v1 import channel_pb2, lap_pb2, physics_pb2, scoring_pb2

_DTYPES: Final[dict[int, str]] = {
    FieldDescriptor.TYPE_DOUBLE: "<f8",
    FieldDescriptor.TYPE_FLOAT: "<f4",
    FieldDescriptor.TYPE_SFIXED32: "<i4",
    FieldDescriptor.TYPE_FIXED32: "<u4",
    FieldDescriptor.TYPE_FIXED64: "<u8",
    FieldDescriptor.TYPE_BOOL: "?",
}
"""Wire types of columns. All have a fixed width, so that a column's place never depends on its values."""

DTYPES: Final = {np.dtype(name).str: np.dtype(name) for name in _DTYPES.values()}
"""The types that values have in files and messages, by the name they have there."""

FIRST_COLUMN: Final = 16
"""Lowest field number of a column; below are the head and the messages beside the table."""

WHEELS: Final = ("fl", "fr", "rl", "rr")
AXES: Final = ("x", "y", "z")
_ENDINGS: Final = {1: ("",), len(AXES): AXES, len(WHEELS): WHEELS}


def components(name: str, width: int) -> list[str]:
    """Return names of a channel's values, in exports and, in upper case, in the warehouse: tyre_load_fl, _fr,
    _rl and _rr; position_x, _y and _z; of any other width name_0, name_1, ...
    """
    endings = _ENDINGS.get(width) or map(str, range(width))
    return [f"{name}_{ending}" if ending else name for ending in endings]


@dataclass(frozen=True)
class Channel:
    """One signal: a column of a table."""

    name: str
    number: int
    """Field number in the table message."""
    dtype: np.dtype[Any]
    """Type of one value on the wire, little endian."""
    width: int
    """Values per row."""
    unit: str
    source: str
    """Field of the game's record, dotted for wheels."""
    description: str
    scale: float
    offset: float
    """value = raw * scale + offset."""
    missing_non_positive: bool
    """A raw value <= 0 means there is none."""
    derivation: "channel_pb2.Derivation.ValueType"
    zeros_absent: bool
    """Zeros throughout a lap mean that the game does not fill the field."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on the wire."""
        return self.width * self.dtype.itemsize


class Table:
    """A message that is a table: its channels in the order of their field numbers."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.name: Final[str] = descriptor.name
        self.channels: Final[tuple[Channel, ...]] = tuple(
            _channel(field) for field in descriptor.fields if field.number >= FIRST_COLUMN
        )
        self.by_name: Final[dict[str, Channel]] = {channel.name: channel for channel in self.channels}
        self.by_number: Final[dict[int, Channel]] = {channel.number: channel for channel in self.channels}
        self.schema: Final[int] = _fingerprint(self.channels)
        """CRC-32 over what decides the bytes of a column; in the head of every record."""

    def pick(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """Return channels by name, in the table's order, `id` always among them; no names: all.

        Raises UnknownChannel with the nearest name.
        """
        wanted = set(names)
        for name in sorted(wanted - self.by_name.keys()):
            raise UnknownChannel(
                f"{self.name} has no channel {name!r}", hint=_nearest(name, list(self.by_name)), channel=name
            )
        if not wanted:
            return self.channels
        wanted.add("id")
        return tuple(channel for channel in self.channels if channel.name in wanted)


def _channel(field: FieldDescriptor) -> Channel:
    options = field.GetOptions().Extensions[channel_pb2.channel]
    return Channel(
        name=field.name,
        number=field.number,
        dtype=np.dtype(_DTYPES[field.type]),
        width=options.width or 1,
        unit=options.unit,
        source=options.source,
        description=options.description,
        scale=options.scale or 1.0,
        offset=options.offset,
        missing_non_positive=options.missing == channel_pb2.MISSING_NON_POSITIVE,
        derivation=options.derivation,
        zeros_absent=options.zeros == channel_pb2.ZEROS_ABSENT,
    )


def _fingerprint(channels: Sequence[Channel]) -> int:
    shape = ";".join(f"{c.number}:{c.dtype.str}:{c.width}" for c in channels)
    return zlib.crc32(shape.encode())


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "`rig channels` lists them all"


PHYSICS: Final = Table(physics_pb2.Physics.DESCRIPTOR)
"""Telemetry: a row per car, a record per frame."""

SCORING: Final = Table(scoring_pb2.Scoring.DESCRIPTOR)
"""Scoring: a row per car, a record per update."""

LAP: Final = Table(lap_pb2.LapTable.DESCRIPTOR)
"""What the archive adds to the samples and the scoring updates of a lap."""
