"""One short race of the simulated game, recorded, archived and served: the pages' examples run on it."""

from collections.abc import Iterator

import pytest

from tests.stage import Stage, stage, until

LAPS = 4
"""Enough that two drivers have a lap."""


@pytest.fixture(scope="module")
def demo_rig() -> Iterator[Stage]:
    """A rig with a race that goes on, after one in quick motion of which laps are archived."""
    with stage() as here:
        words = ("rigd", "demo-game", "--buffers", str(here.buffers), "--cars", "4", "--short")
        quick = here.start(*words, "--speed", "10")
        here.record("--origin", "demo")
        here.archive()
        here.serve()
        until(lambda: len(list(here.data.glob("laps/*/[!.]*-0001.lap"))) >= LAPS)
        here.stop(quick)
        here.start(*words)
        yield here
