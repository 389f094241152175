"""A check finds every planted fault and names it, and finds nothing where nothing is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rig.errors import NotFound
from rig.v1 import archive_pb2, event_pb2, rig_pb2
from rigd import ring as rings
from rigd.store.commands import CommandQueue, process
from rigd.store.corners import pack_corners
from rigd.verify.finding import MENDS
from rigd.verify.parts import check_rest, check_ring, trusted
from rigd.verify.run import DataCheck
from tests.archive.tape import Tape, drained
from tests.losses import faults
from tests.losses.faults import Plant, file, journal, remove, repacked, ring, sql, tick, write

_CORNERS = pack_corners(archive_pb2.LapCorners(circuit="oval/1", fingerprint=7))

FAULTS: dict[str, tuple[Plant, str]] = {
    # The ring.
    "a flipped bit in a sample": (tick(lambda v: faults.flipped(v, 2000), forged=False), "record-changed"),
    "a flipped bit in a head": (tick(lambda v: faults.flipped(v, 20), forged=False), "record-changed"),
    "a record under another's number": (tick(lambda v: faults.with_head(v, seq=7)), "record-misplaced"),
    "a record cut short": (tick(lambda v: v[:-9]), "record-malformed"),
    "a record that is too long": (tick(lambda v: v + b"\x08\x01"), "record-malformed"),
    "a column that is too short": (tick(lambda v: faults.with_head(v, rows=1)), "record-malformed"),
    "a scoring update with a garbled end": (
        tick(lambda v: v[:-40] + b"\xff" * 40, stream=rings.SCORING),
        "record-malformed",
    ),
    "an event that is none": (ring(lambda r: r.forge(rings.EVENTS, 3, b"\xff\xff")), "record-malformed"),
    "a record of an older session": (tick(lambda v: faults.with_head(v, session=0)), "record-session"),
    "a record without a checksum": (ring(faults.drop_checksum), "record-unchecked"),
    "a checksum without a record": (ring(faults.invent_checksum), "check-without-record"),
    "a missing tick": (ring(lambda r: r.drop(rings.PHYSICS, faults.TICK)), "hole-undeclared"),
    "a missing scoring update": (ring(lambda r: r.drop(rings.SCORING, 3)), "hole-undeclared"),
    "a missing event": (ring(lambda r: r.drop(rings.EVENTS, 5)), "hole-undeclared"),
    "a record under the last number there is": (
        ring(lambda r: r.put(rings.SCORING, rings.key((1 << 64) - 1), r.get(rings.SCORING, 2))),
        "ring-unreadable",
    ),
    "a record under a key that is no number": (
        ring(lambda r: r.put(rings.EVENTS, rings.key(3) + b"x", r.get(rings.EVENTS, 3))),
        "ring-unreadable",
    ),
    "a gap under a key that is none": (ring(lambda r: r.put(rings.GAPS, b"\x07", b"")), "ring-unreadable"),
    "a tick in a gap": (ring(faults.fill_gap), "gap-without-hole"),
    "a flag of a gap where there is none": (
        tick(lambda v: faults.with_head(v, after_gap=True)),
        "gap-unflagged",
    ),
    "a gap whose event is gone": (ring(faults.drop_gap_event), "gap-event-missing"),
    "a gap that nobody told": (ring(faults.invent_gap), "gap-event-missing"),
    "a gap without its row": (ring(faults.drop_gap_row), "gap-row-missing"),
    "a row that says something else": (ring(faults.change_gap_row), "gap-row-differs"),
    "a sample changed with its checksum": (tick(faults.with_speed), "lap-untrue"),
    # Laps.
    "a flipped bit in a lap": (file(lambda d: faults.flipped(d, len(d) // 2)), "lap-damaged"),
    "a flipped bit in the head of a lap": (file(lambda d: faults.flipped(d, 30)), "lap-damaged"),
    "a lap cut short": (file(lambda d: d[:-7]), "lap-damaged"),
    "an empty lap": (file(lambda d: b""), "lap-damaged"),
    "a renamed lap": (faults.rename_lap, "lap-misnamed"),
    "a lost lap": (remove("laps/*/[!.]*.lap"), "lap-fileless"),
    "a lost lap that the ring tells of": (remove("laps/*/[!.]*.lap"), "lap-missing"),
    "a changed sample in a lap": (repacked(faults.faster), "lap-untrue"),
    "a lap without its gaps": (repacked(faults.without_gaps), "lap-untrue"),
    "a lap without its events": (repacked(faults.without_events), "lap-untrue"),
    "a lap that was deleted": (faults.add_tombstone, "lap-returned"),
    "a lap that was set aside": (faults.set_lap_aside, "lap-set-aside"),
    # What lies beside them.
    "a foreign file": (write("notes.txt"), "file-foreign"),
    "a foreign folder": (faults.foreign_folder, "file-foreign"),
    "a copy of a lap": (write("car001-0001 (copy).lap"), "file-foreign"),
    "a half-written file": (write(".writing-car000-0009.lap"), "file-unfinished"),
    "a pin without a lap": (write("car099-0001.lap.pin"), "flag-orphaned"),
    "corners without a lap": (write("car099-0001.lap.corners"), "flag-orphaned"),
    "garbled corners of a lap": (faults.corners(b"?"), "corners-damaged"),
    "corners cut short": (faults.corners(_CORNERS[:-1]), "corners-damaged"),
    "a flipped bit in corners": (faults.corners(faults.flipped(_CORNERS, 15)), "corners-damaged"),
    "a garbled list of deleted laps": (write("gone.jsonl", b'\n{"lap": 3}\n'), "gone-unreadable"),
    # The index.
    "a row that is gone": (sql("DELETE FROM lap WHERE id = 1"), "lap-unlisted"),
    "a lap too many in the index": (faults.list_too_much, "lap-fileless"),
    "a session too many in the index": (faults.list_too_much, "session-unknown"),
    "a row without its message": (sql("DELETE FROM message WHERE lap = 1"), "index-row"),
    "a changed row": (sql("UPDATE lap SET lap_time = 1.0 WHERE id = 1"), "index-row"),
    "a changed driver": (sql("UPDATE seat SET driver = 'nobody' WHERE id = 1"), "index-row"),
    "a pin that the index does not know": (faults.pin_behind_the_index, "lap-differs"),
    "a message without a row": (sql("INSERT INTO message VALUES (99, x'')"), "index-row"),
    "wrong sums": (sql("UPDATE seat SET laps = laps + 1 WHERE id = 1"), "index-sums"),
    "a loss that is none": (sql("INSERT INTO loss VALUES ('sessions/a/laps/b', 'x')"), "index-losses"),
    "an archiver ahead of the ring": (
        faults.archiver_ahead,
        "index-position",
    ),
    "a garbled index": (faults.garble_index, "index-damaged"),
    "no index": (remove("index.sqlite"), "index-missing"),
    "a session that the index lacks": (sql("DELETE FROM session"), "session-unlisted"),
    # Sessions and their journals.
    "no session.json": (remove("laps/*/session.json"), "session-missing"),
    "a garbled session.json": (write("session.json", b'{"name": 3'), "session-unreadable"),
    "a changed session.json": (faults.change_session, "session-differs"),
    "a renamed session": (faults.rename_session, "session-misnamed"),
    "no journal": (remove("laps/*/losses.log"), "ledger-missing"),
    "a flipped bit in a journal": (faults.flip_journal, "ledger-damaged"),
    "another session's journal": (faults.anothers_journal, "ledger-damaged"),
    "a journal without its end": (journal(lambda entries: entries[:-1]), "ledger-open"),
    "a journal that lacks a gap": (journal(faults.forget_gap), "ledger-lacks"),
    "a journal that counts what is not there": (journal(faults.forget_gap), "ledger-numbers"),
    "a journal with another reason": (journal(faults.another_reason), "ledger-differs"),
    "a journal that was set aside": (write("losses.log.damaged"), "ledger-set-aside"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short race with losses, archived, one lap pinned and one deleted."""
    tape = Tape(tmp_path_factory.mktemp("sound") / "data", 4)
    for lost in (0, 3, 1):
        tape.drive(3.0)
        for _ in range(lost):
            tape.frame(lost=True)
    tape.numbers.lose(rings.SCORING, 0, event_pb2.GAP_REASON_RECORDER_DOWN, "nobody knows")
    tape.drive(2.0)
    tape.finish()
    archiver = drained(tape.archiver())
    *_, pinned, deleted = archiver.store.folder.laps()
    queue = CommandQueue(tape.data)
    queue.post("pin", pinned)
    queue.post("delete", deleted)
    process(queue, archiver.store)
    archiver.close()
    return tape.data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(sound, tmp_path / "data")


def found(data: Path) -> list[rig_pb2.Finding]:
    """What a deep check finds, in this process."""
    walks: dict[str, tuple[int, int]] = {}

    def progress(walk: str, done: int, total: int) -> None:
        walks[walk] = done, total

    findings = list(check_ring(data, progress))
    findings += check_rest(data, deep=True, with_ring=trusted(findings), progress=progress)
    assert all(0 <= done <= total for done, total in walks.values())
    return findings


def test_a_sound_data_directory_gives_no_finding_and_stays_as_it_is(data: Path) -> None:
    def content() -> dict[str, bytes]:
        own = ("lock.mdb", "index.sqlite-shm", "index.sqlite-wal")
        files = (path for path in data.rglob("*") if path.is_file() and path.name not in own)
        return {str(path): path.read_bytes() for path in files}

    before = content()
    assert found(data) == []
    assert content() == before


@pytest.mark.parametrize("fault", FAULTS)
def test_it_finds(data: Path, fault: str) -> None:
    plant, kind = FAULTS[fault]
    plant(data)
    findings = found(data)
    assert kind in [finding.kind for finding in findings]
    for finding in findings:
        assert finding.where
        assert finding.what
        assert finding.mend == MENDS[finding.kind]


def test_every_finding_is_the_fault_or_follows_from_it(data: Path) -> None:
    """What is planted in one lap says nothing of the others."""
    repacked(faults.faster)(data)
    (finding,) = found(data)
    name = faults.lap(data).relative_to(data)
    assert (finding.kind, finding.where) == ("lap-untrue", str(name))
    assert finding.what == "speed differs from the ring in 1 rows, first in row 7"


def test_a_lap_of_release_0_1_says_nothing_of_green(data: Path) -> None:
    repacked(faults.without_green)(data)
    assert found(data) == []


def test_faults_are_found_together(data: Path) -> None:
    for name in ("a missing tick", "a foreign file", "a changed row", "a flipped bit in a journal"):
        FAULTS[name][0](data)
    kinds = {finding.kind for finding in found(data)}
    assert {"hole-undeclared", "file-foreign", "index-row", "ledger-damaged"} <= kinds


class TestProcesses:
    """A check of its own processes, as `rigd verify` runs it."""

    def check(self, data: Path) -> list[rig_pb2.Finding]:
        responses = list(DataCheck(data).responses())
        assert responses
        assert all(response.done <= response.total for response in responses)
        return [finding for response in responses for finding in response.findings]

    def test_a_ring_that_ends_its_reader_is_a_finding_and_the_rest_is_checked(self, data: Path) -> None:
        path = data / "ring/data.mdb"
        content = path.read_bytes()
        path.write_bytes(content[:8192] + b"\x99" * (len(content) - 8192))
        faults.rename_session(data)
        kinds = [finding.kind for finding in self.check(data)]
        assert kinds[0] == "ring-unreadable"
        assert "session-misnamed" in kinds
        assert "check-ended" not in kinds

    def test_a_ring_that_is_too_short_is_not_read(self, data: Path) -> None:
        faults.truncate_ring(data)
        (finding,) = self.check(data)
        assert finding.kind == "ring-unreadable"
        assert "its pages reach" in finding.what

    def test_the_command_ends_with_code_1_and_tells_what_to_do(self, data: Path) -> None:
        words = [sys.executable, "-m", "rigd", "verify", "--data", str(data)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "nothing is wrong" in done.stdout
        write("notes.txt")(data)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "")
        assert "file-foreign" in done.stdout
        assert MENDS["file-foreign"] in done.stdout

    def test_it_can_be_stopped_at_any_time(self, data: Path) -> None:
        check = DataCheck(data)
        responses = check.responses()
        next(responses)
        check.stop()
        list(responses)
        check = DataCheck(data)
        check.stop()
        assert list(check.responses()) == []

    def test_where_nothing_is_there_is_nothing_to_check(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="neither ring nor laps"):
            DataCheck(tmp_path)
