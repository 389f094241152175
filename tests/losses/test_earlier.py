"""A ring of an earlier version, that has no checksums, whose events do not say where the streams stood, and
beside which no journal was kept: the first archiver that keeps them makes them from what is there.
"""

from pathlib import Path

import lmdb
import pytest

from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import key
from rigd.ring.tables import CHECKS, check_key
from tests.archive.tape import Tape
from tests.losses.asked import archive, losses, newest, reading, wrong

LOST = 5


def age(data: Path) -> None:
    """Make the ring one of an earlier version."""
    with (
        lmdb.open(str(data / "ring"), max_dbs=8, map_size=1 << 30) as env,
        env.begin(write=True) as txn,
    ):
        txn.drop(env.open_db(CHECKS, txn=txn))
        for table, aged in ((rings.EVENTS, headless), (rings.GAPS, homeless)):
            db = env.open_db(table, txn=txn)
            for at, value in list(txn.cursor(db)):
                txn.put(bytes(at), aged(bytes(value)), db=db)


def headless(value: bytes) -> bytes:
    """An event that does not say where the streams stood, or which session a loss belongs to."""
    event = event_pb2.Event.FromString(value)
    match event.WhichOneof("kind"):
        case "session_started":
            event.session_started.ClearField("heads")
        case "session_ended":
            event.session_ended.ClearField("heads")
        case "gap":
            event.gap.ClearField("session")
    return event.SerializeToString()


def homeless(value: bytes) -> bytes:
    gap = event_pb2.Gap.FromString(value)
    gap.ClearField("session")
    return gap.SerializeToString()


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """A race that goes on, in a ring of an earlier version, archived by an archiver without journals."""
    tape = Tape(tmp_path / "data")
    tape.drive(20)
    for _ in range(LOST):
        tape.frame(lost=True)
    tape.drive(20)
    tape.close()
    age(tape.data)
    archive(tape.data)
    for journal in tape.data.glob("laps/*/losses.log"):
        journal.unlink()
    return tape


def test_the_first_archiver_makes_the_ledger(tape: Tape) -> None:
    archive(tape.data)
    answer = losses(tape.data)
    assert [stream.expected for stream in answer.streams] == list(newest(tape.data).values())
    physics, scoring, events = answer.streams
    assert (physics.missing, scoring.missing, events.missing) == (LOST, 0, 0)
    assert [(gap.reason, gap.count) for gap in answer.gaps if gap.HasField("count")] == [
        (event_pb2.GAP_REASON_MISSED, LOST)
    ]
    assert wrong(tape.data) == []


def test_what_is_recorded_from_now_on_has_checksums(tape: Tape) -> None:
    before = newest(tape.data)
    tape.resume()
    tape.drive(5)
    tape.close()
    archive(tape.data)
    with reading(tape.data) as ring, ring.begin() as txn:
        checks = {bytes(at) for at, _ in txn.cursor(ring.dbs[CHECKS])}
    after = newest(tape.data)
    new = ((stream, seq) for stream in after for seq in range(before[stream] + 1, after[stream] + 1))
    assert checks == {check_key(stream, key(seq)) for stream, seq in new}
    assert wrong(tape.data) == []
