"""A figure within a field: who is better than how many."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def scores(values: Mapping[K, float], *, less_is_better: bool) -> dict[K, float]:
    """Return figures from 0 to 100: the share of all others that is worse, ties half. Nothing for a field of
    one.
    """
    others = len(values) - 1
    if others < 1:
        return {}
    return {
        key: 100.0 * _beaten(value, values.values(), less_is_better) / others for key, value in values.items()
    }


def _beaten(value: float, field: Iterable[float], less_is_better: bool) -> float:
    signed = [(one - value) * (1.0 if less_is_better else -1.0) for one in field]
    return sum(one > 0.0 for one in signed) + 0.5 * (sum(one == 0.0 for one in signed) - 1)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return items by what `key` says of them."""
    found: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(found)


def mean(values: Iterable[float]) -> float | None:
    """Return the mean, None of nothing."""
    kept = list(values)
    return sum(kept) / len(kept) if kept else None
