"""What pace to expect of a driver at a circuit, with its interval, and how good such forecasts were.

The logarithm of a driver's pace (mean of the laps at pace) in a session is the sum of four: what the session
asks of an average driver; what the driver is faster or slower everywhere; what the driver is on this circuit;
and chance. The second and third are drawn towards 0 as far as the season's own scatter says (the best linear
forecast of normal quantities with these variances): who has driven once is expected nearer to the field than
who has driven ten times. A circuit asks what its sessions asked on average, give or take what two sessions of
a circuit differ by.

Classes are forecast by themselves. The interval is meant for four of five cases; `quality` counts how many
there really were, each session forecast from all others.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rig.v1 import season_pb2
from riglap.season.drive import Drive
from riglap.season.fields import grouped

FOUR_OF_FIVE: Final = 1.2816
"""Standard deviations to either side of the middle, within which a normal quantity lies in 80 %."""
_LEAST_SESSIONS: Final = 3
_LEAST_DRIVERS: Final = 3
_ROUNDS_OF_FITTING: Final = 30
"""After which nothing moves by more than 1e-6: tried on fourteen races of 30 drivers."""
_UNKNOWN_SESSION: Final = 0.01
"""Standard deviation between sessions of one circuit, where no circuit has two: 1 %, of rain and rubber
nobody knows.
"""
_LEAST_CHANCE: Final = 1e-4
"""Standard deviation of chance at the least, 0.01 %: no season proves that there is none."""

Array = np.ndarray[Any, np.dtype[Any]]


class Observed(NamedTuple):
    """Paces of one class: a row per driver and session."""

    log_pace: Array
    driver: Array
    """Positions among `drivers`."""
    session: Array
    """Numbers of rounds."""
    circuit: Array
    """Positions among `circuits`."""
    drivers: tuple[str, ...]
    circuits: tuple[str, ...]

    def only(self, rows: Array) -> "Observed":
        """Return some of the rows."""
        return self._replace(
            log_pace=self.log_pace[rows],
            driver=self.driver[rows],
            session=self.session[rows],
            circuit=self.circuit[rows],
        )


class Expected(NamedTuple):
    """A quantity and its standard deviation."""

    value: float
    error: float


def observed(rounds: Iterable[tuple[season_pb2.SeasonRound, Sequence[Drive]]]) -> dict[str, Observed]:
    """Return the paces by class."""
    rows = [
        (one.vehicle_class, one.driver, told.track_name, told.round, math.log(one.round.mean))
        for told, drives in rounds
        for one in drives
        if one.pace.telling
    ]
    return {name: _observed(found) for name, found in grouped(rows, lambda row: row[0]).items()}


def _observed(rows: Sequence[tuple[str, str, str, int, float]]) -> Observed:
    _, names, tracks, sessions, paces = zip(*rows, strict=True)
    drivers, circuits = sorted(set(names)), list(dict.fromkeys(tracks))
    return Observed(
        np.array(paces),
        np.array([drivers.index(name) for name in names]),
        np.array(sessions),
        np.array([circuits.index(track) for track in tracks]),
        tuple(drivers),
        tuple(circuits),
    )


class PaceModel:
    """What a class's paces say of its drivers and circuits. All is in logarithms of seconds: 0.01 is 1 %."""

    def __init__(self, seen: Observed) -> None:
        self._seen = seen
        self._session, self._session_of_row = np.unique(seen.session, return_inverse=True)
        self._asked = self._fit()
        self._relative = seen.log_pace - self._asked[self._session_of_row]

    def gap(self, driver: int, circuit: int) -> Expected:
        """Return how far a driver will be from an average one."""
        rows = self._seen.driver == driver
        here = (self._seen.circuit[rows] == circuit).astype(float)
        same = self._seen.circuit[rows][:, None] == self._seen.circuit[rows][None, :]
        known = self.of_driver + self.of_pair * same + self.chance * np.eye(len(here))
        shared = self.of_driver + self.of_pair * here
        weights = np.linalg.solve(known, shared) if len(here) else shared
        variance = self.of_driver + self.of_pair + self.chance - float(weights @ shared)
        return Expected(float(weights @ self._relative[rows]), math.sqrt(max(variance, self.chance)))

    def circuit(self, circuit: int) -> Expected | None:
        """Return what the circuit asks of an average driver; None where nobody has driven there."""
        asked = self._asked[self._sessions_of(circuit)]
        if not len(asked):
            return None
        return Expected(float(asked.mean()), math.sqrt(self.of_session * (1.0 + 1.0 / len(asked))))

    def _sessions_of(self, circuit: int) -> Array:
        return np.unique(self._session_of_row[self._seen.circuit == circuit])

    def _fit(self) -> Array:
        """Return what the sessions ask; find the variances."""
        seen, rows = self._seen, self._session_of_row
        drives = np.bincount(seen.driver, minlength=len(seen.drivers))
        asked, driver = np.zeros(len(self._session)), np.zeros(len(drives))
        raw = driver
        for _ in range(_ROUNDS_OF_FITTING):
            asked = _means(seen.log_pace - driver[seen.driver], rows, len(asked))
            raw = _means(seen.log_pace - asked[rows], seen.driver, len(drives))
            self._find_variances(seen.log_pace - asked[rows] - raw[seen.driver], raw, drives)
            own = (self.of_pair + self.chance) / np.maximum(drives, 1)
            driver = raw * self.of_driver / (self.of_driver + own)
        self.reach = self._reach(seen.log_pace - asked[rows] - raw[seen.driver])
        self.of_session = self._between_sessions(asked)
        return asked

    def _find_variances(self, rest: Array, raw: Array, drives: Array) -> None:
        """Set the variances: of drivers, of drivers on a circuit, of chance."""
        seen = self._seen
        free = max(len(rest) - len(self._session) - int(np.count_nonzero(drives)) + 1, 1)
        within = float(rest @ rest) / free
        self.of_pair = min(max(_shared(rest, seen.driver, seen.circuit), 0.0), 0.9 * within)
        self.chance = max(within - self.of_pair, _LEAST_CHANCE**2)
        there = drives > 0
        scatter = float(np.mean((raw[there] - raw[there].mean()) ** 2))
        self.of_driver = max(scatter - float(np.mean(within / drives[there])), _LEAST_CHANCE**2)

    def _reach(self, rest: Array) -> float:
        """Return how many standard deviations four of five paces were within. Paces have more outliers than
        normal quantities, so the others lie closer together.
        """
        scale = math.sqrt(float(np.mean(rest**2)))
        return float(np.quantile(np.abs(rest), 0.8)) / scale if scale else FOUR_OF_FIVE

    def _between_sessions(self, asked: Array) -> float:
        """Return the variance between sessions of one circuit."""
        groups = [asked[self._sessions_of(at)] for at in range(len(self._seen.circuits))]
        apart = [one - one.mean() for one in groups if len(one) > 1]
        free = sum(len(one) - 1 for one in apart)
        total = math.fsum(float(one @ one) for one in apart)
        return total / free if free else _UNKNOWN_SESSION**2

    reach: float = FOUR_OF_FIVE
    """Standard deviations of a gap to either side, for four of five cases."""
    of_driver: float = 0.0
    """Variance of drivers."""
    of_pair: float = 0.0
    """Variance of drivers on a circuit."""
    of_session: float = 0.0
    """Variance between sessions of one circuit."""
    chance: float = 0.0
    """Variance of what is left."""


def _means(values: Array, groups: Array, count: int) -> Array:
    sums = np.bincount(groups, values, minlength=count)
    return sums / np.maximum(np.bincount(groups, minlength=count), 1)


def _shared(rest: Array, driver: Array, circuit: Array) -> float:
    """Return what two sessions of a driver on one circuit have in common: the mean product of the rests."""
    pair = driver * (circuit.max(initial=0) + 1) + circuit
    counts, sums = np.bincount(pair), np.bincount(pair, rest)
    products = (sums**2 - np.bincount(pair, rest**2)).sum()
    pairs = (counts * (counts - 1)).sum()
    return float(products / pairs) if pairs else 0.0


def forecasts(seen: Observed, vehicle_class: str) -> list[season_pb2.CircuitForecast]:
    """Return the pace to expect at every circuit of the season; nothing for a class of too few to say."""
    if len(np.unique(seen.session)) < _LEAST_SESSIONS or len(seen.drivers) < _LEAST_DRIVERS:
        return []
    model = PaceModel(seen)
    return [
        season_pb2.CircuitForecast(
            track_name=track,
            vehicle_class=vehicle_class,
            sessions=len(np.unique(seen.session[seen.circuit == at])),
            drivers=_of_circuit(model, seen, at),
        )
        for at, track in enumerate(seen.circuits)
    ]


def _of_circuit(model: PaceModel, seen: Observed, circuit: int) -> list[season_pb2.PaceForecast]:
    asked = model.circuit(circuit)
    if asked is None:
        return []
    gaps = [model.gap(driver, circuit) for driver in range(len(seen.drivers))]
    told = [
        _forecast(seen, driver, circuit, asked, gap._replace(error=model.reach * gap.error))
        for driver, gap in enumerate(gaps)
    ]
    return sorted(told, key=lambda one: (one.pace, one.driver))


def _forecast(
    seen: Observed, driver: int, circuit: int, asked: Expected, gap: Expected
) -> season_pb2.PaceForecast:
    middle = asked.value + gap.value
    reach = math.hypot(FOUR_OF_FIVE * asked.error, gap.error)
    own = seen.driver == driver
    return season_pb2.PaceForecast(
        driver=seen.drivers[driver],
        pace=math.exp(middle),
        low=math.exp(middle - reach),
        high=math.exp(middle + reach),
        gap=100.0 * math.expm1(gap.value),
        gap_error=100.0 * gap.error,
        sessions=int(own.sum()),
        sessions_here=int((own & (seen.circuit == circuit)).sum()),
    )
