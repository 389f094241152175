"""The power is cut between any two steps of the archive's own: each is done, or not begun."""

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.v1 import session_pb2
from rigd.store.commands import CommandQueue
from rigd.store.folder import LapFolder
from rigd.store.marks import Marks
from tests.faults.campaign import SEED, campaign, tries
from tests.faults.powercut.disk import Disk, cuts
from tests.faults.powercut.storing import BROKEN, GONE, KEPT, MARK, SESSION
from tests.faults.powercut.witness import Kind, Witness

DISKS = tries(1, 10)
"""Of every kind, after every step."""


class Found:
    """An archive after a power cut."""

    def __init__(self, data: Path, lap: bytes) -> None:
        self.data, self.store, self.lap = data, LapFolder(data / "laps"), lap

    def sessions(self) -> list[session_pb2.Session]:
        return list(self.store.sessions())

    def whole(self) -> None:
        """Whatever has a name is what it was meant to be."""
        assert all(self.store.path(lap).read_bytes() == self.lap for lap in self.store.laps())
        assert [session.track_name for session in self.sessions()] in ([], ["Meander Valley"])
        assert all(moment.note == "here" for moment in Marks(self.data).all())

    def _unbroken(self) -> bool:
        return self.store.path(BROKEN).exists() != (BROKEN in self.store.damaged())

    def _over(self) -> bool:
        return self.sessions()[0].status == session_pb2.SESSION_STATUS_COMPLETED

    def _deleted(self) -> bool:
        """It is to be deleted, also where its file is still there: the next archiver does it."""
        return GONE in self.store.tombstones(SESSION)

    def words(self) -> dict[str, Callable[[], bool]]:
        """What holds once a word was said. The one that is taken back is not here."""
        store = self.store
        return {
            "session": lambda: len(self.sessions()) == 1,
            f"written {KEPT}": lambda: store.path(KEPT).exists(),
            f"written {GONE}": lambda: store.path(GONE).exists() or self._deleted(),
            f"written {BROKEN}": self._unbroken,
            "synced": lambda: store.synced(KEPT),
            "deleted": self._deleted,
            "set aside": lambda: not store.path(BROKEN).exists(),
            "unpinned": lambda: not store.pinned(KEPT),
            "marked": lambda: Marks(self.data).get(MARK) is not None,
            "posted": lambda: len(CommandQueue(self.data).take()) == 1,
            "over": self._over,
        }


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    root = tmp_path / "disk"
    root.mkdir()
    seen = Witness(root, tmp_path)
    inode = os.stat(root).st_ino
    process = seen.start([sys.executable, "-m", "tests.faults.powercut.storing", str(root / "data")])
    assert process.wait(60) == 0
    assert os.stat(root).st_ino == inode
    return seen


def test_what_was_said_holds_after_every_step(witness: Witness, memory: Path) -> None:
    journal, chance = witness.journal(), random.Random(SEED)
    assert not journal.lapses()
    lap = LapFolder(witness.folder / "data/laps").path(KEPT).read_bytes()
    disk, said = Disk(witness.folder, os.stat(witness.folder).st_ino), set[str]()
    planned = DISKS * len(cuts(chance)) * len(journal.entries)
    with campaign("power cut, store: between any two steps", planned, "laps") as running:
        rounds = running.rounds()
        for entry in journal.entries:
            disk.see(entry)
            if entry.kind == Kind.BELL and entry.data:
                said.add(bytes(entry.data).decode())
            for cut in [cut for _ in range(DISKS) for cut in cuts(chance)]:
                next(rounds)
                disk.write(memory / "found", cut)
                found = Found(memory / "found/data", lap)
                found.whole()
                words = found.words()
                assert [word for word in said & words.keys() if not words[word]()] == [], (cut.name, entry)
                shutil.rmtree(memory / "found")
        assert next(rounds, None) is None
    assert said >= found.words().keys()
