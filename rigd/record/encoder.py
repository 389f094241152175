"""From the game's records to a table's wire bytes: a handful of gathers, no loop over cars or channels.

A tick finds cold caches: after 20 ms of sleep a call of numpy costs 5 us where the warm one costs 1. So what
counts is the number of calls. All columns of a kind are gathered by one `take` through an index made
beforehand; only columns that are not plain copies have steps of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rig.channels import Channel, Table
from rig.columns import Head, Region, Template
from rig.v1 import channel_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Step = Callable[[], object]

_SECTOR_AFTER: Final = np.array([1, 2, 3, 1], np.int32)
_SECTOR_LAST_IS_ZERO: Final = np.array([3, 1, 2], np.int32)


@dataclass
class _Program:
    """What turns the records at one address into a record of the table."""

    template: Template
    gathers: list[Step] = field(default_factory=list)
    """Fill whole regions; headers are overwritten."""
    steps: list[Step] = field(default_factory=list)
    """Fill single columns, or correct them, once the headers are back."""


class Encoder:
    """Encodes records of one kind into records of one table.

    Non-finite numbers become NaN in one sweep. Built once per address and car count.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.terrains: list[str] = []
        """Terrain names in the order of their index on the wire."""
        self._terrain_index: dict[bytes, int] = {}
        self._programs: dict[tuple[int, int], _Program] = {}

    def encode(self, records: Array, head: Head, tail: bytes = b"") -> bytes:
        """The record: `head`, a column per channel from `records` (one per car), `tail`.

        A double beyond float32 becomes infinite, and then NaN; numpy warns of it unless told not to.
        """
        # Not __array_interface__: it spells out the whole type, 35 us for a record of 80 fields.
        key = (records.ctypes.data, len(records))
        program = self._programs.get(key) or self._build(key, records)
        for gather in program.gathers:
            gather()
        program.template.stamp()
        for step in program.steps:
            step()
        return program.template.pack(head, tail)

    def _build(self, key: tuple[int, int], records: Array) -> _Program:
        program = self._programs[key] = _Program(Template(self.table, len(records)))
        plain: dict[str, list[Channel]] = {"f8f4": [], "f4": [], "f8": [], "i4": [], "u1u4": [], "b1": []}
        for channel in program.template.order:
            kind = _kind(channel, _field(records, channel.source))
            if kind:
                plain[kind].append(channel)
            else:
                program.steps.append(self._step(channel, records, program.template))
        _gather_all(program, plain, records)
        return program

    def _step(self, channel: Channel, records: Array, template: Template) -> Step:
        source = _field(records, channel.source)
        target = template.columns[channel.name]
        match channel.derivation:
            case channel_pb2.DERIVATION_NORM:
                return _norm_step(source, target)
            case channel_pb2.DERIVATION_SECTOR_FROM_ZERO:
                return lambda: np.copyto(target, _SECTOR_AFTER[source & 3])
            case channel_pb2.DERIVATION_SECTOR_LAST_IS_ZERO:
                return lambda: np.copyto(target, _sector_last_is_zero(source))
            case channel_pb2.DERIVATION_SIGN_BIT:
                return lambda: np.less(source, 0, out=target)
            case channel_pb2.DERIVATION_TERRAIN_INDEX:
                return self._terrain_step(source, target)
        return _single_step(channel, source.reshape(target.shape), target)

    def _terrain_step(self, source: Array, target: Array) -> Step:
        """Names change rarely, so only wheels whose 16 bytes changed are looked up."""
        last, seen = np.full(source.shape, b"\xff", source.dtype), b""
        kept = np.full(target.shape, -1, target.dtype)

        def step() -> None:
            nonlocal seen
            if (now := source.tobytes()) != seen:
                seen, changed = now, source != last
                np.copyto(last, source)
                kept[changed] = [self._terrain(name) for name in source[changed].tolist()]
            np.copyto(target, kept)

        return step

    def _terrain(self, name: bytes) -> int:
        name = name.split(b"\0", 1)[0]
        index = self._terrain_index.get(name)
        if index is None:
            index = self._terrain_index[name] = len(self.terrains)
            self.terrains.append(text(name))
        return index


def text(raw: bytes) -> str:
    """A fixed-size string of the game: cut at the first NUL; UTF-8, else its Windows code page.

    Bytes that code page leaves undefined are read as Latin-1, so no name is ever refused. A multi-byte
    character cut by the field's end is dropped.
    """
    raw = raw.split(b"\0", 1)[0]
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding == "utf-8" and error.reason == "unexpected end of data" and len(raw) >= 31:
                return raw[: error.start].decode()
    return raw.decode("latin-1")


# Which columns are plain, and how they are gathered.


def _kind(channel: Channel, source: Array) -> str:
    """Name of the gather that serves the column; empty for one that needs a step of its own."""
    if channel.derivation:
        return ""
    plain = channel.scale == 1.0 and not channel.offset and not channel.missing_non_positive
    match channel.dtype.str[1:], source.dtype.str[1:]:
        case "f4", "f8":
            return "f8f4"  # scale, offset and missing values are corrected afterwards
        case "f4", "f4":
            return "f4"
        case "f8", "f8":
            return "f8" if plain else ""
        case (("i4" | "u4"), "i4"):
            return "i4" if plain else ""
        case (("i4" | "u4"), "u1"):
            return "u1u4" if plain else ""
        case "b1", ("u1" | "b1"):
            return "b1"
    return ""


def _gather_all(program: _Program, plain: dict[str, list[Channel]], records: Array) -> None:
    template = program.template
    raw = records.view(np.uint8)
    if len(records):
        program.gathers.append(_floats(template, plain, records, raw))
        program.gathers.append(_words(template, plain, records, raw))
        program.gathers.append(_flags(template, plain["b1"], records, raw))
        program.steps[:0] = _corrections(template, plain["f8f4"] + plain["f4"])
        program.steps.append(_sweep_step(template))


def _floats(template: Template, plain: dict[str, list[Channel]], records: Array, raw: Array) -> Step:
    """All doubles of all records become floats, whatever they are; then the wanted ones are picked.

    Doubles lie on even and on odd multiples of four bytes, so the bytes are read twice.
    """
    region = template.floats
    even, odd = raw[: len(raw) // 8 * 8].view("<f8"), raw[4 : len(raw) - 4].view("<f8")
    floats = np.empty(len(even) + len(odd), np.float32)
    at = _places(region, template, plain["f8f4"], records)
    index = np.where(at % 8 == 0, at // 8, len(even) + at // 8)
    low, high = floats[: len(even)], floats[len(even) :]
    singles = raw.view("<f4")
    places = _all_slots(region, template, plain["f4"])
    single_index = _places(region, template, plain["f4"], records)[places] // 4

    def step() -> None:
        np.copyto(low, even, casting="unsafe")
        np.copyto(high, odd, casting="unsafe")
        floats.take(index, out=region.values, mode="clip")
        region.values[places] = singles.take(single_index)

    return step


def _words(template: Template, plain: dict[str, list[Channel]], records: Array, raw: Array) -> Step:
    """Doubles (two words each) and integers are copied as they are; bytes become integers."""
    region, words = template.words, raw.view("<i4")
    index = _places(region, template, plain["i4"], records) // 4
    for channel in plain["f8"]:
        source = _field(records, channel.source)
        first = (source.ctypes.data - records.ctypes.data + np.arange(len(records)) * records.strides[0]) // 4
        index[_slots(region, template, channel)] = np.stack([first, first + 1], axis=1).ravel()
    places = _all_slots(region, template, plain["u1u4"])
    small = _places(region, template, plain["u1u4"], records)[places]

    def step() -> None:
        words.take(index, out=region.values, mode="clip")
        region.values[places] = raw.take(small)

    return step


def _flags(template: Template, channels: list[Channel], records: Array, raw: Array) -> Step:
    region = template.flags
    index = _places(region, template, channels, records)
    return lambda: np.not_equal(raw.take(index), 0, out=region.values.view(np.bool_))


def _slots(region: Region, template: Template, channel: Channel) -> slice:
    """Where a column lies in its region, in values of the region."""
    size = region.values.itemsize
    first = (template.starts[channel.name] - region.start) // size
    return slice(first, first + template.rows * channel.row_bytes // size)


def _all_slots(
    region: Region, template: Template, channels: list[Channel]
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """The places of some columns in their region."""
    slots = [_slots(region, template, channel) for channel in channels]
    return np.concatenate([np.empty(0, np.intp), *(np.arange(slot.start, slot.stop) for slot in slots)])


def _places(
    region: Region, template: Template, channels: list[Channel], records: Array
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """For every value of the region the offset of its source in the records' bytes; 0 for all else."""
    out = np.zeros(len(region.values), np.intp)
    for channel in channels:
        source = _field(records, channel.source)
        at = np.full(source.shape, source.ctypes.data - records.ctypes.data, np.intp)
        for axis, (count, stride) in enumerate(zip(source.shape, source.strides, strict=True)):
            steps = np.arange(count) * stride
            at += steps.reshape([-1 if i == axis else 1 for i in range(source.ndim)])
        out[_slots(region, template, channel)] = at.ravel()
    return out


def _corrections(template: Template, channels: list[Channel]) -> list[Step]:
    """Steps for scale, offset and missing values of the gathered floats, all columns at once."""
    region = template.floats
    scaled = _chosen(template, [c for c in channels if c.scale != 1.0], lambda c: c.scale)
    shifted = _chosen(
        template, [c for c in channels if c.missing_non_positive or c.offset], lambda c: c.offset
    )
    steps: list[Step] = []
    if len(scaled[0]):
        steps.append(lambda: _scale(region.values, *scaled))
    if len(shifted[0]):
        steps.append(lambda: _shift(region.values, *shifted))
    return steps


def _chosen(
    template: Template, channels: list[Channel], factor: Callable[[Channel], float]
) -> tuple[Array, Array]:
    """Places in the float region of these columns' values, and a factor for each."""
    places = _all_slots(template.floats, template, channels)
    factors = [np.full(template.rows * c.width, factor(c), np.float32) for c in channels]
    return places, np.concatenate([np.empty(0, np.float32), *factors])


def _scale(values: Array, places: Array, factors: Array) -> None:
    values[places] *= factors


def _shift(values: Array, places: Array, offsets: Array) -> None:
    """Raw values of zero and below are missing."""
    raw = values.take(places)
    shifted = raw + offsets
    shifted[raw <= 0] = np.nan
    values[places] = shifted


def _sweep_step(template: Template) -> Step:
    """Every infinite number becomes NaN. What is missing is NaN already, so as a rule nothing is found."""
    doubles = [template.columns[c.name] for c in template.order if c.dtype.str == "<f8"]
    numbers = [template.floats.values, *doubles]

    def step() -> None:
        for values in numbers:
            infinite = np.isinf(values)
            if infinite.any():
                values[infinite] = np.nan

    return step


# Columns with steps of their own.


def _field(records: Array, path: str) -> Array:
    for name in path.split("."):
        records = records[name]
    return records


def _norm_step(source: Array, target: Array) -> Step:
    squares = np.empty(source.shape)

    def step() -> None:
        np.multiply(source, source, out=squares)
        np.sqrt(np.add.reduce(squares, axis=1), out=target, casting="unsafe")

    return step


def _sector_last_is_zero(source: Array) -> Array:
    known = (source >= 0) & (source <= 2)
    return np.where(known, _SECTOR_LAST_IS_ZERO[np.where(known, source, 0)], 0)


def _single_step(channel: Channel, source: Array, target: Array) -> Step:
    scale, offset = channel.scale, channel.offset

    def step() -> None:
        if scale == 1.0 and not offset:
            np.copyto(target, source, casting="unsafe")
        else:
            np.multiply(source, scale, out=target, casting="unsafe")
            np.add(target, target.dtype.type(offset), out=target)
        if channel.missing_non_positive:
            target[source <= 0] = np.nan

    return step
