"""A delimited text file, row by row: any size, one record in memory.

What other programs write is taken as it is: any encoding of `encoding`, either line ending, a delimiter at
the end of every line, blanks around names, a title before the header, cells with line breaks in quotes. What
cannot be a row of the header is refused, with its line.
"""

import csv
import io
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final, NamedTuple, TextIO, TypeVar

from rig.errors import BadRequest
from rigclient.imports.text import encoding
from rigclient.imports.text.cells import Malformed

_LONGEST_LINE: Final = 1 << 16
"""Characters; the widest export known has 108 columns in 2 kB. A longer line is no row."""
_BEFORE_HEADER: Final = 10
"""Lines that may be a title, or blank."""
_KNOWN: Final = 3
"""Names that make a line the header, also below a title that has delimiters."""
_LINES_OF_A_ROW: Final = 8
"""Most lines of one row, whose cells may have line breaks in their quotes."""
_DELIMITERS: Final = ";\t,"
"""As likely as they stand here, where several part a header into as many cells."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """Cells by the names of the header, and the line they stand in, from 1."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def get(self, name: str, missing: str = "") -> str:
        """Return the cell, `missing` where there is no such column or nothing stands in it."""
        return self.cells.get(name) or missing


class RefusedLine(NamedTuple):
    """A row that is not loaded, and why."""

    line: int
    reason: str
    detail: str


class Sheet:
    """An open file that has a header among its first lines. Raises BadRequest where it has none.

    `known` are names of columns: a line that has several of them is the header, and names that differ from
    them in case alone are read as they stand there. Without such a line the header is the first that has two
    cells, so that a title is none.
    """

    def __init__(self, name: str, file: BinaryIO, known: Collection[str] = ()) -> None:
        self._name = name
        self._known = {one.lower(): one for one in known}
        self._file = file
        self._lines = Lines(encoding.opened(file))
        self._delimiter = ";"
        self._as_they_stand: list[str] = []
        self.columns: tuple[str, ...] = self._header()

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that have been read."""
        return self._file.tell()

    def rows(self) -> Iterator[SheetRow | RefusedLine]:
        """Yield every row after the header, in their place those that are refused. Blank lines are no
        rows.
        """
        for line, text in self._lines:
            try:
                cells = self._cells(text)
                if cells is not None:
                    yield SheetRow(line, dict(zip(self.columns, cells, strict=True)))
            except Malformed as error:
                yield RefusedLine(line, error.reason, error.detail)

    def _header(self) -> tuple[str, ...]:
        first = list(islice(self._lines, _BEFORE_HEADER))
        at = self._header_among([text for _, text in first])
        if at is None:
            raise BadRequest(f"{self._name} has no header", hint="its first line names the columns")
        self._lines.put_back(first[at + 1 :])
        text = first[at][1]
        self._delimiter = delimiter_of(text)
        cells = self._names(text)
        while cells and not cells[-1]:
            cells.pop()
        self._as_they_stand = cells
        names = [self._known.get(cell.lower(), cell) for cell in cells]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise BadRequest(f"{self._name} has two columns {min(doubled)!r}", hint="name each column once")
        return tuple(names)

    def _header_among(self, lines: list[str]) -> int | None:
        """Return the position of the header; None where all lines are blank, too long or broken."""
        cells = [[name for name in self._names(text) if name] for text in lines]
        needed = (
            lambda names: sum(name.lower() in self._known for name in names) >= _KNOWN,
            lambda names: len(names) > 1,
            bool,
        )
        found = (next((at for at, names in enumerate(cells) if test(names)), None) for test in needed)
        return next((at for at in found if at is not None), None)

    def _names(self, text: str) -> list[str]:
        try:
            return [cell.strip() for cell in split(sound(text), delimiter_of(text))]
        except Malformed:
            return []

    def _cells(self, text: str) -> list[str] | None:
        if not text.strip():
            return None
        text = self._whole(sound(text))
        cells = [cell.strip() for cell in split(text, self._delimiter)]
        wanted = len(self.columns)
        if len(cells) == wanted + 1 and not cells[-1]:
            cells.pop()  # a delimiter ends the line
        if not any(cells):
            raise Malformed("an empty row", "every cell is empty")
        if cells[:wanted] == self._as_they_stand:
            raise Malformed("a repeated header", "the names of the columns once more")
        if len(cells) != wanted:
            raise Malformed("wrong number of cells", f"{len(cells)} cells, the header has {wanted}")
        return cells

    def _whole(self, text: str) -> str:
        """Return the line, with those that follow it where a quote goes on there and they make one row."""
        if text.count('"') % 2 == 0:
            return text
        more: list[tuple[int, str]] = []
        for line in islice(self._lines, _LINES_OF_A_ROW - 1):
            more.append(line)
            if line[1].count('"') % 2:
                joined = "\n".join([text, *(one for _, one in more)])
                if self._is_row(joined):
                    return joined
                break
        self._lines.put_back(more)
        return text

    def _is_row(self, text: str) -> bool:
        try:
            cells = split(sound(text), self._delimiter)
        except Malformed:
            return False
        return len(cells) - (not cells[-1]) <= len(self.columns) <= len(cells)


def columns_of(first: bytes, known: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns of a file by its first bytes; none for what is no table."""
    try:
        return Sheet("it", io.BytesIO(first), known).columns
    except BadRequest:
        return ()


def parsed(
    rows: Iterable[SheetRow | RefusedLine], parse: Callable[[SheetRow], T]
) -> Iterator[T | RefusedLine]:
    """Yield what `parse` makes of every row; rows that it finds Malformed are refused."""
    for row in rows:
        if isinstance(row, RefusedLine):
            yield row
            continue
        try:
            yield parse(row)
        except Malformed as error:
            yield RefusedLine(row.line, error.reason, error.detail)


class Lines:
    """Number and text of every line; of one that is too long the beginning, which `sound` refuses."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._number = 0
        self._waiting: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        if self._waiting:
            return self._waiting.popleft()
        line = self._file.readline(_LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self._number += 1
        ended = line
        while len(ended) > _LONGEST_LINE and not ended.endswith("\n"):
            ended = self._file.readline(_LONGEST_LINE + 1)
        return self._number, line.rstrip("\r\n").strip(encoding.PADDING)

    def put_back(self, lines: list[tuple[int, str]]) -> None:
        """Give these again, before all others."""
        self._waiting.extendleft(reversed(lines))


def sound(text: str) -> str:
    """Return the text. Raises Malformed for what is no text, or too much of it."""
    if len(text) > _LONGEST_LINE:
        raise Malformed("too long a line", f"longer than {_LONGEST_LINE} characters")
    if (wrong := encoding.wrong(text)) is not None:
        raise Malformed("not UTF-8", wrong)
    return text


def delimiter_of(text: str) -> str:
    """Return what most likely parts the cells of a line."""
    return max(_DELIMITERS, key=text.count)


def split(text: str, delimiter: str) -> list[str]:
    """Return the cells of one row, which may have line breaks within quotes."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise Malformed("broken quotes", str(error)) from None
    return cells
