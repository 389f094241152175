"""Games that misbehave under a running recorder: every frame that they closed is held or declared missing."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from rigd.sources.rf2.writer import BufferWriter
from tests.bench.game import StampedGame
from tests.faults.account import account
from tests.faults.campaign import SEED, Campaign, campaign, tries
from tests.stage import Stage, stage, until

CARS, RATE = 8, 100


class GameRecorder:
    """A recorder, and games under it one after the other."""

    def __init__(self, here: Stage) -> None:
        self.here = here
        self.recorder = here.record()
        here.status()  # from then on there is a ring
        self.lost = self.declared = 0

    def demo(self, *faults: str, seconds: float = 600) -> "subprocess.Popen[str]":
        """The simulated game with these faults, from the first second on."""
        words = [word for fault in faults for word in ("--fault", fault)]
        size = ("--cars", str(CARS), "--rate", str(RATE), "--short")
        folder = ("--buffers", str(self.here.buffers))
        return self.here.start("rigd", "demo-game", *folder, *size, "--for", str(seconds), *words)

    def flows(self, ticks: int = RATE // 2) -> None:
        """Frames come in and become durable."""
        start = self.here.committed()
        until(lambda: self.here.committed() > start + ticks)

    def settle(self, faults: Campaign) -> None:
        """The recorder lives, and its ring explains every number."""
        assert self.recorder.poll() is None
        found = account(self.here.data)
        faults.lose(found.lost - self.lost, found.declared - self.declared)
        self.lost, self.declared = found.lost, found.declared


@pytest.fixture(scope="module")
def recorder() -> Iterator[GameRecorder]:
    with stage() as here:
        yield GameRecorder(here)


def killed(recorder: GameRecorder, dice: random.Random) -> None:
    """The game is killed in the middle of whatever it does, and started anew over its own files."""
    game = recorder.demo()
    recorder.flows()
    time.sleep(dice.uniform(0, 0.1))
    game.kill()
    game.wait()


def stopped(recorder: GameRecorder, dice: random.Random) -> None:
    """The game stands still, perhaps with a frame open, and goes on."""
    game = recorder.demo()
    recorder.flows()
    for _ in range(3):
        game.send_signal(signal.SIGSTOP)
        time.sleep(dice.uniform(0.05, 0.4))
        game.send_signal(signal.SIGCONT)
        recorder.flows(10)
    game.kill()
    game.wait()


def faulty(*kinds: str) -> Callable[[GameRecorder, random.Random], None]:
    def play(recorder: GameRecorder, _dice: random.Random) -> None:
        start = recorder.here.committed()
        game = recorder.demo(*(f"{kind}@0.5" for kind in kinds), seconds=4)
        game.wait(30)
        assert recorder.here.committed() > start

    play.__doc__ = f"The simulated game's own faults: {', '.join(kinds)}."
    return play


def changed_layout(recorder: GameRecorder, _dice: random.Random) -> None:
    """The plugin is another version with another layout: nothing is taken until ours is back."""
    game = StampedGame(recorder.here.buffers, CARS, RATE)
    game.open_session()
    play(recorder, game, 60)
    name(game.extended, b"4.0.0.0")
    until(lambda: recorder.here.status().source_state == "WRONG_VERSION")
    until(lambda: not recorder.here.status().pending)
    refused = recorder.here.committed()
    frames(game, 60)
    until(lambda: not recorder.here.status().pending)
    assert recorder.here.committed() == refused, "bytes of another layout are not recorded"
    name(game.extended, b"3.7.15.1")
    play(recorder, game, 120)


def growing_field(recorder: GameRecorder, dice: random.Random) -> None:
    """Cars join and leave while a frame is open, and the count runs ahead of the records."""
    game = StampedGame(recorder.here.buffers, CARS, RATE)
    game.open_session()
    for _ in range(12):
        game.resize(dice.randrange(1, CARS + 1))
        telemetry = game.telemetry
        telemetry.begin()
        telemetry.array["mNumVehicles"] = dice.choice([-1, 0, CARS, 127, 128, 1 << 30])
        time.sleep(0.003)
        telemetry.array["mNumVehicles"] = game.cars
        telemetry.end()
        frames(game, 10)
    play(recorder, game, 60)


def play(recorder: GameRecorder, game: StampedGame, count: int) -> None:
    """Write frames, which are recorded."""
    start = recorder.here.committed()
    frames(game, count)
    until(lambda: recorder.here.committed() > start)


def frames(game: StampedGame, count: int) -> None:
    for number in range(count):
        game.frame(number + 1)
        if number % 10 == 0:
            game.score(number / RATE)
        time.sleep(1 / RATE)


def name(writer: BufferWriter, version: bytes) -> None:
    writer.begin()
    writer.array["mExtended"]["mVersion"] = version
    writer.end()


HABITS: dict[str, Callable[[GameRecorder, random.Random], None]] = {
    "killed and started anew": killed,
    "stopped and continued": stopped,
    "tearing frames": faulty("torn"),
    "crashed in a frame, files truncated": faulty("torn", "truncate"),
    "cars lost from one buffer": faulty("idgap"),
    "another layout": changed_layout,
    "cars added in an open frame": growing_field,
}


@pytest.mark.parametrize("habit", HABITS)
def test_a_game_that_misbehaves_is_recorded_or_declared(recorder: GameRecorder, habit: str) -> None:
    dice = random.Random(SEED)
    with campaign(f"game {habit}", tries(1, 12)) as faults:
        for _ in faults.rounds():
            HABITS[habit](recorder, dice)
            recorder.settle(faults)


def test_frames_of_all_games_stand_in_one_ring_in_order(recorder: GameRecorder) -> None:
    heads = account(recorder.here.data).heads
    assert all(before.seq < after.seq for before, after in pairwise(heads))
    assert np.all(np.diff([head.session for head in heads]) >= 0)
