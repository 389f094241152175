"""The time between two recorders: what the game wrote while none ran."""

from dataclasses import dataclass
from typing import Final

_WRAP: Final = 0xFFFF_FFFF
"""The game's frame counters have 32 bits."""


@dataclass
class Absence:
    """What the recorder before left, until what came after it is known."""

    session: int
    """The session that it left running: what was missed until now is that one's loss. 0 for none."""
    game: bytes
    """Birth of the game's memory; frame counters of one life can be compared."""
    frame: int | None
    """Counter of its last tick; None once that is settled, and in an empty ring."""
    update: int | None
    """Counter of its last scoring update; likewise."""

    def repeats(self, frame: int, game: bytes) -> bool:
        """Whether the first frame after it is in the ring already, because the game has stood still."""
        return self.frame == frame and self.game == game

    def frames(self, frame: int, game: bytes) -> tuple[int, str]:
        """How many frames were missed before the first one after it, and why; no reason when none was. 0
        frames for some reason are a number that nobody can know.
        """
        before, self.frame = self.frame, None
        if self.game != game:
            waited = not self.session and frame <= 1  # the first frame of a game that began under our eyes
            return 0, "" if waited else "the game was restarted while no recorder ran"
        missed = (frame - (before or 0) - 1) & _WRAP
        return (missed, "no recorder ran") if 0 < missed < _WRAP >> 1 else (0, "")

    def updates(self, update: int) -> str:
        """Why scoring is missing before the first update after it; no reason when nothing is. Which of those
        in between would have been stored, nobody knows.
        """
        before, self.update = self.update, None
        seamless = (update - (before or 0)) & _WRAP == 1 or (not self.session and update <= 1)
        return "" if seamless else "no recorder ran"
