"""Rounds: everyone measured in turn, so that all meet the same machine, and medians of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tests.bench.peers.daemons import Absent

Figures = dict[str, float]


def in_turn(names: Iterable[str], rounds: int, measure: Callable[[str], Figures]) -> dict[str, Figures]:
    """Medians of each; whoever is not installed has the one figure `absent`."""
    return {name: medians(found) for name, found in turns(names, rounds, measure).items()}


def turns(names: Iterable[str], rounds: int, measure: Callable[[str], Figures]) -> dict[str, list[Figures]]:
    """Every round of each."""
    seen: dict[str, list[Figures]] = defaultdict(list)
    everyone = list(names)
    for _ in range(rounds):
        for name in everyone:
            seen[name].append(_or_absent(name, measure))
    return seen


def _or_absent(name: str, measure: Callable[[str], Figures]) -> Figures:
    try:
        return measure(name)
    except Absent:
        return {"absent": 1.0}


def medians(rounds: Sequence[Figures]) -> Figures:
    """The medians of figures."""
    return {name: float(np.median([each[name] for each in rounds])) for name in rounds[0]}


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    """How many times theirs ours is: the median of the ratios of the pairs, each of one moment."""
    pairs = zip(ours, theirs, strict=True)
    return float(np.median([mine[name] / other[name] for mine, other in pairs]))


def named(part: str, figures: dict[str, Figures]) -> Figures:
    """All in one, as PART.WHO.FIGURE."""
    return {f"{part}.{who}.{name}": value for who, found in figures.items() for name, value in found.items()}
