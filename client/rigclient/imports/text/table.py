"""A delimited file of samples, wide rows in chunks of columns: any size, a chunk in memory.

    Name;Value;...            lines before the header, if any
    Time;Speed [km/h];...     the header, known by names that it has to have
    s;km/h;...                units, if it says some
    0.00;212.4;...

Rows that cannot be read are left out, each with its line and a reason. An empty cell is NaN.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.recording import Refuse
from rigclient.imports.text import encoding
from rigclient.imports.text.cells import Malformed
from rigclient.imports.text.sheet import Lines, delimiter_of, sound, split

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK_ROWS: Final = 4096
"""Rows that are read together: of 110 columns they are 50 MB as text."""
_BEFORE_HEADER: Final = 1100
"""Lines before the header at most; one program pads them up to byte 1024."""
_BELOW_HEADER: Final = 4
"""Lines below the header among which the units stand, and the first row."""
_UNIT: Final = re.compile(r"^(?P<name>.*?)\s*[\[(](?P<unit>[^\[\](){}]*)[\])}]$")
"""A unit in brackets behind a name; one program closes a bracket with a brace."""
_WORDS: Final = {"true": 1.0, "false": 0.0, "nan": np.nan, "inf": np.nan, "-inf": np.nan}
_WHOLE_COMMA: Final = re.compile(r"-?[0-9]+,[0-9]+(?:[eE][-+]?[0-9]+)?")


class TableChunk(NamedTuple):
    """One row or more, one after the other: all of them sound in the columns that were asked for."""

    lines: Array
    """Line of every row in the file, from 1."""
    numbers: dict[str, Array]
    """Columns of numbers by name, float64; NaN where the cell is empty."""
    texts: dict[str, list[str]]
    """Columns of text by name."""


class SampleTable:
    """An open file with a header that has all of `needed` among its names, whatever their case.

    `separator` where the header does not tell it by itself (" ": any blanks). Raises BadRequest without such
    a header.
    """

    def __init__(self, name: str, file: BinaryIO, needed: Collection[str], separator: str = "") -> None:
        self._name, self._file = name, file
        self._lines = Lines(encoding.opened(file))
        self._separator = separator
        self.before: Final[list[list[str]]] = []
        """Cells of the lines before the header, blank ones too."""
        self.columns: tuple[str, ...] = self._header(needed)
        """Names as they stand there; of a repeated one the second is `speed #2`."""
        self.units: Mapping[str, str] = self._units()
        """Unit of each column that has one: of the line below the header, else in brackets behind the
        name.
        """

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that have been read."""
        return self._file.tell()

    def named(self, name: str) -> str | None:
        """Return the column of that name, whatever its case and without a unit in brackets; None without."""
        for column in self.columns:
            bare = found["name"] if (found := _UNIT.match(column)) else column
            if name.lower() in (column.lower(), bare.lower()):
                return column
        return None

    def chunks(
        self, numbers: Collection[str], texts: Collection[str], refuse: Refuse, rows: int = CHUNK_ROWS
    ) -> Iterator[TableChunk]:
        """Yield all rows with these columns. What is no row, or no number where one has to be, is told to
        `refuse`.
        """
        at = {name: place for place, name in enumerate(self.columns)}
        while lines := list(islice(self._lines, rows)):
            found = list(self._rows(lines, refuse))
            if not found:
                continue
            cells = list(zip(*(cells for _, cells in found), strict=True))
            sound_rows = np.ones(len(found), np.bool_)
            values = {}
            for name in numbers:
                values[name], wrong = _numbers(cells[at[name]])
                for place in wrong:
                    if sound_rows[place]:
                        cell = cells[at[name]][place]
                        refuse(found[place][0], "no number", f"{name} is {cell!r}, which is no number")
                    sound_rows[place] = False
            kept = np.flatnonzero(sound_rows)
            if not len(kept):
                continue
            words = {name: [cells[at[name]][place] for place in kept] for name in texts}
            numbered = np.array([line for line, _ in found], np.int64)[kept]
            yield TableChunk(numbered, {name: column[kept] for name, column in values.items()}, words)

    def _header(self, needed: Collection[str]) -> tuple[str, ...]:
        wanted = {name.lower() for name in needed}
        for _, text in islice(self._lines, _BEFORE_HEADER):
            cells = self._header_cells(text)
            if wanted <= {name.lower() for name in cells}:
                self._separator = self._separator or delimiter_of(text)
                while cells and not cells[-1]:
                    cells.pop()
                return tuple(_told_apart(cells))
            self.before.append(cells)
        raise BadRequest(f"{self._name} has no header with {', '.join(sorted(needed))}")

    def _header_cells(self, text: str) -> list[str]:
        try:
            return [cell.strip() for cell in _cells(sound(text), self._separator or delimiter_of(text))]
        except Malformed:
            return []

    def _units(self) -> dict[str, str]:
        """Return the units, and read the line of them and blank ones before the first row."""
        units = {name: found["unit"] for name in self.columns if (found := _UNIT.match(name))}
        for told in (False, True):  # blank lines stand before the units and after them
            below = list(islice(self._lines, _BELOW_HEADER))
            filled = (at for at, (_, text) in enumerate(below) if any(self._header_cells(text)))
            at = next(filled, None)
            cells = self._header_cells(below[at][1]) if at is not None else []
            if at is None or told or len(cells) < len(self.columns) or any(map(_is_number, cells)):
                self._lines.put_back(below[at or 0 :])
                break
            units |= {name: cell for name, cell in zip(self.columns, cells, strict=False) if cell}
            self._lines.put_back(below[at + 1 :])
        return units

    def _rows(self, lines: Sequence[tuple[int, str]], refuse: Refuse) -> Iterator[tuple[int, list[str]]]:
        """Yield line and cells of what is a row."""
        wanted = len(self.columns)
        for line, text in lines:
            if not text or text.isspace():
                continue
            try:
                cells = _cells(sound(text), self._separator)
                if len(cells) == wanted + 1 and not cells[-1].strip():
                    cells.pop()  # a delimiter ends the line
                _check_row(cells, self.columns)
            except Malformed as error:
                refuse(line, error.reason, error.detail)
                continue
            yield line, cells


def _cells(text: str, separator: str) -> list[str]:
    return text.split() if separator == " " else split(text, separator)


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield f"{name} #{seen[name]}" if seen[name] > 1 else name


def _check_row(cells: Sequence[str], columns: Sequence[str]) -> None:
    """Raise Malformed for what is no row of a table with these columns."""
    if not any(cells):
        raise Malformed("an empty row", "every cell is empty")
    if len(cells) != len(columns):
        raise Malformed("wrong number of cells", f"{len(cells)} cells, the header has {len(columns)}")
    if cells[0] == columns[0] and tuple(_told_apart([cell.strip() for cell in cells])) == tuple(columns):
        raise Malformed("a repeated header", "the names of the columns once more")


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return bool(cell.strip())


def _numbers(cells: Sequence[str]) -> tuple[Array, list[int]]:
    """Return a column of numbers, and the places of the cells that are none."""
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return _some_numbers(cells)
    values[np.isinf(values)] = np.nan
    return values, []


def _some_numbers(cells: Sequence[str]) -> tuple[Array, list[int]]:
    values, wrong = np.full(len(cells), np.nan), []
    for at, cell in enumerate(cells):
        if cell:
            try:
                values[at] = _number(cell)
            except ValueError:
                wrong.append(at)
    return values, wrong


def _number(cell: str) -> float:
    """Return a number, also with a decimal comma, of a word such as true; NaN of blanks. Raises
    ValueError.
    """
    text = cell.strip().lower()
    if not text:
        return np.nan
    if text in _WORDS:
        return _WORDS[text]
    value = float(text.replace(",", ".", 1) if _WHOLE_COMMA.fullmatch(text) else text)
    return value if np.isfinite(value) else np.nan
