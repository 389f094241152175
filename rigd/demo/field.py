"""Who races: classes, slot ids, names, skill, and the orders in which the game lists the cars."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.car import Fleet
from rigd.demo.names import CarNames, entries

MOST_CARS: Final = 104
"""The game's own limit."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Field:
    """The entry list, the same for every session of one game."""

    def __init__(self, cars: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0xF1E1D])
        self.cars = cars
        self.class_of: Ints = (np.arange(cars) % 5 >= 2).astype(np.int64)
        """Two prototypes for every three tourers."""
        self.fleet = Fleet(self.class_of)
        self.entries: list[CarNames] = entries(self.class_of)
        self.ids: Ints = rng.permutation(cars + 7)[:cars]
        """Slot ids: unique, with holes, in no order."""
        self.telemetry_order: Ints = rng.permutation(cars)
        self.scoring_order: Ints = rng.permutation(cars)
        self.player = int(rng.integers(0, cars))
        """The car of the person at the wheel."""
        self.skill: Floats = 0.975 + np.clip(rng.normal(0.0, 0.006, cars), -0.014, 0.014)
        """Share of the ideal corner speed."""
        self.shares_seat: npt.NDArray[np.bool_] = np.arange(cars) % 3 == 1
        """Two drivers take turns in these cars."""
