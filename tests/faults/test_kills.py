"""`kill -9` of recorder, server and client at random moments: nothing captured is lost or sent twice."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.columns import Head, read_head
from tests.faults.campaign import SEED, campaign, tries
from tests.faults.killable import RATE, KillableRig, checksum, count
from tests.stage import until

KILLS = tries(3, 1000)


@pytest.fixture
def killable(tmp_path: Path, buffers: Path) -> Iterator[KillableRig]:
    built = KillableRig(tmp_path, buffers)
    yield built
    built.close()


def test_every_captured_tick_arrives_once_and_every_loss_is_declared(killable: KillableRig) -> None:
    chance = random.Random(SEED)
    killable.await_more(RATE)
    with campaign("kill -9 of recorder, server or client", KILLS) as faults:
        order: list[str] = []
        for _ in faults.rounds():
            order = order or chance.sample(sorted(killable.commands), len(killable.commands))
            killable.kill(order.pop())
            time.sleep(chance.uniform(0.0, 0.9))
        faults.lose(*losses(killable))


def losses(killable: KillableRig) -> tuple[int, int]:
    """What is missing of a last look at everything, and how much of it was declared."""
    # A last stretch without kills, so that what was going on at the last one is declared.
    calm_ns = time.time_ns()
    until(lambda: _newest(killable).capture_time_ns > calm_ns + 10**9)
    killable.game.send_signal(signal.SIGTERM)
    written = int(killable.game.communicate(timeout=10)[0])
    until(lambda: _newest(killable).frame >= written)
    stored = killable.stored()
    until(lambda: killable.last() == stored[-1][0])
    lines = killable.lines()
    assert [(line["seq"], line["crc"]) for line in lines] == [
        (seq, checksum(data)) for seq, data in stored
    ], "every captured tick once, in order, unchanged"
    received, declared = count(lines)
    assert received + declared == lines[-1]["seq"], "received + declared missing = expected"
    first, last = read_head(stored[0][1]), read_head(stored[-1][1])
    assert last.frame == written, "the last frame that the game closed is the last in the ring"
    assert last.seq - first.seq == last.frame - first.frame, "every frame of the game has a number"
    return lines[-1]["seq"] - received, declared


def _newest(killable: KillableRig) -> Head:
    newest = killable.newest()
    assert newest is not None
    return newest
