"""Iterators for long answers: in lists of bounded size, and with the next item prefetched."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`, each made when it is asked for."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def prefetch(items: Iterator[T]) -> Generator[T]:
    """Yield the items, none of which is None, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1, "prefetch") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
