"""The one small protocol that every warehouse speaks: an open connection that runs SQL and copies files.

Statements are SQL that is valid on both: names in upper case and never quoted, explicit BEGIN and COMMIT, no
MERGE and no DDL in between, 64 bit signed integers, times as nanoseconds. A `?` stands for a value and values
always go beside the statement.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

Value = str | int | float | bool | None
Row = tuple[Any, ...]
Batch = Any
"""A pyarrow.RecordBatch, which ships no types."""

PAGE_ROWS: Final = 50_000
"""Rows of a batch: 10 MB of 25 columns."""


@dataclass(frozen=True)
class Dialect:
    """The few words that differ."""

    name: str
    timestamp: str
    """SQL that makes a timestamp of unix nanoseconds, which stand for {}."""
    setup: tuple[str, ...] = ()
    """Statements of `rig warehouse init` besides the tables."""
    comments_within: bool = False
    """Comments stand in the statement that makes a table; else each is one, and may be in a transaction."""
    free_keys: bool = False
    """A key that is declared is not enforced, and costs nothing."""


class HealthCheck(NamedTuple):
    """One line of a health check."""

    what: str
    well: bool
    text: str
    """What was found; when it is not well, with the way out."""


class Destination(Protocol):
    """An open connection to a warehouse, used by one thread at a time; another one may `stage` meanwhile.

    Errors are those of the tree. After an error within a transaction nothing but `rollback` is of use.
    """

    @property
    def name(self) -> str:
        """For messages, and to tell one warehouse from another: duckdb:/path or snowflake:NAME."""

    @property
    def dialect(self) -> Dialect:
        """The words that differ."""

    def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement. The rows it changed, 0 where that says nothing."""

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Return the whole answer to a question that has a short one."""

    def batches(self, sql: str, params: Sequence[Value] = (), rows: int = PAGE_ROWS) -> Iterator[Batch]:
        """Yield the answer in batches of at most so many rows; the next is fetched when it is asked for.

        Snowflake's server may send an answer whole, so a question that can be large asks in keyset pages.
        """

    def stage(self, path: Path, name: str) -> str:
        """Bring a Parquet file to where `copy` finds it. `name` is new for each attempt, ends in .parquet and
        is no beginning of another; returns what `copy` takes.
        """

    def copy(self, table: str, staged: str) -> int:
        """Append the rows of a staged file to a table, column by name; those it has not stay NULL. The rows
        loaded. Raises when that is not the whole file, loaded for the first time.
        """

    def unstage(self, staged: str) -> None:
        """Remove a staged file. What cannot be removed stays; it is never read again."""

    def begin(self) -> None:
        """Begin a transaction."""

    def commit(self) -> None:
        """Commit it. Only what a new question finds is committed for sure."""

    def rollback(self) -> None:
        """Undo everything since `begin`; harmless without one, and when the connection is gone."""

    def columns(self) -> defaultdict[str, dict[str, str]]:
        """Return the columns of every table: by table and name, each with one of the types of `tables` or the
        warehouse's own word for another. A table that is not there has none.
        """

    def health(self) -> Iterator[HealthCheck]:
        """Yield what can be said of login, rights and clocks."""

    def release(self) -> None:
        """Let others in until the next statement, where only one can be in."""

    def close(self) -> None:
        """End the connection. Twice is harmless."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
