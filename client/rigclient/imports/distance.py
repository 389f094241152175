"""Distance at every sample of a lap, where the logger tells it less often than the rest."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from rigclient.imports.gather import Sample

TOLD: Final = "Laptrigger_lapdist_dls"
"""The value that is the distance from the line [m]."""

_LONGEST_NS: Final = 1_000_000_000
"""Between two distances that are joined by a line; loggers tell it five times a second."""
_SETTLED_NS: Final = 3_000_000_000
"""Since the first sample of a lap: until then the distance may be the previous lap's still, and jump back."""


class Placed(NamedTuple):
    """A sample and where it was taken [m]; None where nobody knows."""

    sample: Sample
    distance: float | None


class _Stretch(NamedTuple):
    """The samples after one distance that was told, up to the next."""

    rows: list[Placed]
    jumps_back: bool


def placed(lap: Iterable[Sample]) -> Iterator[Placed]:
    """The samples of one lap, which come in the order of time, each with its distance."""
    held: list[Placed] = []
    begin_ns: int | None = None
    for stretch in _stretches(lap):
        if stretch.jumps_back:
            held = [row._replace(distance=None) for row in held]
        held += stretch.rows
        if begin_ns is None:
            begin_ns = held[0].sample.time_ns
        if held[-1].sample.time_ns - begin_ns > _SETTLED_NS:
            yield from held
            held = []
    yield from held


def _stretches(lap: Iterable[Sample]) -> Iterator[_Stretch]:
    waiting: list[Sample] = []
    known: Sample | None = None
    for sample in lap:
        waiting.append(sample)
        if TOLD in sample.values:
            yield _stretch(known, waiting)
            known, waiting = sample, []
        elif sample.time_ns - (known or waiting[0]).time_ns > _LONGEST_NS:
            yield _nowhere(waiting)
            waiting = []
    if waiting:
        yield _nowhere(waiting)


def _nowhere(waiting: list[Sample]) -> _Stretch:
    return _Stretch([Placed(sample, None) for sample in waiting], jumps_back=False)


def _stretch(known: Sample | None, waiting: list[Sample]) -> _Stretch:
    """`waiting` ends with a sample whose distance was told, and follows `known`, which has one too."""
    last = waiting[-1]
    end_m = last.values[TOLD]
    begin_m = known.values[TOLD] if known else end_m
    rows = _nowhere(waiting[:-1]).rows
    if known and end_m >= begin_m and last.time_ns - known.time_ns <= _LONGEST_NS:
        slope = (end_m - begin_m) / (last.time_ns - known.time_ns)
        rows = [Placed(one, begin_m + slope * (one.time_ns - known.time_ns)) for one in waiting[:-1]]
    return _Stretch([*rows, Placed(last, end_m)], jumps_back=end_m < begin_m)
