"""Laps out of a logger's recording: cut by beacons or numbers, with what the file states of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rigclient.imports.loggers.run import LoggedRun
from rigclient.imports.recording import Reading, RecordedLap
from rigclient.imports.signals.cuts import LapCut, laps_by_times

Array = np.ndarray[Any, np.dtype[Any]]

MOST_ROWS: Final = 120_000
"""Of one lap: 20 minutes at 100 Hz. What is longer, a day without a line say, becomes several pieces."""
_AT_LINE_M: Final = 30.0
_ROLLING_MPS: Final = 5.0


class Driven(NamedTuple):
    """Who drove what, as far as the file says."""

    driver: str = ""
    vehicle: str = ""
    vehicle_class: str = ""
    car_number: str = ""


class Stated(NamedTuple):
    """What the file states of a lap: its time [s], its sectors, intermediates."""

    lap_time_s: float | None = None
    sectors_s: tuple[float | None, float | None, float | None] = (None, None, None)
    readings: tuple[Reading, ...] = ()
    facts: Mapping[str, str] = {}
    official: bool = True


class Ends(NamedTuple):
    """Whether the first and the last piece touch the line; None where nothing tells."""

    first: bool | None
    last: bool | None


def at_line(log: LoggedRun, cuts: Sequence[LapCut]) -> Ends:
    """Return whether the recording begins and ends at the line, rolling: by the places where the laps
    begin, or, with one piece, where it begins.
    """
    ends = (0, len(log.times) - 1)
    here = [_place(log, at) for at in ends]
    lines = [place for cut in cuts[1:] if (place := _place(log, cut.first)) is not None]
    if not lines:
        lines = [here[0]] if here[0] is not None else []
    if not lines or here[0] is None or here[1] is None:
        return Ends(None, None)
    line = np.median(np.array(lines), axis=0)
    found = [bool(np.hypot(*(place - line)) < _AT_LINE_M) for place in here if place is not None]
    rolling = [_rolling(log, at) for at in ends]
    return Ends(found[0] and rolling[0] and (len(cuts) > 1 or found[1]), found[1] and rolling[1])


def _place(log: LoggedRun, at: int) -> Array | None:
    places = log.places(at, at + 1)
    return None if places is None or not np.isfinite(places[0, ::2]).all() else places[0, ::2]


def _rolling(log: LoggedRun, at: int) -> bool:
    begin = max(min(at, len(log.times) - 2), 0)
    places = log.places(begin, begin + 2)
    if places is None:
        return False
    step = places[1, ::2] - places[0, ::2]
    return bool(np.hypot(*step) > _ROLLING_MPS * (log.times[begin + 1] - log.times[begin]))


def recorded_laps(
    log: LoggedRun,
    cuts: Iterable[LapCut],
    driven: Driven,
    stated: Mapping[int, Stated] | None = None,
    counted: bool = False,
) -> Iterator[RecordedLap]:
    """Yield the laps; `stated` is what the file says of the lap at each of its positions among the cuts.
    Their numbers are those of the file where it counts, else from 0.
    """
    every, told, index = list(cuts), stated or {}, 0
    base = min([1, *(cut.number for cut in every if cut.number >= 0)])
    for at, cut in enumerate(every):
        said = told.get(at, Stated(cut.lap_time_s, official=False))
        for piece in _pieces(cut, log.times):
            index += 1
            whole = piece == cut and cut.complete
            lap = _lap(log, piece, driven, said if whole else Stated(facts=said.facts, official=False))
            lap.index, lap.number = index, max(cut.number - base, 0) if counted else at
            lap.complete = lap.valid = whole
            lap.out_lap = at == 0 and not whole
            lap.in_lap = 0 < at == len(every) - 1 and not whole
            yield lap


def _lap(log: LoggedRun, cut: LapCut, driven: Driven, said: Stated) -> RecordedLap:
    return RecordedLap(
        car=0,
        index=1,
        start_s=cut.begin_s,
        end_s=cut.end_s if said.lap_time_s is None else cut.begin_s + said.lap_time_s,
        car_number=driven.car_number,
        driver=driven.driver,
        vehicle=driven.vehicle,
        vehicle_class=driven.vehicle_class,
        lap_time_s=said.lap_time_s,
        official=said.official,
        sectors_s=said.sectors_s,
        readings=said.readings,
        facts=said.facts,
        samples=log.samples(cut),
    )


def _pieces(cut: LapCut, times: Array) -> Iterator[LapCut]:
    """Yield the lap, in pieces where it has too many rows for one; without any none."""
    if 0 < cut.end - cut.first <= MOST_ROWS:
        yield cut
        return
    for first in range(cut.first, cut.end, MOST_ROWS):
        end = min(first + MOST_ROWS, cut.end)
        yield cut._replace(
            first=first, end=end, begin_s=float(times[first]), end_s=float(times[end - 1]), complete=False
        )


def whole_run(log: LoggedRun) -> list[LapCut]:
    """Return the run as one piece, where nothing tells of laps."""
    return [LapCut(0, len(log.times), 0, float(log.times[0]), float(log.times[-1]), False)]


def by_beacons(log: LoggedRun, beacons: Sequence[float], trusted: bool = False) -> list[LapCut]:
    """Return the laps by the clock of the beacons at their ends [s], exactly. The first and the last piece
    are laps where their places tell that they begin and end at the line, or with `trusted`.
    """
    end, reach = float(log.times[-1]), 2 / log.rate_hz
    closing = next((one for one in beacons if abs(one - end) <= reach), None)
    cuts = laps_by_times([one for one in beacons if one < end - reach], log.times)
    ends = Ends(True, True) if trusted else at_line(log, cuts)
    first = bool(ends.first) and (len(cuts) > 1 or (closing is not None and bool(ends.last)))
    last = closing is not None and bool(ends.last) and (len(cuts) > 1 or first)
    cuts[0] = cuts[0]._replace(complete=first)
    if closing is not None and last:
        cuts[-1] = cuts[-1]._replace(end_s=closing, complete=True)
    return cuts


def by_their_ends(cuts: Sequence[LapCut]) -> dict[int, Stated]:
    """Return what beacons state of the laps: their times, to the microsecond."""
    return {at: Stated(round(cut.end_s - cut.begin_s, 6)) for at, cut in enumerate(cuts) if cut.complete}


def lap_numbers(column: Array) -> Array:
    """Return the numbers of laps, whole, with -1 where there is none."""
    return np.where(np.isfinite(column), column, -1).astype(np.int64)


def session_kind(text: str) -> str:
    """Return the kind of session that a word such as HOTLAP or Qualifying means."""
    word = text.lower()
    kinds = {"qual": "qualifying", "race": "race", "warm": "warmup", "test": "test_day"}
    return next((kind for part, kind in kinds.items() if part in word), "practice")
