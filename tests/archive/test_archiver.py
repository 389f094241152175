"""The archiver: what is there after it, whatever happened to it on the way."""

import sqlite3
import time
from pathlib import Path

import lmdb
import pytest

from rig.errors import Busy, ForeignCursor, RingMissing
from rig.lapfile import SAMPLES, SCORINGS, LapFile, pack
from rig.v1 import event_pb2, session_pb2
from rigd.archive.archiver import Archiver, Settings, archive
from rigd.gather.gather import gather
from rigd.ring import Lock, RingReader
from rigd.store.commands import CommandQueue
from tests.archive.tape import ROOMY, START_NS, Tape, drained, files
from tests.rig.laps import same

RACE_S = 60.0


def test_every_closed_lap_has_its_file(tape: Tape) -> None:
    tape.drive(RACE_S)
    tape.finish()
    closed = tape.closed()
    archiver = drained(tape.archiver())
    assert archiver.archived == len(closed) == len(files(tape.data))
    for lap in closed:
        name = f"car{lap.car:03d}-{lap.index:04d}.lap"
        (path,) = tape.data.glob(f"laps/*/{name}")
        with LapFile.open(path) as file:
            file.verify()
            assert file.header.lap.lap_time == lap.lap_time
            assert archiver.store.index.lap(file.header.lap.name) is not None
    archiver.close()


def test_files_hold_what_laps_that_are_packed_alone_hold(archived: Path) -> None:
    """The archiver learns codings from lap to lap, which changes blocks and no number."""
    ring, learned, sizes = RingReader(archived / "ring"), 0, [0, 0]
    for path in sorted(archived.glob("laps/*/[!.]*.lap")):
        with LapFile.open(path) as file:
            (gathered,) = gather(ring, [file.header.lap], file.header.session)
            alone = pack(*gathered)
            for section in (SAMPLES, SCORINGS):
                assert same(file.columns(section=section), LapFile(alone).columns(section=section))
            learned += list(file.header.columns) != list(LapFile(alone).header.columns)
            sizes[0] += path.stat().st_size
            sizes[1] += len(alone)
    ring.close()
    assert learned >= 3
    assert sizes[0] < 1.01 * sizes[1]


def test_a_session_is_recording_until_it_has_ended(tape: Tape) -> None:
    tape.drive(RACE_S)
    archiver = drained(tape.archiver())
    (session,) = archiver.store.folder.sessions()
    assert session.status == session_pb2.SESSION_STATUS_RECORDING
    assert session.source == session_pb2.SESSION_SOURCE_DEMO
    archiver.close()
    tape.resume()
    tape.finish()
    archiver = drained(tape.archiver())
    (session,) = archiver.store.folder.sessions()
    assert session.status == session_pb2.SESSION_STATUS_COMPLETED
    assert session.end_time_ns >= session.start_time_ns
    archiver.close()


def test_one_that_comes_a_day_later_finds_everything(tape: Tape) -> None:
    tape.drive(RACE_S)
    drained(tape.archiver()).close()
    before = files(tape.data)
    tape.resume()
    tape.drive(RACE_S)
    tape.finish()
    archiver = drained(tape.archiver())
    assert {name: data for name, data in files(tape.data).items() if name in before} == before
    assert len(files(tape.data)) > len(before)
    archiver.close()


def test_a_deleted_lap_does_not_come_back(archived: Path) -> None:
    archiver = Archiver(Settings(archived, ROOMY))
    lap = next(iter(archiver.store.folder.laps()))
    queue = CommandQueue(archived)
    command = queue.post("delete", lap)
    archiver.turn()
    assert queue.settled(command)
    assert not archiver.store.folder.path(lap).exists()
    archiver.close()
    (archived / "index.sqlite").unlink()
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    assert archiver.store.index.lap(lap) is None
    assert not archiver.store.folder.path(lap).exists()
    archiver.close()


def test_a_deletion_cut_short_is_finished_at_the_next_start(archived: Path) -> None:
    archiver = Archiver(Settings(archived, ROOMY))
    lap = next(iter(archiver.store.folder.laps()))
    archiver.store.folder.add_tombstone(lap, {"why": "deleted on request"})  # and then the power went
    archiver.close()
    archiver = Archiver(Settings(archived, ROOMY))
    assert not archiver.store.folder.path(lap).exists()
    assert archiver.store.index.lap(lap) is None
    archiver.close()


def test_a_session_whose_start_is_gone_is_described_by_its_scoring(tape: Tape) -> None:
    tape.drive(RACE_S)
    with tape.ring.env.begin(write=True) as txn:
        cursor = txn.cursor(tape.ring.dbs[b"events"])
        cursor.first()
        while not event_pb2.Event.FromString(cursor.value()).HasField("lap_closed"):
            cursor.delete()
    archiver = drained(tape.archiver())
    (session,) = archiver.store.folder.sessions()
    assert session.track_name == tape.race.circuit.name
    assert session.source == session_pb2.SESSION_SOURCE_DEMO
    archiver.close()


def test_a_lap_without_samples_is_as_old_as_it_is(tape: Tape) -> None:
    tape.drive(RACE_S)
    with tape.ring.env.begin(write=True) as txn:
        txn.drop(tape.ring.dbs[b"physics"], delete=False)
    archiver = drained(tape.archiver())
    ages = [kept.start_time_ns for kept in archiver.store.index.laps_by_age()]
    assert ages
    assert min(ages) > START_NS
    archiver.close()


def test_a_second_archiver_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigd.archive.archiver.yield_to_others", lambda _: None)  # the tests do not
    lock = Lock(tmp_path / "laps.lock", "laps are archived")
    with pytest.raises(Busy, match="laps are archived by process"):
        archive(Settings(tmp_path), lambda _: True)
    lock.release()


def test_without_a_ring_it_waits(tmp_path: Path) -> None:
    archiver = Archiver(Settings(tmp_path, ROOMY))
    assert not archiver.turn()
    assert not archiver.trouble
    archiver.close()


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(28, "No space left on device"),
        OSError(30, "Read-only file system"),
        sqlite3.OperationalError("database is locked"),
        lmdb.Error("input/output error"),
        RingMissing("there is no ring"),
        ForeignCursor("of another ring"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_it_goes_on_after_trouble(driven: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    """It took no further turn after its first trouble."""
    monkeypatch.setattr("rigd.archive.archiver._RETRY_S", 0.01)
    archiver = Archiver(Settings(driven, ROOMY))
    work, turns = archiver._work, iter(range(1000))

    def refused() -> bool:
        if next(turns) in (1, 2, 4):
            raise refusal
        return work()

    monkeypatch.setattr(archiver, "_work", refused)
    seen: set[str] = set()

    def stop(seconds: float) -> bool:
        seen.add(archiver.trouble)
        time.sleep(min(seconds, 0.01))
        return next(turns) > 60 and not archiver.trouble

    archiver.run(stop)
    assert seen == {"", str(refusal)}
    assert archiver.archived == len(files(driven)) > 0
    archiver.close()


def test_a_mistake_of_ours_ends_it(driven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archiver = Archiver(Settings(driven, ROOMY))
    monkeypatch.setattr(archiver, "_work", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        archiver.run(lambda _: False)
    archiver.close()


def test_one_that_finds_trouble_at_its_start_begins_when_it_ends(tmp_path: Path) -> None:
    (tmp_path / "laps").write_text("in the way")
    tries: list[float] = []

    def stop(seconds: float) -> bool:
        tries.append(seconds)
        if len(tries) == 2:
            (tmp_path / "laps").unlink()
        return len(tries) == 4

    assert archive(Settings(tmp_path, ROOMY), stop) == 0
    assert (tmp_path / "laps").is_dir()
