"""A delimited text file, row by row: any size, one line in memory.

What other programs write is taken as it is: a byte order mark, either line ending, a delimiter at the end of
every line, blanks around names. What cannot be a row of the header is refused, with its line.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, TypeVar

from rig.errors import BadRequest
from rigclient.warehouse.imports.cells import Malformed

_LONGEST_LINE: Final = 1 << 16
"""Bytes; the widest export known has 108 columns in 2 kB. A longer line is no row, and is skipped unread."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """Cells by the names of the header, and the line they stand in, from 1."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def get(self, name: str, missing: str = "") -> str:
        """The cell, `missing` where there is no such column or nothing stands in it."""
        return self.cells.get(name) or missing


class Refused(NamedTuple):
    """A row that is not loaded, and why."""

    line: int
    reason: str
    detail: str


class Sheet:
    """An open file whose first line is its header. Raises BadRequest where that is none."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file
        self._lines = _lines(file)
        self._delimiter = ";"
        self.columns = self._header()

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._file.tell()

    def rows(self) -> Iterator[Row | Refused]:
        """Every row after the header, in its place also those that are none. Blank lines are no rows."""
        for line, text in self._lines:
            try:
                cells = self._cells(text)
                if cells is not None:
                    yield Row(line, dict(zip(self.columns, cells, strict=True)))
            except Malformed as error:
                yield Refused(line, error.reason, error.detail)

    def _header(self) -> tuple[str, ...]:
        try:
            _, first = next(self._lines)
            text = _text(first).removeprefix("\ufeff")
        except (StopIteration, Malformed):
            raise BadRequest(f"{self._name} has no header", hint="its first line names the columns") from None
        self._delimiter = ";" if text.count(";") > text.count(",") else ","
        names = [cell.strip() for cell in _split(text, self._delimiter)]
        while names and not names[-1]:
            names.pop()
        if doubled := {name for name in names if names.count(name) > 1}:
            raise BadRequest(f"{self._name} has two columns {min(doubled)!r}", hint="name each column once")
        return tuple(names)

    def _cells(self, data: bytes) -> list[str] | None:
        text = _text(data)
        if not text.strip():
            return None
        cells = [cell.strip() for cell in _split(text, self._delimiter)]
        wanted = len(self.columns)
        if len(cells) == wanted + 1 and not cells[-1]:
            cells.pop()  # a delimiter ends the line
        if not any(cells):
            raise Malformed("an empty row", "every cell is empty")
        if len(cells) != wanted:
            raise Malformed("wrong number of cells", f"{len(cells)} cells, the header has {wanted}")
        return cells


def parsed(rows: Iterable[Row | Refused], parse: Callable[[Row], T]) -> Iterator[T | Refused]:
    """What `parse` makes of every row; rows that it finds Malformed are refused."""
    for row in rows:
        if isinstance(row, Refused):
            yield row
            continue
        try:
            yield parse(row)
        except Malformed as error:
            yield Refused(row.line, error.reason, error.detail)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every line; of one that is too long the beginning, which `_text` refuses."""
    number = 0
    while data := file.readline(_LONGEST_LINE + 1):
        number += 1
        yield number, data
        while len(data) > _LONGEST_LINE and not data.endswith(b"\n"):
            data = file.readline(_LONGEST_LINE + 1)


def _text(data: bytes) -> str:
    if len(data) > _LONGEST_LINE:
        raise Malformed("too long a line", f"longer than {_LONGEST_LINE} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8", f"byte {error.start} is {data[error.start]:#04x}") from None
    return text.rstrip("\r\n")


def _split(text: str, delimiter: str) -> list[str]:
    """Cells of one line. Quotes end with their line, so that a stray one costs a row and not the file."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise Malformed("broken quotes", str(error)) from None
    return cells
