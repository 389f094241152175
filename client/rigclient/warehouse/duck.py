"""A warehouse in a file: DuckDB, embedded."""

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rig.errors import Busy, Corrupt, Exhausted, NotFound, Raced, RigError, Unavailable
from rigclient.warehouse.destination import PAGE_ROWS, Batch, Dialect, HealthCheck, Row, Value
from riglap.extras import need

DIALECT: Final = Dialect("duckdb", "make_timestamp_ns({})")

_WAIT_S: Final = 30.0
"""For another `rig` that holds the file: a load of 250,000 rows takes seconds. Others may keep it."""
_FOREIGN_S: Final = 1.0
"""A file that another program holds for so long is refused; one of us may let go without a mark for a
moment.
"""
_MARK: Final = "rig-warehouse"
_HOLDER: Final = re.compile(r"lock is held in (.*?) ?\(PID ([0-9]+)\)")
_MAGIC: Final = (8, b"DUCK")
"""Where a file of DuckDB has which bytes. Without them it would look for an extension that reads the file."""
_AGAIN_S: Final = 0.05
_CONFIG: Final = {
    # Half a million samples of all channels are copied as fast as with the 80 % of the machine that the
    # database would take by itself, and 296 MB above rest instead of 657 are enough. What does not fit goes
    # beside the file.
    "memory_limit": "256MB",
    # Loads end within a group of rows. Letting go of the file would write such groups anew, to join them:
    # 10.8 s of 26.7 for a million samples, for a file that is not smaller.
    "max_vacuum_tasks": 0,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

_LONGEST: Final = 120
"""Characters of a command line that are told."""
_IN_ORDER: Final = "RESET preserve_insertion_order"


class DuckDB:
    """A connection to the file at `path`, which is made when it is not there.

    The file belongs to one process at a time, so it is opened with the first statement and let go by
    `release`; whoever finds it taken waits.
    """

    dialect: Final = DIALECT

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self._duckdb = need("duckdb", "warehouse")
        self._path, self._read_only = Path(path), read_only
        self._open: Any = None
        self._mark = -1
        """A file in memory by whose name others see that one of us holds the warehouse; it ends with us."""
        self.name: Final = f"duckdb:{path}"

    @property
    def _db(self) -> Any:
        if self._open is None:
            self._mark = os.memfd_create(_MARK)
            try:
                self._open = self._connected()
            finally:
                if self._open is None:
                    self._unmark()
        return self._open

    def _unmark(self) -> None:
        os.close(self._mark)
        self._mark = -1

    def _connected(self) -> Any:
        if self._read_only and not self._path.exists():
            raise NotFound(f"there is no warehouse at {self._path}", hint="`rig sync` makes it")
        _check_magic(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ours_at = time.monotonic()
        until = ours_at + _WAIT_S
        while True:
            try:
                return self._duckdb.connect(str(self._path), read_only=self._read_only, config=_CONFIG)
            except self._duckdb.IOException as error:
                now = time.monotonic()
                ours_at = now if _is_ours(_holder(error)) else ours_at
                if now - ours_at > _FOREIGN_S or now > until:
                    raise self._meaning(error) from error
            except self._duckdb.Error as error:
                raise self._meaning(error) from error
            time.sleep(_AGAIN_S)

    def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement. The rows it changed, 0 where that says nothing."""
        with self._translated():
            answer = self._db.execute(sql, list(params))
            counted = answer.description and answer.description[0][0] == "Count" and answer.fetchone()
            return int(counted[0]) if counted else 0

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Return the whole answer."""
        with self._translated():
            found: list[Row] = self._db.execute(sql, list(params)).fetchall()
            return found

    def batches(self, sql: str, params: Sequence[Value] = (), rows: int = PAGE_ROWS) -> Iterator[Batch]:
        """Yield the answer in batches."""
        with self._translated():
            # A cursor of its own, so that statements in between do not end it.
            yield from self._db.cursor().sql(sql, params=list(params)).to_arrow_reader(rows)

    def stage(self, path: Path, name: str) -> str:  # noqa: ARG002
        """Return the path: the file is where it can be read already."""
        return str(path)

    def copy(self, table: str, staged: str) -> int:
        """Append the rows of the file. In any order two threads can: 6.9 s a million instead of 15.2."""
        self.execute("SET preserve_insertion_order = false")
        loaded = self.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?)", [staged])  # noqa: S608
        self.execute(_IN_ORDER)  # after an error `rollback` does it: nothing else can be said then
        return loaded

    def unstage(self, staged: str) -> None:
        """Do nothing: the file is the caller's."""

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        """Commit it."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Undo it."""
        if self._open is not None:
            for sql in ("ROLLBACK", _IN_ORDER):
                with contextlib.suppress(self._duckdb.Error):  # there is no transaction
                    self._open.execute(sql)

    def columns(self) -> defaultdict[str, dict[str, str]]:
        """Return the columns of every table, in their order. INFORMATION_SCHEMA takes seven times as long."""
        found = defaultdict[str, dict[str, str]](dict)
        for table, name, kind in self.rows(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM DUCKDB_COLUMNS() "
            "WHERE NOT INTERNAL ORDER BY COLUMN_INDEX"
        ):
            found[table][name] = kind
        return found

    def health(self) -> Iterator[HealthCheck]:
        """Yield that the file opens."""
        ((version,),) = self.rows("SELECT VERSION()")
        yield HealthCheck("file", well=True, text=f"{self._path}, DuckDB {version}")

    def release(self) -> None:
        """Release the file until the next statement."""
        self.close()

    def close(self) -> None:
        """Release the file."""
        if self._open is not None:
            self._open.close()
            self._open = None
            self._unmark()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._duckdb.Error as error:
            raise self._meaning(error) from error
        except RuntimeError as error:
            if "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from error  # Ctrl-C, which DuckDB has taken for itself

    def _meaning(self, error: Exception) -> RigError:
        """Return the error of the tree."""
        text = str(error).partition("\n")[0]
        if isinstance(error, self._duckdb.IOException):
            if "lock" in text.lower():
                return Busy(f"{self._path} is in use by {_who(error)}", hint="try again when it is done")
            return Unavailable(f"{self._path} cannot be read or written: {text}")
        if isinstance(error, self._duckdb.OutOfMemoryException):
            return Exhausted(f"{self._path}: {text}")
        if isinstance(error, self._duckdb.CatalogException):
            return NotFound(f"{self.name}: {text}", hint="`rig warehouse init` makes the tables")
        if isinstance(error, self._duckdb.ConstraintException):
            return Raced(f"{self.name}: {text}")  # keys alone are declared: somebody has brought the row
        if isinstance(error, self._duckdb.TransactionException):
            return (Raced if "onflict" in text else Busy)(f"{self.name}: {text}")
        if isinstance(error, self._duckdb.SerializationException | self._duckdb.FatalException):
            return Corrupt(f"{self._path} is no sound DuckDB file: {text}")
        return RigError(f"{self.name}: {text}")


def _check_magic(path: Path) -> None:
    """Raise Corrupt for what is there and no file of DuckDB, before anything else is done with it."""
    if not path.exists():
        return
    if not path.is_file():
        raise Corrupt(f"{path} is no file", hint="duckdb:PATH names a file of DuckDB")
    at, magic = _MAGIC
    try:
        with path.open("rb") as file:
            first = file.read(at + len(magic))
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if first and first[at:] != magic:
        raise Corrupt(f"{path} is no file of DuckDB", hint="duckdb:PATH names one, or one to be made")


def _holder(error: Exception) -> int:
    """Return the process that holds the file; 0 where that is not what went wrong."""
    found = _HOLDER.search(str(error))
    return int(found[2]) if found else 0


def _words(pid: int) -> list[str]:
    """Return the command line of a process; empty where it has ended, or is another user's."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    return []


def _is_ours(pid: int) -> bool:
    """Return whether a process is one of ours, who hold the file for seconds, or has ended by now."""
    if not pid:
        return False
    try:
        return any(_MARK in os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return True  # a file was closed, or the process is gone
    except OSError:
        return False  # another user's


def _who(error: Exception) -> str:
    """Return "process 1234 (python loader.py)"."""
    found = _HOLDER.search(str(error))
    if found is None:
        return "another program"
    said = " ".join(_words(int(found[2]))) or found[1]
    return f"process {found[2]} ({said if len(said) <= _LONGEST else said[: _LONGEST - 1] + '…'})"
