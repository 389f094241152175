"""The scoring updates of a lap, and how they are put together out of what a rig sends."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from rig.channels import DTYPES, LAP, SCORING
from rig.errors import Corrupt
from rig.tables import LapColumns, ScoringColumns
from rig.v1 import laps_pb2
from riglap.rows import Array, ChannelRows, ColumnSource, zeros_absent

_LEAST_BYTES: Final = 1 << 10
"""A piece of a column counts as so much, however little is in it: its name takes room too."""
_ZEROS_ABSENT: Final = zeros_absent((*SCORING.channels, *LAP.channels))


class ScoringRows(ChannelRows, ScoringColumns, LapColumns):
    """The scoring updates of a lap."""


class ScoringAssembler:
    """Assembles scoring updates out of the plain columns that a rig sends, long ones in pieces."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Array]] = {}
        self._units: dict[str, str] = {}
        self._bytes = 0

    def take(self, columns: Iterable[laps_pb2.PlainColumn]) -> None:
        """Add the next columns. Raises Corrupt, also when they come to more bytes than a lap can have."""
        from rig.lapfile import DECODED_LIMIT  # loads zstandard, which those who only follow do without

        for column in columns:
            self._pieces.setdefault(column.name, []).append(_plain(column))
            self._units[column.name] = column.unit
            self._bytes += max(len(column.values), _LEAST_BYTES)
            if self._bytes > DECODED_LIMIT:
                raise Corrupt(f"the columns came to more than {DECODED_LIMIT} bytes, which is the limit")

    def rows(self) -> ScoringRows:
        """Return the rows, once all columns have been added. Raises Corrupt."""
        whole = {name: _joined(name, parts) for name, parts in self._pieces.items()}
        rows = {len(values) for values in whole.values()} or {0}
        if len(rows) > 1:
            raise Corrupt(f"the columns have {sorted(rows)} rows")
        sources = {
            name: ColumnSource(self._units[name], "", _reader(values), zeros_absent=name in _ZEROS_ABSENT)
            for name, values in whole.items()
        }
        return ScoringRows(sources, rows.pop())


def plain_rows(columns: Iterable[laps_pb2.PlainColumn]) -> ScoringRows:
    """Return the scoring updates in plain columns. Raises Corrupt."""
    updates = ScoringAssembler()
    updates.take(columns)
    return updates.rows()


def _reader(values: Array) -> Callable[[], Array]:
    return lambda: values


def _joined(name: str, parts: list[Array]) -> Array:
    """Return a column out of its pieces. Raises Corrupt for pieces of different columns."""
    if len({(part.dtype, part.shape[1:]) for part in parts}) > 1:
        raise Corrupt(f"the pieces of column {name} do not fit together")
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _plain(column: laps_pb2.PlainColumn) -> Array:
    dtype = DTYPES.get(column.dtype)
    if dtype is None:
        raise Corrupt(f"column {column.name} has values of an unknown type {column.dtype!r}")
    if not column.width:
        raise Corrupt(f"column {column.name} has no values in a row")
    expected = column.rows * column.width * dtype.itemsize
    if len(column.values) != expected:
        raise Corrupt(f"column {column.name} has {len(column.values)} bytes, {expected} were announced")
    values = np.frombuffer(column.values, dtype)
    return values if column.width == 1 else values.reshape(column.rows, column.width)
