"""What a power cut has left of a ring, and what the next recorder makes of it."""

import gc
import random
import shutil
import sys
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from rig.columns import Head, read_head
from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.losses.holes import uncovered
from rigd.record.recorder import record
from rigd.record.settings import Settings
from rigd.ring import RingReader, Span
from rigd.sources.rf2.reader import Snapshot
from rigd.sources.rf2.source import SharedMemory
from tests.faults.powercut.disk import Cut, Disk, all_of, cuts
from tests.faults.powercut.ringrun import RingRun
from tests.faults.powercut.witness import Kind

_FRAMES: Final = 2
"""Taken by the next recorder before it is stopped."""
_LIMIT: Final = 256 << 20
"""Of the next recorder's ring, so that it evicts nothing."""
MOST_LOST_NS: Final = 500_000_000
"""Of a group of 0.2 s and a commit, on a machine under watch."""

Spans = dict[bytes, Span]


class Image(NamedTuple):
    """A data directory after a power cut."""

    folder: Path
    number: int
    """Entries of the journal until then."""
    announced: Spans
    """What the recorder had announced by then."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"


def images(
    run: RingRun, folder: Path, chance: random.Random, moments: int, since: int = 0
) -> Iterator[list[Image]]:
    """The disks that may be found after the power was cut at so many moments, without those before entry
    `since`.
    """
    entries = run.journal.entries
    # A wake-up says that all that was written before it is committed.
    bells = [n for n, entry in enumerate(entries) if entry.kind == Kind.BELL and not entry.data]
    chosen = {moment for moment in run.journal.moments(chance, moments) if moment >= since}
    views = {bells[at - 1] for number in chosen if (at := bisect_right(bells, number - 1))}
    disk, announced = run.disk(), Spans()
    for number, entry in enumerate([*entries, None]):
        if number in chosen:
            yield [_image(disk, folder / f"{number} {cut.name}", cut, announced) for cut in cuts(chance)]
        if number in views:
            announced = _seen(disk, folder / "seen")
        if entry is not None:
            disk.see(entry)


def _image(disk: Disk, folder: Path, cut: Cut, announced: Spans) -> Image:
    disk.write(folder, cut)
    return Image(folder, disk.number, announced)


def _seen(disk: Disk, folder: Path) -> Spans:
    """What programs see in the ring now, whether it is on the disk or not."""
    disk.write(folder, Cut("", all_of))
    try:
        return spans(folder / "data")
    finally:
        shutil.rmtree(folder)


class _Game(SharedMemory):
    """A source that counts the frames it gave."""

    given = 0

    def telemetry(self, now_ns: int) -> Snapshot | None:
        frame = super().telemetry(now_ns)
        self.given += frame is not None
        return frame


def go_on(data: Path, buffers: Path) -> None:
    """Run a recorder on what is left, until it has recorded some frames."""
    game, interval = _Game(buffers), sys.getswitchinterval()
    try:
        record(game, Settings(data, data, _LIMIT), lambda: game.given >= _FRAMES)
    finally:
        game.close()
        gc.unfreeze()
        sys.setswitchinterval(interval)


def spans(data: Path) -> Spans:
    """What a sound ring holds."""
    ring = RingReader(data / "ring")
    try:
        return ring.spans()
    finally:
        ring.close()


class Loss(NamedTuple):
    """Frames that the game wrote and nobody has, and those of them that stand in a gap."""

    lost: int
    declared: int


@dataclass
class Found:
    """A ring after a recorder went on with it; `until_ns` tells the old records from the new."""

    old: dict[bytes, dict[int, int]] = field(default_factory=dict)
    """Checksums by stream and number."""
    ticks: list[Head] = field(default_factory=list)
    """Heads of all ticks."""
    new: int = 0
    """How many of them are the new recorder's."""
    gaps: list[event_pb2.Gap] = field(default_factory=list)
    """Declared losses of ticks."""

    @classmethod
    def of(cls, data: Path, until_ns: int) -> "Found":
        """Read all of it."""
        self, ring = cls(), RingReader(data / "ring")
        try:
            for stream in rings.STREAMS:
                rows = ring.read(stream, 0, 1 << 30, 1 << 40)
                taken = {seq: _captured_ns(stream, value) for seq, value in rows}
                self.old[stream] = {seq: zlib.crc32(value) for seq, value in rows if taken[seq] <= until_ns}
                if stream == rings.PHYSICS:
                    self.ticks = [read_head(value) for _, value in rows]
            self.gaps = [event_pb2.Gap.FromString(data) for data in ring.gaps(rings.PHYSICS, 0, 1 << 62)]
        finally:
            ring.close()
        self.new = len(self.ticks) - len(self.old[rings.PHYSICS])
        return self

    def holes(self) -> Iterator[tuple[int, int]]:
        """First and last number of what is not there between two ticks that are."""
        for before, after in zip(self.ticks, self.ticks[1:], strict=False):
            if after.seq != before.seq + 1:
                yield before.seq + 1, after.seq - 1

    def explained(self) -> bool:
        """Whether every hole is made of declared losses, and they have its count."""
        return all(
            not uncovered(first, last, self.gaps) and self.declared(first, last) == last - first + 1
            for first, last in self.holes()
        )

    def declared(self, first: int, last: int) -> int:
        """How many ticks are declared missing between two numbers."""
        return sum(gap.count for gap in self.gaps if first <= gap.first_seq <= last)

    def loss(self) -> Loss:
        """Between the last old tick and the first new one."""
        if self.new == len(self.ticks):
            return Loss(0, 0)  # nobody had recorded anything
        last, first = self.ticks[-self.new - 1], self.ticks[-self.new]
        return Loss(first.frame - last.frame - 1, self.declared(last.seq + 1, first.seq - 1))

    def restarted(self) -> bool:
        """Whether the ring says that the game was started anew, so that nobody can know what is missing."""
        first = self.ticks[-self.new].seq
        return any(gap.first_seq == first and not gap.HasField("count") for gap in self.gaps)


def examine(run: RingRun, image: Image, *, restarted: bool) -> Loss:
    """Have a recorder go on, and look at everything: what had been announced is there, unchanged, and what is
    missing is declared. `restarted`: the game is another one by then.
    """
    go_on(image.data, run.other_buffers if restarted else run.buffers)
    assert not list(image.data.glob("ring.damaged*")), "the ring was set aside"
    found = Found.of(image.data, run.journal.entries[-1].time_ns)
    for stream, rows in found.old.items():
        assert rows.items() <= run.seen[stream].items(), "what was stored has changed"
        assert max(rows, default=0) >= image.announced.get(stream, Span(0, 0)).last, "it was announced"
    assert max(found.old[rings.PHYSICS], default=0) >= _durable_seq(run, image.number)
    assert _lost_ns(run, image.number, found) <= MOST_LOST_NS
    assert found.explained()
    assert _shown(run, image.number) < found.ticks[-found.new].seq, "a number was given twice"
    if restarted:
        assert found.restarted() or found.new == len(found.ticks)
        return Loss(0, 0)
    return found.loss()


def _durable_seq(run: RingRun, number: int) -> int:
    """What the recorder's last status before that moment calls durable."""
    said = [e for e in run.journal.entries[:number] if e.kind == Kind.BELL and e.data]
    return rig_pb2.RecorderStatus.FromString(bytes(said[-1].data)).durable_seq if said else 0


def _shown(run: RingRun, number: int) -> int:
    """The newest tick that a follower had been shown before that moment."""
    now = run.journal.entries[max(number - 1, 0)].time_ns
    return max((seq for seq, ns in run.shown.items() if ns < now), default=0)


def _lost_ns(run: RingRun, number: int, found: Found) -> int:
    """Age of the oldest tick that was captured before the cut and is not there, without the time for which
    the disk kept the recorder waiting.
    """
    now = run.journal.entries[max(number - 1, 0)].time_ns
    last = max(found.old[rings.PHYSICS], default=0)
    oldest = min((ns for seq, ns in run.captured.items() if seq > last), default=now)
    return max(now - oldest - run.journal.waited_ns(oldest, now), 0)


def _captured_ns(stream: bytes, value: bytes) -> int:
    if stream == rings.EVENTS:
        return event_pb2.Event.FromString(value).capture_time_ns
    return read_head(value).capture_time_ns
