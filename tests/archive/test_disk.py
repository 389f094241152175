"""What a disk that is full, harmed or moved away does to the archiver: nothing for long."""

import resource
import shutil
from pathlib import Path

import pytest

from rig.lapfile import LapFile
from rig.v1 import event_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.retention import Limits
from rigd.losses.journal import LossJournal
from rigd.ring import RingWriter
from rigd.store.held import RESERVE_BYTES
from tests.archive.tape import ROOMY, drained, files

LIMIT = 256 << 20


def test_half_written_files_are_swept_away(archived: Path) -> None:
    (folder,) = archived.glob("laps/*/")
    half = folder / ".writing-car000-0001.lap"
    half.write_bytes(b"half")
    Archiver(Settings(archived, ROOMY)).close()
    assert not half.exists()


@pytest.mark.parametrize("limit", [0, 5_000, 60_000])
def test_a_disk_that_refuses_leaves_no_half_file_and_is_asked_again(
    driven: Path, archived_race: Path, limit: int
) -> None:
    archiver = Archiver(Settings(driven, ROOMY))
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, kept[1]))
    try:
        archiver.turn()
        assert archiver.trouble
        assert not list(driven.glob("laps/*/.writing-*"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    for data in files(driven).values():
        LapFile(data).verify()
    drained(archiver).close()
    assert files(driven) == files(archived_race)


def test_a_disk_too_full_even_to_delete_is_no_end(archived: Path) -> None:
    limits = Limits(min_free_bytes=0, hard_floor_bytes=1 << 60)
    archiver = Archiver(Settings(archived, limits))
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, kept[1]))
    try:
        archiver.turn()
        assert archiver.trouble
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert files(archived)
    archiver.turn()
    assert not files(archived)
    archiver.close()


def test_room_is_held_for_deleting_and_given_up_when_the_disk_is_full(archived: Path) -> None:
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    reserve = archived / "laps/.reserve"
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    archiver.store.folder.give_reserve()
    assert not reserve.exists()
    archiver.close()


@pytest.mark.parametrize("stream", [b"events", b"scoring", b"physics"])
def test_a_record_that_the_disk_has_spoiled_is_corrupt(driven: Path, stream: bytes) -> None:
    ring = RingWriter(driven / "ring", LIMIT)
    with ring.env.begin(write=True) as txn:
        for seq in range(1, ring.spans()[stream].last + 1):
            txn.put(seq.to_bytes(8, "big"), b"\xff" * 20, db=ring.dbs[stream])
    ring.close()
    archiver = Archiver(Settings(driven, ROOMY))
    while archiver.turn():
        pass
    assert archiver.trouble, "it says so, and lives"
    archiver.close()


def test_a_spoiled_event_is_passed_over_and_missing(driven: Path) -> None:
    """It kept all laps after it from being archived."""
    ring = RingWriter(driven / "ring", LIMIT)
    with ring.env.begin(write=True) as txn:
        txn.put((3).to_bytes(8, "big"), b"\xff" * 20, db=ring.dbs[b"events"])
    ring.close()
    archiver = drained(Archiver(Settings(driven, ROOMY)))
    assert archiver.archived > 0
    (session,) = archiver.store.folder.sessions()
    account = LossJournal(archiver.store.folder.journal_path(session.name), session.name).account
    assert account.losses(event_pb2.STREAM_EVENTS).missing == 1
    archiver.close()


def test_a_folder_that_was_moved_away_is_waited_for(archived: Path) -> None:
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    (archived / "laps").rename(archived / "away")
    archiver.turn()
    assert "laps" in archiver.trouble
    assert not (archived / "laps").exists(), "nothing may keep it from coming back"
    (archived / "away").rename(archived / "laps")
    drained(archiver)
    shutil.rmtree(archived / "laps")
    drained(archiver)
    assert archiver.store.index.count() == len(files(archived)) > 0, "deleted is not moved: the ring has them"
    archiver.close()
