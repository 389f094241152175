"""Lap files written: whole ones out of columns, and those with rows of another one."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING, Channel, Table
from rig.errors import BadRequest, Exhausted
from rig.lapfile import blocks, trial
from rig.lapfile.codings import untried
from rig.lapfile.head import COLUMNS_LIMIT, RECORDED, ROWS_LIMIT, SAMPLES, SCORINGS, Section, beginning
from rig.lapfile.neighbours import Key
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]


def pack(
    header: archive_pb2.LapHeader,
    samples: Mapping[str, Array],
    scoring: Mapping[str, Array],
    recorded: Mapping[str, Array] | None = None,
    *,
    plain: bool = False,
    like: Iterable[archive_pb2.Column] = (),
) -> bytes:
    """Return the bytes of a lap file.

    `header` brings lap, session, events, gaps and version; row counts and columns are filled in. `samples`
    are channels of PHYSICS and LAP, `scoring` of SCORING and LAP: shape (rows,) or (rows, width), bit for bit
    what comes back. `recorded` are columns that no channel holds, float64 with a row for every sample.
    `plain` takes no time to make anything small. `like` are columns of other lap files: their codings are
    taken over where they suit, which takes less than half as long as a trial.

    Raises UnknownChannel, BadRequest for columns that do not fit together, Exhausted beyond ROWS_LIMIT,
    COLUMNS_LIMIT and HEAD_LIMIT.
    """
    head = archive_pb2.LapHeader()
    head.CopyFrom(header)
    del head.columns[:]
    head.samples, head.scorings = _rows(samples), _rows(scoring)
    known = None if plain else list(like)
    parts = _pack_section(head, SAMPLES, PHYSICS, samples, known)
    parts += _pack_section(head, SCORINGS, SCORING, scoring, known)
    parts += _pack_recorded(head, recorded or {}, plain)
    if len(head.columns) > COLUMNS_LIMIT:
        raise Exhausted(f"{len(head.columns)} columns, a lap file holds {COLUMNS_LIMIT}")
    return b"".join([beginning(head), *parts])


def _rows(columns: Mapping[str, Array]) -> int:
    counts = {len(values) for values in columns.values()} or {0}
    if len(counts) > 1:
        raise BadRequest(f"the columns of a section have {sorted(counts)} rows", hint="all need the same")
    rows = counts.pop()
    if rows > ROWS_LIMIT:
        raise Exhausted(f"{rows} rows, a lap file holds {ROWS_LIMIT}")
    return rows


def _pack_section(
    head: archive_pb2.LapHeader,
    section: Section,
    table: Table,
    columns: Mapping[str, Array],
    like: Sequence[archive_pb2.Column] | None,
) -> list[bytes]:
    """Add the columns of a section to the head; their blocks. `like` is None: they are not coded."""
    table.pick(columns.keys() - LAP.by_name.keys())
    present = [channel for channel in (*table.channels, *LAP.channels) if channel.name in columns]
    parts = {
        key: values for channel in present for key, values in _components(channel, columns[channel.name])
    }
    if like is None:
        coded = {key: untried(values) for key, values in parts.items()}
    else:
        coded = trial.coded(present, parts, _codings(like, section))
    packed = []
    for channel in present:
        column = archive_pb2.Column(
            name=channel.name,
            section=section,
            dtype=channel.dtype.str,
            width=channel.width,
            unit=channel.unit,
            description=channel.description,
        )
        own = (coded[channel.name, at] for at in range(channel.width))
        packed.append(_pack_column(column, own, like is None))
        head.columns.append(column)
    return packed


def _codings(like: Iterable[archive_pb2.Column], section: Section) -> dict[Key, archive_pb2.Coding]:
    columns = (column for column in like if column.section == section)
    return {(column.name, at): coding for column in columns for at, coding in enumerate(column.codings)}


def _pack_recorded(head: archive_pb2.LapHeader, columns: Mapping[str, Array], plain: bool) -> list[bytes]:
    """Add the columns that no channel holds to the head; their blocks."""
    packed = []
    for name, values in columns.items():
        if values.shape != (head.samples,) or values.dtype != np.float64:
            raise BadRequest(
                f"{name} is {values.dtype} of shape {values.shape}", hint=f"float64 of {(head.samples,)}"
            )
        column = archive_pb2.Column(name=name, section=RECORDED, dtype="<f8", width=1)
        packed.append(_pack_column(column, [untried(values)], plain))
        head.columns.append(column)
    return packed


def _components(channel: Channel, values: Array) -> Iterator[tuple[Key, Array]]:
    """Yield components of a column, shape (rows,)."""
    shape = (len(values),) if channel.width == 1 else (len(values), channel.width)
    if values.shape != shape or values.dtype != channel.dtype:
        raise BadRequest(
            f"{channel.name} is {values.dtype} of shape {values.shape}", hint=f"{channel.dtype} of {shape}"
        )
    parts = np.ascontiguousarray(values.reshape(len(values), channel.width).T)
    return (((channel.name, at), part) for at, part in enumerate(parts))


def _pack_column(
    column: archive_pb2.Column, coded: Iterable[tuple[archive_pb2.Coding, list[bytes]]], plain: bool
) -> bytes:
    """Return the block of a column's components, which are noted in `column`."""
    planes: list[bytes] = []
    for coding, more in coded:
        column.codings.append(coding)
        planes += more
    block = b"".join(planes) if plain else blocks.packed(planes)
    column.size, column.crc = len(block), zlib.crc32(block)
    column.unpacked = sum(map(len, planes))
    return block


class PlainFile:
    """A lap file with rows of another one, made column by column, so that nobody holds them all."""

    def __init__(self, header: archive_pb2.LapHeader) -> None:
        self._head = archive_pb2.LapHeader()
        self._head.CopyFrom(header)
        del self._head.columns[:]
        self._head.samples = self._head.scorings = 0

    def add(self, like: archive_pb2.Column, values: Array) -> bytes:
        """Return the block of the next column: some rows of what `like` is in the other file."""
        column = self._head.columns.add(
            name=like.name,
            section=like.section,
            dtype=like.dtype,
            width=like.width,
            unit=like.unit,
            description=like.description,
        )
        if like.section == SCORINGS:
            self._head.scorings = len(values)
        else:
            self._head.samples = len(values)
        parts = np.ascontiguousarray(values.reshape(len(values), like.width).T)
        return _pack_column(column, map(untried, parts), plain=True)

    def beginning(self) -> bytes:
        """Return what stands before the blocks, once all are added."""
        return beginning(self._head)
