"""Who is in the seat, by what is asked for and by the driver in the game, and whose a lap is by that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt
from rig.v1 import event_pb2, lap_pb2
from rigd import ring as rings
from rigd.drivers import DriversFile
from rigd.record.recorder import Recorder
from rigd.record.seating import Seating, resumed
from rigd.record.settings import Settings
from rigd.seat import NOBODY, Seat, SeatFile, check_user, in_ring, seal
from tests.archive.tape import Tape
from tests.record.script import Game

DRIVERS = {"driver1": "ann", "driver2": "bob"}


@pytest.fixture
def seating() -> Seating:
    return Seating(DRIVERS)


def asked(user: str, seating: Seating) -> None:
    seating.ask(seating.seat.next(user))


def test_what_is_asked_for_lasts_until_something_else_is(seating: Seating) -> None:
    asked("cem", seating)
    seating.drive("nobody we know")
    seating.drive("")
    assert seating.seat.user == "cem"
    asked("", seating)
    assert seating.seat.user == ""


def test_a_driver_that_is_a_user_takes_the_seat_and_the_next_one_does(seating: Seating) -> None:
    seen = []
    for driver in ("driver1", "driver1", "somebody", "driver2"):
        seating.drive(driver)
        seen.append((seating.seat.user, seating.seat.by_driver))
    assert seen == [("ann", True)] * 3 + [("bob", True)]


def test_the_first_name_of_the_game_does_not_put_away_who_was_asked_for(seating: Seating) -> None:
    asked("cem", seating)
    seating.drive("driver1")
    assert seating.seat.user == "cem"
    seating.drive("driver2")
    assert (seating.seat.user, seating.seat.by_driver) == ("bob", True)
    seating.drive("driver1")
    assert seating.seat.user == "ann"


def test_an_older_wish_changes_nothing_and_no_clock_can_go_back(seating: Seating) -> None:
    ahead = Seat("cem", 1 << 62)
    seating.ask(ahead)
    seating.ask(Seat("dee", 1))
    assert seating.seat == ahead
    seating.drive("x")
    seating.drive("driver1")
    assert seating.seat.since_ns == ahead.since_ns + 1
    asked("dee", seating)
    assert seating.seat.user == "dee"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["", "ann", "bob", "cem"])),
        st.tuples(st.just("drive"), st.sampled_from(["", "driver1", "driver2", "x"])),
    ),
    max_size=12,
)


@given(steps, st.integers(0, 12))
def test_a_recorder_that_starts_again_goes_on_as_if_it_had_not(steps: list[tuple[str, str]], at: int) -> None:
    one = other = Seating(DRIVERS)
    for number, (verb, word) in enumerate(steps):
        if number == at:
            other = Seating(DRIVERS, one.pack())
        wish = one.seat.next(word)
        for seating in {id(one): one, id(other): other}.values():
            seating.ask(wish) if verb == "ask" else seating.drive(word)
        assert (other.seat.user, other.seat.by_driver) == (one.seat.user, one.seat.by_driver)


@pytest.mark.parametrize("saved", [b"", b"x", b"00000000 {}", seal({"user": 1}), seal({"user": "ann"})])
def test_of_what_cannot_be_read_nothing_is_left(saved: bytes) -> None:
    assert resumed(DRIVERS, saved).seat == NOBODY


# The laps.


def whose(laps: list[lap_pb2.Lap]) -> list[str]:
    return [lap.user for lap in laps]


@pytest.fixture
def two(game: Game) -> Game:
    """Car 7 is the player's, car 8 is not."""
    game.show(7, mIsPlayer=True)
    game.join(8)
    return game


def test_a_lap_is_whose_who_was_in_the_seat_when_it_began(two: Game) -> None:
    two.user = "ann"
    two.lap(7, 60.0)  # began before anybody was in the seat
    two.run(20.0)
    two.user = "bob"
    two.lap(7, 60.0)
    two.lap(7, 60.0)
    two.cross(8)
    two.run(2.0)
    assert whose(two.laps()) == ["", "ann", "bob"]
    assert whose(two.laps(8)) == [""]


def test_a_lap_stays_whose_it_is_when_the_recorder_is_killed(two: Game) -> None:
    two.user = "ann"
    two.lap(7, 60.0)
    two.run(20.0)
    two.restart()
    two.user = "bob"
    two.lap(7, 60.0)
    two.run(2.0)
    assert whose(two.laps()) == ["", "ann"]


def test_the_piece_after_a_restart_of_the_lap_and_of_a_lap_nobody_saw_begin_have_users(two: Game) -> None:
    two.user = "ann"
    two.run(10.0)
    two.show(7, mLapStartET=two.clock)  # set back on the track
    two.run(10.0)
    two.end()
    assert whose(two.laps()) == ["", "ann"]


# The recorder, the file and the ring.


class NoGame:
    """A source that has nothing to tell."""


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    tape = Tape(tmp_path)
    tape.drive(2.0)
    yield tape
    tape.close()


def started(tape: Tape, **settings: Any) -> Any:
    recorder: Any = Recorder(NoGame(), Settings(tape.data, tape.data, **settings), tape.ring, "")  # type: ignore[arg-type]
    return recorder


def changes(tape: Tape) -> list[event_pb2.SeatChanged]:
    events = map(event_pb2.Event.FromString, tape.values(rings.EVENTS))
    return [event.seat_changed for event in events if event.HasField("seat_changed")]


def test_a_recorder_takes_up_who_was_asked_for_and_tells_of_it(tape: Tape) -> None:
    SeatFile(tape.data).put(NOBODY.next("ann"))
    recorder = started(tape)
    SeatFile(tape.data).put(NOBODY.next("bob"))
    assert recorder._look_at_seat() == ""
    assert recorder._look_at_seat() == ""
    recorder._handover.committer.close()
    assert [(one.user, one.former_user) for one in changes(tape)] == [("ann", ""), ("bob", "ann")]
    assert in_ring(tape.ring).user == "bob"
    again = started(tape)
    again._handover.committer.close()
    assert again._seat.user == "bob"
    assert len(changes(tape)) == 2


def test_a_damaged_file_is_told_and_who_is_there_stays(tape: Tape) -> None:
    SeatFile(tape.data).put(NOBODY.next("ann"))
    recorder = started(tape)
    (tape.data / "seat").write_bytes(b"00000000 {}")
    assert "rig seat USER" in recorder._look_at_seat()
    assert recorder._seat.user == "ann"
    SeatFile(tape.data).put(recorder._seat._seating.seat.next("bob"))
    assert recorder._look_at_seat() == ""
    recorder._handover.committer.close()
    assert recorder._seat.user == "bob"


def test_the_driver_of_the_players_car_decides_where_he_is_a_user(tape: Tape) -> None:
    recorder, records = started(tape, drivers=DRIVERS), tape._screen.vehicles[:].copy()
    records["mIsPlayer"] = [True, *[False] * (len(records) - 1)]
    for driver, user in ((b"driver2", "bob"), (b"unknown", "bob"), (b"driver1", "ann")):
        records["mDriverName"][0] = driver
        recorder._seat.drive(records)
        recorder._note_seat()
        assert recorder._seat.user == user
    recorder._handover.committer.close()
    assert [(one.user, one.by_driver) for one in changes(tape)] == [("bob", True), ("ann", True)]


def test_a_driver_is_the_user_that_the_catalog_says_and_else_the_setting(tape: Tape) -> None:
    recorder, records = started(tape, drivers=DRIVERS), tape._screen.vehicles[:].copy()
    records["mIsPlayer"] = [True, *[False] * (len(records) - 1)]
    DriversFile(tape.data).put({"driver1": "cem"})
    assert recorder._look_at_seat() == ""
    for driver, user in ((b"driver2", "bob"), (b"driver1", "cem")):
        records["mDriverName"][0] = driver
        recorder._seat.drive(records)
        recorder._note_seat()
        assert recorder._seat.user == user
    (tape.data / "drivers").write_bytes(b"00000000 {}")
    assert "the configuration alone" in recorder._look_at_seat()
    assert recorder._seat._seating.drivers == DRIVERS
    DriversFile(tape.data).put({})
    assert recorder._look_at_seat() == ""
    recorder._handover.committer.close()


def test_a_ring_that_says_something_else_is_damaged(tape: Tape) -> None:
    tape.ring.append((), {b"seat": b"00000000 {}"})
    with pytest.raises(Corrupt, match="rig seat USER"):
        in_ring(tape.ring)


@pytest.mark.parametrize("user", [" ann", "ann\n", "a" * 65, "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused(user: str) -> None:
    with pytest.raises(BadRequest):
        check_user(user)
