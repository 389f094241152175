"""The live view: every line fits at every size, and shows what there is."""

from typing import Any

import numpy as np
import pytest

from rig.channels import PHYSICS, SCORING
from rig.errors import Unavailable
from rig.v1 import rig_pb2, session_pb2
from rigclient.cli.terminal import palette
from rigclient.cli.terminal.line import Line
from rigclient.cli.watch import leaderboard, live, view
from rigclient.cli.watch.board import Board
from rigclient.cli.watch.feeds import Refusal, Report, TimedFrame, TimedScoring
from tests.cli import race

SIZES = [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60), (317, 91)]


def tick(data: bytes) -> TimedFrame:
    frame = race.physics_frame(data)
    return TimedFrame(frame, frame.head.capture_time_ns + 3_000_000)


def update(data: bytes, **changes: object) -> TimedScoring:
    frame = race.scoring_frame(data)
    return TimedScoring(frame, race.session(**changes), frame.entry_list)


def board(*items: TimedFrame | TimedScoring | Report | Refusal) -> Board:
    made = Board("127.0.0.1:7340")
    made.take(items or (Report(race.status()), tick(race.physics(50)), update(race.scoring(5))))
    return made


def lines(made: Board, width: int = 120, height: int = 40) -> list[str]:
    return [line.text for line in view.lines(made, width, height, view.ViewSettings(keys=True))]


def fits(shown: list[Line], width: int, height: int) -> bool:
    exact = all(Line(line.text).width == line.width == width for line in shown)
    return exact and len(shown) == height


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("cars", [0, 1, 3, 20, 60])
def test_every_line_is_exactly_as_wide_as_the_screen(width: int, height: int, cars: int) -> None:
    slots = tuple(range(1, cars + 1))
    player = 1 if cars else -1
    made = board(
        Report(race.status()),
        tick(race.physics(50, slots, player)),
        update(race.scoring(5, slots, player)),
    )
    assert fits(view.lines(made, width, height, view.ViewSettings(keys=True)), width, height)


@pytest.mark.parametrize(("width", "height"), [*SIZES, (59, 40), (120, 15), (10, 3), (1, 1)])
def test_every_state_fits(width: int, height: int) -> None:
    paused = Report(race.status("PAUSED", "Nothing has moved for 4 s: " + "the game is paused. " * 9))
    away = Report(Unavailable("no rig answers at 127.0.0.1:7340", hint="is `rigd run` running?"))
    data = (tick(race.physics(50)), update(race.scoring(5)))
    for items in (
        (paused,),
        (away,),
        (*data, paused),
        (*data, away),
        data[:1],
        data[1:],
        (Report(race.status()),),
    ):
        assert fits(view.lines(board(*items), width, height, view.ViewSettings()), width, height)


@pytest.mark.parametrize("value", [np.nan, -1e9, 0.0, 1e9])
def test_odd_numbers_do_no_harm(value: float) -> None:
    floats: dict[str, Any] = {c.name: value for c in PHYSICS.channels if c.dtype.kind == "f"}
    scores: dict[str, Any] = {c.name: value for c in SCORING.channels if c.dtype.kind == "f"}
    made = board(tick(race.physics(50, **floats)), update(race.scoring(5, **scores)), Report(race.status()))
    for width, height in SIZES:
        assert fits(view.lines(made, width, height, view.ViewSettings()), width, height)


def test_names_in_any_script_keep_the_columns() -> None:
    rows = lines(board())[3:6]
    assert [row[5:9].strip() for row in rows] == ["A. A", "É. É", "山田 太"[:4].strip()]
    gaps = [
        Line(row[: row.index(word)]).width
        for row, word in zip(rows, ("leader", "+1.500", "+3.000"), strict=True)
    ]
    assert len(set(gaps)) == 1


def test_head_tells_session_flag_clock_and_weather() -> None:
    first, second = lines(board())[:2]
    for word in ("YELLOW", "RACE", "Hollow Pass", "left 59:59", "lap 6/20"):
        assert word in first
    for word in ("air 21°", "track 29°", "rain 30%", "wind 18 km/h", "S1", "S2", "S3"):
        assert word in second


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"game_phase": 6, "yellow_flag_state": 2}, "FULL-COURSE YELLOW  pits closed"),
        ({"game_phase": 8}, "CHEQUERED"),
        ({"game_phase": 4, "num_red_lights": 5, "start_light": 3}, "● ● ● ● ●"),
        ({"game_phase": 77}, "PHASE 77"),
        ({"kind": session_pb2.SESSION_KIND_QUALIFYING}, "QUALIFYING"),
        ({"kind": session_pb2.SESSION_KIND_UNSPECIFIED}, "SESSION"),
    ],
)
def test_phases(changes: dict[str, object], word: str) -> None:
    made = board(update(race.scoring(5), **changes), tick(race.physics(50)))
    assert word in lines(made)[0]


def test_cockpit_and_tyres_of_the_player() -> None:
    text = "\n".join(lines(board()))
    for word in ("A. Alder", "P1", "lap 6", "7250 rpm", "km/h", "75", "40l", "160 kPa", "400°", "90%"):
        assert word in text


def test_another_car_can_be_chosen() -> None:
    made = board()
    made.choose(1)
    assert made.focus == 3
    made.choose(-5)
    assert made.focus == 7
    made.choose(9)
    assert made.focus == 11


def rows_of(made: Board, sort: str) -> list[int]:
    return leaderboard.order(made, sort)


def test_rows_can_be_sorted_and_a_missing_time_comes_last() -> None:
    made = board(update(race.scoring(5, best_lap_time=[95.0, np.nan, 93.0], last_lap_time=[1.0, 3.0, 2.0])))
    frame = made.scoring
    assert frame is not None
    slots = frame.id.tolist()
    assert rows_of(made, "position") == made.order
    assert rows_of(made, "best") == [slots[2], slots[0], slots[1]]
    assert rows_of(made, "last") == [slots[0], slots[2], slots[1]]
    assert set(rows_of(made, "gap")) == set(rows_of(made, "class")) == set(slots)


def test_keys_sort_explain_and_pause() -> None:
    made, choice = board(), view.ViewSettings(keys=True)
    live.press("s", made, choice)
    assert choice.sort == "gap"
    assert "by gap" in view.lines(made, 160, 40, choice)[-1].text
    live.press("?", made, choice)
    explained = view.lines(made, 160, 40, choice)
    assert any("pause the picture" in line.text for line in explained)
    assert fits(explained, 160, 40)
    live.press("p", made, choice)
    assert "PAUSED" in view.lines(made, 160, 40, choice)[-1].text
    live.press("j", made, choice)
    assert not choice.paused


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("sort", leaderboard.SORTS)
def test_explained_and_sorted_it_fits(width: int, height: int, sort: str) -> None:
    choice = view.ViewSettings(sort=sort, paused=True, helping=True, keys=True)
    assert fits(view.lines(board(), width, height, choice), width, height)


@pytest.mark.parametrize(("width", "height"), [*SIZES, (60, 16), (80, 17), (80, 24)])
def test_tips_fit_and_one_is_always_shown(width: int, height: int) -> None:
    said = ["car003-0004 1:35.000", "1. T4: brake 15 m later, " + "as on the lap before; " * 6, "2. T7: lift"]
    made = board(Report(race.status()), tick(race.physics(50)), update(race.scoring(5)))
    shown = view.lines(made, width, height, view.ViewSettings(said=said))
    assert fits(shown, width, height)
    assert any("1. T4: brake 15 m later" in line.text for line in shown)


def test_a_chosen_car_that_leaves_gives_way_to_the_player() -> None:
    made = board()
    made.choose(2)
    made.take([update(race.scoring(6, (7, 3))), tick(race.physics(51, (7, 3)))])
    assert made.focus == 7


def test_a_car_without_telemetry_says_so() -> None:
    made = board(Report(race.status()), tick(race.physics(50, (3,))), update(race.scoring(5)))
    assert any("no telemetry of this car" in line for line in lines(made))


def test_without_a_player_the_leader_is_shown() -> None:
    made = board(tick(race.physics(50, player=-1)), update(race.scoring(5, (11, 3, 7), player=-1)))
    assert made.focus == 11


def test_many_cars_show_the_top_and_those_around() -> None:
    slots = tuple(range(1, 61))
    made = board(tick(race.physics(50, slots, 40)), update(race.scoring(5, slots, 40)), Report(race.status()))
    places = [line[:2].strip() for line in lines(made, 80, 24)[3:-1]]
    assert places[:3] == ["1", "2", "3"]
    assert "40" in places
    assert len(places) == 20


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"in_pits": True, "pit_state": 3}, "BOX"),
        ({"pit_state": 2}, "IN"),
        ({"in_pits": True, "pit_state": 77}, "PIT"),
        ({"in_garage": True}, "GAR"),
        ({"finish_status": 2}, "DNF"),
        ({"flag": 6}, "BLU"),
        ({"penalties": 2}, "!2"),
        ({"count_lap_flag": 1}, "inv"),
        ({"drs_active": True}, "DRS"),
    ],
)
def test_states_of_a_car(values: dict[str, Any], word: str) -> None:
    made = board(tick(race.physics(50)), update(race.scoring(5, **values)))
    assert word in lines(made, 80, 24)[3][39:44]


def test_purple_is_the_best_of_a_class_and_green_a_personal_best() -> None:
    made = board(tick(race.physics(50)), update(race.scoring(5, last_lap_time=[94.0, 95.0, 97.0])))
    rows = view.lines(made, 160, 40, view.ViewSettings())[3:6]
    last = [next(style for text, style in row if text.endswith(".000")) for row in rows]
    assert last == [palette.PURPLE, palette.GOOD, palette.TEXT]


def test_practice_shows_gaps_by_best_lap() -> None:
    made = board(tick(race.physics(50)), update(race.scoring(5), kind=session_pb2.SESSION_KIND_PRACTICE))
    assert "+2.000" in lines(made)[5]


TROUBLED = race.status("LIVE", "All is well.")
TROUBLED.troubles.add(daemon="archive", what="the disk is full")


def test_nothing_yet_is_explained_in_full() -> None:
    sentence = "The buffers are not there: " + "start the game. " * 12
    text = " ".join(" ".join(lines(board(Report(race.status("ABSENT", sentence))), 80, 24)).split())
    assert sentence.strip() in text
    assert "goes on by itself" in text


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (race.status("PAUSED", "The game is paused."), "PAUSED"),
        (race.status("PLUGIN_DOWN", "No plugin."), "PLUGIN DOWN"),
        (rig_pb2.GetStatusResponse(), "NO RING"),
        (rig_pb2.GetStatusResponse(ring=rig_pb2.RingStatus(path="x")), "NO RECORDER"),
        (Unavailable("no rig answers"), "NO ANSWER"),
        (TROUBLED, "archive: the disk is full"),
    ],
)
def test_what_is_wrong_stands_in_the_head(answer: object, word: str) -> None:
    made = board(tick(race.physics(50)), update(race.scoring(5)), Report(answer))  # type: ignore[arg-type]
    assert word in lines(made)[1]


def test_a_refusal_ends_the_view() -> None:
    with pytest.raises(Unavailable):
        board(Refusal(Unavailable("no")))


def test_foot_tells_losses_and_latency() -> None:
    made = board()
    frame = race.physics_frame(race.physics(60))
    frame.gaps = (race.gap(51, 55),)
    made.take([TimedFrame(frame, frame.head.capture_time_ns + 3_000_000)])
    foot = lines(made)[-1]
    for word in ("50 Hz", "3.0 ms", "seq 60", "missed 5", "lost 4", "q quit"):
        assert word in foot


def test_cars_move_on_between_updates() -> None:
    made = board(tick(race.physics(50)), update(race.scoring(1, speed=40.0)))
    ahead_s = made.clock_s - 0.02
    assert made.lap_shares()[0] == pytest.approx((1000.0 + 40.0 * ahead_s) / 4000.0)


def test_sectors_are_learnt_from_the_cars() -> None:
    made = board()
    made.take([update(race.scoring(6, lap_distance=[3000.0, 1500.0, 200.0], sector=[3, 2, 1]))])
    assert made.sector_ends == (0.375, 0.75)
    made.take([update(race.scoring(7, lap_distance=[2800.0, 1400.0, 200.0], sector=[3, 2, 1]))])
    assert made.sector_ends == pytest.approx((0.35, 0.7))


def test_the_trace_of_another_car_is_complete_at_once() -> None:
    made = Board("127.0.0.1:7340")
    for seq in range(0, 500, 2):
        made.take([tick(race.physics(seq + 1, speed=[10.0, 20.0, 30.0]))])
    made.history.follow(7)
    assert np.nanmax(made.history.curves(40)["speed"]) == 10.0
    made.history.follow(11)
    curve = made.history.curves(40)["speed"]
    assert np.count_nonzero(~np.isnan(curve)) >= 38
    assert np.nanmax(curve) == 30.0


def test_a_clock_that_jumps_back_begins_a_new_trace() -> None:
    made = board(tick(race.physics(5000)))
    made.take([tick(race.physics(5))])
    made.history.follow(7)
    assert np.count_nonzero(~np.isnan(made.history.curves(100)["speed"])) <= 1
