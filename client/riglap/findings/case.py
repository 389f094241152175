"""What rules see: one corner of a lap and of its reference, from before the braking to the next braking."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from riglap.circuits.circuit import Circuit
from riglap.circuits.corners import Corner
from riglap.circuits.line import Floats
from riglap.compare import Comparison, Trace
from riglap.cornering import CornerPass, approaches, cornering
from riglap.findings.finding import Finding

NOISE_S: Final = 0.03
"""What one driver varies by in one corner from lap to lap, where no other laps tell."""
MOST_S: Final = 1.5
"""Who loses more in one corner met traffic, a flag or the grass: that is no matter of technique."""
_LEAST: Final = 2.0
"""A loss below so many times the noise is none."""
_BEFORE_M: Final = 5.0
"""What the straight before costs is of the corner before."""


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One corner. `start`, `middle` and `end` are metres from the line: before both brake, where the
    reference is slowest, where the next corner's case starts.
    """

    corner: Corner
    ours: CornerPass
    theirs: CornerPass
    start: float
    middle: float
    end: float
    lost: Callable[[float, float], float]
    """Return seconds lost between two places; NaN where that is doubtful."""
    read: Callable[[str], tuple[Floats, Floats]]
    """Return a channel of ours and of theirs, at `places`."""
    places: Floats
    against: str
    noise_s: float

    @property
    def entry_s(self) -> float:
        """Seconds lost up to the slowest place."""
        return self.lost(self.start, self.middle)

    @property
    def exit_s(self) -> float:
        """Seconds lost from there on, the straight included."""
        return self.lost(self.middle, self.end)

    @property
    def whole_s(self) -> float:
        """Seconds lost in all of it."""
        return self.lost(self.start, self.end)

    def counts(self, lost_s: float) -> bool:
        """Return whether a loss is above what a driver varies by, and no more than technique can lose."""
        return math.isfinite(lost_s) and _LEAST * self.noise_s <= lost_s <= MOST_S

    def finding(
        self,
        rule: str,
        lost_s: float,
        strength: float,
        evidence: Mapping[str, float],
        begin: float | None = None,
        end: float | None = None,
    ) -> Finding:
        """Return a finding here. `strength` is its evidence against the least that counts, from 1."""
        sure = min(lost_s / (2 * _LEAST * self.noise_s), 1.0) * min(strength / 2, 1.0)
        return Finding(
            rule,
            self.corner.number,
            self.corner.title,
            round(lost_s, 4),
            self.against,
            round(sure, 2),
            {name: round(value, 4) for name, value in evidence.items()},
            round(self.start if begin is None else begin, 1),
            round(self.end if end is None else end, 1),
        )


def cases(comparison: Comparison, other: int, noise: Mapping[int, float]) -> Iterator[Case]:
    """Yield the corners that both laps show without doubt, in the order of the lap."""
    circuit, ours, theirs = comparison.circuit, comparison.others[other], comparison.reference
    if circuit is None or ours.aligned is None or theirs.aligned is None:
        return
    passes = (cornering(ours.aligned, circuit), cornering(theirs.aligned, circuit))
    pairs = list(zip(circuit.corners, *passes, strict=True))
    starts = _starts(circuit, pairs)
    for at, (corner, mine, other_one) in enumerate(pairs):
        start, end = starts[at], starts[at + 1] if at + 1 < len(starts) else circuit.length
        middle = other_one.least_m
        if mine.clear and other_one.clear and start < middle < end:
            yield Case(
                corner,
                mine,
                other_one,
                start,
                middle,
                end,
                _lost(ours, theirs),
                lambda name: (ours.read(name), theirs.read(name)),
                ours.places,
                theirs.title,
                noise.get(corner.number, NOISE_S),
            )


def _starts(circuit: Circuit, pairs: list[tuple[Corner, CornerPass, CornerPass]]) -> list[float]:
    """Return where every case starts: before both brake, behind the corner before."""
    least = approaches(circuit)
    return [
        max(least[corner.number], float(np.nanmin((mine.brake_m, other.brake_m, corner.begin))) - _BEFORE_M)
        for corner, mine, other in pairs
    ]


def _lost(ours: Trace, theirs: Trace) -> Callable[[float, float], float]:
    def lost(begin: float, end: float) -> float:
        return (ours.at(end) - theirs.at(end)) - (ours.at(begin) - theirs.at(begin))

    return lost
