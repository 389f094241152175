"""An archiver that comes late: what the ring has let go of unread is declared."""

from pathlib import Path

import pytest

from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from tests.archive.tape import Tape
from tests.losses.asked import archive, losses, newest, wrong
from tests.losses.faults import Ring

EVICTED = event_pb2.GAP_REASON_EVICTED


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    tape = Tape(tmp_path / "data")
    tape.drive(40)
    return tape


def let_go(data: Path, events: int, ticks: int, updates: int) -> None:
    """The ring has no more room for what is older than these numbers."""
    with Ring(data) as ring:
        for stream, first in ((rings.EVENTS, events), (rings.PHYSICS, ticks), (rings.SCORING, updates)):
            for seq in range(1, first):
                ring.drop(stream, seq)


def reasons(stream: rig_pb2.StreamLosses) -> list[tuple[int, int, int]]:
    return [(one.reason, one.missing, one.uncounted) for one in stream.reasons]


def test_events_that_went_unread_are_counted_and_what_they_told_is_in_doubt(tape: Tape) -> None:
    tape.close()
    archive(tape.data)
    read = newest(tape.data)[rings.EVENTS]
    tape.resume()
    tape.drive(60)
    tape.close()
    tick, update, event = newest(tape.data).values()
    let_go(tape.data, event - 2, tick - 500, update - 10)
    archive(tape.data)
    physics, scoring, events = losses(tape.data).streams
    assert (events.expected, events.missing) == (event, event - 3 - read)
    assert reasons(events) == [(EVICTED, event - 3 - read, 0)]
    assert reasons(physics) == reasons(scoring) == [(EVICTED, 0, 1)]
    assert (physics.expected, scoring.expected) == (tick, update)
    assert wrong(tape.data) == []


def test_a_session_whose_beginning_went_unread_begins_with_what_is_left(tape: Tape) -> None:
    tape.finish()
    tape.close()
    tick, update, event = newest(tape.data).values()
    let_go(tape.data, event - 2, tick - 500, update - 10)
    archive(tape.data)
    answer = losses(tape.data)
    physics, scoring, events = answer.streams
    assert (physics.first_seq, physics.expected) == (tick - 500, 501)
    assert (scoring.first_seq, scoring.expected) == (update - 10, 11)
    assert (events.first_seq, events.last_seq) == (event - 2, event)
    assert reasons(physics) == reasons(scoring) == [(EVICTED, 0, 1)]
    assert wrong(tape.data) == []
