"""What many marks and orders may cost the laps: nothing."""

import json
import time
from pathlib import Path

import pytest

from rig.v1 import laps_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.heartbeat import heard
from rigd.archive.inbox import Inbox
from rigd.archive.marks import Marks, mark_id
from rigd.archive.orders import obey
from rigd.archive.retention import Limits
from tests.archive.tape import ROOMY, SECOND_NS, START_NS, Tape

MANY = 200
WIDE = {"min_free_bytes": 0, "hard_floor_bytes": 0}


def mark(data: Path, number: int, **fields: float) -> str:
    """A moment that nobody has kept yet."""
    usual = {"before_s": 5.0, "after_s": 5.0} | fields
    name = f"marks/{mark_id(START_NS + number)}"
    moment = laps_pb2.Moment(
        name=name,
        time_ns=START_NS + 10 * SECOND_NS,
        status=laps_pb2.MOMENT_STATUS_PENDING,
        **usual,  # type: ignore[arg-type]
    )
    Marks(data).put(moment)
    return name


def drained(archiver: Archiver) -> Archiver:
    while archiver.turn():
        pass
    assert not archiver.trouble
    return archiver


def test_laps_come_before_any_number_of_marks_and_orders(tape: Tape) -> None:
    tape.drive(40.0)
    closed = len(tape.closed())
    for number in range(MANY):
        mark(tape.data, number)
    inbox = Inbox(tape.data)
    for number in range(MANY):
        inbox.post("pin", f"sessions/none/laps/car{number:03d}-0001")
    archiver = tape.archiver()
    turns = 0
    while archiver.archived < closed:
        assert archiver.turn()
        turns += 1
    assert turns <= 10
    assert len(Marks(tape.data).pending()) == MANY
    archiver.close()
    inbox.close()


def test_a_turn_is_a_piece_of_one_mark_and_laps_come_in_between(tape: Tape) -> None:
    tape.drive(30.0)
    for number in range(3):
        mark(tape.data, number)
    archiver = tape.archiver()
    while not len(list(archiver.store.laps())):
        archiver.turn()
    excerpts = 0
    while Marks(tape.data).pending():
        archiver.turn()
        found = sum("/mark-" in lap for lap in archiver.store.laps())
        assert found - excerpts <= 3  # cars of one mark
        excerpts = found
    assert excerpts == 9
    archiver.close()


def test_an_archiver_that_is_stopped_in_a_mark_goes_on_with_it(tape: Tape) -> None:
    tape.drive(30.0)
    name = mark(tape.data, 1)
    archiver = tape.archiver()
    while not any("/mark-" in lap for lap in archiver.store.laps()):
        archiver.turn()
    archiver.close()
    drained(Archiver(Settings(tape.data, ROOMY))).close()
    (kept,) = Marks(tape.data).all()
    assert (kept.name, kept.status, len(kept.laps)) == (name, laps_pb2.MOMENT_STATUS_KEPT, 3)


def test_marks_beyond_their_bytes_are_refused_with_the_reason_and_take_no_lap(tape: Tape) -> None:
    tape.drive(40.0)
    for number in range(10):
        mark(tape.data, number)
    laps = len(tape.closed())
    archiver = tape.archiver(Limits(**WIDE, mark_bytes=2_000_000))  # type: ignore[arg-type]
    drained(archiver)
    moments = Marks(tape.data).all()
    refused = [one for one in moments if one.status == laps_pb2.MOMENT_STATUS_REFUSED]
    assert 0 < len(refused) < 10
    assert all("marks have room for" in one.detail for one in refused)
    assert 0 < archiver.index.mark_bytes() <= 2_000_000
    assert sum("/mark-" not in lap for lap in archiver.store.laps()) == laps
    archiver.close()


def test_pinned_excerpts_are_no_part_of_what_laps_may_take(tape: Tape) -> None:
    tape.drive(40.0)
    for number in range(6):
        mark(tape.data, number)
    laps = len(tape.closed())
    archiver = drained(tape.archiver())
    own = archiver.index.total_bytes() - archiver.index.mark_bytes()
    assert archiver.index.mark_bytes() > own / 4
    archiver.close()
    archiver = drained(Archiver(Settings(tape.data, Limits(own, **WIDE))))  # type: ignore[arg-type]
    archiver._warden.patrol()
    assert sum("/mark-" not in lap for lap in archiver.store.laps()) == laps
    archiver.close()


def test_the_status_tells_what_retention_deleted_and_what_marks_take(tape: Tape) -> None:
    tape.drive(40.0)
    mark(tape.data, 1)
    laps = len(tape.closed())
    archiver = drained(tape.archiver(Limits(0, **WIDE)))  # type: ignore[arg-type]
    archiver._warden.patrol()
    archiver._heartbeat.beat(archiver._status())
    status = heard(tape.data)
    assert status is not None
    assert (status.evicted, status.evicted_ever) == (laps, laps)
    assert status.evicted_bytes == status.evicted_ever_bytes > 0
    assert "laps took more than 0 MiB" in status.evicted_why
    assert 0 < status.marks_bytes < status.marks_limit_bytes
    archiver.close()
    archiver = Archiver(Settings(tape.data, Limits(min_free_bytes=1 << 60)))
    status = archiver._status()
    assert (status.evicted, status.evicted_ever) == (0, laps)
    assert "--min-free asks for" in status.warnings[0]
    assert status.marks_room_bytes == 0
    archiver.close()


def test_orders_have_a_share_of_a_turn(tape: Tape) -> None:
    inbox = Inbox(tape.data)
    orders = [inbox.post("pin", "sessions/none/laps/car000-0001") for _ in range(50)]
    archiver = tape.archiver()
    assert obey(inbox, archiver.store, archiver.index, share_s=-1.0)
    waiting = [path for path in (tape.data / "inbox").iterdir() if path.suffix == ".order"]
    assert len(waiting) >= 50 - 16
    assert all(json.loads(path.read_bytes())["kind"] == "pin" for path in waiting)
    until = time.monotonic() + 60
    while obey(inbox, archiver.store, archiver.index) and time.monotonic() < until:
        pass
    assert not [path for path in (tape.data / "inbox").iterdir() if path.suffix in (".order", ".taken")]
    with pytest.raises(Exception, match="no lap"):
        inbox.settled(orders[-1])
    archiver.close()
    inbox.close()
