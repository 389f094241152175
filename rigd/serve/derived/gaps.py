"""Gaps between cars of a class, as derived channels: to the car ahead, the one behind, the leader."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rigd.serve.derived.references import Who
from riglap.circuits.line import Floats
from riglap.live import LiveDelta

GAPS: Final = ("gap_ahead", "gap_behind", "gap_leader")


class ClassOrder(NamedTuple):
    """Who is ahead of whom in class, as slots of the cars; -1 ahead of a leader."""

    cars: Any
    ahead: Any
    leader: Any


def class_order(
    slots: Mapping[int, int], places: Mapping[int, int], entries: Mapping[int, Who]
) -> ClassOrder:
    """Return the order in class of the cars that have a slot, a place and an entry."""
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    found = []
    for car in sorted(slots.keys() & places.keys() & entries.keys(), key=lambda one: places[one]):
        group, slot = entries[car].vehicle_class, slots[car]
        found.append((slot, last.get(group, -1), first.setdefault(group, slot)))
        last[group] = slot
    return ClassOrder(*np.array(found, np.intp).reshape(-1, 3).T)


def gaps(live: LiveDelta, order: ClassOrder, s: Floats) -> dict[str, Floats]:
    """Return the gaps [s] by channel, each over all slots; `s` says where the cars are [m]."""
    made = {name: np.full(live.cars, np.nan) for name in GAPS}
    behind = order.ahead >= 0
    cars, ahead = order.cars[behind], order.ahead[behind]
    found = live.between(np.concatenate((cars, order.cars)), np.concatenate((ahead, order.leader)))
    made["gap_ahead"][cars] = made["gap_behind"][ahead] = found[: len(cars)]
    made["gap_leader"][order.cars] = np.where(
        behind, found[len(cars) :], np.where(np.isnan(s[order.cars]), np.nan, 0.0)
    )
    return made
