"""A database of Le Mans Ultimate's telemetry: opened read-only, and nothing of it is run."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest, Unavailable
from rigclient.imports.signals.units import sane
from riglap.extras import need

Array = np.ndarray[Any, np.dtype[Any]]

_CONFIG: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
    "memory_limit": "200MB",
}
_NEEDED: Final = {
    "channelsList": ("channelName", "frequency", "unit"),
    "metadata": ("key", "value"),
    "Lap": ("ts", "value"),
}
_MOST_EVENTS: Final = 1_000_000


@contextlib.contextmanager
def opened(path: Path) -> "Iterator[LmuDatabase]":
    """Open a database. Raises BadRequest where it is none, and where duckdb is not installed."""
    try:
        duckdb = need("duckdb", "warehouse")
    except Unavailable as error:
        raise BadRequest(error.message, hint=error.hint) from None
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.Error as error:
        raise BadRequest(f"DuckDB cannot open it: {str(error).splitlines()[0]}") from None
    try:
        yield LmuDatabase(connection)
    except duckdb.Error as error:
        raise BadRequest(f"DuckDB cannot read it: {str(error).splitlines()[0]}") from None
    finally:
        connection.close()


class LmuDatabase:
    """Tables of an open file."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        found: dict[str, list[str]] = {}
        for table, column in connection.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE t.table_schema = 'main' AND t.table_type = 'BASE TABLE'"
            " ORDER BY c.table_name, c.ordinal_position LIMIT 10000"
        ).fetchall():
            found.setdefault(table, []).append(column)
        self.tables: Final[Mapping[str, list[str]]] = found

    def missing(self) -> list[str]:
        """Return the tables that are not there, or not as they have to be."""
        return [
            f'a table "{name}"'
            for name, needed in _NEEDED.items()
            if not set(needed) <= set(self.tables.get(name, ()))
        ]

    def rows(self, sql: str, most: int) -> list[tuple[Any, ...]]:
        """Return rows. Raises BadRequest for more than `most`."""
        found: list[tuple[Any, ...]] = self._connection.execute(f"{sql} LIMIT {most + 1}").fetchall()
        if len(found) > most:
            raise BadRequest(f"a table has more than {most} rows")
        return found

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0])  # noqa: S608

    def numbers(self, table: str, columns: tuple[str, ...], first: int, end: int) -> list[Array]:
        """Return columns of the rows from `first` to before `end`, float64."""
        wanted = ", ".join(f"CAST({_quoted(name)} AS DOUBLE) AS {_quoted(name)}" for name in columns)
        sql = f"SELECT {wanted} FROM {_quoted(table)} WHERE rowid >= {first} AND rowid < {end} ORDER BY rowid"  # noqa: S608
        found = self._connection.execute(sql).fetchnumpy()
        return [sane(np.ma.filled(np.ma.asarray(found[name], np.float64), np.nan)) for name in columns]

    def events(self, table: str) -> tuple[Array, Array]:
        """Return clocks [s] and values of what changes; none where there is no such table."""
        if not {"ts", "value"} <= set(self.tables.get(table, ())):
            return np.zeros(0), np.zeros(0)
        sql = f"SELECT CAST(ts AS DOUBLE), CAST(value AS DOUBLE) FROM {_quoted(table)} ORDER BY ts, rowid"  # noqa: S608
        rows = sane(np.array(self.rows(sql, _MOST_EVENTS), np.float64).reshape(-1, 2))
        rows = rows[np.isfinite(rows).all(axis=1)]
        return rows[:, 0], rows[:, 1]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
