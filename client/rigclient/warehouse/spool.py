"""The spool: what a load brings, as Parquet files in a folder of their own.

A file is never read after the process that wrote it has ended, so it is not flushed to the disk: a new start
empties the folder and asks the rig again. Memory holds one row group, which is some 25 laps.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import Mismatch, Unavailable
from rigclient.warehouse import tables
from rigclient.warehouse.loading import LoadPart, load_id
from rigclient.warehouse.tables import WarehouseTable
from riglap.extras import need

Array = np.ndarray[Any, np.dtype[Any]]

_LEVEL: Final = 1
"""Of zstd: 3 takes as long again and saves a fifteenth of the bytes."""
_GROUP_ROWS: Final = 122_880
"""Of a row group at least: as many as DuckDB keeps together. In groups of 25,000 rows it copies a quarter
of a million in 2.9 s of CPU instead of 2.3; two threads that copy still have a group each.
"""
_ARROW: Final = {
    tables.TEXT: "string",
    tables.WHOLE: "int64",
    tables.REAL32: "float32",
    tables.REAL64: "float64",
    tables.FLAG: "bool",
}


class Spool:
    """The files of one load. Use `add` for arrays, `put` for rows, then `parts` once."""

    def __init__(self, folder: Path) -> None:
        self._pa = need("pyarrow", "warehouse")
        self._parquet = need("pyarrow.parquet", "warehouse")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.id: Final = load_id()
        """LOAD_ID of every row."""
        self._writers: dict[WarehouseTable, Any] = {}
        self._pending: dict[WarehouseTable, list[Any]] = {}
        """Rows for the next row group."""
        self._rows: dict[WarehouseTable, int] = {}

    def rows(self, table: WarehouseTable) -> int:
        """Return the rows of a table so far."""
        return self._rows.get(table, 0)

    def add(
        self, table: WarehouseTable, constants: Mapping[str, str | int], columns: Mapping[str, Array]
    ) -> None:
        """Add rows: arrays of one length, and values that all of them have. NaN becomes NULL.

        All rows of a table must have the same columns. Raises Mismatch.
        """
        rows = len(next(iter(columns.values())))
        arrays = {name: self._repeated(value, rows) for name, value in constants.items()}
        arrays |= {name: self._array(values) for name, values in columns.items()}
        arrays["LOAD_ID"] = self._repeated(self.id, rows)
        self._write(table, self._pa.table(arrays))

    def put(self, table: WarehouseTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows by the names of the table's columns; what is not there or NaN is NULL."""
        filled = [{**row, "LOAD_ID": self.id} for row in rows]
        if not filled:
            return
        arrays = {
            column.name: self._stamps(filled, column.of)
            if column.of
            else self._pa.array(
                [row.get(column.name) for row in filled], _ARROW[column.type], from_pandas=True
            )
            for column in table.columns
        }
        self._write(table, self._pa.table(arrays))

    def _stamps(self, rows: Iterable[Mapping[str, Any]], of: str) -> Any:
        times = (row.get(of) for row in rows)
        return self._pa.array([None if ns is None else ns // 1000 for ns in times], self._pa.timestamp("us"))

    def _repeated(self, value: str | int, rows: int) -> Any:
        if isinstance(value, str):
            nothing = self._pa.array(np.zeros(rows, np.int8))
            return self._pa.DictionaryArray.from_arrays(nothing, [value])
        return self._pa.array(np.full(rows, value, np.int64))

    def _array(self, values: Array) -> Any:
        if values.dtype.kind == "u":
            values = values.view(np.int64) if values.itemsize == 8 else values.astype(np.int64)
        missing = np.isnan(values) if values.dtype.kind == "f" else None
        # Without a mask the array is taken as it is, which is most of them.
        return self._pa.array(values, mask=missing if missing is not None and missing.any() else None)

    def _write(self, table: WarehouseTable, rows: Any) -> None:
        writer = self._writers.get(table)
        if writer is None:
            writer = self._writers[table] = self._opened(table, rows.schema)
        if not writer.schema.equals(rows.schema):
            raise Mismatch(f"two parts of {table.name} have different columns")
        pending = self._pending.setdefault(table, [])
        pending.append(rows)
        self._rows[table] = self.rows(table) + rows.num_rows
        if sum(part.num_rows for part in pending) >= _GROUP_ROWS:
            self._flush(table)

    def _flush(self, table: WarehouseTable) -> None:
        """Write what is pending as a row group."""
        group = self._pa.concat_tables(self._pending.pop(table)).unify_dictionaries()
        if group.num_rows:
            with self._writing():
                self._writers[table].write_table(group)

    def _opened(self, table: WarehouseTable, schema: Any) -> Any:
        texts = [field.name for field in schema if str(field.type).startswith(("dictionary", "string"))]
        return self._parquet.ParquetWriter(
            self._path(table),
            schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=texts,
            write_statistics=False,
            store_schema=False,
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise Unavailable with the folder for Arrow's own errors, which do not say where."""
        try:
            yield
        except OSError as error:
            why = os.strerror(error.errno or errno.EIO).lower()
            raise Unavailable(
                f"the spool in {self._folder} cannot be written: {why}",
                hint="make room there, or set XDG_CACHE_HOME",
            ) from error

    def _path(self, table: WarehouseTable) -> Path:
        return self._folder / f"{self.id}-{table.name}.parquet"

    def parts(self) -> tuple[LoadPart, ...]:
        """Return the finished files; tables without rows have none."""
        for table in tuple(self._pending):
            self._flush(table)
        with self._writing():
            for writer in self._writers.values():
                writer.close()
        return tuple(
            LoadPart(table, self._path(table), rows, _sha256(self._path(table)))
            for table, rows in self._rows.items()
            if rows
        )

    def remove(self) -> None:
        """Remove the files."""
        for table, writer in self._writers.items():
            with contextlib.suppress(OSError):
                writer.close()
            self._path(table).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a process that was killed left behind."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
