"""Distance at every sample of a lap, where the logger tells it less often than the rest."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from rigclient.imports.sample_sorter import Sample

DISTANCE: Final = "Laptrigger_lapdist_dls"
"""Name of the logged value that is the distance from the line [m]."""

_LONGEST_NS: Final = 1_000_000_000
"""Between two distances that are joined by a line; loggers tell it five times a second."""
_SETTLED_NS: Final = 3_000_000_000
"""Since the first sample of a lap: until then the distance may be the previous lap's still, and jump back."""


class LocatedSample(NamedTuple):
    """A sample and its distance from the line [m]; None where it is not known."""

    sample: Sample
    distance: float | None


class _Section(NamedTuple):
    """The samples after one logged distance, up to the next."""

    rows: list[LocatedSample]
    jumps_back: bool


def with_distance(lap: Iterable[Sample]) -> Iterator[LocatedSample]:
    """Yield the samples of one lap, which come in the order of time, each with its distance."""
    pending: list[LocatedSample] = []
    begin_ns: int | None = None
    for section in _sections(lap):
        if section.jumps_back:
            pending = [row._replace(distance=None) for row in pending]
        pending += section.rows
        if begin_ns is None:
            begin_ns = pending[0].sample.time_ns
        if pending[-1].sample.time_ns - begin_ns > _SETTLED_NS:
            yield from pending
            pending = []
    yield from pending


def _sections(lap: Iterable[Sample]) -> Iterator[_Section]:
    waiting: list[Sample] = []
    known: Sample | None = None
    for sample in lap:
        waiting.append(sample)
        if DISTANCE in sample.values:
            yield _section(known, waiting)
            known, waiting = sample, []
        elif sample.time_ns - (known or waiting[0]).time_ns > _LONGEST_NS:
            yield _nowhere(waiting)
            waiting = []
    if waiting:
        yield _nowhere(waiting)


def _nowhere(waiting: list[Sample]) -> _Section:
    return _Section([LocatedSample(sample, None) for sample in waiting], jumps_back=False)


def _section(known: Sample | None, waiting: list[Sample]) -> _Section:
    """Return the section that `waiting` makes: it ends with a sample that has a distance, as `known` before
    it.
    """
    last = waiting[-1]
    end_m = last.values[DISTANCE]
    begin_m = known.values[DISTANCE] if known else end_m
    rows = _nowhere(waiting[:-1]).rows
    if known and end_m >= begin_m and last.time_ns - known.time_ns <= _LONGEST_NS:
        slope = (end_m - begin_m) / (last.time_ns - known.time_ns)
        rows = [LocatedSample(one, begin_m + slope * (one.time_ns - known.time_ns)) for one in waiting[:-1]]
    return _Section([*rows, LocatedSample(last, end_m)], jumps_back=end_m < begin_m)
