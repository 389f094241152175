"""What many marks and commands may cost the laps: nothing."""

import json
import shutil
import time
from pathlib import Path

import pytest

from rig.v1 import laps_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.retention import Limits
from rigd.store.commands import CommandQueue, process
from rigd.store.heartbeat import heard
from rigd.store.marks import Marks, mark_id
from tests.archive.tape import ROOMY, SECOND_NS, START_NS, Tape, drained

MANY = 200
WIDE = {"min_free_bytes": 0, "hard_floor_bytes": 0}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The data of a race that nobody has archived, and how many laps were closed."""
    tape = Tape(tmp_path_factory.mktemp("recorded") / "data")
    tape.drive(60.0)
    laps = len(tape.closed())
    tape.close()
    assert laps >= 3
    return tape.data, laps


@pytest.fixture
def data(recorded: tuple[Path, int], tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(recorded[0], tmp_path / "copy")


@pytest.fixture
def laps(recorded: tuple[Path, int]) -> int:
    """How many laps were closed."""
    return recorded[1]


def mark(data: Path, number: int, **fields: float) -> str:
    """A moment that nobody has kept yet."""
    usual = {"before_s": 1.0, "after_s": 1.0} | fields
    name = f"marks/{mark_id(START_NS + number)}"
    moment = laps_pb2.Moment(
        name=name,
        time_ns=START_NS + 10 * SECOND_NS,
        status=laps_pb2.MOMENT_STATUS_PENDING,
        **usual,  # type: ignore[arg-type]
    )
    Marks(data).put(moment)
    return name


def test_laps_come_before_any_number_of_marks_and_commands(data: Path, laps: int) -> None:
    for number in range(MANY):
        mark(data, number)
    queue = CommandQueue(data)
    for number in range(MANY):
        queue.post("pin", f"sessions/none/laps/car{number:03d}-0001")
    archiver = Archiver(Settings(data, ROOMY))
    turns = 0
    while archiver.archived < laps:
        assert archiver.turn()
        turns += 1
    assert turns <= 10
    assert len(Marks(data).pending()) == MANY
    archiver.close()
    queue.close()


def test_a_turn_is_a_piece_of_one_mark_and_laps_come_in_between(data: Path, laps: int) -> None:
    for number in range(3):
        mark(data, number)
    archiver = Archiver(Settings(data, ROOMY))
    while not len(list(archiver.store.folder.laps())):
        archiver.turn()
    excerpts = 0
    while Marks(data).pending():
        archiver.turn()
        found = sum("/mark-" in lap for lap in archiver.store.folder.laps())
        assert found - excerpts <= 3  # cars of one mark
        excerpts = found
    assert excerpts == 9
    archiver.close()


def test_an_archiver_that_is_stopped_in_a_mark_goes_on_with_it(data: Path, laps: int) -> None:
    name = mark(data, 1)
    archiver = Archiver(Settings(data, ROOMY))
    while not any("/mark-" in lap for lap in archiver.store.folder.laps()):
        archiver.turn()
    archiver.close()
    drained(Archiver(Settings(data, ROOMY))).close()
    (kept,) = Marks(data).all()
    assert (kept.name, kept.status, len(kept.laps)) == (name, laps_pb2.MOMENT_STATUS_KEPT, 3)


def test_marks_beyond_their_bytes_are_refused_with_the_reason_and_take_no_lap(data: Path, laps: int) -> None:
    for number in range(10):
        mark(data, number)
    archiver = Archiver(Settings(data, Limits(**WIDE, mark_bytes=500_000)))  # type: ignore[arg-type]
    drained(archiver)
    moments = Marks(data).all()
    refused = [one for one in moments if one.status == laps_pb2.MOMENT_STATUS_REFUSED]
    assert 0 < len(refused) < 10
    assert all("marks have room for" in one.detail for one in refused)
    assert 0 < archiver.store.index.mark_bytes() <= 500_000
    assert sum("/mark-" not in lap for lap in archiver.store.folder.laps()) == laps
    archiver.close()


def test_pinned_excerpts_are_no_part_of_what_laps_may_take(data: Path, laps: int) -> None:
    for number in range(6):
        mark(data, number)
    archiver = drained(Archiver(Settings(data, ROOMY)))
    own = archiver.store.index.total_bytes() - archiver.store.index.mark_bytes()
    assert archiver.store.index.mark_bytes() > 0
    archiver.close()
    archiver = drained(Archiver(Settings(data, Limits(own, **WIDE))))  # type: ignore[arg-type]
    archiver._retention.enforce()
    assert sum("/mark-" not in lap for lap in archiver.store.folder.laps()) == laps
    archiver.close()


def test_the_status_tells_what_retention_deleted_and_what_marks_take(data: Path, laps: int) -> None:
    mark(data, 1)
    archiver = drained(Archiver(Settings(data, Limits(0, **WIDE))))  # type: ignore[arg-type]
    archiver._retention.enforce()
    archiver._heartbeat.beat(archiver._status())
    status = heard(data)
    assert status is not None
    assert (status.evicted, status.evicted_ever) == (laps, laps)
    assert status.evicted_bytes == status.evicted_ever_bytes > 0
    assert "laps took more than 0 MiB" in status.evicted_why
    assert 0 < status.marks_bytes < status.marks_limit_bytes
    archiver.close()
    archiver = Archiver(Settings(data, Limits(min_free_bytes=1 << 60)))
    status = archiver._status()
    assert (status.evicted, status.evicted_ever) == (0, laps)
    assert "--min-free asks for" in status.warnings[0]
    assert status.marks_room_bytes == 0
    archiver.close()


def test_commands_have_a_share_of_a_turn(data: Path, laps: int) -> None:
    queue = CommandQueue(data)
    commands = [queue.post("pin", "sessions/none/laps/car000-0001") for _ in range(50)]
    archiver = Archiver(Settings(data, ROOMY))
    assert process(queue, archiver.store, share_s=-1.0)
    waiting = [path for path in (data / "inbox").iterdir() if path.suffix == ".order"]
    assert len(waiting) >= 50 - 16
    assert all(json.loads(path.read_bytes())["kind"] == "pin" for path in waiting)
    until = time.monotonic() + 60
    while process(queue, archiver.store) and time.monotonic() < until:
        pass
    assert not [path for path in (data / "inbox").iterdir() if path.suffix in (".order", ".taken")]
    with pytest.raises(Exception, match="no lap"):
        queue.settled(commands[-1])
    archiver.close()
    queue.close()
