"""Laps of other programs in a rig that records: placed by the archiver alone, with corners, and in
retention.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rig.errors import NotFound, RigError
from rig.lapfile import SCORINGS, LapFile, pack
from rig.v1 import analysis_pb2, archive_pb2, laps_pb2, rig_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.retention import Limits
from rigd.serve.analysis.lapanalysis import LapAnalysis
from rigd.serve.losses import Losses
from rigd.store.commands import CommandQueue
from rigd.store.corners import read_corners
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader
from rigd.store.store import index_path
from rigd.store.viewer import EVERYTHING
from rigd.verify.parts import check_rest
from tests.archive.tape import ROOMY, drained
from tests.archive.test_corners import _archive
from tests.archive.test_corners import raced as raced
from tests.stage import until
from tests.store import import_laps

DAY_NS = 86_400 * 1_000_000_000
KILLED_AT = (1, 7, 15)
IMPORTS = 24


@pytest.fixture
def queue(raced: Path) -> Iterator[CommandQueue]:
    made = CommandQueue(raced)
    yield made
    made.close()


def bring(queue: CommandQueue, data: bytes) -> str:
    """Ask for a lap to be placed, as a server does."""
    header = LapFile(data).header
    command = queue.new_id()
    queue.upload(command).write_bytes(data)
    queue.post_import(command, header.lap.name, header.session, user="", replaces=False)
    return header.lap.name


def again(data: Path) -> bytes:
    """The best lap of the race as another program's file: the same samples, of years ago."""
    reader = IndexReader(index_path(data))
    request = laps_pb2.ListLapsRequest(
        parent="sessions/-", filter=laps_pb2.LapFilter(valid=True), order_by="lap_time", page_size=1
    )
    (best,) = reader.list_laps(request).laps
    with LapFile.open(LapFolder(data / "laps").path(best.name)) as file:
        columns, updates = file.columns(), file.columns(section=SCORINGS)
        lap = import_laps.lap(1, track_name=best.track_name, track_length=best.track_length)
        lap.samples, lap.scorings, lap.number = file.header.samples, file.header.scorings, 1
        lap.lap_time = best.lap_time
        header = archive_pb2.LapHeader(lap=lap, session=import_laps.session(track_name=best.track_name))
        return pack(header, columns, updates, plain=True)


def wrong(data: Path) -> list[rig_pb2.Finding]:
    return list(check_rest(data, deep=False, with_ring=True, progress=lambda *_: None))


def test_it_has_corners_like_any_other(raced: Path, queue: CommandQueue) -> None:
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    name = bring(queue, again(raced))
    timed = bring(queue, import_laps.file(import_laps.lap(2)))
    failed = archiver._corners.failed
    drained(archiver)
    kept = read_corners(archiver.store.folder.corners_path(name))
    assert kept is not None
    assert kept[0].corners
    assert read_corners(archiver.store.folder.corners_path(timed)) is None
    assert archiver._corners.failed == failed, "times alone are no trouble"
    archiver.store.index.check()
    archiver.close()
    assert wrong(raced) == []


def test_a_lap_of_times_alone_says_why_it_has_no_corners_and_is_no_reference(
    raced: Path, queue: CommandQueue
) -> None:
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    sampled = again(raced)
    like = LapFile(sampled).header.lap
    fast = import_laps.lap(2, lap_time=1.0, track_name=like.track_name, track_length=like.track_length)
    timed, name = bring(queue, import_laps.file(fast)), bring(queue, sampled)
    drained(archiver).close()
    laps = LapAnalysis(raced)
    assert not laps.list_corners(analysis_pb2.ListCornersRequest(lap=timed), EVERYTHING).corners
    with pytest.raises(RigError):
        laps.compare(analysis_pb2.CompareLapsRequest(laps=[name, timed]), EVERYTHING)
    with pytest.raises(NotFound, match="no other clean lap"):
        laps.coach(analysis_pb2.CoachRequest(lap=name), EVERYTHING)


def test_retention_counts_from_when_it_came(raced: Path, queue: CommandQueue) -> None:
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    names = [bring(queue, import_laps.file(import_laps.lap(index, valid=False))) for index in (1, 2)]
    drained(archiver)
    folder, retention = archiver.store.folder, archiver._retention
    retention.adopt(Limits(max_age_s=30 * 86_400, min_free_bytes=0, hard_floor_bytes=0))
    assert [one.lap.name for one in retention.enforce() if one.lap.name in names] == []
    long_ago = folder.written_ns(names[0]) - 31 * DAY_NS
    os.utime(folder.path(names[0]), ns=(long_ago, long_ago))
    assert names[0] in [one.lap.name for one in retention.enforce()]
    long_ago = folder.written_ns(names[1]) - 31 * DAY_NS
    os.utime(folder.path(names[1]), ns=(long_ago, long_ago))
    assert [one.lap.name for one in retention.enforce()] == [names[1]]
    assert archiver.store.index.session(import_laps.SESSION) is None
    archiver.close()


def test_what_no_warehouse_has_is_as_old_as_what_was_recorded(raced: Path, queue: CommandQueue) -> None:
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    count, since = archiver.store.index.unsynced()
    bring(queue, import_laps.file(import_laps.lap(1)))
    drained(archiver)
    assert archiver.store.index.unsynced() == (count + 1, since)
    archiver.close()


def test_its_session_has_no_losses_and_is_not_the_newest(raced: Path, queue: CommandQueue) -> None:
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    bring(queue, import_laps.file(import_laps.lap(1)))
    drained(archiver).close()
    losses = Losses(raced)
    assert losses.answer(rig_pb2.GetLossesRequest(), None).session != import_laps.SESSION
    with pytest.raises(NotFound, match="it was imported"):
        losses.answer(rig_pb2.GetLossesRequest(session=import_laps.SESSION), None)


def test_an_archiver_without_a_ring_places_it_as_well(tmp_path: Path) -> None:
    archiver, queue = Archiver(Settings(tmp_path, ROOMY)), CommandQueue(tmp_path)
    name = bring(queue, import_laps.file(import_laps.lap(1)))
    drained(archiver)
    assert archiver.store.index.lap(name) is not None
    archiver.close()
    queue.close()


def _placed(data: Path, wanted: int) -> bool:
    return len(list(data.glob("laps/*import*/*.lap"))) >= wanted


def test_an_archiver_that_is_killed_again_and_again_places_them_all(raced: Path, queue: CommandQueue) -> None:
    files = [import_laps.file(import_laps.lap(index)) for index in range(1, IMPORTS + 1)]
    names = [bring(queue, data) for data in files]
    spawn = multiprocessing.get_context("spawn")
    for wanted in KILLED_AT:
        process = spawn.Process(target=_archive, args=(raced,))
        process.start()
        try:
            until(partial(_placed, raced, wanted))
        finally:
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    folder, index = archiver.store.folder, archiver.store.index
    assert [folder.path(name).read_bytes() for name in names] == files
    assert [getattr(index.lap(name), "digest", "") for name in names] == [
        LapFile(data).digest for data in files
    ]
    index.check()
    archiver.close()
    # Killed between its command and itself, an upload stays until somebody looks for those that are old.
    left = list((raced / "inbox").iterdir())
    assert {path.suffix for path in left} <= {".upload"}
    for path in left:
        os.utime(path, (0, 0))
    queue.sweep()
    assert not list((raced / "inbox").iterdir())
    assert wrong(raced) == []
