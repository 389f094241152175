"""All numbers of a table that is one lap."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rig.errors import BadRequest, Exhausted
from rig.lapfile import ROWS_LIMIT
from rigclient.imports.recording import Progress, Refuse
from rigclient.imports.signals.units import sane
from rigclient.imports.text.table import SampleTable

Array = np.ndarray[Any, np.dtype[Any]]


class WholeTable(NamedTuple):
    """The rows of a table that were read."""

    lines: Array
    """Line of every row in the file."""
    values: dict[str, Array]
    """By name as in the header; float64, NaN where a cell is blank."""
    units: Mapping[str, str]

    def picked(self, rows: Array) -> "WholeTable":
        """Return these rows."""
        return WholeTable(
            self.lines[rows], {name: one[rows] for name, one in self.values.items()}, self.units
        )


def all_rows(table: SampleTable, refuse: Refuse, progress: Progress) -> WholeTable:
    """Return the rows of a table whose columns are all numbers. Raises BadRequest without a row, Exhausted
    beyond what a lap can have.
    """
    chunks, rows, left_out = [], 0, 0

    def count(line: int, reason: str, detail: str) -> None:
        nonlocal left_out
        left_out += 1
        refuse(line, reason, detail)

    for chunk in table.chunks(table.columns, (), count):
        chunks.append(chunk)
        rows += len(chunk.lines)
        progress(table.bytes_read)
        if rows > ROWS_LIMIT:
            raise Exhausted(f"more than {ROWS_LIMIT} rows, and it is to be one lap", limit=ROWS_LIMIT)
    if not rows:
        raise BadRequest(f"it has no row to read: {left_out} are left out, all the recorder wrote")
    values = {name: sane(np.concatenate([one.numbers[name] for one in chunks])) for name in table.columns}
    return WholeTable(np.concatenate([one.lines for one in chunks]), values, table.units)
