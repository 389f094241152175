"""How good forecasts are: every session is forecast from all others, and compared with what was driven."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from rig.v1 import season_pb2
from riglap.season.forecast import FOUR_OF_FIVE, Observed, PaceModel

_LEAST_SESSIONS: Final = 4
"""Three are left when one is forecast."""
_LEAST_DRIVERS: Final = 3
_MOST_SESSIONS: Final = 60
"""Of a class; of more the last ones are forecast, which takes a second."""

Array = np.ndarray[Any, np.dtype[Any]]


class _Compared(NamedTuple):
    """Forecasts of one session; all are logarithms. NaN where there is no forecast."""

    error: Array
    reach: Array
    naive_error: Array
    gap_error: Array
    gap_reach: Array
    naive_gap_error: Array


def quality(classes: Iterable[Observed]) -> season_pb2.ForecastQuality | None:
    """Return how good the forecasts of all classes were; None where too few sessions are there to say."""
    found = [one for seen in classes for one in _compared(seen)]
    if not found:
        return None
    every = _Compared(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
    told = season_pb2.ForecastQuality(
        sessions=len(found),
        forecasts=int(np.isfinite(every.error).sum()),
        gap_coverage=_coverage(every.gap_error, every.gap_reach),
        gap_error=_percent(every.gap_error),
        naive_gap_error=_percent(every.naive_gap_error),
    )
    if told.forecasts:
        told.coverage = _coverage(every.error, every.reach)
        told.error, told.naive_error = _percent(every.error), _percent(every.naive_error)
    return told


def _coverage(error: Array, reach: Array) -> float:
    known = np.isfinite(error)
    return float(np.mean(np.abs(error[known]) <= reach[known]))


def _percent(error: Array) -> float:
    return 100.0 * float(np.nanmean(np.abs(error)))


def _compared(seen: Observed) -> list[_Compared]:
    sessions = np.unique(seen.session)
    if len(sessions) < _LEAST_SESSIONS or len(seen.drivers) < _LEAST_DRIVERS:
        return []
    return [_of_session(seen, session) for session in sessions[-_MOST_SESSIONS:]]


def _of_session(seen: Observed, session: int) -> _Compared:
    own = seen.session == session
    driven, others = seen.only(own), seen.only(~own)
    model, circuit = PaceModel(others), int(driven.circuit[0])
    gaps = [model.gap(driver, circuit) for driver in driven.driver]
    middle, error = np.array([one.value for one in gaps]), model.reach * np.array([one.error for one in gaps])
    asked = model.circuit(circuit)
    expected = np.full(len(middle), np.nan) if asked is None else asked.value + middle
    reach = np.hypot(error, FOUR_OF_FIVE * asked.error if asked else np.nan)
    return _Compared(
        error=driven.log_pace - expected,
        reach=reach,
        naive_error=driven.log_pace - _naive(others, driven, circuit),
        gap_error=_centred(driven.log_pace) - _centred(middle),
        gap_reach=error,
        naive_gap_error=_centred(driven.log_pace) - _naive_gaps(others, driven, session),
    )


def _centred(values: Array) -> Array:
    apart: Array = values - values.mean()
    return apart


def _naive(others: Observed, driven: Observed, circuit: int) -> Array:
    """Return the driver's mean in other sessions of the circuit, else the field's; NaN without one."""
    here = others.circuit == circuit
    field = others.log_pace[here].mean() if here.any() else np.nan
    own = [others.log_pace[here & (others.driver == driver)] for driver in driven.driver]
    return np.array([one.mean() if len(one) else field for one in own])


def _naive_gaps(others: Observed, driven: Observed, session: int) -> Array:
    """Return the driver's gap in the nearest session before, else after; 0 without one."""
    gaps = np.array([_gap_nearest(others, driver, session) for driver in driven.driver])
    return _centred(gaps)


def _gap_nearest(others: Observed, driver: int, session: int) -> float:
    rows = np.flatnonzero(others.driver == driver)
    if not len(rows):
        return 0.0
    before = rows[others.session[rows] < session]
    row = before[-1] if len(before) else rows[0]
    return float(others.log_pace[row] - others.log_pace[others.session == others.session[row]].mean())
