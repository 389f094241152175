"""The time between two recorders: what the game wrote while none ran."""

from dataclasses import dataclass

from rigd.sources.rf2.reader import WORD, allowed
from rigd.sources.rf2.source import Source


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
    update_game: bytes
    """Birth of the game's memory when that update was seen: scoring may run on without telemetry."""
    taken_ns: int
    """Wall clock of the newest record, unix nanoseconds; 0 in an empty ring."""
    clock_s: float
    """Session clock of the newest record, seconds."""

    def passed_s(self, now_ns: int, clock_s: float) -> float:
        """Return how long it has lasted, by the wall clock or by the session's if that says more: the
        simulated game and replays may run faster than the wall clock.
        """
        return max((now_ns - self.taken_ns) / 1e9, clock_s - self.clock_s)

    def repeats(self, frame: int, game: bytes) -> bool:
        """Return whether the first frame after it is in the ring already, because the game has stood
        still.
        """
        return self.frame == frame and self.game == game

    def frames(self, frame: int, game: bytes, passed_s: float) -> tuple[int, str]:
        """Return how many frames were missed before the first one after it, and why; no reason when none was.
        0 frames for some reason are a number that nobody can know. `passed_s` bounds what is a count.
        """
        before, self.frame = self.frame, None
        if self.game != game:
            waited = not self.session and frame <= 1  # the first frame of a game that began under our eyes
            return 0, "" if waited else "the game was restarted while no recorder ran"
        return _between(before or 0, frame, passed_s)

    def updates(self, update: int, game: bytes, passed_s: float) -> tuple[int, str]:
        """Return the same of scoring updates. Which of those in between would have been stored, nobody knows:
        all of them count.
        """
        before, self.update = self.update, None
        if self.update_game != game:
            waited = not self.session and update <= 1
            return 0, "" if waited else "the game was restarted while no recorder ran"
        return _between(before or 0, update, passed_s)


def birth(source: Source) -> bytes:
    """Return the birth of the game's memory, as the ring keeps it."""
    return b"%d %d" % source.telemetry_reader.file.birth


def _between(before: int, after: int, passed_s: float) -> tuple[int, str]:
    """Return what lies between two counters of one life: a count where the clock has time for it."""
    missed = (after - before - 1) & WORD
    if missed in (0, WORD):
        return 0, ""
    if missed <= allowed(passed_s):
        return missed, "no recorder ran"
    return 0, f"the game's counter went from {before} to {after} while no recorder ran"
