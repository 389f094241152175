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

_SECTOR_AFTER: Final = np.array([1, 2, 3, 0], np.int32)
"""Sector by the game's count from 0; what it does not name is 0."""
_SIGN: Final = 0x7FFF_FFFF
_MOST_TERRAINS: Final = 1000
"""Names that are told apart, and that every scoring record lists; tracks have some twenty. What comes on top
is memory that nobody has written, or a game gone mad, and has no name.
"""
_SECTOR_LAST_IS_ZERO: Final = np.array([3, 1, 2], np.int32)
_SAVED_SCORE: Final = np.dtype([("slot", "<i4"), ("clock_s", "<f8"), ("metres", "<f4")])
"""A car of the newest scoring update, as the ring keeps it."""


@dataclass
class _Program:
    """What turns the records at one place into a record of the table."""

    template: Template
    base: Any
    """Keeps the memory of the records alive: its id is part of the key."""
    regions: list[Step] = field(default_factory=list)
    """Fill and correct whole regions; headers are overwritten."""
    columns: list[Step] = field(default_factory=list)
    """Fill single columns, once the headers are back."""


class Encoder:
    """Encodes records of one kind into records of one table.

    Non-finite numbers become NaN. Built once per place of the records and car count.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.terrains: list[str] = []
        """Terrain names in the order of their index on the wire; the first ones may be given."""
        self.triggers: Array | int = 0
        """Why each row of the next record is written, for the column of that name."""
        self._scored: dict[str, dict[int, float]] = {}
        self._scorings = 0
        self._terrain_index: dict[bytes, int] = {}
        self._programs: dict[tuple[int, int, int], _Program] = {}

    def encode(self, records: Array, head: Head, tail: bytes = b"", skip: int = 0) -> bytes:
        """Return the record: `head`, a column per channel from `records` (one per car), `tail`.

        `records` is a slice of one array that is filled anew for every frame; `skip` says where it begins.
        A double beyond float32 becomes infinite, and then NaN; numpy warns of it unless told not to.
        """
        # By the identity of the array: asking numpy for the address takes a tenth of the whole tick.
        key = (id(records.base), skip, len(records))
        program = self._programs.get(key) or self._build(key, records)
        for fill in program.regions:
            fill()
        program.template.stamp()
        for fill in program.columns:
            fill()
        return program.template.pack(head, tail)

    def score(self, updates: Array, clock_s: float) -> None:
        """Take the newest scoring update (VEHICLE_SCORING) at that session clock, in seconds, for the columns
        that come from it; without rows there is none.
        """
        ids, metres = updates["mID"][::-1].tolist(), updates["mLapDist"][::-1].astype(np.float32)
        metres[~np.isfinite(metres)] = np.nan
        self._scored = {
            "mCurrentET": dict.fromkeys(ids, clock_s),
            "mLapDist": dict(zip(ids, metres.tolist(), strict=True)),
        }
        self._scorings += 1

    def saved_score(self) -> bytes:
        """Return the newest scoring update as far as columns need it, for a recorder that goes on here."""
        clocks, metres = self._scored.get("mCurrentET", {}), self._scored.get("mLapDist", {})
        rows = [(slot, clock_s, metres[slot]) for slot, clock_s in clocks.items()]
        return np.array(rows, _SAVED_SCORE).tobytes()

    def load_score(self, saved: bytes) -> None:
        """Take up what `saved_score` gave; bytes of another length are those of no such recorder."""
        if len(saved) % _SAVED_SCORE.itemsize:
            return
        rows = np.frombuffer(saved, _SAVED_SCORE).tolist()
        self._scored = {
            "mCurrentET": {slot: clock_s for slot, clock_s, _ in rows},
            "mLapDist": {slot: metres for slot, _, metres in rows},
        }
        self._scorings += 1

    def _build(self, key: tuple[int, int, int], records: Array) -> _Program:
        program = _Program(Template(self.table, len(records)), records.base)
        if records.base is not None:
            self._programs[key] = program
        kinds: dict[str, list[Channel]] = {}
        for channel in program.template.order:
            kind = _kind(channel, records)
            kinds.setdefault(kind, []).append(channel)
        if len(records):
            raw = records.view(np.uint8)
            program.regions += _float_steps(program.template, kinds, records, raw)
            program.regions.append(_words(program.template, kinds, records, raw))
            program.regions.append(_smalls(program.template, kinds, records, raw))
            program.regions.append(_flags(program.template, kinds, records, raw))
        for channel in kinds.get("", []):
            program.columns.append(self._step(channel, records, program.template))
        return program

    def _step(self, channel: Channel, records: Array, template: Template) -> Step:
        target = template.columns[channel.name]
        if channel.derivation == channel_pb2.DERIVATION_SCORING:
            return self._scoring_step(channel.source, records["mID"], target)
        source = _field(records, channel.source)
        match channel.derivation:
            case channel_pb2.DERIVATION_NORM:
                return _norm_step(source, target)
            case channel_pb2.DERIVATION_SECTOR_FROM_ZERO:
                return lambda: np.copyto(target, _SECTOR_AFTER[np.minimum(source & _SIGN, 3)])
            case channel_pb2.DERIVATION_SECTOR_LAST_IS_ZERO:
                return lambda: np.copyto(target, _sector_last_is_zero(source))
            case channel_pb2.DERIVATION_SIGN_BIT:
                return lambda: np.less(source, 0, out=target)
            case channel_pb2.DERIVATION_TRIGGERS:
                return lambda: np.copyto(target, self.triggers)
            case channel_pb2.DERIVATION_TERRAIN_INDEX:
                return self._terrain_step(source, target)
        return _single_step(channel, source.reshape(target.shape), target)

    def _scoring_step(self, source: str, ids: Array, target: Array) -> Step:
        """Return the step for what scoring moves five times a second; cars change places seldom: as a
        rule one copy.
        """
        seen, kept = (-1, b""), np.full(target.shape, np.nan, target.dtype)

        def step() -> None:
            nonlocal seen
            if (now := (self._scorings, ids.tobytes())) != seen:
                seen, latest = now, self._scored.get(source, {})
                kept[:] = [latest.get(slot, np.nan) for slot in ids.tolist()]
            np.copyto(target, kept)

        return step

    def _terrain_step(self, source: Array, target: Array) -> Step:
        """Return the step for terrains. Names change rarely, so only wheels whose 16 bytes changed are
        looked up.
        """
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

    def _terrain(self, raw: bytes) -> int:
        raw = raw.split(b"\0", 1)[0]
        index = self._terrain_index.get(raw)
        if index is None:
            name = text(raw)
            if name not in self.terrains:
                if len(self.terrains) >= _MOST_TERRAINS:
                    return -1
                self.terrains.append(name)
            index = self._terrain_index[raw] = self.terrains.index(name)
        return index


def text(raw: bytes, size: int = 0) -> str:
    """Return a string of the game from a field of `size` bytes: cut at the first NUL; UTF-8, else its Windows
    code page.

    Bytes that code page leaves undefined are read as Latin-1, so no name is ever refused. A multi-byte
    character cut by the field's end is dropped; 0 for a size that nobody knows leaves it alone.
    """
    raw = raw.split(b"\0", 1)[0]
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            cut = 0 < size <= len(raw) + 1 and error.reason == "unexpected end of data"
            if encoding == "utf-8" and cut:
                return raw[: error.start].decode()
    return raw.decode("latin-1")


# Which columns are gathered, and how.


def _kind(channel: Channel, records: Array) -> str:
    """Name of the gather that serves the column; empty for one that needs a step of its own."""
    if channel.derivation or (_shifted(channel) and channel.scale != 1.0):
        return ""
    source = _field(records, channel.source)
    plain = channel.scale == 1.0 and not channel.offset and not channel.missing_non_positive
    match channel.dtype.str[1:], source.dtype.str[1:]:
        case "f4", ("f8" | "f4" | "u1"):
            return "f4" + source.dtype.str[1:]  # scale, offset and missing values are corrected afterwards
        case ("f8", "f8") | ("i4", "i4"):
            return channel.dtype.str[1:] if plain else ""
        case "u4", "u1":
            return "u4" if plain else ""
        case "b1", ("u1" | "b1"):
            return "b1"
    return ""


def _of(template: Template, *kinds: str) -> list[Channel]:
    return [channel for channel in template.order if channel.dtype.str[1:] in kinds]


def _float_steps(
    template: Template, kinds: dict[str, list[Channel]], records: Array, raw: Array
) -> list[Step]:
    """Return steps that fill the floats, correct them, and find what is not finite."""
    floats = _of(template, "f4")
    region = template.region(floats, "<f4")
    scaled = [c for c in floats if c.scale != 1.0 and not _shifted(c)]
    shifted = [c for c in floats if _shifted(c)]
    steps = [_floats(template, region, kinds, records, raw), _sweep_step(region.values)]
    if scaled:
        steps.append(_scale_step(template, scaled))
    if shifted:
        steps.append(_shift_step(template, shifted))
    return steps


def _shifted(channel: Channel) -> bool:
    return channel.missing_non_positive or channel.offset != 0.0


def _floats(
    template: Template, region: Region, kinds: dict[str, list[Channel]], records: Array, raw: Array
) -> Step:
    """Return steps in which all doubles become floats, whatever they are; then the wanted ones are
    picked.

    Doubles lie on even and on odd multiples of four bytes, so the bytes are read twice.
    """
    even, odd = raw[: len(raw) // 8 * 8].view("<f8"), raw[4 : len(raw) - 4].view("<f8")
    floats = np.empty(len(even) + len(odd), np.float32)
    at = _places(region, template, kinds.get("f4f8", []), records)
    index = np.where(at % 8 == 0, at // 8, len(even) + at // 8)
    low, high = floats[: len(even)], floats[len(even) :]
    singles, bytes_ = kinds.get("f4f4", []), kinds.get("f4u1", [])
    places = _all_slots(region, template, singles)
    single_index = _places(region, template, singles, records)[places] // 4
    byte_places = _all_slots(region, template, bytes_)
    byte_index = _places(region, template, bytes_, records)[byte_places]
    words = raw.view("<f4")

    def step() -> None:
        np.copyto(low, even, casting="unsafe")
        np.copyto(high, odd, casting="unsafe")
        floats.take(index, out=region.values, mode="clip")
        region.values[places] = words.take(single_index)
        region.values[byte_places] = raw.take(byte_index)

    return step


def _sweep_step(values: Array) -> Step:
    """Return the step that makes infinite numbers NaN. As a rule there is none, and what is missing is
    made NaN later.
    """
    return lambda: _sweep(values)


def _sweep(values: Array) -> None:
    infinite = np.isinf(values)
    if np.logical_or.reduce(infinite):
        values[infinite] = np.nan


def _scale_step(template: Template, channels: list[Channel]) -> Step:
    region = template.region(channels, "<f4")
    factors = _spread(template, region, channels, lambda c: c.scale, 1.0)
    return lambda: np.multiply(region.values, factors, out=region.values)


def _shift_step(template: Template, channels: list[Channel]) -> Step:
    """Return the step that applies offsets; raw values of zero and below are missing."""
    region = template.region(channels, "<f4")
    values, offsets = region.values, _spread(template, region, channels, lambda c: c.offset, 0.0)

    def step() -> None:
        missing = values <= 0
        np.add(values, offsets, out=values)
        np.putmask(values, missing, np.nan)

    return step


def _spread(
    template: Template,
    region: Region,
    channels: list[Channel],
    factor: Callable[[Channel], float],
    rest: float,
) -> Array:
    """Return one factor per value of the region; `rest` where headers lie."""
    out = np.full(len(region.values), rest, np.float32)
    for channel in channels:
        out[_slots(region, template, channel)] = factor(channel)
    return out


def _words(template: Template, kinds: dict[str, list[Channel]], records: Array, raw: Array) -> Step:
    """Return the step that copies doubles (two words each) and integers as they are. Clocks are finite,
    the reader sees to that; the others are times of laps and impacts.
    """
    region = template.region(_of(template, "f8", "i4"), "<i4")
    words = raw.view("<i4")
    index = _places(region, template, kinds.get("i4", []), records) // 4
    for channel in kinds.get("f8", []):
        source = _field(records, channel.source)
        first = (source.ctypes.data - records.ctypes.data + np.arange(len(records)) * records.strides[0]) // 4
        index[_slots(region, template, channel)] = np.stack([first, first + 1], axis=1).ravel()
    doubles = [template.columns[channel.name] for channel in kinds.get("f8", [])]

    def step() -> None:
        words.take(index, out=region.values, mode="clip")
        for values in doubles:
            _sweep(values)

    return step


def _smalls(template: Template, kinds: dict[str, list[Channel]], records: Array, raw: Array) -> Step:
    """Return the step that makes bytes integers."""
    region = template.region(_of(template, "u4"), "<u4")
    index = _places(region, template, kinds.get("u4", []), records)
    return lambda: np.copyto(region.values, raw.take(index))


def _flags(template: Template, kinds: dict[str, list[Channel]], records: Array, raw: Array) -> Step:
    region = template.region(_of(template, "b1"), "u1")
    index = _places(region, template, kinds.get("b1", []), records)
    return lambda: np.not_equal(raw.take(index), 0, out=region.values.view(np.bool_))


def _slots(region: Region, template: Template, channel: Channel) -> slice:
    """Return where a column lies in its region, in values of the region."""
    size = region.values.itemsize
    first = (template.starts[channel.name] - region.start) // size
    return slice(first, first + template.rows * channel.row_bytes // size)


def _all_slots(
    region: Region, template: Template, channels: list[Channel]
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return the places of some columns in their region."""
    slots = [_slots(region, template, channel) for channel in channels]
    return np.concatenate([np.empty(0, np.intp), *(np.arange(slot.start, slot.stop) for slot in slots)])


def _places(
    region: Region, template: Template, channels: list[Channel], records: Array
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return for every value of the region the offset of its source in the records' bytes; 0 for all else."""
    out = np.zeros(len(region.values), np.intp)
    for channel in channels:
        source = _field(records, channel.source)
        at = np.full(source.shape, source.ctypes.data - records.ctypes.data, np.intp)
        for axis, (count, stride) in enumerate(zip(source.shape, source.strides, strict=True)):
            steps = np.arange(count) * stride
            at += steps.reshape([-1 if i == axis else 1 for i in range(source.ndim)])
        out[_slots(region, template, channel)] = at.ravel()
    return out


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
        _sweep(target)

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
        if target.dtype.kind == "f":
            _sweep(target)

    return step
