"""A recorder that starts again goes on with the session that runs, whatever it finds in the ring."""

from pathlib import Path
from typing import Any

from rig.v1 import event_pb2, session_pb2
from rigd import ring as rings
from rigd.record.laps import Laps
from rigd.record.recorder import Recorder, Settings
from rigd.record.scorer import Scorer
from rigd.record.sessions import Sessions
from tests.archive.tape import Tape


class NoGame:
    """A source that has nothing to tell."""


def started(tape: Tape) -> event_pb2.Event:
    """What a recorder says when it takes up the ring of `tape`."""
    recorder: Any = Recorder(NoGame(), Settings(tape.data), tape.ring, "")  # type: ignore[arg-type]
    recorder._committer.close()
    event = event_pb2.Event.FromString(tape.values(rings.EVENTS)[-1])
    assert event.HasField("recorder_started")
    return event


def test_the_session_of_the_newest_tick_goes_on(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.drive(5.0)
    event = started(tape)
    assert (event.session, event.session_time) == (1, tape.race.clock)
    tape.close()


def test_a_session_that_has_no_tick_yet_goes_on_too(tmp_path: Path) -> None:
    """At the monitor scoring runs alone."""
    tape = Tape(tmp_path)
    tape.drive(5.0)
    tape.score(mSession=5, mCurrentET=0.4)
    tape.commit()
    event = started(tape)
    assert (event.session, event.session_time) == (2, 0.4)
    tape.close()


def test_state_that_cannot_be_read_begins_another_session(tmp_path: Path) -> None:
    """Else the numbers of its laps would be given twice."""
    tape = Tape(tmp_path)
    tape.drive(5.0)
    damaged = {
        name: state.replace(b'"garage"', b'"shed"') if b"car" in name else state
        for name, state in tape.scorer.saved.items()
    }
    assert Laps(1, saved={0: b"1 5.0 {}"}).unreadable
    assert not Laps(2, saved={0: b"1 5.0 {}"}).unreadable
    sessions = Sessions(1, tape.sessions.key, tape.race.clock)
    tape.sessions = sessions
    tape.scorer = Scorer(sessions, session_pb2.SESSION_SOURCE_DEMO, damaged, tape.race.clock)
    tape.drive(1.0)
    assert sessions.number == 2
    tape.close()
