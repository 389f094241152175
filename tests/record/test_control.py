"""Who has the wheel: laps in which the game's own driver took a person's car over, or nobody drove."""

import pytest

from tests.record.script import Game

NOBODY, LOCAL, AI, REMOTE, REPLAY = -1, 0, 1, 2, 3


def laps_of(game: Game, *hands: int, player: bool = False, restart: bool = False) -> list[tuple[bool, ...]]:
    """A lap for each that has the wheel, changed in its middle: takeover, undriven, valid."""
    game.join(7, mTotalLaps=4, mControl=hands[0], mIsPlayer=player)
    game.see()
    for hand in hands:
        game.run(30.0)
        game.show(7, mControl=hand)
        if restart:
            game.run()
            game.restart()
        game.run(30.0)
        game.cross(7)
    game.run(2.0)
    assert all(lap.official and lap.complete for lap in game.laps())
    return [(lap.ai_takeover, lap.undriven, lap.valid) for lap in game.laps()]


def test_a_car_that_the_ai_always_drives_is_an_ordinary_opponent() -> None:
    assert laps_of(Game(), AI, AI) == [(False, False, True)] * 2


@pytest.mark.parametrize("person", [LOCAL, REMOTE])
def test_laps_in_which_the_wheel_goes_from_a_person_to_the_ai_or_back_do_not_count(person: int) -> None:
    found = laps_of(Game(), person, AI, person, person)
    assert found == [(False, False, True), (True, False, False), (True, False, False), (False, False, True)]


def test_no_lap_of_the_players_car_counts_while_the_ai_drives_it() -> None:
    found = laps_of(Game(), LOCAL, AI, AI, LOCAL, LOCAL, player=True)
    assert found == [(False, False, True), *[(True, False, False)] * 3, (False, False, True)]


def test_who_had_the_wheel_outlives_a_restart_of_the_recorder() -> None:
    found = laps_of(Game(), AI, LOCAL, LOCAL, player=True, restart=True)
    assert found == [(True, False, False), (True, False, False), (False, False, True)]


def test_a_lap_that_nobody_drove_for_a_while_does_not_count() -> None:
    found = laps_of(Game(), LOCAL, NOBODY, LOCAL, LOCAL)
    assert found == [(False, False, True), (False, True, False), (False, True, False), (False, False, True)]


def test_replays_are_nobodys_takeover() -> None:
    assert laps_of(Game(), REPLAY, REPLAY, player=True) == [(False, False, True)] * 2
