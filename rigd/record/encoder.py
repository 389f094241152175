"""From the game's records to a table's wire bytes: a few dozen copies, no loop over cars.

A tick finds cold caches: after 20 ms of sleep all it touches costs several times as much as it did warm. So
there are no tables of places and no room between: columns that are neighbours in the record as well as in the
table are one strided view, and go from the game's bytes to the wire's by one call. What changes seldom is
written when it changes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

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
_ZERO, _MISSING = np.zeros(1, np.float32), np.full(1, np.nan, np.float32)
_SECTOR_LAST_IS_ZERO: Final = np.array([3, 1, 2], np.int32)
_SAVED_SCORE: Final = np.dtype([("slot", "<i4"), ("clock_s", "<f8"), ("metres", "<f4")])
"""A car of the newest scoring update, as the ring keeps it."""


@dataclass
class _Program:
    """What turns the records at one place into a record of the table."""

    template: Template
    base: Any
    """Keeps the memory of the records alive: its id is part of the key."""
    steps: list[Step] = field(default_factory=list)
    """Fill the columns, and correct them."""


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
        for step in program.steps:
            step()
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
        template = Template(self.table, len(records))
        program = _Program(template, records.base)
        if records.base is not None:
            self._programs[key] = program
        if len(records):
            program.steps += self._steps(records, template)
        return program

    def _steps(self, records: Array, template: Template) -> list[Step]:
        """Return what fills the columns, in its order: what is copied is corrected next, the others have
        steps of their own.
        """
        own = [c for c in template.order if not _copied(c, records)]
        pairs = [_pair(c, records, template) for c in template.order if c not in own]
        doubles = [pair.target for pair in pairs if pair.target.dtype == np.float64]
        return [
            *map(_copy_step, _joined(pairs)),
            *_corrections(template, doubles),
            *(self._step(channel, records, template) for channel in own),
        ]

    def _step(self, channel: Channel, records: Array, template: Template) -> Step:
        target = template.columns[channel.name]
        if channel.derivation == channel_pb2.DERIVATION_SCORING:
            return self._scoring_step(channel.source, template.columns["id"], target)
        source = _field(records, channel.source)
        match channel.derivation:
            case channel_pb2.DERIVATION_NORM:
                return _norm_step(source, target)
            case channel_pb2.DERIVATION_SECTOR_FROM_ZERO:
                return _when_changed(source, lambda: np.copyto(target, _sector_from_zero(source)))
            case channel_pb2.DERIVATION_SECTOR_LAST_IS_ZERO:
                return _when_changed(source, lambda: np.copyto(target, _sector_last_is_zero(source)))
            case channel_pb2.DERIVATION_SIGN_BIT:
                return _when_changed(source, lambda: np.less(source, 0, out=target))
            case channel_pb2.DERIVATION_TRIGGERS:
                return lambda: np.copyto(target, self.triggers)
            case channel_pb2.DERIVATION_TERRAIN_INDEX:
                return _when_changed(source, self._terrain_step(source, target))
        return _single_step(channel, source.reshape(target.shape), target)

    def _scoring_step(self, source: str, ids: Array, target: Array) -> Step:
        """Return the step for what scoring moves five times a second, of the cars that have these slot ids:
        they change places seldom.
        """
        seen, view = (-1, b""), ids.data

        def step() -> None:
            nonlocal seen
            if (now := (self._scorings, view.tobytes())) != seen:
                seen, latest = now, self._scored.get(source, {})
                target[:] = [latest.get(slot, np.nan) for slot in ids.tolist()]

        return step

    def _terrain_step(self, source: Array, target: Array) -> Step:
        """Return the step for terrains: only wheels whose 16 bytes changed are looked up."""
        last = np.full(source.shape, b"\xff", source.dtype)
        target.fill(-1)

        def step() -> None:
            changed = source != last
            np.copyto(last, source)
            target[changed] = [self._terrain(name) for name in source[changed].tolist()]

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


# Columns that are copied, and corrected together.

_FLOATS: Final = (np.float64, np.float32, np.uint8)
"""What becomes a float before it is corrected."""


class _Pair(NamedTuple):
    """A column, or several: the view to fill and what it is filled from, of one shape."""

    target: Array
    source: Array


def _copied(channel: Channel, records: Array) -> bool:
    """Return whether the column is a copy, but for what is corrected for all of them together."""
    if channel.derivation:
        return False
    plain, shifted = channel.scale == 1.0, _shifted(channel)
    if channel.dtype == np.float32 and _field(records, channel.source).dtype in _FLOATS:
        return plain or not shifted
    return plain and not shifted


def _shifted(channel: Channel) -> bool:
    return channel.missing_non_positive or channel.offset != 0.0


def _pair(channel: Channel, records: Array, template: Template) -> _Pair:
    source = _field(records, channel.source)
    if source.dtype == np.bool_:
        source = source.view(np.uint8)  # whatever is not 0 is true
    return _Pair(template.columns[channel.name].reshape(source.shape), source)


def _joined(pairs: list[_Pair]) -> list[_Pair]:
    """Return the same copies as fewer: those that lie at equal steps are one of a dimension more."""
    runs: list[list[_Pair]] = []
    for pair in pairs:
        if runs and _continues(runs[-1], pair):
            runs[-1].append(pair)
        else:
            runs.append([pair])
    return [_stacked(run) if len(run) > 1 else run[0] for run in runs]


def _continues(run: list[_Pair], pair: _Pair) -> bool:
    """Return whether a pair is like those of the run, and as far from the last as they are from another."""
    alike = all(
        (one.shape, one.strides, one.dtype) == (last.shape, last.strides, last.dtype)
        for one, last in zip(pair, run[-1], strict=True)
    )
    return alike and (len(run) == 1 or _distance(run[-1], pair) == _distance(run[0], run[1]))


def _distance(one: _Pair, other: _Pair) -> list[int]:
    return [after.ctypes.data - before.ctypes.data for before, after in zip(one, other, strict=True)]


def _stacked(run: list[_Pair]) -> _Pair:
    steps = zip(run[0], _distance(run[0], run[1]), strict=True)
    return _Pair(*(as_strided(one, (len(run), *one.shape), (step, *one.strides)) for one, step in steps))


def _copy_step(pair: _Pair) -> Step:
    target, source = pair
    return lambda: np.copyto(target, source, casting="unsafe")


def _corrections(template: Template, doubles: list[Array]) -> list[Step]:
    """Return steps that make infinite numbers NaN, and then apply scales and offsets, to all floats. Headers
    between columns stay: each reads as a positive float, and times 1 or plus 0 that is the same.
    """
    floats = [channel for channel in template.order if channel.dtype == np.float32]
    scaled = [c for c in floats if c.scale != 1.0 and not _shifted(c)]
    shifted = [c for c in floats if _shifted(c)]
    steps = [_sweep_step(template.region(floats, "<f4").values), *map(_sweep_step, doubles)]
    if scaled:
        steps.append(_scale_step(template, scaled))
    if shifted:
        steps.append(_shift_step(template, shifted))
    return steps


def _sweep_step(values: Array) -> Step:
    """Return the step that makes infinite numbers NaN. As a rule there are none, nor is anything NaN yet: the
    sum of squares is finite then, which takes half the time of a search.
    """

    def step() -> None:
        if not math.isfinite(values.dot(values)):
            _sweep(values)

    return step


def _sweep(values: Array) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan


def _scale_step(template: Template, channels: list[Channel]) -> Step:
    region = template.region(channels, "<f4")
    factors = _spread(template, region, channels, lambda c: c.scale, 1.0)
    return lambda: np.multiply(region.values, factors, out=region.values)


def _shift_step(template: Template, channels: list[Channel]) -> Step:
    """Return the step that applies offsets; raw values of zero and below are missing."""
    region = template.region(channels, "<f4")
    values, offsets = region.values, _spread(template, region, channels, lambda c: c.offset, 0.0)
    missing = np.empty(len(values), np.bool_)

    def step() -> None:
        np.less_equal(values, _ZERO, out=missing)
        np.add(values, offsets, out=values)
        np.copyto(values, _MISSING, where=missing)

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


def _slots(region: Region, template: Template, channel: Channel) -> slice:
    """Return where a column lies in its region, in values of the region."""
    size = region.values.itemsize
    first = (template.starts[channel.name] - region.start) // size
    return slice(first, first + template.rows * channel.row_bytes // size)


# Columns with steps of their own.


def _field(records: Array, path: str) -> Array:
    for name in path.split("."):
        records = records[name]
    return records


def _norm_step(source: Array, target: Array) -> Step:
    squares, sweep = np.empty(source.shape), _sweep_step(target)

    def step() -> None:
        np.multiply(source, source, out=squares)
        np.sqrt(np.add.reduce(squares, axis=1), out=target, casting="unsafe")
        sweep()

    return step


def _when_changed(source: Array, fill: Step) -> Step:
    """Return the step that takes another only when what its column is made of has changed."""
    seen = b""

    def step() -> None:
        nonlocal seen
        if (now := source.tobytes()) != seen:
            seen = now
            fill()

    return step


def _sector_from_zero(source: Array) -> Array:
    return _SECTOR_AFTER.take(source & _SIGN, mode="clip")


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
