"""What analysis saw: one finding."""

import dataclasses
from collections.abc import Mapping

from riglap.times import gap


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that costs time, with what shows it."""

    rule: str
    corner: int
    """Number of the corner; 0 for the whole lap."""
    place: str
    """The corner's title, or lap."""
    lost_s: float
    """Seconds lost to the reference, above zero."""
    against: str
    """Title of the reference."""
    confidence: float
    """From 0 to 1: loss and evidence against what one driver varies by."""
    evidence: Mapping[str, float]
    """Numbers by name, units at the end of the names."""
    begin: float
    """Where to look: metres from the line."""
    end: float

    @property
    def id(self) -> str:
        """The same for the same thing in another lap: brakes_early:4."""
        return f"{self.rule}:{self.corner}"

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value:.6g}" for name, value in self.evidence.items())
        return f"{self.place} {self.rule} {gap(self.lost_s)} s ({told})"
