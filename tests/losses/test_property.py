"""Whatever happens to a game, its recorder, its ring and its archiver: every journal says what plain lists
say.
"""

import contextlib
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rig.v1 import event_pb2, laps_pb2, rig_pb2
from rigd import ring as rings
from rigd.archive import follower
from rigd.store.index import IndexReader
from tests.faults.campaign import tries
from tests.losses.model import MISSED, TORN, Recording, Stream
from tests.losses.rig import Rig

few, seldom = st.integers(1, 4), st.sampled_from((False, False, True))
LONG_S = 3.0
"""A session this long is known from another by its clock."""


class Losses(RuleBasedStateMachine):
    """The rig and the model go through the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm")
        self.rig = Rig(Path(self.folder.name))
        self.game = self.rig.game
        self.model = Recording()
        self.events: list[event_pb2.Event] = []
        self.final: dict[str, rig_pb2.GetLossesResponse] = {}
        """Answers that must never change: of sessions that were over when their ring went."""
        self.batch, follower._BATCH = follower._BATCH, 3  # type: ignore[misc]

    def teardown(self) -> None:
        try:
            self.the_archiver_runs(None)
            self.somebody_asks()
        finally:
            follower._BATCH = self.batch  # type: ignore[misc]
            self.rig.close()
            self.folder.cleanup()

    @initialize()
    def the_first_recorder_starts(self) -> None:
        self.rig.start()
        self.scoring(full=False)

    def up(self) -> bool:
        return self.rig.recorder is not None

    def down(self) -> bool:
        return self.rig.recorder is None

    # The game goes on.

    @precondition(up)
    @rule(count=few, missed=st.sampled_from((0, 0, 1, 5)), torn=st.booleans(), full=seldom, jumped=seldom)
    def frames(self, count: int, missed: int, torn: bool, full: bool, jumped: bool) -> None:
        for lost in (missed, *[0] * (count - 1)):
            self.game.frame(lost, torn=torn and lost > 0, jumped=jumped and lost > 0)
            self.turn(full)
            game, reason = self.game, TORN if torn else MISSED
            jump = jumped and lost > 0
            self.model.tick(game.life, game.version, game.clock, lost, reason, jumped=jump, full=full)

    @precondition(up)
    @rule(missed=st.sampled_from((0, 0, 0, 2)), torn=st.booleans(), full=seldom)
    def scoring(self, full: bool, missed: int = 0, torn: bool = False) -> None:
        game = self.game
        game.score(missed, torn=torn)
        self.turn(full)
        self.model.see(game.ticks, game.life, game.scored, game.clock, missed, torn=torn, full=full)

    def turn(self, full: bool) -> None:
        with self.rig.full() if full else contextlib.nullcontext():
            self.rig.turn()

    @precondition(lambda self: self.up() and self.game.clock > LONG_S)
    @rule(found=st.booleans())
    def another_session(self, found: bool) -> None:
        """Scoring tells of it at once, later, or never when it is over before."""
        self.game.begin()
        if found:
            self.scoring(full=False)

    @precondition(up)
    @rule()
    def the_game_leaves_and_comes_back(self) -> None:
        for self.game.here in (False, True):
            self.rig.beat()
        self.model.leave()

    # Recorder and ring come and go.

    @precondition(up)
    @rule(kill=st.booleans())
    def the_recorder_ends(self, kill: bool) -> None:
        self.rig.stop(kill=kill)
        if not kill:
            self.model.hand_over()

    @precondition(down)
    @rule(frames=st.integers(0, 3), updates=st.integers(0, 2), restarted=seldom)
    def another_recorder_starts(self, frames: int, updates: int, restarted: bool) -> None:
        if restarted and self.game.clock > LONG_S:
            self.game.restart()
        self.game.version += frames
        self.game.scored += updates
        self.start()
        self.model.start()

    @precondition(down)
    @rule()
    def another_ring_begins(self) -> None:
        over = [name for name, number in self.sessions().items() if self.model.over.get(number)]
        if self.archived() == self.newest_event():
            self.final |= {name: self.rig.losses(name) for name in over}
        self.rig.replace_ring()
        self.start("it was damaged")
        self.events, self.model = [], Recording(replaced=True)

    def start(self, trouble: str = "") -> None:
        self.game.telemetry_reader.given_up = self.game.scoring_reader.given_up = 0
        self.rig.start(trouble)

    @rule(stream=st.sampled_from(rings.STREAMS), count=few)
    def the_ring_lets_go(self, stream: bytes, count: int) -> None:
        """Of events only what the archiver has taken: what it never saw is another test. And a ring holds
        more than the time in which telemetry is ahead of scoring.
        """
        self.remember()
        last = {
            rings.EVENTS: self.archived(),
            rings.PHYSICS: self.model.physics.last(self.model.scored) - 1,
            rings.SCORING: self.model.scoring.last(self.model.scored) - 1,
        }
        self.rig.evict(stream, count, last[stream])

    # The archiver runs, and somebody asks.

    @rule(cut_after=st.one_of(st.none(), st.integers(0, 6)))
    def the_archiver_runs(self, cut_after: int | None) -> None:
        self.rig.archive(cut_after)

    @rule()
    def somebody_asks(self) -> None:
        self.remember()
        for name, number in self.sessions().items():
            assert number in self.model.over, "the archive has no session of which scoring never told"
            self.check(self.rig.losses(name), number)
        for name, answer in self.final.items():
            assert self.rig.losses(name) == answer

    def check(self, answer: rig_pb2.GetLossesResponse, number: int) -> None:
        physics, scoring, events = answer.streams
        assert all(
            s.received + s.missing == s.expected == s.last_seq - s.first_seq + 1 for s in answer.streams
        )
        for found, stream in ((physics, self.model.physics), (scoring, self.model.scoring)):
            self.check_stream(found, stream, number)
            gaps = [gap for gap in answer.gaps if gap.stream == found.stream]
            counted = [(g.first_seq, g.last_seq, g.reason) for g in gaps if g.HasField("count")]
            assert counted == stream.gaps(number)
            doubts = [gap for gap in gaps if not gap.HasField("count")]
            assert Counter(gap.reason for gap in doubts if gap.session == number) == stream.doubts(number)
            bordered = any(gap.session != number for gap in doubts)
            assert stream.bordered(number) in (bordered, None)
        assert (events.first_seq, events.expected, events.missing) == (*self.span_of_events(number), 0)

    def check_stream(self, found: rig_pb2.StreamLosses, stream: Stream, number: int) -> None:
        expected, missing = stream.sums(number)
        assert (found.expected, found.missing) == (expected, sum(missing.values()))
        assert {reason.reason: reason.missing for reason in found.reasons if reason.missing} == missing

    def span_of_events(self, number: int) -> tuple[int, int]:
        """Number of the first event of a session, and how many there are."""
        first = next(e.seq for e in self.events if e.HasField("session_started") and e.session == number)
        ends = [e.seq for e in self.events if e.HasField("session_ended") and e.session == number]
        ends += [e.seq - 1 for e in self.events if e.HasField("session_started") and e.session > number]
        return first, min(ends, default=self.events[-1].seq) - first + 1

    # What the rig has.

    def sessions(self) -> dict[str, int]:
        """Sessions of this ring that the archive knows."""
        index = IndexReader(self.rig.data / "index.sqlite")
        known = index.list_sessions(laps_pb2.ListSessionsRequest(page_size=1000)).sessions
        ring = self.rig.ring_id()
        return {session.name: session.ring_session for session in known if session.ring == ring}

    def remember(self) -> None:
        """Keep the events: the ring may let go of them."""
        newest = self.events[-1].seq if self.events else 0
        self.events += [event for event in self.rig.events() if event.seq > newest]

    def newest_event(self) -> int:
        self.remember()
        return self.events[-1].seq

    def archived(self) -> int:
        """The event up to which the archiver is done."""
        return self.rig.position()


Losses.TestCase.settings = settings(max_examples=tries(15, 400), stateful_step_count=25)
TestLosses = Losses.TestCase
