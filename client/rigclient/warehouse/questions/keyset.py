"""Answers of any size, page by page: each page is asked for from behind the last row of the one before.

No page depends on how many came before, nothing is kept open in between, and memory holds one page.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from rigclient.warehouse.destination import PAGE_ROWS, Batch, Destination, Value


class Question(NamedTuple):
    """A statement without ORDER BY, and what stands for its question marks."""

    sql: str
    params: tuple[Value, ...] = ()


_ORDERED: Final = "SELECT * FROM ({}) Q {} ORDER BY {} LIMIT {}"


def pages(
    destination: Destination, question: Question, keys: Sequence[str], size: int = PAGE_ROWS
) -> Iterator[Batch]:
    """Yield the rows in the order of `keys`, columns of the answer that are never NULL and together
    unique.
    """
    order = ", ".join(keys)
    last: Sequence[Value] = ()
    while True:
        where = f"WHERE {_behind(keys)}" if last else ""
        sql = _ORDERED.format(question.sql, where, order, size)
        count = 0
        for batch in destination.batches(sql, [*question.params, *_bound(last)], size):
            if batch.num_rows:
                count += batch.num_rows
                last = [batch.column(key)[batch.num_rows - 1].as_py() for key in keys]
                yield batch
        if count < size:
            return


def rows(
    destination: Destination, question: Question, keys: Sequence[str], size: int = PAGE_ROWS
) -> Iterator[dict[str, Any]]:
    """Yield the same row by row, by the names of the columns in lower case."""
    for batch in pages(destination, question, keys, size):
        names = [name.lower() for name in batch.schema.names]
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield dict(zip(names, row, strict=True))


def _behind(keys: Sequence[str]) -> str:
    """Return A > ? OR (A = ? AND (B > ?)): rows of which the first key that differs is greater."""
    first, *others = keys
    if not others:
        return f"{first} > ?"
    return f"({first} > ? OR ({first} = ? AND {_behind(others)}))"


def _bound(last: Sequence[Value]) -> list[Value]:
    """Return the values of `_behind`, for two comparisons of each key but the last."""
    return [value for key in last[:-1] for value in (key, key)] + list(last[-1:])
