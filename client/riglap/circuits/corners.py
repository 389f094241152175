"""Corners out of the curvature of a reference line. They belong to the line, not to a lap."""

import dataclasses
from typing import Final, NamedTuple

import numpy as np

from riglap.circuits.line import Floats, ReferenceLine

_GRID_M: Final = 2.0
_SMOOTH_M: Final = 14.0
"""Curvature is averaged over so much: half of the shortest corner."""
_JOIN_M: Final = 24.0
"""Arcs of one direction nearer than this are one corner: nobody straightens the wheel for half a second."""
_APART: Final = 0.35
"""... unless the curvature between them falls below this share of the milder arc."""


class _Pass(NamedTuple):
    """What counts as a corner: curvature at which one begins to be, and is no more [1/m], and least turn."""

    enter: float
    leave: float
    least_rad: float


_CLEAR: Final = _Pass(1 / 220, 1 / 450, np.radians(12))
_WEAK: Final = _Pass(1 / 600, 1 / 1100, np.radians(8))
"""Fast sweeps: 8° of 600 m of radius are 84 m, and cost a touring car no speed."""


@dataclasses.dataclass(frozen=True)
class Corner:
    """One corner of a circuit. Places are metres from the line and rise: of a corner that lies across it
    those behind it are beyond the length.
    """

    number: int
    begin: float
    apex: float
    """Centre of the turning: the centroid of the curvature."""
    end: float
    right: bool
    radius_m: float
    """Least, of the centre line."""
    angle_rad: float
    """By which the track turns, above zero."""
    weak: bool = False
    """A fast sweep that only the looser pass has found."""
    name: str = ""

    @property
    def title(self) -> str:
        """The name as people say it: T4, or T4 Hairpin."""
        return f"T{self.number} {self.name}".rstrip()


class _Arc(NamedTuple):
    begin: int
    end: int


def find_corners(line: ReferenceLine) -> tuple[Corner, ...]:
    """Return the corners, numbered from 1 in the order of their apexes after the line."""
    bend = _bend(line)
    start = _straightest(bend)
    rolled = np.roll(bend, -start)
    clear = _arcs(rolled, _CLEAR)
    weak = [arc for arc in _arcs(rolled, _WEAK) if not any(_touch(arc, other) for other in clear)]
    found = [_corner(rolled, arc, arc in weak, start, line.length) for arc in (*clear, *weak)]
    ordered = sorted(found, key=lambda corner: corner.apex % line.length)
    return tuple(dataclasses.replace(corner, number=at) for at, corner in enumerate(ordered, start=1))


def _bend(line: ReferenceLine) -> Floats:
    """Return the curvature on an even grid of about 2 m, averaged, closed."""
    cells = round(line.length / _GRID_M)
    window = max(round(_SMOOTH_M / line.step / 2), 1) * 2 + 1
    half = window // 2
    closed = np.concatenate((line.curvature[-half:], line.curvature, line.curvature[:half]))
    smooth = np.convolve(closed, np.full(window, 1.0 / window), "valid")
    return np.asarray(np.interp(np.arange(cells) * (line.length / cells), line.s, smooth, period=line.length))


def _straightest(bend: Floats) -> int:
    """Return the middle of the longest straight: no corner lies across it."""
    turns = np.flatnonzero(np.abs(bend) >= _WEAK.leave)
    if not len(turns):
        return 0
    gaps = np.diff(np.append(turns, turns[0] + len(bend)))
    longest = int(gaps.argmax())
    return int(turns[longest] + gaps[longest] // 2) % len(bend)


def _arcs(bend: Floats, limits: _Pass) -> list[_Arc]:
    """Return arcs in order: opposite signs are split, small ones dropped, then neighbours merged."""
    found = [arc for side in (1.0, -1.0) for arc in _runs(bend * side, limits)]
    large = [arc for arc in sorted(found) if _turn(bend, arc) >= limits.least_rad]
    return _merged(bend, large)


def _runs(bend: Floats, limits: _Pass) -> list[_Arc]:
    """Return runs above `leave` that reach `enter`: hysteresis."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bend > limits.leave, [False]))))
    runs = [_Arc(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    return [arc for arc in runs if bend[arc.begin : arc.end].max() >= limits.enter]


def _turn(bend: Floats, arc: _Arc) -> float:
    return abs(float(bend[arc.begin : arc.end].sum())) * _GRID_M


def _merged(bend: Floats, arcs: list[_Arc]) -> list[_Arc]:
    kept = arcs[:1]
    for arc in arcs[1:]:
        if _one(bend, kept[-1], arc):
            kept[-1] = _Arc(kept[-1].begin, arc.end)
        else:
            kept.append(arc)
    return kept


def _one(bend: Floats, before: _Arc, after: _Arc) -> bool:
    """Return whether two arcs are one corner."""
    peaks = [bend[arc.begin : arc.end][np.abs(bend[arc.begin : arc.end]).argmax()] for arc in (before, after)]
    if np.sign(peaks[0]) != np.sign(peaks[1]) or (after.begin - before.end) * _GRID_M > _JOIN_M:
        return False
    between = np.abs(bend[before.end - 1 : after.begin + 1]).min()
    return bool(between >= _APART * min(abs(peaks[0]), abs(peaks[1])))


def _touch(one: _Arc, other: _Arc) -> bool:
    return one.begin < other.end and other.begin < one.end


def _corner(bend: Floats, arc: _Arc, weak: bool, start: int, length: float) -> Corner:
    step = length / len(bend)
    part = bend[arc.begin : arc.end]
    weight = np.abs(part)
    centre = arc.begin + float(weight @ np.arange(len(part)) / weight.sum())
    apex = (centre + start) * step % length
    begin = apex - (centre - arc.begin) * step
    end = apex + (arc.end - 1 - centre) * step
    if begin < 0:
        begin, apex, end = begin + length, apex + length, end + length
    radius = 1 / float(weight.max())
    return Corner(0, begin, apex, end, bool(part.sum() > 0), radius, _turn(bend, arc), weak)
