"""The power is cut under the recorder, at any moment: its ring holds all that it had announced."""

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.campaign import SEED, SOAK, campaign, tries
from tests.faults.powercut.disk import cuts, replayed
from tests.faults.powercut.keptring import Image, Loss, examine, images
from tests.faults.powercut.ringrun import RingRun, ring_run

MOMENTS = tries(4, 200)
"""Moments of a power cut, each with a disk of every kind."""
RESTARTED = 0.2
"""Share of the cuts after which the game is another one, as when the machine itself has been off."""


@pytest.fixture(scope="module")
def run() -> Iterator[RingRun]:
    """A recorder that was watched for a while."""
    with ring_run(60.0 if SOAK else 7.0) as run:
        yield run


def test_nothing_escapes_the_witness(run: RingRun, memory: Path) -> None:
    """But what is stored through maps of what a restart makes anew."""
    assert not run.journal.lapses()
    assert {Path(name).name for name in run.journal.mapped()} <= {"lock.mdb"}
    assert replayed(run.disk(), run.journal.entries, memory / "played") == ["data/ring/lock.mdb"]


def test_whatever_is_on_the_disk_nothing_announced_is_lost(run: RingRun, memory: Path) -> None:
    chance = random.Random(SEED)

    def one(image: Image) -> Loss:
        loss = examine(run, image, restarted=random.Random(image.folder.name).random() < RESTARTED)
        shutil.rmtree(image.folder)
        return loss

    planned = MOMENTS * len(cuts(chance))
    name = "power cut, ring: any subset of what was not synced"
    with campaign(name, planned) as running, ThreadPoolExecutor(3) as pool:
        losses = (loss for found in images(run, memory, chance, MOMENTS) for loss in pool.map(one, found))
        for _, loss in zip(running.rounds(), losses, strict=False):
            running.lose(*loss)
