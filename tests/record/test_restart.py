"""The first ticks of a recorder that starts again, before scoring is heard of."""

from collections.abc import Iterator

import pytest

from rig.columns import Head, read_head
from rigd import ring as rings
from rigd.ring import RingReader
from tests.stage import Stage, stage, until

CARS, RATE = 3, 100


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        made.game(CARS, RATE, 600)
        yield made


def heads(here: Stage) -> list[Head]:
    """Of all ticks."""
    ring = RingReader(here.data / "ring")
    try:
        return [read_head(tick) for _, tick in ring.read(rings.PHYSICS, 0, 1 << 30, 1 << 40)]
    finally:
        ring.close()


def test_the_player_is_known_from_the_first_tick(here: Stage) -> None:
    """Scoring comes every 0.2 s, so that a restart is followed by up to 20 ticks without any."""
    for number in range(3):
        recorder = here.record()
        until(lambda: here.status().committed > RATE)
        recorder.kill() if number else recorder.terminate()
        recorder.wait(30)
    ends = here.record()
    until(lambda: here.status().committed > RATE)
    here.stop(ends)
    found = heads(here)
    known = [head.player for head in found if head.session == found[-1].session]
    first = next(at for at, player in enumerate(known) if player >= 0)
    assert len(known) - first > 3 * RATE
    assert set(known[first:]) == {known[-1]}
