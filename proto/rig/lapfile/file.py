"""A lap file, read channel by channel."""

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from rig.errors import Corrupt, MissingChannel
from rig.lapfile import blocks, components
from rig.lapfile.head import (
    RECORDED,
    SAMPLES,
    SCORINGS,
    TOGETHER_LIMIT,
    WORK_LIMIT,
    Read,
    Section,
    beginning,
    check_head,
    checked_values,
    read_head,
    value_bytes,
)
from rig.regular import open_regular
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]

DECODE_BYTES: Final = 8 << 20
"""Bytes of the values that are decoded together by who wants all: two laps of 100 s, at twice that much
memory on the way.
"""
DIGEST_DIGITS: Final = 16


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
        self.header, self._base = read_head(read, size)
        self._by_key = {(column.section, column.name): column for column in self.header.columns}
        check_head(self.header, size - self._base)
        self._values = checked_values(self.header)
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
        yield beginning(head)
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
        return b"".join([beginning(head), *map(self._block, head.columns)])

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
        return sum(value_bytes(self.header, column) for column in self._needed(names, section))

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
