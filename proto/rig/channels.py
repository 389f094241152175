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

from rig.errors import BadRequest, UnknownChannel
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

FIRST_FORMULA: Final = 1100
"""Number of the column of a request's first formula."""
MOST_FORMULAS: Final = 16

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
    def derived(self) -> bool:
        """Whether the server makes it for streams that name it."""
        return self.derivation == channel_pb2.DERIVATION_LIVE

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on the wire."""
        return self.width * self.dtype.itemsize


class Table:
    """A message that is a table: its channels in the order of their field numbers."""

    def __init__(self, descriptor: Descriptor, formulas: Sequence[Channel] = ()) -> None:
        self._descriptor = descriptor
        self.name: Final[str] = descriptor.name
        columns = [_channel(field) for field in descriptor.fields if field.number >= FIRST_COLUMN]
        self.channels: Final[tuple[Channel, ...]] = tuple(one for one in columns if not one.derived)
        """What is recorded; the two below are of these alone."""
        self.by_name: Final[dict[str, Channel]] = {channel.name: channel for channel in self.channels}
        self.by_number: Final[dict[int, Channel]] = {channel.number: channel for channel in self.channels}
        self.derived: Final[dict[str, Channel]] = {one.name: one for one in columns if one.derived}
        """What the server makes for streams that name it."""
        self.columns: Final[dict[int, Channel]] = {one.number: one for one in (*columns, *formulas)}
        """All that a message can have, by number."""
        self.schema: Final[int] = _fingerprint(self.channels)
        """CRC-32 over what decides the bytes of a column; in the head of every record."""

    def with_formulas(self, formulas: Sequence[Channel]) -> "Table":
        """Return the table with columns of formulas."""
        return Table(self._descriptor, formulas) if formulas else self

    def pick(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """Return channels by name, in the table's order, `id` always among them; no names: all.

        Raises UnknownChannel with the nearest name.
        """
        wanted = set(names)
        for name in sorted(wanted - self.by_name.keys()):
            own = "it is made for streams alone" if name in self.derived else ""
            hint = own or _nearest(name, list(self.by_name))
            raise UnknownChannel(f"{self.name} has no channel {name!r}", hint=hint, channel=name)
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


def formula_columns(names: Iterable[str]) -> dict[Channel, str]:
    """Return the columns of the formulas among channel names, `name = expression`, each with its expression.
    Raises BadRequest for too many, and for names that are none or taken.
    """
    found: dict[Channel, str] = {}
    for text in dict.fromkeys(text for text in names if "=" in text):
        name, _, expression = (part.strip() for part in text.partition("="))
        if not (name.isascii() and name.isidentifier()) or name.startswith("_"):
            raise BadRequest(f"no formula can be called {name!r}", hint="a name is letters, digits and _")
        if name in PHYSICS.by_name or name in PHYSICS.derived or name in {one.name for one in found}:
            raise BadRequest(f"no formula can be called {name!r}", hint="there is a channel of this name")
        if len(found) == MOST_FORMULAS:
            raise BadRequest(f"more than {MOST_FORMULAS} formulas in a stream", limit=MOST_FORMULAS)
        found[_formula(name, FIRST_FORMULA + len(found))] = expression
    return found


def _formula(name: str, number: int) -> Channel:
    return Channel(
        name=name,
        number=number,
        dtype=np.dtype("<f4"),
        width=1,
        unit="",
        source="",
        description="A formula of the request.",
        scale=1.0,
        offset=0.0,
        missing_non_positive=False,
        derivation=channel_pb2.DERIVATION_LIVE,
        zeros_absent=False,
    )


PHYSICS: Final = Table(physics_pb2.Physics.DESCRIPTOR)
"""Telemetry: a row per car, a record per frame."""

SCORING: Final = Table(scoring_pb2.Scoring.DESCRIPTOR)
"""Scoring: a row per car, a record per update."""

LAP: Final = Table(lap_pb2.LapTable.DESCRIPTOR)
"""What the archive adds to the samples and the scoring updates of a lap."""
