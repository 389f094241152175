"""Lap files: a head that says what is inside, then a block per channel. ARCHIVE.md is the format."""

import contextlib
import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import numpy as np

from rig import blocks, components, parse, trial
from rig.channels import LAP, PHYSICS, SCORING, Channel, Table
from rig.codings import untried
from rig.errors import BadRequest, Corrupt, Exhausted, MissingChannel, Newer
from rig.neighbours import Key
from rig.regular import open_regular
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Section: TypeAlias = "archive_pb2.Section.ValueType"
Read = Callable[[int, int], bytes]

SAMPLES: Final = archive_pb2.SECTION_SAMPLES
SCORINGS: Final = archive_pb2.SECTION_SCORING
RECORDED: Final = archive_pb2.SECTION_RECORDED

MAGIC: Final = b"\x89rigLAP"
VERSION: Final = 1
_START: Final = struct.Struct("<7sBII")
"""Magic, version, bytes of the head as it lies there, bytes of the head once unpacked."""
_CRC: Final = struct.Struct("<I")
START_BYTES: Final = _START.size + _CRC.size

HEAD_LIMIT: Final = 1 << 21
"""Bytes of a head: thirty thousand events. Empty messages take 46 times their bytes, 90 MB in all."""
ROWS_LIMIT: Final = 1 << 18
"""Rows of a section: an hour and a half at 50 Hz, eleven minutes at 400 Hz."""
COLUMNS_LIMIT: Final = 1024
DECODED_LIMIT: Final = 1 << 28
"""Bytes of all values: `ROWS_LIMIT` rows of all channels of today are 240 MB."""
TOGETHER_LIMIT: Final = 1 << 26
"""Bytes of the values that need one another: of today's channels 132 a row, 35 MB in the longest lap."""
WORK_LIMIT: Final = 1 << 30
"""Bytes of the values that come up when every channel is read by itself, with all that it is predicted from:
of today's channels it is 1.1 times the values.
"""
FILE_LIMIT: Final = DECODED_LIMIT + HEAD_LIMIT
"""Bytes of a file: no block is longer than its values, but for a bit a row."""
DECODE_BYTES: Final = 8 << 20
"""Bytes of the values that are decoded together by who wants all: two laps of 100 s, at four times that much
memory on the way.
"""
DIGEST_DIGITS: Final = 16


def version_of(start: bytes) -> int:
    """Return the version of the lap file with these first START_BYTES. Raises Corrupt for no lap file."""
    if len(start) < START_BYTES or not start.startswith(MAGIC):
        raise Corrupt(f"this is no lap file: it does not begin with {MAGIC!r}")
    return int(_START.unpack_from(start)[1])


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
    return _joined(head, parts)


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
        return _beginning(self._head)


def _joined(head: archive_pb2.LapHeader, parts: list[bytes]) -> bytes:
    """Return the file: blocks back to back in the order of the columns."""
    return b"".join([_beginning(head), *parts])


def _beginning(head: archive_pb2.LapHeader) -> bytes:
    """Return what stands before the blocks, whose offsets are set by their sizes."""
    at = 0
    for column in head.columns:
        column.offset = at
        at += column.size
    data = head.SerializeToString(deterministic=True)
    if len(data) > HEAD_LIMIT:
        raise Exhausted(f"a head of {len(data)} bytes, a lap file holds {HEAD_LIMIT}", limit=HEAD_LIMIT)
    stored = blocks.packed([data])
    start = _START.pack(MAGIC, VERSION, len(stored), len(data))
    crc = _CRC.pack(zlib.crc32(stored, zlib.crc32(start)))
    return b"".join([start, crc, stored])


class LapFile:
    """A lap file, read channel by channel. Whatever is wrong with its bytes raises Corrupt, and Newer, which
    is one, what a version to come has written.

    The arrays it gives may be read-only.
    """

    header: archive_pb2.LapHeader
    """What is inside."""

    def __init__(self, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B")
        self._fd = -1
        self._load(lambda at, size: bytes(view[at : at + size]), len(view))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Return the file at `path`: its head is read now, a block when its channel is asked for."""
        self = cls.__new__(cls)
        self._fd = open_regular(path)
        try:
            self._load(lambda at, size: os.pread(self._fd, size, at), os.fstat(self._fd).st_size)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Release the file. Twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, read: Read, size: int) -> None:
        self._read = read
        self.header, self._base = _read_head(read, size)
        self._by_key = {(column.section, column.name): column for column in self.header.columns}
        _check_head(self.header, size - self._base)
        self._values = _checked_values(self.header)
        self._check_work()

    def _check_work(self) -> None:
        """Raise Corrupt unless reading all channels one by one, each with what it needs, stays below a
        limit.
        """
        if self._values * len(self.header.columns) <= WORK_LIMIT:
            return  # not even if each needed all others
        most = work = 0
        for column in self.header.columns:
            with contextlib.suppress(Corrupt):  # it lacks a neighbour and is not read at all
                own = self._decoded_bytes([column.name], column.section)
                most, work = max(most, own), work + own
        if work > WORK_LIMIT:
            raise Corrupt(f"reading every channel makes {work} bytes of values, {WORK_LIMIT} is the limit")
        if most > TOGETHER_LIMIT:
            raise Corrupt(f"a channel needs {most} bytes of values, {TOGETHER_LIMIT} is the limit")

    @property
    def digest(self) -> str:
        """Fingerprint of the whole file, by its head, which holds the CRC of every block."""
        return hashlib.sha256(self._read(0, self._base)).hexdigest()[:DIGEST_DIGITS]

    def channels(self, section: Section = SAMPLES) -> list[str]:
        """Return names of the channels of a section, in the order of the file, auxiliary ones left out."""
        columns = self.header.columns
        return [column.name for column in columns if column.section == section and not column.auxiliary]

    def column(self, name: str, section: Section = SAMPLES) -> Array:
        """Return one channel, shape (rows,) or (rows, width). Raises MissingChannel, Corrupt."""
        return self.columns([name], section)[name]

    def columns(self, names: Iterable[str] = (), section: Section = SAMPLES) -> dict[str, Array]:
        """Return several channels, decoded together; no names: all. Raises MissingChannel, Corrupt."""
        wanted, rows = list(names), self._rows(section)
        columns = self._needed(wanted, section) if wanted else self._all(section)
        done = components.decode(columns, lambda column: self._unpacked(column, rows), rows)
        widths = {name: self._by_key[section, name].width for name in wanted or self.channels(section)}
        return {name: components.column_of(name, width, done) for name, width in widths.items()}

    def block_bytes(self, names: Iterable[str], section: Section = SAMPLES) -> int:
        """Return bytes of the file that reading these channels touches: the head, their blocks, the
        neighbours'.
        """
        return self._base + sum(column.size for column in self._needed(names, section))

    def cut(self, names: Iterable[str], scoring_names: Iterable[str] = ()) -> bytes:
        """Return a lap file of these samples and scoring channels alone, and the neighbours they need.

        Blocks are copied, not decoded. Raises MissingChannel, Corrupt.
        """
        return b"".join(self.cut_pieces(names, scoring_names))

    def cut_pieces(self, names: Iterable[str], scoring_names: Iterable[str] = ()) -> Iterator[bytes]:
        """Yield the same, piece by piece."""
        asked = {SAMPLES: dict.fromkeys(names), SCORINGS: dict.fromkeys(scoring_names)}
        kept = [column for section in asked for column in self._needed(asked[section], section)]
        head = archive_pb2.LapHeader()
        head.CopyFrom(self.header)
        del head.columns[:]
        head.columns.extend(kept)
        for column in head.columns:
            column.auxiliary = column.name not in asked[column.section]
        yield _beginning(head)
        yield from map(self._block, kept)

    def pieces(self) -> Iterator[bytes]:
        """Yield the file as it is, piece by piece, each block once its CRC is right. Raises Corrupt."""
        yield self._read(0, self._base)
        yield from map(self._block, self.header.columns)

    def with_header(self, header: archive_pb2.LapHeader) -> bytes:
        """Return a lap file of the same columns that says something else of the lap. Raises Corrupt."""
        head = archive_pb2.LapHeader()
        head.CopyFrom(header)
        del head.columns[:]
        head.columns.extend(self.header.columns)
        head.samples, head.scorings = self.header.samples, self.header.scorings
        return _joined(head, list(map(self._block, head.columns)))

    def verify(self) -> None:
        """Read and decode everything, a part at a time. Raises Corrupt."""
        for _ in self.pieces():
            pass
        for section in (SAMPLES, SCORINGS, RECORDED):
            for names in self._apart(section):
                self.columns(names, section)

    def portions(
        self, names: Iterable[str] = (), section: Section = SAMPLES, most: int = DECODE_BYTES
    ) -> Iterator[dict[str, Array]]:
        """Yield several channels in their order, decoded in parts of `most` bytes, or of one channel with
        what it needs; no names: all. Raises MissingChannel, Corrupt.
        """
        wanted, part, size = list(names) or self.channels(section), list[str](), 0
        if self._decoded_bytes(wanted, section) <= most:
            yield self.columns(wanted, section)
            return
        for name in wanted:
            own = self._decoded_bytes([name], section)
            if part and size + own > most:
                yield self.columns(part, section)
                part, size = [], 0
            part, size = [*part, name], size + own
        yield self.columns(part, section)

    def _decoded_bytes(self, names: Iterable[str], section: Section) -> int:
        """Return bytes of the values of channels and of all their neighbours."""
        return sum(_value_bytes(self.header, column) for column in self._needed(names, section))

    def _apart(self, section: Section) -> Iterator[set[str]]:
        """Yield all channels, in parts that need nothing of one another: each is decoded once and
        forgotten.
        """
        if self._values <= DECODE_BYTES:
            yield set()  # all at once, which is faster
            return
        together, size = set[str](), 0
        for part in self._kinships(section):
            own = self._decoded_bytes(part, section)
            if own > TOGETHER_LIMIT:
                raise Corrupt(f"{min(part)} needs {own} bytes of values, {TOGETHER_LIMIT} is the limit")
            if together and size + own > DECODE_BYTES:
                yield together
                together, size = set(), 0
            together, size = together | part, size + own
        if together:
            yield together

    def _kinships(self, section: Section) -> list[set[str]]:
        """Return channels that need one another, also by way of others."""
        found: list[set[str]] = []
        for column in self.header.columns:
            if column.section == section:
                own = {column.name, *(other.name for other in self._neighbours(column, section))}
                near = [part for part in found if not part.isdisjoint(own)]
                found = [part for part in found if part.isdisjoint(own)] + [own.union(*near)]
        return found

    def _rows(self, section: Section) -> int:
        return self.header.scorings if section == SCORINGS else self.header.samples

    def find(self, name: str, section: Section = SAMPLES) -> archive_pb2.Column:
        """Return what the head says of a channel. Raises MissingChannel."""
        column = self._by_key.get((section, name))
        if column is None:
            have = ", ".join(self.channels(section))
            if not self._rows(section):
                rows = "scoring updates" if section == SCORINGS else "samples"
                raise MissingChannel(f"this lap has no {rows}, and so no channel {name!r}", channels=have)
            raise MissingChannel(f"this lap has no channel {name!r}", hint=f"it has {have}", channels=have)
        return column

    def _all(self, section: Section) -> list[archive_pb2.Column]:
        return [column for column in self.header.columns if column.section == section]

    def _needed(self, names: Iterable[str], section: Section) -> list[archive_pb2.Column]:
        """Return columns of these channels and of all their neighbours, in the order of the file."""
        needed, todo = set[str](), [self.find(name, section) for name in names]
        while todo:
            column = todo.pop()
            if column.name not in needed:
                needed.add(column.name)
                todo += self._neighbours(column, section)
        return [column for column in self._all(section) if column.name in needed]

    def _neighbours(self, column: archive_pb2.Column, section: Section) -> Iterator[archive_pb2.Column]:
        for name in components.neighbours(column):
            if (section, name) not in self._by_key:
                raise Corrupt(f"{column.name} needs {name}, which the file does not have")
            yield self._by_key[section, name]

    def _block(self, column: archive_pb2.Column) -> bytes:
        data = self._read(self._base + column.offset, column.size)
        if len(data) != column.size or zlib.crc32(data) != column.crc:
            raise Corrupt(f"the block of {column.name} is not what was written: its CRC-32 differs")
        return data

    def _unpacked(self, column: archive_pb2.Column, rows: int) -> bytes:
        most = components.limit(column, rows)
        if column.unpacked > most:
            raise Corrupt(f"{column.name} claims {column.unpacked} bytes, {rows} rows need {most} at most")
        try:
            return blocks.unpacked(self._block(column), column.unpacked)
        except Corrupt as error:
            raise Corrupt(f"{column.name}: {error}") from error


def _read_head(read: Read, size: int) -> tuple[archive_pb2.LapHeader, int]:
    """Return the head, and where the blocks begin."""
    start = read(0, START_BYTES)
    if MAGIC[: len(start)] != start[: len(MAGIC)] or not start:
        raise Corrupt(f"this is no lap file: it does not begin with {MAGIC!r}")
    if len(start) < START_BYTES:
        raise Corrupt(f"the file ends after {size} bytes, within the first {START_BYTES}")
    _, version, stored, plain = _START.unpack_from(start)
    if version > VERSION:
        raise Newer(
            f"written by a newer version: the file has version {version}, this program reads {VERSION}",
            hint="read it with that version",
        )
    if version != VERSION:
        raise Corrupt(f"the file has version {version}, this program reads {VERSION}")
    if max(stored, plain) > HEAD_LIMIT:
        raise Corrupt(f"the file claims a head of {max(stored, plain)} bytes, {HEAD_LIMIT} is the limit")
    data = read(START_BYTES, stored)
    if len(data) != stored:
        raise Corrupt(f"the file ends after {size} bytes, within a head of {stored}")
    if zlib.crc32(data, zlib.crc32(start[: _START.size])) != _CRC.unpack_from(start, _START.size)[0]:
        raise Corrupt("the head is not what was written: its CRC-32 differs")
    header = parse.message(archive_pb2.LapHeader, blocks.unpacked(data, plain))
    return header, START_BYTES + stored


def _check_head(head: archive_pb2.LapHeader, size: int) -> None:
    """Raise Corrupt unless the head agrees with itself and with the `size` bytes after it."""
    if max(head.samples, head.scorings) > ROWS_LIMIT:
        raise Corrupt(f"the head claims {max(head.samples, head.scorings)} rows, {ROWS_LIMIT} is the limit")
    if len(head.columns) > COLUMNS_LIMIT:
        raise Corrupt(f"the head claims {len(head.columns)} columns, {COLUMNS_LIMIT} is the limit")
    if len({(column.section, column.name) for column in head.columns}) < len(head.columns):
        raise Corrupt("the head names a column twice")
    at = 0
    for column in head.columns:
        if column.offset != at:
            raise Corrupt(f"the block of {column.name} begins at {column.offset} instead of {at}")
        at += column.size
    if at != size:
        raise Corrupt(f"the blocks have {size} bytes, the head says {at}")


def _checked_values(head: archive_pb2.LapHeader) -> int:
    """Return bytes of all values, which are no more than a lap can have."""
    values = sum(_value_bytes(head, column) for column in head.columns)
    if values > DECODED_LIMIT:
        raise Corrupt(f"the head claims {values} bytes of values, {DECODED_LIMIT} is the limit")
    return values


def _value_bytes(head: archive_pb2.LapHeader, column: archive_pb2.Column) -> int:
    """Return bytes of a column's values."""
    rows = head.scorings if column.section == SCORINGS else head.samples
    return rows * column.width * components.size_of(column)
