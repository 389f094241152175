"""The car that most stories begin with."""

import pytest

from tests.record.script import Game


@pytest.fixture
def game() -> Game:
    """A car in slot 7 that began its fifth lap at clock 100."""
    game = Game(100.0)
    game.join(7, mTotalLaps=4, mPlace=2)
    game.see()
    return game
