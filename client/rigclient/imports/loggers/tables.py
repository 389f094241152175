"""Text tables of loggers: read once, chunk by chunk, into columns of numbers."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels import naming
from rigclient.imports.channels.column import To
from rigclient.imports.loggers.columns import SpooledColumns
from rigclient.imports.loggers.run import Ground, LoggedRun
from rigclient.imports.recording import Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals.clock import clock
from rigclient.imports.text.table import SampleTable, TableChunk

Array = np.ndarray[Any, np.dtype[Any]]

Convert = Callable[[TableChunk], Mapping[str, Array]]
"""Columns by name, of a chunk."""

RecordedRun = tuple[RecordedSession, Iterator[RecordedLap]]
ReadRun = Callable[[LoggedRun, int], RecordedRun]
"""Returns the session of a run, by its number from 1, and its laps."""


def opened(file: BinaryIO, needed: Collection[str], separator: str = "") -> SampleTable:
    """Return the table of a file whose header has these names; where they differ in case alone they are
    spelled so. Raises BadRequest without such a header.
    """
    table = SampleTable("it", file, needed, separator)
    spelled = {name.lower(): name for name in needed}
    table.units = {spelled.get(name.lower(), name): unit for name, unit in table.units.items()}
    table.columns = tuple(spelled.get(name.lower(), name) for name in table.columns)
    return table


class Logs(NamedTuple):
    """The runs of a table's clock."""

    logs: list[LoggedRun]
    left: tuple[str, ...]
    """Columns that became no channel and served for nothing else."""

    def recordings(self, dialect: str, read: ReadRun) -> list[Recording]:
        """Return a recording of every run; `read` is called for each."""
        recordings = []
        for at, log in enumerate(self.logs):
            session, laps = read(log, at + 1)
            laps = self.laps(at, laps)
            recordings.append(Recording(dialect, session, laps, log.rate_hz, log.mapped, self.left))
        return recordings

    def laps(self, at: int, laps: Iterator[RecordedLap]) -> Iterator[RecordedLap]:
        """Yield the laps of a log; after those of the last the columns are closed."""
        yield from laps
        if at == len(self.logs) - 1:
            self.logs[0].columns.close()


def logs(
    table: SampleTable,
    time: str,
    refuse: Refuse,
    progress: Progress,
    *,
    own: Mapping[str, To] | None = None,
    used: Sequence[str] = (),
    texts: Collection[str] = (),
    convert: Convert | None = None,
    made: Sequence[str] = (),
    second: float = 1.0,
    wall: bool = False,
    ground: Ground | None = None,
    no_rows: Collection[int] = (),
) -> Logs:
    """Return what a table has, by its clock in the column `time`, of which `second` make a second; a `wall`
    clock counts from its first row.

    `own` are names of the dialect, `used` further columns of numbers that it wants. `convert` makes the
    columns `made` of each chunk, with those of `texts`. Raises BadRequest where no rows can be used.
    """
    sources = naming.sources(pairs(table), own)
    ground = ground or Ground.among(table.columns)
    wanted = [time, *used, *(one.column for one in sources), *filter(None, ground or ())]
    numbers = [name for name in dict.fromkeys(wanted) if name in table.columns and name not in texts]
    columns, lines = _spooled(table, numbers, refuse, progress, texts, convert, made, no_rows)
    try:
        found = clock(columns.values(time) / second)
        found.tell(refuse, lines)
        times = columns.values(time) / second
        runs = [rows for rows in found.runs() if len(rows) > 1]
        if not runs:
            raise BadRequest("no two rows of it follow each other in time", rows=len(columns))
        left = naming.left(table.columns, sources, [*wanted, *texts])
        begins = [float(times[rows[0]]) if wall else 0.0 for rows in runs]
        return Logs(
            [
                LoggedRun(columns, rows, times[rows] - begin, sources, ground, begin)
                for rows, begin in zip(runs, begins, strict=True)
            ],
            left,
        )
    except BaseException:
        columns.close()
        raise


def _spooled(
    table: SampleTable,
    numbers: Sequence[str],
    refuse: Refuse,
    progress: Progress,
    texts: Collection[str],
    convert: Convert | None,
    made: Sequence[str],
    no_rows: Collection[int],
) -> tuple[SpooledColumns, Array]:
    """Return the columns, and the line of every row. Lines in `no_rows` are none, without a word."""
    columns = SpooledColumns([*numbers, *made])
    lines = []

    def told(line: int, reason: str, detail: str) -> None:
        if line not in no_rows:
            refuse(line, reason, detail)

    for chunk in table.chunks(numbers, texts, told):
        columns.append({**chunk.numbers, **(convert(chunk) if convert else {})})
        lines.append(chunk.lines)
        progress(table.bytes_read)
    if not len(columns):
        columns.close()
        raise BadRequest("it has no row that can be used", hint="below its header there are no samples")
    return columns, np.concatenate(lines)


def pairs(table: SampleTable) -> list[tuple[str, str]]:
    """Return name and unit of every column."""
    return [(name, table.units.get(name, "")) for name in table.columns]


def keyed(before: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return what the lines before a header say: name and value."""
    return {cells[0]: cells[1] for cells in before if len(cells) > 1 and cells[0]}
