"""Who was in the seat at some time, by the events of the ring; and whose the running lap is."""

from collections.abc import Iterator

import pytest

from rigd.gather.running import running
from rigd.gather.seated import seated
from rigd.ring import RingReader
from tests.archive.tape import Tape

STEP_S = 10.0


@pytest.fixture
def driven(tape: Tape) -> Iterator[tuple[Tape, RingReader]]:
    """Nobody, ann, bob, nobody: ten seconds each."""
    tape.player = int(tape.race.field.ids[0])
    tape.drive(STEP_S)
    for user in ("ann", "bob", ""):
        tape.sit(user)
        tape.drive(STEP_S)
    tape.close()
    ring = RingReader(tape.data / "ring")
    yield tape, ring
    ring.close()


@pytest.mark.parametrize(
    ("start_s", "end_s", "user"),
    [
        (3.0, 7.0, ""),
        (13.0, 17.0, "ann"),
        (15.0, 15.0, "ann"),
        (23.0, 27.0, "bob"),
        (15.0, 25.0, ""),
        (33.0, 37.0, ""),
        (18.0, 19.5, ""),  # too near to a change: it is nobody's
        (0.0, 40.0, ""),
    ],
)
def test_one_user_alone_counts(
    driven: tuple[Tape, RingReader], start_s: float, end_s: float, user: str
) -> None:
    assert seated(driven[1], 1, start_s, end_s) == user


def test_a_session_of_before_was_whose_who_was_there_then(driven: tuple[Tape, RingReader]) -> None:
    assert seated(driven[1], 2, 0.0, 1.0) == ""


def test_where_nobody_changed_it_is_who_is_there_now(tape: Tape) -> None:
    tape.sit("ann")
    tape.drive(STEP_S)
    tape.close()
    ring = RingReader(tape.data / "ring")
    assert seated(ring, 1, 3.0, 7.0) == "ann"
    ring.close()


def test_the_running_lap_of_the_rigs_own_car_is_whose_who_began_it(tape: Tape) -> None:
    own, other = (int(slot) for slot in tape.race.field.ids[:2])
    tape.player = own
    tape.sit("ann")
    while not tape.closed():
        tape.drive(5.0)
    tape.drive(2.0)
    tape.sit("bob")
    tape.drive(2.0)
    tape.close()
    ring = RingReader(tape.data / "ring")
    laps = [running(ring, slot) for slot in (own, other)]
    ring.close()
    assert [lap and lap.header.lap.user for lap in laps] == ["ann", ""]
