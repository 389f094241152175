"""An archiver under watch while a race is recorded, a server that gives it orders, and a client that is told
when they are done.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import rigclient
from rig.errors import NotFound, Unavailable
from rigd.store.marks import Marks
from tests.archive.tape import START_NS
from tests.faults.powercut.disk import Disk
from tests.faults.powercut.witness import Journal, Witness
from tests.stage import events, free_port, scratch, until


class Promise(NamedTuple):
    """What a client was told."""

    kind: str
    """pinned, unpinned, deleted, marked, called."""
    name: str
    """Of the lap, of the mark, or of the rig itself."""
    size: int
    """Of the journal then: everything up to there had happened."""


@dataclass
class ArchiveRun:
    """What happened."""

    witness: Witness
    inode: int
    """Of the watched folder, which was empty."""
    promises: list[Promise] = field(default_factory=list)
    journal: Journal = field(init=False)
    laps: dict[str, bytes] = field(default_factory=dict)
    """Files of laps at the end, by session's folder and name."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.witness.folder / "data"

    def disk(self) -> Disk:
        """The disk at the beginning."""
        return Disk(self.witness.folder, self.inode)

    def start(self, program: str, *words: str) -> "subprocess.Popen[str]":
        """Start a program of rigd, or what stands in for it, under watch."""
        command = [sys.executable, "-m", program, *words]
        return self.witness.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def live(self, seconds: int, program: str) -> None:
        """Everything: a race of so many seconds, archived while it is driven, with orders on the way."""
        address = f"127.0.0.1:{free_port()}"
        data = ("--data", str(self.data))
        race = self.start("tests.faults.powercut.racing", str(self.data), str(seconds))
        daemons = [self.start(program, "archive", *data)]
        try:
            until((self.data / "ring/data.mdb").exists)
            daemons.append(self.start("rigd", "serve", *data, "--address", address))
            assert daemons[1].stdout is not None
            daemons[1].stdout.readline()
            with rigclient.connect(address) as rig:
                self._give_orders(rig)
            assert race.wait(60) == 0
            until(self._archived, seconds=180.0)
        finally:
            for process in (*daemons, race):
                process.terminate()
            for process in (*daemons, race):
                process.communicate()
        reindexing = self.start(program, "reindex", *data)
        reindexing.communicate(timeout=240)
        self.laps = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in self.files()}
        self.journal = self.witness.journal()

    def files(self) -> list[Path]:
        """Files of laps."""
        return sorted(self.data.glob("laps/*/[!.]*.lap"))

    def _give_orders(self, rig: rigclient.Rig) -> None:
        self.promises.append(Promise("called", rig.status().rig_id, self.witness.size))
        until(lambda: len(list(rig.laps())) >= 3)
        kept, freed, gone = sorted(lap.name for lap in rig.laps())[:3]
        self._order("pinned", kept, rig.pin)
        self._order("", freed, rig.pin)
        self._order("deleted", gone, rig.delete_lap)
        self._order("unpinned", freed, rig.unpin)
        mark = rig.mark(before_s=4.0, after_s=2.0, at=START_NS / 1e9 + 10.0)
        self.promises.append(Promise("marked", mark.name, self.witness.size))

    def _order(self, kind: str, name: str, give: Callable[[str], object]) -> None:
        until(lambda: _given(give, name), seconds=180.0)
        self.promises.append(Promise(kind, name, self.witness.size))

    def _archived(self) -> bool:
        """Whether every closed lap but the deleted one has its file, and the mark its excerpts."""
        closed = sum(event.HasField("lap_closed") for event in events(self.data))
        files = [path for path in self.files() if not path.name.startswith("mark-")]
        pending = list(Marks(self.data).pending())
        return len(files) == closed - 1 and not pending


def _given(give: Callable[[str], object], name: str) -> bool:
    """Whether an order was carried out. The archiver runs when nobody else does, and may not come to it."""
    try:
        give(name)
    except Unavailable:
        return False
    except NotFound:
        pass  # it was slow to finish, and had deleted it
    return True


@contextlib.contextmanager
def archive_run(seconds: int, program: str = "rigd") -> Iterator[ArchiveRun]:
    """A run that is over."""
    with tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as place:
        root = Path(place) / "disk"
        root.mkdir()
        run = ArchiveRun(Witness(root, Path(place)), os.stat(root).st_ino)
        run.live(seconds, program)
        yield run
