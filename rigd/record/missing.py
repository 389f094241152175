"""What is missing of the game's frames, and why; it is declared with the next record of its stream."""

import time
from typing import Any, Final

from rig.v1 import event_pb2
from rigd import log
from rigd import ring as rings
from rigd.record.absence import birth
from rigd.record.former import Former
from rigd.record.numbers import Numbers
from rigd.record.sessions import SessionTracker
from rigd.record.summary import RecordingSummary
from rigd.ring.tail import Reserve
from rigd.sources.rf2.reader import Snapshot
from rigd.sources.rf2.source import Source

_UPPER_BOUND: Final = "the power was cut, or the live tail was lost with the recorder; these at most"
_RESTORED: Final = "a backup was restored; numbers go on behind all that may have been given out since it"
_MOST_CUT: Final = 1 << 20
"""Numbers that a reserve may be ahead: 1.2 s take 480 at 400 Hz, and only damage makes more."""


class Missing:
    """Notes every loss with its reason, in the session that it is counted in."""

    def __init__(
        self,
        numbers: Numbers,
        summary: RecordingSummary,
        sessions: SessionTracker,
        former: Former,
        source: Source,
    ) -> None:
        self._numbers, self._summary, self._sessions = numbers, summary, sessions
        self._source = source
        self._absence, self._restored = former.absence, former.restored
        self._given_up = dict.fromkeys((rings.PHYSICS, rings.SCORING), 0)
        self._gone = dict.fromkeys(rings.STREAMS, 0)
        """How many numbers of each stream a power cut took, or a restore."""

    def note(self, stream: bytes, count: int, reason: Any, detail: str, session: int = 0) -> None:
        """Note a loss, of the running session unless it is another's. `count` 0: nobody knows."""
        self._numbers.lose(stream, count, reason, detail, session or self._sessions.booked)
        self._summary.lose(stream, count, reason)

    def note_ring(self, why: str) -> None:
        """Note that another ring took the place of a damaged one: nobody knows how much is missing."""
        session = self._sessions.booked or 1  # before the first one, that is the one to know of it
        for stream in (rings.PHYSICS, rings.SCORING):
            self.note(stream, 0, event_pb2.GAP_REASON_RING_REPLACED, why, session)

    def note_restored(self) -> None:
        """Note what was recorded after the backup that the ring came back from, in the session that ran then;
        else in one that nobody tells of, so that the next only has a doubt of it.
        """
        restored, reason = self._restored, event_pb2.GAP_REASON_RESTORED
        session = self._absence.session if self._sessions.number == restored.session else 0
        for stream, following in zip(rings.STREAMS, self._numbers.following(), strict=True):
            if following <= restored.number:
                self._gone[stream] = restored.number - following + 1
                self._numbers.skip(stream, restored.number, reason, _RESTORED, session or restored.session)
                self._summary.lose(stream, 0, reason)

    def note_cut(self, ends: Reserve) -> bool:
        """Note what followers may have seen before a power cut, and the disk never had; True when there was
        any.
        """
        cut = {}
        for stream, end, following in zip(rings.STREAMS, ends, self._numbers.following(), strict=True):
            if end >= following + _MOST_CUT:
                what = f"it goes to {end}, {following} comes next, the limit is {_MOST_CUT} ahead"
                log.say(log.RESERVE_SPOILED, stream=stream.decode(), what=what)
            elif end > following:
                cut[stream] = end - following
        session = self._absence.session or self._sessions.booked or 1  # or the first one to come
        for stream, count in cut.items():
            self.note(stream, count, event_pb2.GAP_REASON_POWER_CUT, _UPPER_BOUND, session)
        self._gone |= cut
        return bool(cut)

    def before_tick(self, frame: Snapshot, clock_s: float) -> bool:
        """Note what the game wrote since the last tick. False when the frame is in the ring already.

        The game's frame counter goes on while the game runs, so the count is exact also after a restart of
        ours; after a restart of the game nobody can know it.
        """
        torn = self._why(rings.PHYSICS, self._source.telemetry_reader.given_up)
        if self._absence.frame is None:
            self._note_missed(rings.PHYSICS, frame, torn)
            return True
        if self._absence.repeats(frame.version, birth(self._source)):
            return False
        passed_s = self._absence.passed_s(time.time_ns(), clock_s)
        self._note_absent(rings.PHYSICS, *self._absence.frames(frame.version, birth(self._source), passed_s))
        return True

    def before_update(self, update: Snapshot) -> None:
        """Note what the game wrote since the last scoring update."""
        torn = self._why(rings.SCORING, self._source.scoring_reader.given_up)
        if self._absence.update is None:
            self._note_missed(rings.SCORING, update, torn)
            return
        assert update.info is not None
        passed_s = self._absence.passed_s(time.time_ns(), float(update.info["mCurrentET"]))
        self._note_absent(
            rings.SCORING, *self._absence.updates(update.version, birth(self._source), passed_s)
        )

    def _note_absent(self, stream: bytes, count: int, why: str) -> None:
        """Note what came since the last record in the ring, but for what is noted of it already."""
        more = max(count - self._gone[stream], 0)
        if why and (more or not count):
            self.note(stream, more, event_pb2.GAP_REASON_RECORDER_DOWN, why, self._absence.session)

    def _note_missed(self, stream: bytes, frame: Snapshot, reason: Any) -> None:
        """Note what the game wrote since the last frame, and nobody read."""
        if frame.missed:
            self.note(stream, frame.missed, reason, "")
        if frame.jumped:
            self._summary.counter_jumps += 1
            self.note(stream, 0, reason, f"the game's counter jumped to {frame.version}")

    def _why(self, stream: bytes, given_up: int) -> Any:
        """Return the reason of what was missed since the last frame of a buffer, by how many reads were
        given up.
        """
        before, self._given_up[stream] = self._given_up[stream], given_up
        return event_pb2.GAP_REASON_TORN if given_up > before else event_pb2.GAP_REASON_MISSED
