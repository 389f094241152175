"""A recorder that starts again goes on with the session that runs, whatever it finds in the ring."""

from pathlib import Path
from typing import Any

import pytest

from rig.v1 import event_pb2, session_pb2
from rigd import ring as rings
from rigd.record.laps import LapTracker
from rigd.record.recorder import Recorder
from rigd.record.recovery import unreadable
from rigd.record.scorer import Scorer
from rigd.record.sessions import SessionTracker
from rigd.record.settings import Settings
from tests.archive.tape import Tape


class NoGame:
    """A source that has nothing to tell."""


def started(tape: Tape) -> event_pb2.Event:
    """What a recorder says when it takes up the ring of `tape`."""
    recorder: Any = Recorder(NoGame(), Settings(tape.data, tape.data), tape.ring, "")  # type: ignore[arg-type]
    recorder._handover.committer.close()
    event = event_pb2.Event.FromString(tape.values(rings.EVENTS)[-1])
    assert event.HasField("recorder_started")
    return event


def test_the_session_of_the_newest_tick_goes_on(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.drive(5.0)
    event = started(tape)
    assert (event.session, event.session_time) == (1, tape.now.clock)
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
    assert LapTracker(1, saved={0: b"1 5.0 00000000 {}"}).unreadable
    assert not LapTracker(2, saved={0: b"1 5.0 00000000 {}"}).unreadable
    sessions = SessionTracker(1, tape.sessions.key, tape.now.clock)
    tape.sessions = sessions
    tape.scorer = Scorer(sessions, session_pb2.SESSION_SOURCE_DEMO, damaged, tape.now.clock)
    tape.drive(1.0)
    assert sessions.number == 2
    tape.close()


@pytest.mark.parametrize("spoilt", [b"", b"\xff" * 300, None])
def test_an_update_that_cannot_be_read_is_set_aside_with_its_ring(
    tmp_path: Path, spoilt: bytes | None
) -> None:
    """A recorder could not start on it, nor could the next."""
    tape = Tape(tmp_path)
    tape.drive(5.0)
    last = tape.values(rings.SCORING)[-1]
    value = last[:-3] if spoilt is None else spoilt
    with tape.ring.env.begin(write=True) as txn:
        cursor = txn.cursor(tape.ring.dbs[rings.SCORING])
        cursor.last()
        cursor.put(cursor.key(), value)
    why = unreadable(tape.ring)
    assert "the newest record cannot be read" in why
    assert len(list(tmp_path.glob("ring.damaged-*"))) == 1
    assert not tape.values(rings.SCORING)
    tape.close()


@pytest.mark.parametrize("stream", rings.STREAMS)
@pytest.mark.parametrize("number", [1 << 20, (1 << 64) - 1])
def test_a_number_that_is_not_the_records_own_is_not_gone_on_from(
    tmp_path: Path, stream: bytes, number: int
) -> None:
    """A flipped bit in a key: all that follow would be numbered from there, or none could be."""
    tape = Tape(tmp_path)
    tape.drive(5.0)
    assert unreadable(tape.ring) == ""
    with tape.ring.env.begin(write=True) as txn:
        txn.put(rings.key(number), tape.values(stream)[-1], db=tape.ring.dbs[stream])
    said = f"under the key {number:016x}" if number > 1 << 62 else f"is stored as {number}"
    assert said in unreadable(tape.ring)
    assert not tape.values(stream)
    tape.close()


def test_a_session_number_without_a_next_one_is_not_gone_on_from(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.drive(5.0)
    tape.sessions.number = (1 << 32) - 1
    tape.frame()
    tape.commit()
    assert "of session 4294967295" in unreadable(tape.ring)
    tape.close()


@pytest.mark.parametrize(
    "own",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"session": "x", "track_length": 0, "stored_s": 0, "flags": []}',
        b'{"session": 9, "track_length": 0, "stored_s": 0, "flags": []}',
        b'{"session": 1, "track_length": 0, "stored_s": 0, "flags": 5}',
    ],
)
def test_what_the_scorer_kept_and_nobody_can_read_begins_another_session(tmp_path: Path, own: bytes) -> None:
    tape = Tape(tmp_path)
    tape.drive(5.0)
    tape.sessions = SessionTracker(1, tape.sessions.key, tape.now.clock)
    tape.scorer = Scorer(tape.sessions, session_pb2.SESSION_SOURCE_DEMO, {b"scorer.own": own}, tape.now.clock)
    tape.drive(1.0)
    assert tape.sessions.number == 2
    tape.close()


def test_a_wrong_digit_in_the_state_of_a_car_is_noticed(tmp_path: Path) -> None:
    tape = Tape(tmp_path)
    tape.drive(5.0)
    saved = {0: next(state for name, state in tape.scorer.saved.items() if b"car" in name)}
    assert not LapTracker(1, saved=saved).unreadable
    at = saved[0].rindex(b'"laps": ') + 8
    assert LapTracker(1, saved={0: saved[0][:at] + b"7" + saved[0][at + 1 :]}).unreadable
    tape.close()
