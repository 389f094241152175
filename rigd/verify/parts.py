"""The two parts of a check: the ring by itself, which may end the process that reads it, and all the rest."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import lmdb

from rig.errors import Corrupt, RingMissing
from rig.v1 import rig_pb2
from rigd.ring import RingReader
from rigd.store.folder import LapFolder
from rigd.store.heartbeat import heard
from rigd.store.index import IndexReader
from rigd.verify.finding import finding
from rigd.verify.foreign import foreign, foreign_files
from rigd.verify.indexwalk import IndexWalk
from rigd.verify.journalwalk import JournalWalk
from rigd.verify.lapwalk import LapWalk
from rigd.verify.ringwalk import RingWalk
from rigd.verify.sessionwalk import SessionWalk, readable_sessions
from rigd.verify.truthwalk import TruthWalk
from rigd.verify.walk import Findings, Progress, twice

_UNREADABLE: Final = frozenset({"ring-unreadable", "ring-disordered", "record-malformed", "record-misplaced"})
"""Findings after which nothing is compared with the ring."""


def check_ring(data: Path, progress: Progress) -> Findings:
    """Check the ring by itself; nothing when there is none."""
    if not (data / "ring/data.mdb").exists():
        return
    try:
        with contextlib.closing(RingReader(data / "ring")) as ring:
            yield from RingWalk(ring, progress).walk()
    except (Corrupt, RingMissing, lmdb.Error) as error:
        yield finding("ring-unreadable", "ring", str(error))


def trusted(findings: Iterable[rig_pb2.Finding]) -> bool:
    """Return whether the ring, of which this was found, can be read for what it says."""
    return not _UNREADABLE & {found.kind for found in findings}


def check_rest(data: Path, deep: bool, with_ring: bool, progress: Progress) -> Findings:
    """Check folders, journals, laps and index; `with_ring` also against the ring, `deep` with all laps."""
    busy, index = heard(data) is not None, None
    table = IndexWalk(data)
    if wrong := table.trouble():
        yield wrong
    else:
        index = IndexReader(table.path)
        yield from twice("index", [table], IndexWalk.walk, progress, busy)
    folders, laps = SessionWalk(data, index), LapWalk(data, index)
    yield from twice("sessions", folders.names(), folders.check, progress, busy)
    yield from twice("marks and commands", foreign_files(data), foreign, progress, busy)
    journals = JournalWalk(data, index)
    yield from twice(
        "loss journals", readable_sessions(LapFolder(data / "laps")), journals.check, progress, busy
    )
    yield from twice("laps", laps.names(), laps.check, progress, busy)
    if with_ring and (data / "ring/data.mdb").exists():
        with contextlib.closing(RingReader(data / "ring")) as ring:
            yield from _against_ring(data, ring, index, deep, progress)


def _against_ring(
    data: Path, ring: RingReader, index: IndexReader | None, deep: bool, progress: Progress
) -> Findings:
    """Yield what is archived against what the ring still has of it."""
    busy, truth = heard(data) is not None, TruthWalk(data, ring, index)
    yield from twice("loss journals and ring", [ring], JournalWalk(data, index).compare, progress, busy)
    yield from twice("index and ring", [ring], truth.check_position, progress, busy)
    yield from twice("laps and events", truth.closed(), truth.check, progress, busy)
    yield from twice("laps and samples", truth.held(deep), truth.compare, progress, busy)
