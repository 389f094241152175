"""Loading, exactly once: files, ledger and watermark in one transaction, counted before it commits.

The watermark of a stream says how far it is loaded, and it stands in the warehouse alone. A load moves it
from where it was when the load was put together: whoever finds it elsewhere was beaten by somebody, undoes
everything and begins again. Every statement may be sent twice (connectors do that when a reply is lost): the
counts that follow find out.
"""

# ruff: noqa: S608  what is put into statements are names of tables and columns, from `tables`

import importlib.metadata
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import Raced, RigError
from rigclient.warehouse import tables
from rigclient.warehouse.destination import Destination, Value
from rigclient.warehouse.tables import WarehouseTable

_ONE: Final = "(SELECT 1 AS ONE) X"
"""A row to select from: not every warehouse takes a condition without one."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS: Final = 8
"""In base 36 milliseconds have eight digits until the year 2059."""
_REPLACED: Final = "replaced_rows"

ReplacedRows = dict[str, dict[str, int]]
"""How many rows of earlier loads went, by LOAD_ID and table."""


class LoadPart(NamedTuple):
    """The rows that a load brings for one table: a Parquet file, in which all have its LOAD_ID."""

    table: WarehouseTable
    path: Path
    rows: int
    sha256: str


@dataclass(frozen=True)
class Load:
    """What is loaded together: the numbers from `from_n` to below `to_n` of a stream of a rig."""

    id: str
    """New for every attempt; see `load_id`."""
    rig_id: str
    stream: str
    from_n: int
    to_n: int
    parts: tuple[LoadPart, ...]
    removes: tuple[str, ...] = ()
    """Loads whose rows go when this one comes; the ledger keeps them."""
    note: str = ""
    """What it is of, for the ledger."""
    replaces_laps: bool = False
    """Laps of it are there with other content, whose rows go; the ledger says how many of which load."""

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(part.rows for part in self.parts)

    def rows_of(self, table: WarehouseTable) -> int:
        """Return those of one."""
        return sum(part.rows for part in self.parts if part.table == table)


def load_id() -> str:
    """Return an id for an attempt: the time, and 6 random bytes. Later ones sort later, so that a warehouse
    finds the rows of one without looking at those of all others.
    """
    now = time.time_ns() // 1_000_000
    digits = (_DIGITS[now // 36**place % 36] for place in reversed(range(_TIME_DIGITS)))
    return "".join(digits) + secrets.token_hex(6)


def next_n(destination: Destination, rig_id: str, stream: str) -> int:
    """Return first number of the stream that is not loaded."""
    sql = "SELECT COALESCE(MAX(NEXT_N), 0) FROM RIG_WATERMARK WHERE RIG_ID = ? AND STREAM = ?"
    return int(destination.rows(sql, [rig_id, stream])[0][0])


def stage(destination: Destination, wanted: Load) -> list[str]:
    """Bring the files of a load to where `load` takes them, also while another one is loaded."""
    return [destination.stage(part.path, _staged_name(wanted, part)) for part in wanted.parts]


def load(destination: Destination, wanted: Load, staged: Sequence[str] = ()) -> None:
    """Load it, `staged` or not yet, or nothing of it. Raises Raced when somebody else was first or a
    statement ran twice; after that, as after any other error, the whole is to be put together anew.
    """
    staged = staged or stage(destination, wanted)
    if not wanted.from_n:
        _ensure_watermark(destination, wanted)
    _begin(destination)
    try:
        _remove(destination, wanted)
        for part, file in zip(wanted.parts, staged, strict=True):
            _copy(destination, part, file, wanted.id)
        note = _replace_laps(destination, wanted) if wanted.replaces_laps else wanted.note
        _insert_ledger_row(destination, wanted, staged, note)
        _advance_watermark(destination, wanted, _count(destination, wanted))
        destination.commit()
    except BaseException:
        destination.rollback()
        raise
    _verify(destination, wanted)
    for file in staged:
        destination.unstage(file)


def _begin(destination: Destination) -> None:
    """Begin a transaction. A BEGIN whose reply was lost is sent again, and may be refused because there is
    one already.
    """
    try:
        destination.begin()
    except RigError:
        destination.rollback()
        destination.begin()


def _staged_name(wanted: Load, part: LoadPart) -> str:
    return f"{wanted.rig_id}/{wanted.stream}/{wanted.id}/{part.table.name}.parquet"


def _ensure_watermark(destination: Destination, wanted: Load) -> None:
    """Ensure that the stream has a watermark. Two who do this at once may make two: see
    `_advance_watermark`. Whoever is refused because of another, or told that what was done has failed,
    finds that there is one.
    """
    stream: list[Value] = [wanted.rig_id, wanted.stream]
    there = "FROM RIG_WATERMARK WHERE RIG_ID = ? AND STREAM = ?"
    try:
        destination.execute(
            f"INSERT INTO RIG_WATERMARK (RIG_ID, STREAM, NEXT_N) SELECT ?, ?, 0 FROM {_ONE} "
            f"WHERE NOT EXISTS (SELECT 1 {there})",
            stream * 2,
        )
    except RigError:
        if not destination.rows(f"SELECT 1 {there}", stream):
            raise


def _remove(destination: Destination, wanted: Load) -> None:
    """Take away what came with the loads that go."""
    marks = ", ".join("?" * len(wanted.removes))
    for table in tables.LOADED if marks else ():
        destination.execute(
            f"DELETE FROM {table.name} WHERE RIG_ID = ? AND LOAD_ID IN ({marks})",
            [wanted.rig_id, *wanted.removes],
        )


def _copy(destination: Destination, part: LoadPart, file: str, own: str) -> None:
    loaded = destination.copy(part.table.name, file)
    if loaded != part.rows:
        raise Raced(f"{loaded} rows came into {part.table.name}, the file has {part.rows}")
    if part.table.replaced:
        _replace(destination, part.table, own)


def _replace(destination: Destination, table: WarehouseTable, own: str) -> None:
    """Remove the rows that the load has brought anew."""
    shared = ", ".join(table.replaced)
    destination.execute(
        f"DELETE FROM {table.name} WHERE LOAD_ID <> ? AND ({shared}) IN "
        f"(SELECT {shared} FROM {table.name} WHERE LOAD_ID = ?)",
        [own] * 2,
    )


def _replace_laps(destination: Destination, wanted: Load) -> str:
    """Remove what earlier loads brought of the laps of a load; return the NOTE that tells how many rows."""
    gone: ReplacedRows = {}
    key = ", ".join(tables.LAPS.key)
    for table in tables.OF_LAPS:
        sql = (
            f"FROM {table.name} WHERE LOAD_ID <> ? AND ({key}) IN (SELECT {key} FROM LAPS WHERE LOAD_ID = ?)"
        )
        own = [wanted.id] * 2
        for load, rows in destination.rows(f"SELECT LOAD_ID, COUNT(*) {sql} GROUP BY LOAD_ID", own):
            gone.setdefault(load, {})[table.name] = int(rows)
        destination.execute(f"DELETE {sql}", own)
    return json.dumps({_REPLACED: gone})


def replaced_rows(destination: Destination) -> Iterator[ReplacedRows]:
    """Yield what the ledger notes of laps that took the place of others."""
    found = destination.rows("SELECT NOTE FROM RIG_LOADS WHERE NOTE LIKE ?", [f'{{"{_REPLACED}"%'])
    return (json.loads(note)[_REPLACED] for (note,) in found)


def _insert_ledger_row(destination: Destination, wanted: Load, staged: Sequence[str], note: str) -> None:
    """Insert the ledger's row, if it follows the last one of the stream. Raises Raced."""
    row: dict[str, Value] = {
        "RIG_ID": wanted.rig_id,
        "STREAM": wanted.stream,
        "FROM_N": wanted.from_n,
        "TO_N": wanted.to_n,
        "ROW_COUNTS": json.dumps({part.table.name: part.rows for part in wanted.parts}),
        "LOAD_ID": wanted.id,
        "STAGE_PATH": " ".join(staged),
        "SHA256": " ".join(part.sha256 for part in wanted.parts),
        "WRITER": writer(),
        "LOADED_AT_MS": time.time_ns() // 1_000_000,
        "REMOVED": " ".join(wanted.removes) or None,
        "NOTE": note or None,
    }
    entered = destination.execute(
        f"INSERT INTO RIG_LOADS ({', '.join(row)}) SELECT {', '.join('?' * len(row))} FROM {_ONE} "
        "WHERE ? = (SELECT COALESCE(MAX(TO_N), 0) FROM RIG_LOADS WHERE RIG_ID = ? AND STREAM = ?)",
        [*row.values(), wanted.from_n, wanted.rig_id, wanted.stream],
    )
    if entered != 1:
        raise Raced(f"{wanted.stream} of {wanted.rig_id} was loaded from {wanted.from_n} on by somebody else")


def writer() -> str:
    """Return who loads, for the ledger: program, version, machine and process."""
    return f"rigd {importlib.metadata.version('rigd')} on {socket.gethostname()}, process {os.getpid()}"


def _count(destination: Destination, wanted: Load) -> int:
    """Return how many watermarks the stream has. Raises Raced unless every table has as many rows of the load
    as its file, no two of them with the same key, and no earlier load brought one: nothing came twice. One
    question for all, since each is a way over the network.
    """
    asked = [_counts(part.table, wanted) for part in wanted.parts]
    of = "SELECT '', COUNT(*), 0, 0 FROM RIG_WATERMARK WHERE RIG_ID = ? AND STREAM = ?"
    sql = " UNION ALL ".join([*(sql for sql, _ in asked), of])
    values = [value for _, values in asked for value in values]
    rows = destination.rows(sql, [*values, wanted.rig_id, wanted.stream])
    found = {name: tuple(map(int, counts)) for name, *counts in rows}
    for part in wanted.parts:
        _check(part, *found[part.table.name])
    return found[""][0]


def _counts(table: WarehouseTable, wanted: Load) -> tuple[str, list[Value]]:
    """Return what the load has brought for a table: different rows, rows, and how many were there already."""
    own: list[Value] = [wanted.rig_id, wanted.id]
    twice, values = ("0", own)
    if table.once:
        same = " AND ".join(f"O.{key} = N.{key}" for key in table.key)
        again = f"FROM {table.name} N JOIN {table.name} O ON {same} WHERE N.LOAD_ID = ? AND O.LOAD_ID <> ?"
        twice, values = f"(SELECT COUNT(*) {again})", [wanted.id, wanted.id, *own]
    grouped = f"FROM {table.name} WHERE RIG_ID = ? AND LOAD_ID = ? GROUP BY {', '.join(table.key)}"
    counts = f"'{table.name}', COUNT(*), COALESCE(SUM(N), 0), {twice}"
    return f"SELECT {counts} FROM (SELECT COUNT(*) AS N {grouped}) K", values


def _check(part: LoadPart, different: int, rows: int, twice: int) -> None:
    if twice:
        raise Raced(f"{twice} rows of {part.table.name} are in the warehouse already")
    if not different == rows == part.rows:
        raise Raced(
            f"{part.table.name} has {rows} rows of the load, {different} of them different, "
            f"the file has {part.rows}"
        )


def _advance_watermark(destination: Destination, wanted: Load, there: int) -> None:
    """Move the watermark: the last statement, so that its lock is held for milliseconds.

    Where two watermarks were made at once both move together, and whoever does not find all of them where
    they were has been beaten.
    """
    moved = destination.execute(
        "UPDATE RIG_WATERMARK SET NEXT_N = ? WHERE RIG_ID = ? AND STREAM = ? AND NEXT_N <= ?",
        [wanted.to_n, wanted.rig_id, wanted.stream, wanted.from_n],
    )
    if not moved or moved != there:
        raise Raced(f"the watermark of {wanted.stream} of {wanted.rig_id} is no longer at {wanted.from_n}")


def _verify(destination: Destination, wanted: Load) -> None:
    """Raise Raced unless a new question finds the load: that a commit was reported proves nothing."""
    ((found,),) = destination.rows("SELECT COUNT(*) FROM RIG_LOADS WHERE LOAD_ID = ?", [wanted.id])
    if found != 1:
        raise Raced(f"{destination.name} reported a commit, and does not have load {wanted.id}")
