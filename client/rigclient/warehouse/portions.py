"""Some rows at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most `size`, each made when it is asked for."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some
