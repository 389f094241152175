"""Green laps, from what a lap's file tells: seen yellows count, and so does what must have been before."""

from typing import Any

import numpy as np
import pytest

from rig.v1 import archive_pb2, event_pb2, lap_pb2, session_pb2
from riglap.flags import green

START_S, ROWS = 100.0, 50
GREEN, CAUTION, OVER = 5, 6, 8
CLEAR, LOCAL, ODD = (0, 0, 0), (0, 1, 0), (11, 11, 11)
"""One build tells 11 for no yellow."""


def change(
    at: float, phase: int = GREEN, yellow: int = 0, sectors: tuple[int, ...] = CLEAR
) -> event_pb2.Event:
    flag = event_pb2.FlagChanged(game_phase=phase, yellow_flag_state=yellow, sector_flags=sectors)
    return event_pb2.Event(session_time=START_S + at, flag_changed=flag)


def header(
    *changes: event_pb2.Event, phase: int = GREEN, yellow: int = 0, sectors: tuple[int, ...] = CLEAR
) -> archive_pb2.LapHeader:
    """Of a lap in which flags changed so, and were like this at its end."""
    state = session_pb2.SessionState(game_phase=phase, yellow_flag_state=yellow, sector_flags=sectors)
    return archive_pb2.LapHeader(
        lap=lap_pb2.Lap(start_time=START_S),
        session=session_pb2.Session(state=state),
        events=[event_pb2.Event(session_time=START_S + 1, car_left=event_pb2.CarLeft(car=1)), *changes],
    )


def scoring(phase: int | list[int] = GREEN, under_yellow: bool = False) -> dict[str, Any]:
    """An update a second."""
    return {
        "session_time": START_S + 0.5 + np.arange(ROWS),
        "individual_phase": np.broadcast_to(phase, ROWS),
        "under_yellow": np.full(ROWS, under_yellow),
    }


@pytest.mark.parametrize("sectors", [CLEAR, ODD, ()])
def test_a_lap_without_any_change_is_what_its_end_was(sectors: tuple[int, ...]) -> None:
    assert green(header(sectors=sectors), scoring()) is True


@pytest.mark.parametrize(
    "end", [{"phase": CAUTION}, {"yellow": 1}, {"yellow": 6}, {"sectors": LOCAL}, {"sectors": (1, 0, 0)}]
)
def test_a_yellow_at_the_end_is_one(end: dict[str, Any]) -> None:
    assert green(header(**end), scoring()) is False


def test_a_yellow_in_between_is_one_though_it_is_over_at_the_end() -> None:
    assert green(header(change(10, sectors=LOCAL), change(20)), scoring()) is False
    assert green(header(change(10, CAUTION, 1), change(30)), scoring()) is False


def test_a_car_that_was_under_yellow_knows_it() -> None:
    assert green(header(), scoring(under_yellow=True)) is False
    assert green(header(), scoring(phase=10)) is False


def test_a_change_to_green_tells_of_the_yellow_before() -> None:
    assert green(header(change(12)), scoring()) is False


def test_a_change_at_the_line_is_of_the_lap_before() -> None:
    assert green(header(change(0.0)), scoring()) is True


def test_a_race_that_starts_was_not_under_yellow() -> None:
    rows = [4] * 8 + [GREEN] * (ROWS - 8)
    assert green(header(change(8)), scoring(phase=rows)) is True


def test_a_race_that_ends_was_not_under_yellow() -> None:
    assert green(header(change(40, OVER), phase=OVER), scoring()) is True


@pytest.mark.parametrize("missing", ["session_time", "individual_phase", "under_yellow"])
def test_without_scoring_nobody_knows(missing: str) -> None:
    columns = scoring()
    del columns[missing]
    assert green(header(), columns) is None
    assert green(header(), {name: rows[:0] for name, rows in scoring().items()}) is None


def test_without_an_update_before_the_change_nobody_knows() -> None:
    assert green(header(change(0.4)), scoring()) is None
