"""The recorder and its live tail: what followers were shown is never lost to a kill, and no number is given
twice, whatever becomes of the tail.
"""

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import Record, RingReader, RingWriter
from rigd.ring.tail import PLACE, RESERVED, Place, Reserve, TailReader, TailWriter, tail_path
from tests.faults.account import account
from tests.faults.campaign import SEED, campaign, tries
from tests.faults.conditions import Conditions
from tests.stage import Stage, events, stage, until

CARS, RATE = 6, 50
HELD = ("--commit-every", "10")
"""So long that as good as nothing is committed but by a restart."""


class Follower(threading.Thread):
    """Notes what is shown in a tail, until the tail is lost or it is told to stop."""

    def __init__(self, here: Stage) -> None:
        super().__init__(name="follower")
        self.path = tail_path(here.buffers, here.data)
        self.seen: dict[tuple[bytes, bytes], bytes] = {}
        """Values by stream and key."""
        self.bundles = 0
        self.moved = False
        """Whether a record came again with other bytes."""
        self._newest = dict.fromkeys(rings.STREAMS, 0)
        self._over = threading.Event()

    def run(self) -> None:
        at, tail = 0, None
        while not self._over.is_set() or (tail is not None and at < tail.visible()):
            with contextlib.suppress(OSError, Corrupt):
                if tail is None or tail.lost():
                    at, tail = 0, TailReader(self.path)
                for bundle in tail.bundles(at, tail.visible(), 1 << 20) or ():
                    self._note(bundle.records)
                    at, self.bundles = bundle.end, self.bundles + 1
            time.sleep(0.001)

    def _note(self, records: list[Record]) -> None:
        for table, at, value in records:
            if table in rings.STREAMS:
                self.moved |= self.seen.setdefault((table, at), value) != value
                self._newest[table] = max(self._newest[table], int.from_bytes(at, "big"))

    def newest(self, stream: bytes) -> int:
        return self._newest[stream]

    def events(self) -> list[event_pb2.Event]:
        shown = list(self.seen.items())
        return [event_pb2.Event.FromString(value) for (table, _), value in shown if table == rings.EVENTS]

    def stop(self) -> None:
        self._over.set()
        self.join(30)


@contextlib.contextmanager
def following(here: Stage) -> Iterator[Follower]:
    follower = Follower(here)
    follower.start()
    try:
        yield follower
    finally:
        follower.stop()


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        made.game(CARS, RATE, 600)
        yield made


def stored(data: Path) -> dict[tuple[bytes, bytes], bytes]:
    """All records of the ring, as the follower notes them."""
    ring = RingReader(data / "ring")
    try:
        rows = {stream: ring.read(stream, 0, 1 << 30, 1 << 40) for stream in rings.STREAMS}
    finally:
        ring.close()
    return {(stream, rings.key(seq)): value for stream, found in rows.items() for seq, value in found}


def appended(path: Path) -> dict[tuple[bytes, bytes], bytes]:
    """All records of a tail, shown or not."""
    tail, at = TailReader(path), 0
    out: dict[tuple[bytes, bytes], bytes] = {}
    while at < tail.heads().head:
        for bundle in tail.bundles(at, tail.heads().head, 1 << 20) or ():
            out |= {(one.table, one.key): one.value for one in bundle.records if one.table in rings.STREAMS}
            at = bundle.end
    tail.close()
    return out


def meta(data: Path, name: bytes) -> bytes | None:
    ring = RingReader(data / "ring")
    try:
        return ring.meta(name)
    finally:
        ring.close()


def gaps(data: Path, *reasons: int) -> list[event_pb2.Gap]:
    return [event.gap for event in events(data) if event.HasField("gap") and event.gap.reason in reasons]


def numbers(gaps: list[event_pb2.Gap]) -> set[tuple[bytes, bytes]]:
    """Stream and key of all that is declared missing."""
    return {
        (rings.STREAMS[gap.stream - 1], rings.key(seq))
        for gap in gaps
        for seq in range(gap.first_seq, gap.last_seq + 1)
    }


def kill(recorder: "subprocess.Popen[str]") -> None:
    recorder.kill()
    recorder.wait()


def ends(recorder: "subprocess.Popen[str]") -> None:
    recorder.terminate()
    recorder.wait(30)
    assert recorder.returncode == 0


def goes_on(follower: Follower, ticks: int = RATE // 2) -> None:
    """So many more ticks are shown."""
    start = follower.newest(rings.PHYSICS)
    until(lambda: follower.newest(rings.PHYSICS) > start + ticks, pause_s=0.01)


def test_a_kill_loses_nothing_that_was_shown(here: Stage) -> None:
    dice = random.Random(SEED)
    with (
        campaign("kill -9 of a recorder that had shown what it had not committed", tries(3, 200)) as faults,
        following(here) as follower,
    ):
        recorder = here.record(*HELD)
        for _ in faults.rounds():
            goes_on(follower)
            time.sleep(dice.uniform(0.0, 0.3))
            kill(recorder)
            recorder = here.record(*HELD)
        goes_on(follower)
        ends(recorder)
        follower.stop()
        assert not follower.moved, "a number was given twice"
        assert follower.seen.items() <= stored(here.data).items()
        found = account(here.data)
        faults.lose(found.lost, found.declared)
        assert found.reasons <= {"RECORDER_DOWN", "MISSED"}


def test_without_the_tail_it_is_a_power_cut_and_no_number_is_used_twice(here: Stage) -> None:
    dice = random.Random(SEED)
    with campaign("kill -9 of a recorder, and its live tail gone", tries(3, 200), "numbers") as faults:
        with following(here) as follower:
            recorder = here.record(*HELD)
            for _ in faults.rounds():
                goes_on(follower)
                time.sleep(dice.uniform(0.0, 0.3))
                kill(recorder)
                follower.path.unlink()
                recorder = here.record(*HELD)
            newest = follower.newest(rings.SCORING)
            until(lambda: follower.newest(rings.SCORING) > newest)  # which declares what came before it
            goes_on(follower)
            ends(recorder)
        assert not follower.moved, "a number was given twice"
        held = stored(here.data)
        cuts = gaps(here.data, event_pb2.GAP_REASON_POWER_CUT)
        missing = numbers(cuts)
        newest = max(int.from_bytes(at, "big") for stream, at in held if stream == rings.PHYSICS)
        lost = {(rings.PHYSICS, rings.key(seq)) for seq in range(1, newest)} - held.keys()
        down = gaps(here.data, event_pb2.GAP_REASON_RECORDER_DOWN, event_pb2.GAP_REASON_MISSED)
        faults.lose(len(lost), len(lost & (missing | numbers(down))))
        assert follower.seen.keys() <= held.keys() | missing, "neither there nor declared"
        assert not held.keys() & missing, "there, and declared missing"
        assert {gap.stream for gap in cuts} == {1, 2, 3}
        assert {gap.session for gap in cuts} == {1}
        verified = here.start("rigd", "verify", "--data", str(here.data))
        said, _ = verified.communicate(timeout=60)
        assert verified.returncode == 0, said


def test_a_tail_that_cannot_be_taken_over_is_said_and_its_numbers_are_declared(here: Stage) -> None:
    with following(here) as follower:
        recorder = here.record(*HELD)
        goes_on(follower)
        kill(recorder)
        follower.path.write_bytes(bytes(4096))
        again = here.record(*HELD, stderr=subprocess.PIPE)
        goes_on(follower)
        ends(again)
        assert not follower.moved, "a number was given twice"
    assert again.stderr is not None
    assert "tail_spoiled" in again.stderr.read()
    assert gaps(here.data, event_pb2.GAP_REASON_POWER_CUT)


def test_an_older_copy_of_a_tail_is_not_taken_for_it(here: Stage) -> None:
    """It has all that the ring names, and lacks what was shown since."""
    with following(here) as follower:
        recorder = here.record(*HELD)
        goes_on(follower)
        recorder.send_signal(signal.SIGSTOP)
        copy = shutil.copy(follower.path, follower.path.with_suffix(".copy"))
        recorder.send_signal(signal.SIGCONT)
        goes_on(follower)
        kill(recorder)
        os.replace(copy, follower.path)
        again = here.record(*HELD, stderr=subprocess.PIPE)
        goes_on(follower)
        ends(again)
        assert not follower.moved, "a number was given twice"
    assert again.stderr is not None
    assert "is a copy" in again.stderr.read()
    assert gaps(here.data, event_pb2.GAP_REASON_POWER_CUT)


def test_a_reserve_that_only_damage_makes_is_said_and_declares_nothing(here: Stage) -> None:
    with following(here) as follower:
        recorder = here.record()
        goes_on(follower)
        ends(recorder)
        ring = RingWriter(here.data / "ring", 1 << 29)
        ring.append((), {RESERVED: Reserve(1 << 40, 1, 1).pack()})
        ring.close()
        again = here.record(stderr=subprocess.PIPE)
        goes_on(follower)
        ends(again)
    assert again.stderr is not None
    (line,) = (line for line in again.stderr.read().splitlines() if "reserve_spoiled" in line)
    assert f'stream=physics what="it goes to {1 << 40},' in line
    assert not gaps(here.data, event_pb2.GAP_REASON_POWER_CUT)


def test_a_clean_stop_leaves_nothing_in_memory(here: Stage) -> None:
    with following(here) as follower:
        recorder = here.record()
        goes_on(follower)
        assert Place.read(meta(here.data, PLACE))
        assert follower.path.stat().st_mode & 0o777 == 0o600
        ends(recorder)
        assert not follower.path.exists()
        assert (meta(here.data, PLACE), meta(here.data, RESERVED)) == (None, None)
        recorder = here.record()
        goes_on(follower)
        ends(recorder)
    assert not follower.moved
    assert not gaps(here.data, event_pb2.GAP_REASON_POWER_CUT)
    account(here.data)


def test_a_disk_that_refuses_and_a_kill_lose_nothing(here: Stage) -> None:
    with tempfile.TemporaryDirectory() as scratch, following(here) as follower:
        conditions = Conditions(Path(scratch), here.data)
        here.environment = conditions.environment
        recorder = here.record()
        goes_on(follower)
        conditions.become(refuse=errno.ENOSPC)
        until(lambda: bool(here.status().disk_error))
        pending = here.status().pending
        until(lambda: here.status().pending > pending + 2 * RATE)
        kill(recorder)
        taken = appended(follower.path)
        assert len(taken) > 2 * RATE
        conditions.become()
        recorder = here.record()
        goes_on(follower)
        ends(recorder)
    assert {**follower.seen, **taken}.items() <= stored(here.data).items()
    assert account(here.data).reasons <= {"RECORDER_DOWN", "MISSED"}


def test_a_tail_that_is_deleted_is_trouble_until_there_is_another(here: Stage) -> None:
    with following(here) as follower:
        recorder = here.record(*HELD)
        goes_on(follower)
        folder = follower.path.parent
        folder.chmod(0o755)  # as another user's would be: none can be begun there
        follower.path.unlink()
        until(lambda: "is not ours alone" in here.status().tail_error)
        status = here.status()
        assert str(folder) in status.tail_error
        assert "--tail-folder" in status.tail_error, "what to do"
        assert status.tails_lost == 1
        until(lambda: here.status().durable_seq > status.durable_seq)  # nobody waits ten seconds for it
        assert meta(here.data, PLACE) is None
        folder.chmod(0o700)
        until(lambda: not here.status().tail_error)
        until(lambda: any(event.HasField("trouble_ended") for event in follower.events()))
        assert meta(here.data, PLACE) is not None
        kill(recorder)
        recorder = here.record()
        goes_on(follower)
        ends(recorder)
    assert not follower.moved
    assert follower.seen.items() <= stored(here.data).items()
    assert account(here.data).reasons <= {"RECORDER_DOWN", "MISSED"}
    began = [event.trouble_began.what for event in events(here.data) if event.HasField("trouble_began")]
    assert any("live tail" in what for what in began)


def test_a_tail_does_not_outlive_a_ring_that_was_set_aside(here: Stage) -> None:
    """What the tail brings cannot be gone on from, so that another ring begins, which needs a tail too."""
    with following(here) as follower:
        recorder = here.record()
        goes_on(follower)
        kill(recorder)
        old = TailWriter(follower.path)
        old.append([Record(rings.PHYSICS, rings.key(1 << 40), b"?")], shown=False)
        recorder = here.record()
        until(lambda: 0 < here.status().durable_seq < 1 << 40)
        place = Place.read(meta(here.data, PLACE))
        new = TailReader(follower.path)
        assert place is not None
        assert place.tail == new.id != old.id
        assert new.ring != old.ring
        assert here.status().tail_error == ""
        ends(recorder)
        old.close()
        new.close()


def test_a_memory_that_is_full_costs_nothing(here: Stage) -> None:
    """A megabyte is full within a second or two."""
    with tempfile.TemporaryDirectory() as folder:
        mount = f'mount -t tmpfs -o size=1M tmpfs {folder} && exec "$@"'
        able = subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", "true"], check=False)
        if able.returncode:
            pytest.skip("a full memory: it needs the right to mount")
        words = ("--data", str(here.data), "--buffers", str(here.buffers), "--tail-folder", folder)
        program = (sys.executable, "-m", "rigd", "record", *words)
        recorder = here.launch("unshare", "-m", "sh", "-c", mount, "sh", *program)
        until(lambda: here.data.joinpath("ring/data.mdb").exists())
        until(lambda: "No space left" in here.status().tail_error)
        start = here.status().durable_seq
        until(lambda: here.status().durable_seq > start + 3 * RATE)
        ends(recorder)
    assert account(here.data).reasons <= {"MISSED"}


def test_a_tail_without_room_is_kept_until_the_disk_has_it_all(here: Stage) -> None:
    """The disk refuses, others fill the memory, and the recorder is killed: the next one needs that tail."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as scratch:
        mount = f"mount -t tmpfs -o size=90M tmpfs {folder}"
        if subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False).returncode:
            pytest.skip("a full memory: it needs the right to mount")
        conditions = Conditions(Path(scratch), here.data)
        here.environment = conditions.environment
        holder = here.launch("unshare", "-m", "sh", "-c", f"{mount} && exec sleep 600")
        memory = Path(f"/proc/{holder.pid}/root{folder}")
        until(memory.is_mount)
        words = ("--data", str(here.data), "--buffers", str(here.buffers), "--tail-folder", folder)
        program = (sys.executable, "-m", "rigd", "record", *words)
        recorder = here.launch("nsenter", "-t", str(holder.pid), "-m", *program)
        until(lambda: here.status().captured > RATE)
        conditions.become(refuse=errno.ENOSPC)
        until(lambda: here.status().pending > RATE)
        fill(memory / "others")
        until(lambda: here.status().tails_lost == 1)
        lost = here.status().pending
        until(lambda: here.status().pending > lost + 2 * RATE)
        kill(recorder)
        taken = appended(next(memory.glob("*/*.tail")))
        conditions.become()
        recorder = here.launch("nsenter", "-t", str(holder.pid), "-m", *program)
        until(lambda: not [*memory.glob("*/*.tail")])  # the memory is the others'
        assert "No space left" in here.status().tail_error
        (memory / "others").unlink()
        until(lambda: not here.status().tail_error)
        ends(recorder)
    assert len(taken) > RATE
    assert taken.items() <= stored(here.data).items()


def fill(path: Path) -> None:
    """Leave no room in a memory."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def test_two_recorders_have_a_tail_each_and_the_second_of_one_ring_none(here: Stage) -> None:
    with stage() as there, following(here) as follower:
        recorder = here.record()
        goes_on(follower)
        second = here.record(stderr=subprocess.PIPE)
        second.communicate(timeout=30)
        assert second.returncode == 2
        other = here.start(
            *("rigd", "record", "--data", str(there.data), "--buffers", str(here.buffers)),
            stderr=subprocess.DEVNULL,
        )
        until(lambda: tail_path(here.buffers, there.data).exists())
        goes_on(follower)
        assert not here.status().tail_error
        until(lambda: there.status().captured > 10)
        ends(other)
        ends(recorder)
    assert not follower.moved
    assert follower.seen.items() <= stored(here.data).items()
