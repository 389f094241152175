"""What the peer changes in fakesnow, and all it uses of it that is nobody's promise.

fakesnow is pinned exactly, and `test_peer.py` says that every name in `PRIVATE` is still there.
"""

import contextlib
import importlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import fakesnow.arrow
import fakesnow.cursor
import pyarrow as pa
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.instance import FakeSnow
from fakesnow.transforms import stage
from snowflake.connector.errors import Error, ProgrammingError

VERSION: Final = "0.12.1"

PRIVATE: Final = {
    "fakesnow.server": ("app", "sessions", "shared_fs"),
    "fakesnow.arrow": ("timestamp_to_sf_struct",),
    "fakesnow.cursor": ("FakeSnowflakeCursor.execute",),
    "fakesnow.transforms.stage": ("LOCAL_BUCKET_PATH",),
}

_server: Any = importlib.import_module("fakesnow.server")  # the name is also that of a function
app: Final = _server.app
sessions: Final[dict[str, FakeSnowflakeConnection]] = _server.sessions
"""Open sessions by their token."""

_KEPT_RESULTS: Final = 8
"""That RESULT_SCAN may still ask for. fakesnow keeps all: 2 GB after 15.7 million rows were read."""

_SQL_ERRORS: Final = (
    (duckdb.ConstraintException, 100072, "22000"),
    (duckdb.ConversionException, 100038, "22018"),
    (duckdb.InvalidInputException, 100038, "22018"),
)
_LOCKED: Final = 625
"""Of the statement that lost: DuckDB gives up at once where Snowflake waits for the lock."""
_ANY_ERROR: Final = 603


class Recent(dict[str, Any]):
    """The newest results. Statements of several sessions end at once, and one that could not note its result
    would be told to have failed when it was done.
    """

    def __init__(self) -> None:
        super().__init__()
        self._noting = threading.Lock()

    def __setitem__(self, key: str, value: Any) -> None:
        with self._noting:
            super().__setitem__(key, value)
            while len(self) > _KEPT_RESULTS:
                del self[next(iter(self))]


def install(folder: Path, databases: list[str]) -> None:
    """Let fakesnow keep its databases and staged files in `folder`, and mend what clients stumble over.

    Only `databases` exist: a login never makes one.
    """
    bucket = folder / "bucket"
    bucket.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        os.rmdir(stage.LOCAL_BUCKET_PATH)  # each import of fakesnow leaves one behind
    stage.LOCAL_BUCKET_PATH = str(bucket)
    fake = FakeSnow(db_path=folder)
    fake.results_cache = Recent()
    # Else a COMMIT writes again what COPY has written, to join groups of rows: 12 of 40 s for a million.
    fake.duck_conn.execute("SET GLOBAL max_vacuum_tasks = 0")
    _server.shared_fs = fake
    for database in databases:
        fake.connect(database, "PUBLIC").close()
    fake.create_database_on_connect = fake.create_schema_on_connect = False
    _restore_stages(fake, bucket)
    fakesnow.arrow.timestamp_to_sf_struct = timestamps  # type: ignore[assignment]
    _patch_errors()


def _restore_stages(fake: FakeSnow, bucket: Path) -> None:
    """Stages outlive the server in Snowflake; in fakesnow their files do."""
    for place in bucket.glob("*/*/*/"):
        database, schema, name = place.relative_to(bucket).parts
        if not name.startswith("%"):
            connection = fake.connect(database, schema)
            connection.cursor().execute(f"CREATE STAGE IF NOT EXISTS {database}.{schema}.{name}")
            connection.close()


def timestamps(column: Any) -> Any:
    """Seconds and nanoseconds as the connectors expect them, and NULL, which fakesnow drops."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    whole = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).fill_null(0).to_numpy()
    parts = {"epoch": pa.array(whole // 10**9, pa.int64()), "fraction": pa.array(whole % 10**9, pa.int32())}
    if column.type.tz:
        parts["timezone"] = pa.array([1440] * len(column), pa.int32())
    fields = [pa.field(name, values.type, nullable=False) for name, values in parts.items()]
    return pa.StructArray.from_arrays(list(parts.values()), fields=fields, mask=column.is_null())


def _patch_errors() -> None:
    """Errors of DuckDB become errors of SQL: clients repeat for a minute what is answered with HTTP 500."""
    plain = fakesnow.cursor.FakeSnowflakeCursor.execute

    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return plain(self, *args, **kwargs)
        except Error:
            raise
        except Exception as error:
            raise sql_error(error) from error

    fakesnow.cursor.FakeSnowflakeCursor.execute = execute  # type: ignore[method-assign]


def sql_error(error: Exception) -> ProgrammingError:
    """The error of Snowflake that is nearest to one of DuckDB."""
    text = str(error).partition("\n")[0] or type(error).__name__
    if isinstance(error, duckdb.TransactionException) and "onflict" in text:
        return ProgrammingError(f"Your statement was aborted: {text}", errno=_LOCKED, sqlstate="57014")
    for kind, number, state in _SQL_ERRORS:
        if isinstance(error, kind):
            return ProgrammingError(text, errno=number, sqlstate=state)
    return ProgrammingError(f"SQL execution error: {text}", errno=_ANY_ERROR, sqlstate="XX000")


def remove(path: str, connection: FakeSnowflakeConnection) -> list[str]:
    """Remove the staged files whose path begins with `path`, and name them; fakesnow has no REMOVE."""
    name, _, within = path.partition("/")
    parts = [connection.database or "", connection.schema or "", *name.upper().split(".")][-3:]
    root = Path(stage.LOCAL_BUCKET_PATH, *parts)
    found = [file for file in _files(root) if file.relative_to(root).as_posix().startswith(within)]
    for file in found:
        file.unlink()
    return [f"{parts[-1].lower()}/{file.relative_to(root).as_posix()}" for file in found]


def _files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def abort(connection: FakeSnowflakeConnection) -> None:
    """End a session: what it runs is interrupted, what it has not committed is undone."""
    inner = connection._duck_conn
    for step in (inner.interrupt, inner.rollback, connection.close):
        with contextlib.suppress(duckdb.Error):  # it is closed, or there is no transaction
            step()


_UNQUOTED: Final = re.compile(r"FROM\s+'@([^']+)'", re.IGNORECASE)


def readable(sql: str) -> str:
    """A statement as fakesnow reads it: a stage in quotes, as write_pandas names it, is not understood."""
    return _UNQUOTED.sub(r"FROM @\1", sql)
