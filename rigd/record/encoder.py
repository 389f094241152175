"""From the game's records to a table's wire bytes: one copy per run of columns, no loop over cars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from rig.channels import Channel, Table
from rig.columns import Head, Template
from rig.v1 import channel_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Step = Callable[[], object]
"""Fills one column, or a run of columns, from the records."""

_SECTOR_AFTER: Final = np.array([1, 2, 3, 1], np.int32)
_SECTOR_LAST_IS_ZERO: Final = np.array([3, 1, 2], np.int32)


@dataclass
class _Program:
    template: Template
    steps: list[Step]
    doubles: list[Array]


class Encoder:
    """Encodes records of one kind into records of one table.

    Built once per array and car count: the steps hold views onto the source fields and onto the template's
    columns, so a tick runs them and copies the bytes out. Non-finite numbers become NaN in one sweep.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.terrains: list[str] = []
        """Terrain names in the order of their index on the wire."""
        self._terrain_index: dict[bytes, int] = {}
        self._programs: dict[tuple[int, int], _Program] = {}

    def encode(self, records: Array, head: Head, tail: bytes = b"") -> bytes:
        """The record: `head`, a column per channel from `records` (one per car), `tail`."""
        key = (records.__array_interface__["data"][0], len(records))
        program = self._programs.get(key) or self._build(key, records)
        # A double beyond float32 becomes infinite, and then NaN below; nothing else can go wrong.
        with np.errstate(all="ignore"):
            for step in program.steps:
                step()
        self._sweep(program)
        return program.template.pack(head, tail)

    def _build(self, key: tuple[int, int], records: Array) -> _Program:
        template = Template(self.table, len(records))
        steps = []
        for run in _runs(template.order, records):
            if len(run) > 1:
                steps.append(_run_step(run, records, template))
            else:
                steps.append(self._step(run[0], records, template))
        doubles = [template.columns[c.name] for c in template.order if c.dtype.str == "<f8"]
        program = self._programs[key] = _Program(template, steps, doubles)
        return program

    def _sweep(self, program: _Program) -> None:
        """Every non-finite float becomes NaN; headers among the floats never are (see Template)."""
        for values in (program.template.floats, *program.doubles):
            finite = np.isfinite(values)
            if not finite.all():
                values[~finite] = np.nan

    def _step(self, channel: Channel, records: Array, template: Template) -> Step:
        source = _field(records, channel.source)
        target = template.columns[channel.name]
        match channel.derivation:
            case channel_pb2.DERIVATION_NORM:
                return lambda: _norm(source, target)
            case channel_pb2.DERIVATION_SECTOR_FROM_ZERO:
                return lambda: np.copyto(target, _SECTOR_AFTER[source & 3])
            case channel_pb2.DERIVATION_SECTOR_LAST_IS_ZERO:
                return lambda: np.copyto(target, _sector_last_is_zero(source))
            case channel_pb2.DERIVATION_SIGN_BIT:
                return lambda: np.copyto(target, source < 0)
            case channel_pb2.DERIVATION_TERRAIN_INDEX:
                return self._terrain_step(source, target)
        return _copy_step(channel, source.reshape(target.shape), target)

    def _terrain_step(self, source: Array, target: Array) -> Step:
        """Names change rarely, so only wheels whose 16 bytes changed are looked up."""
        last = np.full(source.shape, b"\xff", source.dtype)
        target[...] = -1

        def step() -> None:
            changed = source != last
            if changed.any():
                np.copyto(last, source)
                target[changed] = [self._terrain(name) for name in source[changed].tolist()]

        return step

    def _terrain(self, name: bytes) -> int:
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


def _field(records: Array, path: str) -> Array:
    for name in path.split("."):
        records = records[name]
    return records


def _runs(order: Sequence[Channel], records: Array) -> list[list[Channel]]:
    """Neighbouring plain columns whose sources lie at equal distances: one copy serves them all.

    The first call of a numpy function in a frame finds cold caches, so 60 calls instead of 98 matter more
    than the bytes: 40 cars take 0.06 ms warm.
    """
    runs: list[list[Channel]] = []
    for channel in order:
        if runs and _continues(runs[-1], channel, records):
            runs[-1].append(channel)
        else:
            runs.append([channel])
    return runs


def _continues(run: list[Channel], channel: Channel, records: Array) -> bool:
    last = run[-1]
    if not (_plain(channel) and _plain(last)) or (channel.dtype, channel.width) != (last.dtype, last.width):
        return False
    sources = [_field(records, c.source) for c in (*run[-2:], channel)]
    if len({(source.dtype, source.shape, source.strides) for source in sources}) > 1:
        return False
    places = [source.__array_interface__["data"][0] for source in sources]
    return len({after - before for before, after in pairwise(places)}) == 1


def _plain(channel: Channel) -> bool:
    """Whether the column is a copy of its source, type apart."""
    return not (channel.derivation or channel.missing_non_positive or channel.offset or channel.scale != 1.0)


def _run_step(run: list[Channel], records: Array, template: Template) -> Step:
    source = _stacked([_field(records, channel.source) for channel in run])
    target = _stacked([template.columns[channel.name] for channel in run])
    if target.dtype.kind == "b" and source.dtype.kind != "b":
        return lambda: np.not_equal(source, 0, out=target)
    return lambda: np.copyto(target, source, casting="unsafe")


def _stacked(arrays: list[Array]) -> Array:
    """Arrays of one form at equal distances as one array with a first axis over them, without a copy."""
    first, second = (array.__array_interface__["data"][0] for array in arrays[:2])
    strides = (second - first, *arrays[0].strides)
    return np.lib.stride_tricks.as_strided(arrays[0], (len(arrays), *arrays[0].shape), strides)


def _norm(source: Array, target: Array) -> None:
    np.copyto(target, np.sqrt(np.einsum("ij,ij->i", source, source)), casting="unsafe")


def _sector_last_is_zero(source: Array) -> Array:
    known = (source >= 0) & (source <= 2)
    return np.where(known, _SECTOR_LAST_IS_ZERO[np.where(known, source, 0)], 0)


def _copy_step(channel: Channel, source: Array, target: Array) -> Step:
    scale, offset = channel.scale, channel.offset
    if _plain(channel):
        if target.dtype.kind == "b" and source.dtype.kind != "b":
            return lambda: np.copyto(target, source != 0)
        return lambda: np.copyto(target, source, casting="unsafe")

    def step() -> None:
        np.multiply(source, scale, out=target, casting="unsafe")
        if offset:
            np.add(target, target.dtype.type(offset), out=target)
        if channel.missing_non_positive:
            target[source <= 0] = np.nan

    return step
