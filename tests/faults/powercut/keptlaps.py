"""What a power cut has left of an archive."""

import random
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from rig.errors import Corrupt
from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.archive.archiver import Archiver, Settings
from rigd.ring import RingReader
from rigd.serve.identity import identity
from rigd.store.folder import LapFolder
from rigd.store.index import Index
from rigd.store.marks import Marks
from rigd.store.naming import lap_name
from rigd.store.reindex import reindex
from rigd.store.store import Store
from tests.archive.tape import ROOMY
from tests.faults.powercut.archiverun import ArchiveRun, Promise
from tests.faults.powercut.disk import Cut, Disk, cuts
from tests.faults.powercut.witness import Journal, Kind


def archived(journal: Journal) -> dict[str, int]:
    """By the path of a lap's file: entries until the archiver held it archived.

    It lists a lap once its file is durable, so its first write after the file got its name is to the index.
    """
    found: dict[str, int] = {}
    named: dict[int, str] = {}
    for number, entry in enumerate(journal.entries):
        if entry.kind == Kind.RENAME and entry.name.endswith(".lap"):
            named[entry.thread] = entry.name.split("\0")[1]
        elif entry.kind == Kind.WRITE and entry.thread in named:
            found[named.pop(entry.thread)] = number + 1
    return found


class Image:
    """A data directory after a power cut. Its questions fail where something is not as it must be."""

    def __init__(self, run: ArchiveRun, disk: Disk, folder: Path, cut: Cut) -> None:
        self.run, self.number = run, disk.number
        self.folder, self.data = folder, folder / "data"
        self.store = LapFolder(self.data / "laps")
        disk.write(folder, cut)

    def files_are_whole(self) -> None:
        """Every file that has a lap's name is that lap, to the last bit."""
        for path in self.data.glob("laps/*/[!.]*.lap"):
            file = f"{path.parent.name}/{path.name}"
            data = path.read_bytes()
            assert data == self.run.laps.get(file, data), file
            try:
                LapFile(data).verify()
            except Corrupt as error:
                raise AssertionError(
                    f"{file}, {len(data)} bytes, before entry {self.number}: {error}"
                ) from error

    def what_was_archived_is_there(self) -> None:
        """The archiver was done with these."""
        for path, number in archived(self.run.journal).items():
            file = str(Path(path).relative_to(self.run.data / "laps"))
            if number <= self.number and file in self.run.laps:
                assert (self.data / "laps" / file).exists(), f"{file} was archived"

    def the_position_is_true(self) -> None:
        """The index does not say that something is done which is not."""
        store = Store.open(self.data)
        ring, _, position = (store.index.meta("position") or " 0").partition(" ")
        store.close()
        assert ring in ("", self._ring[0])
        for seq, lap in self._closed(int(position)):
            assert self.store.settled(lap), f"{lap}, event {seq}, is behind the position {position}"

    def everything_is_archived(self) -> None:
        """Every lap that the ring calls closed has its file, or was deleted. Files say what they said."""
        for _, lap in self._closed():
            assert self.store.settled(lap), lap
        for lap in self.store.laps():
            path = self.store.path(lap)
            truth = self.run.laps.get(f"{path.parent.name}/{path.name}")
            assert truth is None or said(LapFile.open(path)) == said(LapFile(truth)), lap
        assert not list(self.store.damaged())

    def the_index_is_that_of_the_folder(self, index: Index) -> None:
        """What is listed is what lies there."""
        listed = {kept.name: kept.pinned for kept in index.laps_by_age()}
        assert listed == {lap: self.store.pinned(lap) for lap in self.store.laps()}

    def promises_are_kept(self, index: Index) -> None:
        """What a client was told before the power was cut."""
        for promise in self._promises():
            match promise.kind:
                case "pinned" | "unpinned":
                    lap = index.lap(promise.name)
                    assert lap is not None
                    assert lap.pinned == (promise.kind == "pinned"), promise
                case "deleted":
                    assert not self.store.path(promise.name).exists(), promise
                    assert promise.name in self.store.tombstones(promise.name.partition("/laps/")[0]), promise
                case "called":
                    assert identity(self.data) == promise.name
                case "marked":
                    assert Marks(self.data).get(promise.name.removeprefix("marks/")) is not None, promise

    def _promises(self) -> list[Promise]:
        """The last word on each lap."""
        size = self.run.journal.ends[self.number - 1] if self.number else 0
        return list({p.name: p for p in self.run.promises if p.size <= size}.values())

    def _closed(self, until: int = 1 << 62) -> Iterator[tuple[int, str]]:
        """Event and name of the laps that the ring calls closed up to some event."""
        ring, events = self._ring
        known = {s.ring_session: s.name for s in self.store.sessions() if s.ring == ring}
        for event in events:
            if event.seq <= until:
                yield event.seq, lap_name(known[event.session], event.lap_closed.lap)

    @cached_property
    def _ring(self) -> tuple[str, list[event_pb2.Event]]:
        """Name of the ring, and what it says of closed laps."""
        if not (self.data / "ring/data.mdb").exists():
            return "", []
        ring = RingReader(self.data / "ring")
        try:
            rows = ring.read(rings.EVENTS, 0, 1 << 30, 1 << 40)
            events = [event_pb2.Event.FromString(data) for _, data in rows]
            return ring.id.hex(), [event for event in events if event.HasField("lap_closed")]
        finally:
            ring.close()


def said(lap: LapFile) -> dict[Any, bytes]:
    """All columns of a lap file."""
    with lap:
        return {
            (section, name): values.tobytes()
            for section in (SAMPLES, SCORINGS)
            for name, values in lap.columns((), section).items()
        }


def examine(image: Image) -> None:
    """Look at what is found, have an archiver go on with it, and look again."""
    image.files_are_whole()
    image.what_was_archived_is_there()
    image.the_position_is_true()
    archiver = Archiver(Settings(image.data, ROOMY))
    try:
        while archiver.turn():
            pass
        assert not archiver.trouble
        image.everything_is_archived()
        image.the_index_is_that_of_the_folder(archiver.store.index)
        image.promises_are_kept(archiver.store.index)
    finally:
        archiver.close()
    tally = reindex(image.data)
    assert (tally.damaged, tally.foreign) == (0, [])


def images(
    run: ArchiveRun, folder: Path, chance: random.Random, moments: int, since: int = 0
) -> Iterator[list[Image]]:
    """The disks that may be found after the power was cut at so many moments, without those before entry
    `since`.
    """
    disk = run.disk()
    chosen = {moment for moment in run.journal.moments(chance, moments) if moment >= since}
    for entry in [*run.journal.entries, None]:
        if disk.number in chosen:
            kinds = cuts(chance)
            yield [Image(run, disk, folder / f"{disk.number} {cut.name}", cut) for cut in kinds]
        if entry is not None:
            disk.see(entry)
