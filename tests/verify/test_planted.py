"""Every fault that is planted in what is kept is found and named; where there is none, nothing is found."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.lapfile import SAMPLES, SCORINGS, LapFile, pack
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.seal import sealed
from rigd.archive.store import Store
from rigd.ring import Record, RingWriter
from rigd.verify.finding import MENDS
from rigd.verify.parts import check_rest, check_ring
from tests.archive.tape import ROOMY, Tape

Plant = Callable[[Path], None]
PLANTS: dict[str, tuple[set[str], Plant]] = {}
"""By a sentence: the findings of which one at least must be made, and what is done."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race with a declared loss, archived to its end."""
    tape = Tape(tmp_path_factory.mktemp("sound"))
    tape.drive(60)
    for _ in range(5):
        tape.frame(lost=True)
    tape.drive(60)
    tape.finish()
    archiver = tape.archiver()
    while archiver.turn():
        pass
    archiver.close()
    return tape.data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def found(data: Path) -> dict[str, str]:
    """Kinds of all findings, and where each was first met."""
    out: dict[str, str] = {}

    def told(walk: str, done: int, total: int) -> None:
        assert 0 <= done <= total

    for finding in (*check_ring(data, told), *check_rest(data, True, True, told)):
        assert finding.mend == MENDS[finding.kind]
        assert finding.what
        out.setdefault(finding.kind, finding.where)
    return out


def plant(sentence: str, *kinds: str) -> Callable[[Plant], Plant]:
    """Notes what a planted fault must be found as."""

    def note(act: Plant) -> Plant:
        PLANTS[sentence] = (set(kinds), act)
        return act

    return note


# The ring.


def rewritten(data: Path, act: Callable[[RingWriter, Any], None]) -> None:
    """Change the ring behind its writer's back."""
    ring = RingWriter(data / "ring", 256 << 20)
    with ring.env.begin(write=True) as txn:
        act(ring, txn)
    ring.close()


def newest(ring: RingWriter, txn: Any, stream: bytes, back: int = 100) -> tuple[bytes, bytes]:
    """Key and value of the record that stands so many before the newest."""
    cursor = txn.cursor(ring.dbs[stream])
    cursor.last()
    for _ in range(back):
        cursor.prev()
    return bytes(cursor.key()), bytes(cursor.value())


@plant("a bit of a tick flipped", "record-changed")
def flip_tick(data: Path) -> None:
    def act(ring: RingWriter, txn: Any) -> None:
        at, value = newest(ring, txn, rings.PHYSICS)
        changed = bytearray(value)
        changed[len(value) // 2] ^= 1
        txn.put(at, bytes(changed), db=ring.dbs[rings.PHYSICS])

    rewritten(data, act)


@plant("a tick that is gone without a word", "hole-undeclared")
def drop_tick(data: Path) -> None:
    rewritten(
        data, lambda ring, txn: txn.delete(newest(ring, txn, rings.PHYSICS)[0], db=ring.dbs[rings.PHYSICS])
    )


@plant("an update of scoring that is gone without a word", "hole-undeclared")
def drop_update(data: Path) -> None:
    rewritten(
        data,
        lambda ring, txn: txn.delete(newest(ring, txn, rings.SCORING, 20)[0], db=ring.dbs[rings.SCORING]),
    )


@plant("a tick cut short", "record-changed", "record-malformed")
def cut_tick(data: Path) -> None:
    def act(ring: RingWriter, txn: Any) -> None:
        at, value = newest(ring, txn, rings.PHYSICS)
        txn.put(at, value[: len(value) // 2], db=ring.dbs[rings.PHYSICS])

    rewritten(data, act)


@plant("a tick under the number of another", "record-misplaced", "record-changed")
def move_tick(data: Path) -> None:
    def act(ring: RingWriter, txn: Any) -> None:
        _, value = newest(ring, txn, rings.PHYSICS, 50)
        txn.put(newest(ring, txn, rings.PHYSICS, 100)[0], value, db=ring.dbs[rings.PHYSICS])

    rewritten(data, act)


@plant("a gap declared where nothing is missing", "gap-without-hole", "gap-event-missing")
def invent_gap(data: Path) -> None:
    ring = RingWriter(data / "ring", 256 << 20)
    gap = event_pb2.Gap(stream=event_pb2.STREAM_PHYSICS, first_seq=100, last_seq=101, count=2)
    ring.append([Record(rings.GAPS, rings.gap_key(rings.PHYSICS, 100, 3), gap.SerializeToString())], {})
    ring.close()


@plant("a declared gap lost from its table", "hole-undeclared", "gap-row-missing")
def lose_gap(data: Path) -> None:
    def act(ring: RingWriter, txn: Any) -> None:
        cursor = txn.cursor(ring.dbs[rings.GAPS])
        cursor.first()
        cursor.delete()

    rewritten(data, act)


@plant("a gap in its table that says another reason", "gap-row-differs")
def change_gap(data: Path) -> None:
    def act(ring: RingWriter, txn: Any) -> None:
        cursor = txn.cursor(ring.dbs[rings.GAPS])
        cursor.first()
        gap = event_pb2.Gap.FromString(bytes(cursor.value()))
        gap.reason = event_pb2.GAP_REASON_DISK
        cursor.put(bytes(cursor.key()), gap.SerializeToString())

    rewritten(data, act)


@plant("a ring of zeros", "ring-unreadable", "ring-disordered")
def zero_ring(data: Path) -> None:
    path = data / "ring/data.mdb"
    path.write_bytes(bytes(path.stat().st_size))


# Laps.


def laps(data: Path) -> list[Path]:
    return sorted(data.glob("laps/*/*.lap"))


def changed(path: Path, at: int, bits: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bits
    path.write_bytes(bytes(content))


@plant("a bit in the middle of a lap flipped", "lap-damaged")
def flip_lap(data: Path) -> None:
    changed(laps(data)[1], laps(data)[1].stat().st_size // 2)


@plant("the head of a lap flipped", "lap-damaged")
def flip_head(data: Path) -> None:
    changed(laps(data)[1], 20)


@plant("a lap cut short", "lap-damaged")
def cut_lap(data: Path) -> None:
    path = laps(data)[2]
    path.write_bytes(path.read_bytes()[:-7])


@plant("two laps with each other's names", "lap-misnamed")
def swap_laps(data: Path) -> None:
    one, other, *_ = laps(data)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


@plant("a lap without its file", "lap-fileless", "lap-missing")
def remove_lap(data: Path) -> None:
    laps(data)[0].unlink()


@plant("a sound lap that tells another speed than the ring", "lap-untrue")
def lie(data: Path) -> None:
    path = laps(data)[1]
    with LapFile.open(path) as file:
        header = file.header
        samples, updates = file.columns(section=SAMPLES), file.columns(section=SCORINGS)
    samples["speed"] = np.where(np.arange(len(samples["speed"])) == 7, np.float32(99), samples["speed"])
    path.write_bytes(pack(header, samples, updates))


@plant("a lap that was set aside", "lap-set-aside")
def aside(data: Path) -> None:
    path = laps(data)[0]
    path.rename(path.with_name(path.name + ".damaged"))


@plant("a deleted lap that is back", "lap-returned")
def returned(data: Path) -> None:
    path = laps(data)[0]
    name = f"sessions/{path.parent.name}/laps/{path.stem}"
    Store(data / "laps").bury(name, {"why": "deleted on request"})


# What lies beside them.


def folder(data: Path) -> Path:
    return laps(data)[0].parent


@plant("somebody's file among the laps", "file-foreign")
def foreign(data: Path) -> None:
    (folder(data) / "notes.txt").write_text("mine")


@plant("a file half written", "file-unfinished")
def unfinished(data: Path) -> None:
    (folder(data) / ".writing-car000-0009.lap").write_bytes(b"half")


@plant("a pin without its lap", "flag-orphaned")
def orphan(data: Path) -> None:
    (folder(data) / "car099-0001.lap.pin").touch()


@plant("no session.json", "session-missing")
def no_session(data: Path) -> None:
    (folder(data) / "session.json").unlink()


@plant("a bit of session.json flipped", "session-unreadable")
def flip_session(data: Path) -> None:
    changed(folder(data) / "session.json", 60)


@plant("another session's session.json", "session-misnamed")
def other_session(data: Path) -> None:
    (folder(data) / "session.json").write_bytes(sealed('{"name": "sessions/another"}'))


@plant("a line of the deleted that cannot be read", "gone-unreadable")
def garbled_gone(data: Path) -> None:
    (folder(data) / "gone.jsonl").write_bytes(b'{"lap": "sessi\n')


@plant("no ledger of losses", "ledger-missing")
def no_ledger(data: Path) -> None:
    (folder(data) / "losses.log").unlink()


@plant("a bit of the ledger flipped", "ledger-damaged")
def flip_ledger(data: Path) -> None:
    changed(folder(data) / "losses.log", 30)


@plant("a ledger that lacks its last lines", "ledger-lacks", "ledger-open", "ledger-numbers")
def cut_ledger(data: Path) -> None:
    path = folder(data) / "losses.log"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


# The index.


def told(data: Path, statement: str) -> None:
    db = sqlite3.connect(data / "index.sqlite")
    db.execute(statement)
    db.commit()
    db.close()


@plant("a lap that the index forgot", "lap-unlisted")
def forget(data: Path) -> None:
    told(data, "DELETE FROM lap WHERE id = (SELECT max(id) FROM lap)")


@plant("a row that says another time than its message", "index-row")
def change_row(data: Path) -> None:
    told(data, "UPDATE lap SET lap_time = lap_time + 1 WHERE id = (SELECT max(id) FROM lap)")


@plant("a message of the index flipped", "index-row", "index-damaged")
def change_message(data: Path) -> None:
    told(data, "UPDATE message SET lap_message = zeroblob(length(lap_message)) WHERE lap = 1")


@plant("sums that do not sum up", "index-sums")
def change_sums(data: Path) -> None:
    told(data, "UPDATE seat SET laps = laps + 1 WHERE id = (SELECT max(id) FROM seat)")


@plant("a loss that only the index knows", "index-losses")
def invent_loss(data: Path) -> None:
    told(data, "INSERT INTO loss VALUES ('sessions/a/laps/b', 'no room')")


@plant("no index", "index-missing")
def no_index(data: Path) -> None:
    (data / "index.sqlite").unlink()


@plant("an index of noise", "index-damaged")
def noise_index(data: Path) -> None:
    path = data / "index.sqlite"
    path.write_bytes(b"\xa5" * path.stat().st_size)


def test_where_nothing_is_wrong_nothing_is_found(data: Path) -> None:
    assert found(data) == {}


@pytest.mark.parametrize("sentence", PLANTS)
def test_a_planted_fault_is_found(data: Path, sentence: str) -> None:
    kinds, act = PLANTS[sentence]
    act(data)
    assert kinds & found(data).keys(), sentence


def test_a_check_changes_nothing(data: Path) -> None:
    def content() -> Iterator[tuple[str, bytes]]:
        for path in sorted(data.rglob("*")):
            if path.is_file() and path.suffix not in (".mdb", "") and "sqlite-" not in path.name:
                yield str(path), path.read_bytes()

    flip_lap(data)
    garbled_gone(data)
    before = list(content())
    assert found(data)
    assert list(content()) == before


def test_the_commands_tell_it_with_an_exit_code_of_their_own(data: Path) -> None:
    from click.testing import CliRunner

    from rigd.__main__ import main

    sound = CliRunner().invoke(main, ["verify", "--data", str(data), "--json"])
    assert (sound.exit_code, json.loads(sound.stdout)) == (0, [])
    flip_lap(data)
    spoiled = CliRunner().invoke(main, ["verify", "--data", str(data), "--json"])
    assert spoiled.exit_code == 1
    assert "lap-damaged" in {finding["kind"] for finding in json.loads(spoiled.stdout)}


def test_an_archiver_mends_what_it_can(data: Path) -> None:
    no_index(data)
    no_ledger(data)
    unfinished(data)
    archiver = Archiver(Settings(data, ROOMY))
    while archiver.turn():
        pass
    archiver.close()
    assert found(data) == {}
