"""The power is cut under the archiver, at any moment: what it had archived, or promised, is there."""

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.campaign import SEED, SOAK, campaign, tries
from tests.faults.powercut.archiverun import ArchiveRun, archive_run
from tests.faults.powercut.disk import cuts, replayed
from tests.faults.powercut.keptlaps import Image, examine, images

MOMENTS = tries(2, 80)
"""Moments of a power cut, each with a disk of every kind."""


@pytest.fixture(scope="module")
def run() -> Iterator[ArchiveRun]:
    """An archiver that was watched for a while."""
    with archive_run(240 if SOAK else 55) as run:
        yield run


def test_nothing_escapes_the_witness(run: ArchiveRun, memory: Path) -> None:
    """But what is stored through maps of what a restart makes anew."""
    assert not run.journal.lapses()
    assert {Path(name).name for name in run.journal.mapped()} <= {
        "lock.mdb",
        "index.sqlite-shm",
        "index.new.sqlite-shm",
        "catalog.sqlite-shm",
    }
    assert replayed(run.disk(), run.journal.entries, memory / "played") == ["data/ring/lock.mdb"]


def test_whatever_is_on_the_disk_nothing_archived_is_lost(run: ArchiveRun, memory: Path) -> None:
    chance = random.Random(SEED)

    def one(image: Image) -> None:
        examine(image)
        shutil.rmtree(image.folder)

    planned = MOMENTS * len(cuts(chance))
    name = "power cut, archive: any subset of what was not synced"
    with campaign(name, planned, "laps") as running, ThreadPoolExecutor(2) as pool:
        done = (_ for found in images(run, memory, chance, MOMENTS) for _ in pool.map(one, found))
        for _ in zip(running.rounds(), done, strict=False):
            pass
