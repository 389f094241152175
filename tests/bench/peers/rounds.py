"""Rounds: everyone measured in turn, so that all meet the same machine, and the medians of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from tests.bench.peers.daemons import Absent

Figures = dict[str, float]


def in_turn(names: Iterable[str], rounds: int, measure: Callable[[str], Figures]) -> dict[str, Figures]:
    """Medians of each; whoever is not installed has the one figure `absent`."""
    seen: dict[str, list[Figures]] = defaultdict(list)
    everyone = list(names)
    for _ in range(rounds):
        for name in everyone:
            seen[name].append(_or_absent(name, measure))
    return {name: _medians(found) for name, found in seen.items()}


def _or_absent(name: str, measure: Callable[[str], Figures]) -> Figures:
    try:
        return measure(name)
    except Absent:
        return {"absent": 1.0}


def _medians(rounds: list[Figures]) -> Figures:
    return {name: float(np.median([each[name] for each in rounds])) for name in rounds[0]}


def named(part: str, figures: dict[str, Figures]) -> Figures:
    """All in one, as PART.WHO.FIGURE."""
    return {f"{part}.{who}.{name}": value for who, found in figures.items() for name, value in found.items()}
