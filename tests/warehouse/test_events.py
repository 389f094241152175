"""Events in the warehouse: by number, in load_ranges, and what the ring had let go of is declared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.v1 import event_pb2
from rigclient.warehouse import connect, schema
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.events import next_load
from rigclient.warehouse.loading import load, next_n
from rigclient.warehouse.rig_reader import RigReader
from rigd.serve.identity import identity
from tests.archive.tape import Tape
from tests.warehouse.expected import broken
from tests.warehouse.recorded_rig import RecordedRig


def position_changed(number: int) -> event_pb2.Event:
    """An event as a race has them."""
    moved = event_pb2.PositionChanged(car=number % 7, place=2, former_place=3)
    return event_pb2.Event(session=1, session_time=float(number), position_changed=moved)


def taped(data: Path, events: int, limit_bytes: int = 64 << 20) -> Path:
    """A ring with so many events, or as many of the last as it holds."""
    tape = Tape(data, 2, limit_bytes=limit_bytes)
    for number in range(events):
        tape.tell(position_changed(number))
        tape.taken_ns += 1_000_000
        if number % 500 == 0:
            tape.commit()
    tape.finish()
    tape.archiver().close()
    return data


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Destination]:
    with connect(f"duckdb:{tmp_path / 'one.duckdb'}") as destination:
        schema.prepare(destination)
        yield destination


def load_ranges(recorded_rig: RecordedRig, db: Destination, limit: int) -> list[tuple[int, int]]:
    """Load all there is; the ranges of the loads."""
    out = []
    with RigReader(recorded_rig.address) as rig:
        while found := next_load(rig, db, recorded_rig.folder / "spool", limit):
            wanted, spool = found
            load(db, wanted)
            spool.remove()
            out.append((wanted.from_n, wanted.to_n))
    return out


def test_they_come_in_portions_each_once(tmp_path: Path, db: Destination) -> None:
    recorded_rig = RecordedRig(taped(tmp_path / "tape", 700), tmp_path)
    last = len(recorded_rig.events)
    assert load_ranges(recorded_rig, db, 300) == [(0, 300), (300, 600), (600, last)]
    assert load_ranges(recorded_rig, db, 300) == []
    rows = db.rows("SELECT SEQ, KIND, CAR, SESSION_TIME FROM EVENTS ORDER BY SEQ")
    assert [row[0] for row in rows] == list(range(1, last + 1))
    moved = [row[2:] for row in rows if row[1] == "position_changed"][-700:]
    assert moved == [(number % 7, float(number)) for number in range(700)]
    assert broken(db) == []
    recorded_rig.close()


def test_what_the_ring_let_go_of_is_a_gap_and_the_ledger_has_no_hole(tmp_path: Path, db: Destination) -> None:
    recorded_rig = RecordedRig(taped(tmp_path / "tape", 40_000, limit_bytes=2 << 20), tmp_path)
    first, last = recorded_rig.events[0].seq, recorded_rig.events[-1].seq
    assert first > 1
    ((begin, end),) = load_ranges(recorded_rig, db, 100_000)
    assert (begin, end) == (0, last)
    gap = "SELECT STREAM, FIRST_SEQ, LAST_SEQ, MISSING, REASON, LAP FROM GAPS"
    assert db.rows(gap) == [("events", 1, first - 1, first - 1, "evicted", None)]
    assert db.rows("SELECT COUNT(*), MIN(SEQ), MAX(SEQ) FROM EVENTS") == [(last - first + 1, first, last)]
    assert (
        next_n(db, identity(recorded_rig.data), f"events/{db.rows('SELECT MIN(RING) FROM EVENTS')[0][0]}")
        == last
    )
    assert broken(db) == []
    recorded_rig.close()


def test_losses_that_the_recorder_declared_are_gaps_of_the_ring(
    recorded_rig: RecordedRig, db: Destination
) -> None:
    load_ranges(recorded_rig, db, 1000)
    declared = [event.gap for event in recorded_rig.events if event.HasField("gap")]
    assert declared
    rows = db.rows("SELECT STREAM, FIRST_SEQ, LAST_SEQ, MISSING, REASON FROM GAPS ORDER BY FIRST_SEQ")
    assert rows == [("physics", gap.first_seq, gap.last_seq, gap.count, "missed") for gap in declared]
    assert sum(row[3] for row in rows) == 5


def test_a_clock_that_was_set_back_in_between_loses_nothing(tmp_path: Path, db: Destination) -> None:
    """The last event loaded has a later wall clock than those that follow."""
    tape = Tape(tmp_path / "tape", 2)
    for number in range(50):
        tape.tell(position_changed(number))
        if number == 25:
            tape.taken_ns -= 3_600_000_000_000
    tape.finish()
    tape.archiver().close()
    recorded_rig = RecordedRig(tmp_path / "tape", tmp_path)
    load_ranges(recorded_rig, db, 20)
    rows = db.rows("SELECT SEQ FROM EVENTS ORDER BY SEQ")
    assert [row[0] for row in rows] == list(range(1, len(recorded_rig.events) + 1))
    recorded_rig.close()


def test_without_a_ring_there_is_nothing(recorded_rig: RecordedRig, db: Destination) -> None:
    recorded_rig.stop()
    for path in (recorded_rig.data / "ring").iterdir():
        path.unlink()
    recorded_rig.serve()
    assert load_ranges(recorded_rig, db, 100) == []
