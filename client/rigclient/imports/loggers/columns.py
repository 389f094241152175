"""Columns of any length: in a temporary file while they come, and a stretch of one at a time back."""

import tempfile
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import numpy as np

from rig.errors import Corrupt

Array = np.ndarray[Any, np.dtype[Any]]

_FLOAT: Final = np.dtype("<f8")


class RecordedColumns(Protocol):
    """Columns of a recording, all of as many rows."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def values(self, name: str, first: int = 0, end: int | None = None) -> Array:
        """Return rows of a column, float64; what is missing is NaN."""

    def close(self) -> None:
        """Let go of the file behind it."""


class HeldColumns:
    """Columns in memory."""

    def __init__(self, columns: Mapping[str, Array], rows: int) -> None:
        self._columns, self._rows = columns, rows

    def __len__(self) -> int:
        return self._rows

    def values(self, name: str, first: int = 0, end: int | None = None) -> Array:
        """Return rows of a column, float64; what is missing is NaN."""
        return np.asarray(self._columns[name][first:end], np.float64)

    def close(self) -> None:
        """Do nothing."""


class SpooledColumns:
    """Columns in a temporary file: chunk after chunk, in a chunk column after column."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place: Final = {name: at for at, name in enumerate(names)}
        self._file = tempfile.TemporaryFile(prefix="rig-import-")  # noqa: SIM115
        self._begins = [0]

    def __len__(self) -> int:
        return self._begins[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, chunk: Mapping[str, Array]) -> None:
        """Append rows: every column has as many."""
        rows = len(next(iter(chunk.values())))
        for name in self._place:
            self._file.write(np.ascontiguousarray(chunk[name], _FLOAT).tobytes())
        self._begins.append(self._begins[-1] + rows)

    def values(self, name: str, first: int = 0, end: int | None = None) -> Array:
        """Return rows of a column, float64; what is missing is NaN."""
        last = len(self) if end is None else min(end, len(self))
        parts, at = [], first
        while at < last:
            chunk = bisect_right(self._begins, at) - 1
            stop = min(self._begins[chunk + 1], last)
            parts.append(self._read(name, chunk, at, stop))
            at = stop
        return np.concatenate(parts) if parts else np.empty(0)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def _read(self, name: str, chunk: int, first: int, end: int) -> Array:
        begin, rows = self._begins[chunk], self._begins[chunk + 1] - self._begins[chunk]
        cells = begin * len(self._place) + rows * self._place[name] + first - begin
        self._file.seek(cells * _FLOAT.itemsize)
        found = np.frombuffer(self._file.read((end - first) * _FLOAT.itemsize), _FLOAT)
        if len(found) != end - first:
            raise Corrupt("the temporary file is cut", hint="is there room in the temporary folder?")
        return found
