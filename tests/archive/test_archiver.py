"""The archiver: what is there after it, whatever happened to it on the way."""

import json
import resource
import shutil
import sqlite3
import time
from pathlib import Path

import lmdb
import pytest

from rig.errors import Busy, ForeignCursor, NotFound, RingMissing
from rig.lapfile import SAMPLES, SCORINGS, LapFile, pack
from rig.v1 import event_pb2, laps_pb2, session_pb2
from rigd.archive.archiver import Archiver, Settings, archive
from rigd.archive.retention import Limits
from rigd.gather.gather import gather
from rigd.losses.journal import LossJournal
from rigd.ring import Lock, RingReader, RingWriter
from rigd.store.commands import CommandQueue
from rigd.store.folder import RESERVE_BYTES, LapFolder
from rigd.store.heartbeat import Heartbeat
from rigd.store.index import Index
from rigd.store.marks import Marks
from rigd.store.reindex import reindex
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import ROOMY, SECOND_NS, START_NS, Tape, drained
from tests.rig.laps import same

RACE_S = 60.0
LIMIT = 256 << 20


def files(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(data.glob("laps/*/[!.]*.lap"))}


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


def test_without_its_position_it_does_nothing_twice(archived: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in archived.glob("laps/*/[!.]*.lap")}
    (archived / "index.sqlite").unlink()
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    assert archiver.archived == 0
    assert {path: path.stat().st_mtime_ns for path in archived.glob("laps/*/[!.]*.lap")} == before
    assert len(list(archiver.store.index.laps_by_age())) == len(before)
    archiver.close()


def test_half_written_files_are_swept_away(archived: Path) -> None:
    (folder,) = archived.glob("laps/*/")
    half = folder / ".writing-car000-0001.lap"
    half.write_bytes(b"half")
    Archiver(Settings(archived, ROOMY)).close()
    assert not half.exists()


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


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_file_is_set_aside_and_listed(archived: Path, harm: str) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 4
    path.write_bytes({"cut": bytes(data[:-7]), "flip": bytes(data), "empty": b""}[harm])
    tally = reindex(archived)
    assert tally.damaged == 1
    index = Index(archived / "index.sqlite")
    lap = index.lap(f"sessions/{path.parent.name}/laps/{path.stem}")
    assert lap is not None
    assert lap.damage
    index.close()
    assert not path.exists()
    assert path.with_name(path.name + ".damaged").exists()


def restarted(data: Path) -> Archiver:
    """One that has looked at everything, and done what there was to do."""
    return drained(Archiver(Settings(data, ROOMY)))


def test_pins_that_the_index_forgot_are_found_again(archived: Path) -> None:
    """Its last words may be lost with the power. Retention asks the index."""
    store = LapFolder(archived / "laps")
    pinned, aside, *_ = store.laps()
    store.pin(pinned, True)
    store.sync(pinned)
    store.set_aside(aside)
    archiver = restarted(archived)
    assert {kept.name for kept in archiver.store.index.laps_by_age() if kept.pinned and kept.synced} == {
        pinned
    }
    lap = archiver.store.index.lap(aside)
    assert lap is not None
    assert "was set aside" in lap.damage
    assert lap.driver
    store.pin(pinned, False)
    archiver.close()
    archiver = restarted(archived)
    assert not any(kept.pinned for kept in archiver.store.index.laps_by_age())
    archiver.close()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"name": "sessions/another"}', None])
def test_a_session_that_cannot_be_read_is_what_its_laps_say(archived: Path, content: bytes | None) -> None:
    (path,) = archived.glob("laps/*/session.json")
    before = next(LapFolder(archived / "laps").sessions())
    path.unlink() if content is None else path.write_bytes(content)
    archiver = restarted(archived)
    (session,) = archiver.store.folder.sessions()
    assert (session.name, session.track_name) == (before.name, before.track_name)
    assert archiver.store.index.session(session.name) is not None
    archiver.close()
    assert [found.read_bytes() for found in reindex(archived).aside] == ([] if content is None else [content])


def test_a_flipped_bit_among_the_gone_deletes_no_other_lap(archived: Path) -> None:
    store = LapFolder(archived / "laps")
    gone, neighbour, *_ = store.laps()
    store.add_tombstone(gone, {"why": "deleted on request"})
    store.delete(gone)
    path = store.path(gone).with_name("gone.jsonl")
    path.write_bytes(path.read_bytes().replace(gone.encode(), neighbour.encode()))
    restarted(archived).close()
    assert store.path(neighbour).exists()
    assert len(reindex(archived).aside) == 1


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE lap SET start_ns = 1",
        "UPDATE lap SET bytes = bytes + 1",
        "UPDATE seat SET bytes = 1 << 50",
        "UPDATE seat SET driver = 'z' WHERE id = 1",
        "UPDATE message SET lap_message = substr(lap_message, 2)",
        "UPDATE session SET start_ns = 1",
        "DELETE FROM message",
        "PRAGMA writable_schema = 1; DELETE FROM sqlite_master WHERE name = 'lap_by_age'",
    ],
)
def test_an_index_that_differs_from_itself_is_made_anew(archived: Path, harm: str) -> None:
    """Laps would be deleted for what it says."""
    index = Index(archived / "index.sqlite")
    before = [index.lap(kept.name) for kept in index.laps_by_age()]
    index._db.executescript(harm)
    index.close()
    archiver = restarted(archived)
    assert [archiver.store.index.lap(kept.name) for kept in archiver.store.index.laps_by_age()] == before
    archiver.close()


def test_a_position_that_is_not_what_was_written_is_none(archived: Path) -> None:
    """Else laps that were never archived would be passed over."""
    index = Index(archived / "index.sqlite")
    index._db.execute("UPDATE meta SET value = value || '0'")
    assert index.meta("position") is None
    index.close()


def test_an_index_that_breaks_under_the_archiver_is_made_anew(archived: Path) -> None:
    archiver = restarted(archived)
    listed = archiver.store.index.count()
    archiver.store.index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = archived / "index.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    archiver.store.index._db.execute("PRAGMA shrink_memory")
    archiver._heartbeat = Heartbeat(archived)  # its word is due: it counts the laps
    assert archiver.turn()
    assert "made anew" in archiver.trouble
    drained(archiver)
    assert archiver.store.index.count() == listed
    archiver.close()


def test_an_index_made_anew_says_the_same(archived: Path) -> None:
    index = Index(archived / "index.sqlite")
    before = [index.lap(lap.name) for lap in index.laps_by_age()]
    index.close()
    steps: list[int] = []
    tally = reindex(archived, lambda done, _: steps.append(done))
    index = Index(archived / "index.sqlite")
    assert [index.lap(lap.name) for lap in index.laps_by_age()] == before
    index.close()
    assert (tally.laps, tally.damaged) == (len(before), 0)
    assert steps == list(range(len(before) + 1))


def test_a_copied_file_under_another_name_is_not_believed(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    shutil.copy(path, path.with_name("car077-0001.lap"))
    assert reindex(archived).damaged == 1


def test_a_marked_moment_is_kept_for_all_cars_and_pinned(tape: Tape) -> None:
    tape.drive(30.0)
    marks = Marks(tape.data)
    marks.put(moment("late", at_s=20.0, before_s=5.0, after_s=3.0))
    marks.put(moment("overlapping", at_s=18.0, before_s=4.0, after_s=6.0, cars=[int(tape.race.field.ids[0])]))
    marks.put(moment("before", at_s=-100.0, before_s=5.0, after_s=1.0))
    archiver = drained(tape.archiver())
    late, overlapping, before = (marks.get(name) for name in ("late", "overlapping", "before"))
    assert late is not None
    assert late.status == laps_pb2.MOMENT_STATUS_KEPT
    assert len(late.laps) == 3
    for name in late.laps:
        with LapFile.open(archiver.store.folder.path(name)) as file:
            clock = file.column("elapsed_time")
            assert abs(clock[0] - 15.0) < 0.05
            assert abs(clock[-1] - 23.0) < 0.05
            assert file.header.lap.driver
        listed = archiver.store.index.lap(name)
        assert listed is not None
        assert listed.pinned
    assert overlapping is not None
    assert len(overlapping.laps) == 1
    assert before is not None
    assert before.status == laps_pb2.MOMENT_STATUS_LOST
    archiver.close()


def moment(
    name: str, at_s: float, before_s: float, after_s: float, cars: list[int] | None = None
) -> laps_pb2.Moment:
    return laps_pb2.Moment(
        name=f"marks/{name}",
        time_ns=START_NS + int(at_s * SECOND_NS),
        before_s=before_s,
        after_s=after_s,
        cars=cars or [],
        status=laps_pb2.MOMENT_STATUS_PENDING,
    )


def test_an_excerpt_that_was_written_and_not_yet_pinned_is_pinned_by_the_next_archiver(tape: Tape) -> None:
    tape.drive(30.0)
    marks = Marks(tape.data)
    marks.put(moment("one", at_s=20.0, before_s=5.0, after_s=3.0))
    archiver = drained(tape.archiver())
    kept = marks.get("one")
    assert kept is not None
    archiver.store.pin(kept.laps[0], pinned=False)  # as after a kill between the two
    kept.status = laps_pb2.MOMENT_STATUS_PENDING
    marks.put(kept)
    archiver.close()
    archiver = drained(Archiver(Settings(tape.data, ROOMY)))
    assert archiver.store.folder.pinned(kept.laps[0])
    archiver.close()


def test_an_excerpt_of_the_rigs_own_car_is_whose_who_was_in_the_seat_all_along(tape: Tape) -> None:
    tape.player = int(tape.race.field.ids[0])
    tape.sit("ann")
    tape.drive(15.0)
    tape.sit("bob")
    tape.drive(15.0)
    marks = Marks(tape.data)
    for name, at_s in (("ann", 8.0), ("both", 15.0), ("bob", 24.0)):
        marks.put(moment(name, at_s=at_s, before_s=4.0, after_s=2.0))
    archiver = drained(tape.archiver())
    for name, user in (("ann", "ann"), ("both", ""), ("bob", "bob")):
        mark = marks.get(name)
        assert mark is not None
        laps = [lap for one in mark.laps if (lap := archiver.store.index.lap(one))]
        assert {lap.car: lap.user for lap in laps if lap.player} == {tape.player: user}
        assert {lap.user for lap in laps if not lap.player} == {""}
    archiver.close()


def test_an_excerpt_names_who_drove_then(tmp_path: Path) -> None:
    tape = Tape(tmp_path, shown=RaceFrames(3, short=True))
    tape.drive(15.0)
    entries = tape.race.field.entries
    wanted = {
        int(slot): entry.driver.decode() for slot, entry in zip(tape.race.field.ids, entries, strict=True)
    }
    tape.race.relieved[:] = True  # everybody hands over
    tape.drive(15.0)
    marks = Marks(tape.data)
    marks.put(moment("early", at_s=8.0, before_s=4.0, after_s=2.0))
    archiver = drained(tape.archiver())
    early = marks.get("early")
    assert early is not None
    for name in early.laps:
        lap = archiver.store.index.lap(name)
        assert lap is not None
        assert lap.driver == wanted[lap.car]
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


def test_foreign_files_among_the_laps_stop_nobody(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    shutil.copy(path, path.with_name("copy of it.lap"))
    path.with_name("car100-0001.lap").mkdir()
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    listed = archiver.store.index.count()
    archiver.close()
    path.with_name(".writing-car000-0009.lap").touch()  # whoever was at it was killed
    tally = reindex(archived)
    assert sorted(found.name for found in tally.foreign) == ["car100-0001.lap", "copy of it.lap"]
    assert tally.laps == listed


def test_a_failed_reindex_leaves_the_old_index(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (archived / "index.sqlite").read_bytes()
    monkeypatch.setattr("rigd.store.store.Store.examine", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reindex(archived)
    assert (archived / "index.sqlite").read_bytes() == before


def test_a_reindex_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are no laps in"):
        reindex(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_laps_go_when_there_are_too_many_bytes_and_forced_ones_are_declared(archived: Path) -> None:
    archiver = Archiver(Settings(archived, Limits(max_bytes=1, min_free_bytes=0, hard_floor_bytes=0)))
    archiver.turn()
    assert not files(archived)
    assert archiver.store.index.losses() == {}
    archiver.close()


def test_below_the_hard_floor_unsynced_laps_go_and_the_loss_is_declared(archived: Path) -> None:
    limits = Limits(min_free_bytes=0, hard_floor_bytes=1 << 60, keep_unsynced=True)
    names = set(Archiver(Settings(archived, ROOMY)).store.folder.laps())
    archiver = Archiver(Settings(archived, limits))
    archiver.turn()
    assert not files(archived)
    assert archiver.store.index.losses().keys() == names
    archiver.close()
    reindex(archived)
    index = Index(archived / "index.sqlite")
    assert index.losses().keys() == names
    index.close()


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
    "text", [b"", b"{", b"\xff", b'{"name": "sessions/another"}', b'{"laps": "many"}', None]
)
def test_a_session_that_cannot_be_read_is_made_anew_from_its_laps(archived: Path, text: bytes | None) -> None:
    """It stopped the archiver, and a reindex."""
    (path,) = archived.glob("laps/*/session.json")
    before = path.read_bytes()
    path.unlink() if text is None else path.write_bytes(text)
    archiver = Archiver(Settings(archived, ROOMY))
    (session,) = archiver.store.folder.sessions()
    archiver.close()
    assert session.name == f"sessions/{path.parent.name}"
    assert session.track_name.encode() in before
    assert text is None or path.with_name("session.json.damaged").read_bytes() == text
    assert reindex(archived).damaged == 0


def test_what_is_written_about_laps_of_other_sessions_deletes_nothing(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    other = archived / "laps/another-one"
    other.mkdir()
    lines = [
        json.dumps({"lap": f"sessions/{path.parent.name}/laps/{path.stem}", "why": "?"}).encode(),
        b'{"lap": 3}',
        b'{"why": "nothing"}',
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 30_000,
        json.dumps({"lap": "sessions/another-one/laps/car001-0001", "forced": True}).encode(),
    ]
    (other / "gone.jsonl").write_bytes(b"\n".join(lines))
    store = LapFolder(archived / "laps")
    assert list(store.tombstones("sessions/another-one")) == ["sessions/another-one/laps/car001-0001"]
    session = session_pb2.Session(name="sessions/another-one")
    store.put_session(session)
    Archiver(Settings(archived, ROOMY)).close()
    assert path.exists()


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


def test_an_index_that_was_taken_away_is_made_anew(archived: Path) -> None:
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    listed = archiver.store.index.count()
    (archived / "index.sqlite").rename(archived / "aside.sqlite")
    drained(archiver)
    assert archiver.store.index.count() == listed
    assert (archived / "index.sqlite").exists()
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
