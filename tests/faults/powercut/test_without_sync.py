"""The campaigns can fail: a recorder and an archiver that do not wait for the disk are found out."""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from operator import lt
from pathlib import Path

from rig.errors import RigError
from rigd.ring import open_ring
from tests.faults.campaign import SEED
from tests.faults.powercut.archiverun import archive_run
from tests.faults.powercut.keptlaps import archived, examine
from tests.faults.powercut.keptlaps import images as archives
from tests.faults.powercut.keptring import Image
from tests.faults.powercut.keptring import images as rings
from tests.faults.powercut.ringrun import ring_run

MOMENTS = 30
"""Of a power cut, until one of them shows it."""
WITHOUT_SYNC = "tests.faults.powercut.without_sync"
_HEADS = """
import json, pathlib, sys
from rigd.ring import RingReader
ring = RingReader(pathlib.Path(sys.argv[1]) / "ring")
print(json.dumps([span.last for span in ring.spans().values()]))
"""


def test_a_recorder_that_does_not_wait_loses_and_damages(memory: Path) -> None:
    chance, found = random.Random(SEED), Counter[str]()
    with ring_run(2.0, WITHOUT_SYNC) as run:
        for image in (image for disks in rings(run, memory, chance, MOMENTS) for image in disks):
            found[fate(image)] += 1
            shutil.rmtree(image.folder)
            if {"damaged", "lost"} <= found.keys():
                break
    print(f"a recorder that does not wait for the disk: {dict(found)}")
    assert {"damaged", "lost"} <= found.keys()


def fate(image: Image) -> str:
    """What became of the ring. It is read in another process, which damage may end."""
    ring, trouble = open_ring(image.data / "ring")
    ring.close()
    if trouble:
        return "damaged"
    read = subprocess.run([sys.executable, "-c", _HEADS, image.data], capture_output=True, check=False)
    if read.returncode:
        return "damaged"
    announced = [span.last for span in image.announced.values()]
    return "lost" if any(map(lt, json.loads(read.stdout), announced)) else "whole"


def test_an_archiver_that_does_not_wait_loses_and_damages(memory: Path) -> None:
    chance, found = random.Random(SEED), Counter[str]()
    with archive_run(55, WITHOUT_SYNC) as run:
        since = min(archived(run.journal).values())  # before that there is nothing to lose
        for image in (image for disks in archives(run, memory, chance, MOMENTS, since) for image in disks):
            try:
                examine(image)
            except (AssertionError, RigError) as error:
                found[str(error).split("\n")[0][-40:]] += 1
                break
            found["whole"] += 1
            shutil.rmtree(image.folder)
    print(f"an archiver that does not wait for the disk: {dict(found)}")
    assert found.total() > found["whole"]
