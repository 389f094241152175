"""What a run of the recorder came to."""

from dataclasses import dataclass, field
from typing import Any

from rig.v1 import rig_pb2
from rigd import ring as rings


@dataclass
class RecordingSummary:
    """Counts of a run: telemetry frames, and what was declared missing."""

    captured: int = 0
    committed: int = 0
    updates: int = 0
    """Of scoring that were read."""
    missed: int = 0
    missed_updates: int = 0
    """Of scoring; and how often a counter of the game leapt by more than anybody can have missed."""
    counter_jumps: int = 0
    losses: dict[tuple[bytes, Any], rig_pb2.DeclaredLoss] = field(default_factory=dict)
    """By stream and reason."""

    def lose(self, stream: bytes, count: int, reason: Any) -> None:
        """Count a loss."""
        if stream == rings.PHYSICS:
            self.missed += count
        elif stream == rings.SCORING:
            self.missed_updates += count
        if (stream, reason) not in self.losses:
            number: Any = rings.STREAMS.index(stream) + 1
            self.losses[stream, reason] = rig_pb2.DeclaredLoss(stream=number, reason=reason)
        loss = self.losses[stream, reason]
        loss.missing += count
        loss.declarations += 1
