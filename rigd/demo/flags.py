"""What goes wrong on the road: cut corners, spins, retirements, and the yellow flags they bring."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SPIN_S: Final = 7.0
_SPIN_CAP_MPS: Final = 4.0
_CUT_S: Final = 3.0
_LOCAL_S: Final = 18.0
_CAUTION_MPS: Final = 27.0
_SLOWING_MPS2: Final = 6.0
_FIRST_S: Final = 45.0
"""First incident after the start."""
_BETWEEN_S: Final = 75.0

# Steps of a full-course yellow: mYellowFlagState and seconds.
_CAUTION: Final = ((1, 4.0), (2, 7.0), (3, 6.0), (4, 10.0), (5, 6.0), (6, 3.0))


class Trouble(Enum):
    """Kinds of incident."""

    CUT = "cut"
    SPIN = "spin"
    RETIRE = "retire"


@dataclass(frozen=True)
class Incident:
    """Something happened to a car at session clock `at`, in a sector, with an impact (0: none)."""

    car: int
    kind: Trouble
    at: float
    sector: int
    impact: float


class Flags:
    """Incidents and flags of one session. Clocks in s."""

    def __init__(self, cars: int, rng: np.random.Generator) -> None:
        self.yellow = [False, False, False]
        """Local yellow by 0-based sector."""
        self.caution = 0
        """mYellowFlagState: 0 none, 1..6 the steps of a full-course yellow."""
        self.limit: Floats = np.full(cars, np.inf)
        """m/s of cars in trouble."""
        self.wide: Floats = np.zeros(cars)
        """m beyond the edge of the road where a car in trouble goes, positive on the left; 0: on the road."""
        self._rng = rng
        self._cars = cars
        self._recover = np.zeros(cars)
        self._clear = [0.0, 0.0, 0.0]
        self._caution_from = -1.0
        self._spins = 0
        self._next = _FIRST_S

    def start(self, clock: float) -> None:
        """Begin the race."""
        self._next = clock + _FIRST_S

    def step(self, clock: float, sector: npt.NDArray[np.int64], fit: npt.NDArray[np.bool_]) -> list[Incident]:
        """Return new incidents among the cars that are `fit` for one; flags and recoveries move on."""
        self._recover_cars(clock)
        self._advance_flags(clock)
        if clock < self._next or not fit.any():
            return []
        self._next = clock + float(self._rng.exponential(_BETWEEN_S * 20.0 / (20.0 + self._cars)) + 4.0)
        car = int(self._rng.choice(np.flatnonzero(fit)))
        return [self._happen(car, clock, int(sector[car]))]

    def caution_limit(self, clock: float) -> float:
        """Return m/s for everyone under a full-course yellow: slowed down gently from racing speed."""
        if not self.caution:
            return float(np.inf)
        return max(85.0 - _SLOWING_MPS2 * (clock - self._caution_from), _CAUTION_MPS)

    def _happen(self, car: int, clock: float, sector: int) -> Incident:
        draw = self._rng.random()
        kind = Trouble.CUT if draw < 0.62 else Trouble.SPIN if draw < 0.95 else Trouble.RETIRE
        outwards = 1.0 if self._rng.random() < 0.5 else -1.0
        self._recover[car] = clock + (_CUT_S if kind is Trouble.CUT else _SPIN_S)
        self.wide[car] = outwards * (3.0 if kind is Trouble.CUT else 5.0)
        if kind is Trouble.CUT:
            return Incident(car, kind, clock, sector, 0.0)
        self.limit[car] = _SPIN_CAP_MPS
        self._show_yellow(clock, sector)
        impact = float(self._rng.uniform(300.0, 5200.0)) if self._rng.random() < 0.6 else 0.0
        return Incident(car, kind, clock, sector, impact)

    def _show_yellow(self, clock: float, sector: int) -> None:
        """Show a local yellow at once; every third spin brings the full course under caution."""
        self._clear[sector] = clock + _LOCAL_S
        self._spins += 1
        if self._spins % 3 == 2 and not self.caution:
            self._caution_from = clock + 1.0

    def _recover_cars(self, clock: float) -> None:
        done = (self._recover > 0.0) & (clock >= self._recover)
        self.limit[done], self.wide[done], self._recover[done] = np.inf, 0.0, 0.0

    def _advance_flags(self, clock: float) -> None:
        self.yellow = [clock < until for until in self._clear]
        self.caution = 0
        if self._caution_from < 0.0 or clock < self._caution_from:
            return
        left = clock - self._caution_from
        for state, seconds in _CAUTION:
            if left < seconds:
                self.caution = state
                return
            left -= seconds
        self._caution_from = -1.0
