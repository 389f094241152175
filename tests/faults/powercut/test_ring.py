"""The power is cut under the recorder, at any moment: its ring holds all that it had announced."""

import random
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from rig.v1 import rig_pb2
from rigd import ring as rings
from rigd.ring import Span
from tests.faults.campaign import SEED, SOAK, campaign, tries
from tests.faults.powercut.disk import Cut, Disk, all_of, cuts
from tests.faults.powercut.found import Found, Loss, go_on, spans
from tests.faults.powercut.ringrun import RingRun, ring_run
from tests.faults.powercut.witness import Kind

MOMENTS = tries(8, 300)
"""Moments of a power cut, each with a disk of every kind."""
MOST_LOST_NS = 500_000_000

Spans = dict[bytes, Span]


@pytest.fixture(scope="module")
def run() -> Iterator[RingRun]:
    """A recorder that was watched for a while."""
    with ring_run(60.0 if SOAK else 7.0) as run:
        yield run


class Image(NamedTuple):
    """A disk after a power cut."""

    folder: Path
    number: int
    """Entries of the journal until then."""
    cut: Cut
    announced: Spans
    """What the recorder had announced by then."""

    @property
    def data(self) -> Path:
        return self.folder / "data"


class Moments:
    """Moments of a power cut in a run, and the disks that may be found after each."""

    def __init__(self, run: RingRun, chance: random.Random, count: int) -> None:
        self.run, self.chance = run, chance
        entries = run.journal.entries
        self.bells = [n + 1 for n, entry in enumerate(entries) if entry.kind == Kind.BELL and not entry.data]
        """Entries up to a wake-up: what was committed then is announced."""
        self.chosen = self._chosen(count)

    def _chosen(self, count: int) -> list[int]:
        """Half of them anywhere, half right after a sync, a wake-up, a new name."""
        entries = self.run.journal.entries
        turns = [n + 1 for n, entry in enumerate(entries) if entry.kind not in (Kind.WRITE, Kind.SYNC_BEGIN)]
        found = {self.chance.choice(turns) for _ in range(count // 2)}
        while len(found) < count:
            found.add(self.chance.randrange(len(entries)))
        return sorted(found)

    def images(self, folder: Path) -> Iterator[list[Image]]:
        """The disks of each moment, made in `folder`."""
        disk, announced, wanted = self.run.disk(), Spans(), set(self.chosen)
        views = {self.bells[at - 1] for number in self.chosen if (at := bisect_left(self.bells, number + 1))}
        for number, entry in enumerate([*self.run.journal.entries, None]):
            if number in views:
                announced = _view(disk, folder / "view")
            if number in wanted:
                yield [self._image(disk, folder, cut, announced) for cut in cuts(self.chance)]
            if entry is not None:
                disk.see(entry)

    def _image(self, disk: Disk, folder: Path, cut: Cut, announced: Spans) -> Image:
        image = Image(folder / f"{disk.number} {cut.name}", disk.number, cut, announced)
        disk.write(image.folder, cut)
        return image


def _view(disk: Disk, folder: Path) -> Spans:
    """What programs see on the disk now."""
    disk.write(folder, Cut("a view", all_of))
    try:
        return spans(folder / "data")
    finally:
        shutil.rmtree(folder)


def examine(run: RingRun, image: Image, *, restarted: bool) -> Loss:
    """Have a recorder go on, and look at everything. What it had announced is there, unchanged."""
    go_on(image.data, run.other_buffers if restarted else run.buffers)
    assert not list(image.data.glob("ring.damaged*")), "the ring was set aside"
    found = Found.of(image.data, run.journal.entries[-1].time_ns)
    for stream, rows in found.old.items():
        assert rows.items() <= run.seen[stream].items(), "what was stored has changed"
        assert max(rows, default=0) >= image.announced.get(stream, Span(0, 0)).last, "it was announced"
    assert max(found.old[rings.PHYSICS], default=0) >= durable_seq(run, image.number)
    assert lost_ns(run, image.number, found) <= MOST_LOST_NS
    assert found.explained()
    if restarted:
        assert found.restarted() or found.new == len(found.ticks)
        return Loss(0, 0)
    return found.loss()


def durable_seq(run: RingRun, number: int) -> int:
    """What the recorder's last status before that moment calls durable."""
    said = [e for e in run.journal.entries[:number] if e.kind == Kind.BELL and e.data]
    return rig_pb2.RecorderStatus.FromString(bytes(said[-1].data)).durable_seq if said else 0


def lost_ns(run: RingRun, number: int, found: Found) -> int:
    """Age of the oldest tick that was captured before the cut and is not there, without the time for which
    the disk kept the recorder waiting.
    """
    now = run.journal.entries[max(number - 1, 0)].time_ns
    last = max(found.old[rings.PHYSICS], default=0)
    oldest = min((ns for seq, ns in run.captured.items() if seq > last), default=now)
    return max(now - oldest - run.journal.waited_ns(oldest, now), 0)


def test_whatever_is_on_the_disk_nothing_announced_is_lost(run: RingRun) -> None:
    chance, folder = random.Random(SEED), Path(tempfile.mkdtemp(prefix="rigd-test-", dir="/dev/shm"))
    moments = Moments(run, chance, MOMENTS)

    def one(image: Image) -> Loss:
        loss = examine(run, image, restarted=random.Random(str(image.folder.name)).random() < 0.2)
        shutil.rmtree(image.folder)
        return loss

    planned = MOMENTS * len(cuts(chance))
    try:
        with (
            campaign("power cut, ring: any subset of what was not synced", planned) as running,
            ThreadPoolExecutor(3) as pool,
        ):
            losses = (loss for images in moments.images(folder) for loss in pool.map(one, images))
            for _, loss in zip(running.rounds(), losses, strict=False):
                running.lose(*loss)
    finally:
        shutil.rmtree(folder)
