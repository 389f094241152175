"""A client has records that the disk does not: the recorder is killed, or the power is cut."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.v1 import event_pb2
from tests.faults.campaign import SEED, Campaign, campaign, tries
from tests.faults.killable import RATE, KillableRig, Line, checksum
from tests.stage import until

ROUNDS = tries(2, 200)
_COMMIT_EVERY = "0.5"
"""Seconds: the disk is behind at nearly every moment."""


@pytest.fixture
def killable(tmp_path: Path, buffers: Path) -> Iterator[KillableRig]:
    tails = tmp_path / "memory"
    tails.mkdir()
    built = KillableRig(tmp_path, buffers, "--commit-every", _COMMIT_EVERY, "--tail-folder", str(tails))
    yield built
    built.close()


def _ahead(rig: KillableRig, chance: random.Random) -> None:
    """Wait for some moment at which the client is ahead of the disk."""
    rig.await_more(RATE // 4)
    time.sleep(chance.uniform(0.0, 1.0))
    until(lambda: rig.ahead() > 0)


def test_a_recorder_that_is_killed_loses_nothing_that_a_client_has(killable: KillableRig) -> None:
    chance = random.Random(SEED)
    with campaign("kill -9 of the recorder, a client ahead of the disk", ROUNDS) as faults:
        for _ in faults.rounds():
            _ahead(killable, chance)
            killable.kill("recorder")
        killable.await_more(RATE)
        _settle(killable)
        stored, lines = dict(killable.stored()), killable.lines()
        _once(lines)
        assert all(checksum(stored[line["seq"]]) == line["crc"] for line in lines), "all of it is in the ring"
        assert event_pb2.GAP_REASON_POWER_CUT not in _reasons(lines)


def test_after_a_power_cut_no_number_is_used_again(killable: KillableRig) -> None:
    chance = random.Random(SEED)
    with campaign("power cut, a client ahead of the disk", ROUNDS, "ticks") as faults:
        for _ in faults.rounds():
            _ahead(killable, chance)
            _cut_power(killable, chance, faults)
        assert faults.lost > 0, "the client is ahead of the disk"
        killable.await_more(RATE)
        _settle(killable)
        lines = killable.lines()
        _once(lines)
        stored = dict(killable.stored())
        kept = [line for line in lines if line["seq"] in stored]
        assert all(checksum(stored[line["seq"]]) == line["crc"] for line in kept), "used twice"
        assert event_pb2.GAP_REASON_POWER_CUT in _reasons(lines)


def _cut_power(rig: KillableRig, chance: random.Random, faults: Campaign) -> None:
    """End recorder and server at one moment, and what is in memory; the client lives elsewhere."""
    rig.stop("recorder", "server")
    for tail in (rig.data.parent / "memory").rglob("*.tail"):
        tail.unlink()
    lost = max(rig.ahead(), 0)  # a commit may have come just before
    faults.lose(lost, lost)
    rig.again(*chance.sample(["recorder", "server"], 2))


def _settle(rig: KillableRig) -> None:
    """Stop the game, and wait until the disk has what the client has."""
    rig.game.terminate()
    rig.game.wait(20)
    until(lambda: rig.ahead() <= 0)


def _once(lines: list[Line]) -> None:
    """Every number is received once, or stands in one gap, in order."""
    expected = 1
    for line in lines:
        for first, last, *_ in line["gaps"]:
            assert first in (expected, last + 1), f"{expected} is neither received nor declared"
            expected = max(expected, last + 1)
        assert line["seq"] == expected, f"{expected} is neither received nor declared"
        expected += 1


def _reasons(lines: list[Line]) -> set[int]:
    return {gap[3] for line in lines for gap in line["gaps"]}
