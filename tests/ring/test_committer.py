"""The committer: everything handed over becomes durable, in order and once, whatever the disk does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigd.record import committer as committers
from rigd.record.committer import Committer, Pending
from rigd.ring import EVENTS, PHYSICS, Record, RingReader, RingWriter, Span, key, open_ring
from rigd.ring.tail import PLACE, RESERVED, Place, Reserve, TailWriter, tail_path
from rigd.wake import Bell, Listener

LIMIT = 16 << 20


class Disk(RingWriter):
    """A ring on a disk that can be told to wait, and to fail."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        if not hasattr(self, "commits"):
            self.commits: list[int] = []
            """Records of each commit that succeeded."""
            self.attempts = 0
            self.failures: list[Exception] = []
            """What the next commits raise, one each."""
            self.broken: Exception | None = None
            """What every commit raises until it is None again."""
            self.free = threading.Event()
            self.free.set()
            self.entered = threading.Event()
            self.reopened = 0
        super().__init__(path, limit_bytes)

    def append(self, records: Any, meta: Any) -> None:
        self.attempts += 1
        self.stop_here()
        if self.broken is not None:
            raise self.broken
        if self.failures:
            raise self.failures.pop(0)
        records = list(records)
        super().append(records, meta)
        self.commits.append(len(records))

    def reopen(self) -> None:
        self.reopened += 1
        self.stop_here()
        super().reopen()

    def stop_here(self) -> None:
        self.entered.set()
        assert self.free.wait(30)

    def hold(self) -> None:
        """Keep the committer from the disk; it stands before it when this returns."""
        self.free.clear()
        self.entered.clear()
        assert self.entered.wait(30)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed commit is tried again at once."""
    monkeypatch.setattr(committers, "_RETRY_S", 0.0)


@contextmanager
def committing(path: Path, commit_every_s: float = 0.0) -> Iterator[tuple[Disk, Committer]]:
    disk = Disk(path, LIMIT)
    committer = Committer(disk, Bell(path.parent / "wake"), commit_every_s)
    try:
        yield disk, committer
    finally:
        disk.free.set()
        committer.close()
        disk.close()


def pending(seq: int, size: int = 100, **meta: bytes) -> Pending:
    """A tick."""
    record = Record(PHYSICS, key(seq), (b"%d." % seq * size)[:size])
    metas = {name.encode(): data for name, data in meta.items()}
    return Pending((record,), metas, size, seq, time.monotonic_ns())


def event(seq: int) -> Pending:
    """An event: no tick."""
    return Pending((Record(EVENTS, key(seq), b"event"),), {}, 5, 0, time.monotonic_ns())


def until(condition: Any) -> None:
    """Wait for another thread to get there."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.0005)


def stored(path: Path) -> list[int]:
    """Numbers of the ticks in the ring, each with its own bytes."""
    reader = RingReader(path)
    held = reader.read(PHYSICS, 0, 1_000_000, 1 << 40)
    reader.close()
    assert all(data.startswith(b"%d." % seq) for seq, data in held)
    return [seq for seq, _ in held]


class TestCommitting:
    def test_what_is_put_is_stored(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            for seq in range(1, 101):
                committer.put(pending(seq, session=b"%d" % seq))
            until(lambda: committer.pending == 0)
            assert (committer.durable_seq, committer.committed) == (100, 100)
            assert (committer.pending_bytes, committer.error, committer.full) == (0, "", False)
            assert disk.meta(b"session") == b"100"
        assert stored(path) == list(range(1, 101))

    def test_closing_stores_what_is_left(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            disk.free.clear()
            for seq in range(1, 51):
                committer.put(pending(seq))
            disk.free.set()
            assert committer.close()
            assert committer.pending == 0
        assert stored(path) == list(range(1, 51))

    def test_closing_without_work_ends(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            assert committer.close()
            assert disk.attempts == 0

    def test_what_comes_while_the_disk_works_is_one_commit(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            disk.free.clear()
            committer.put(pending(1))
            assert disk.entered.wait(30)
            for seq in range(2, 42):
                committer.put(pending(seq))
            assert (committer.pending, committer.pending_bytes) == (41, 4100)
            assert committer.durable_seq == 0
            disk.free.set()
            until(lambda: committer.pending == 0)
            assert disk.commits == [1, 40]
            assert committer.latency.count == 2

    def test_a_group_is_bounded_in_bytes(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committers, "_GROUP_BYTES", 1000)
        with committing(path) as (disk, committer):
            disk.free.clear()
            for seq in range(1, 26):
                committer.put(pending(seq))
            disk.free.set()
            until(lambda: committer.pending == 0)
            assert sum(disk.commits) == 25
            assert max(disk.commits) == 10
        assert stored(path) == list(range(1, 26))

    def test_a_group_is_a_small_part_of_the_ring(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committers, "_GROUPS", LIMIT // 500)
        with committing(path) as (disk, committer):
            disk.free.clear()
            for seq in range(1, 26):
                committer.put(pending(seq))
            disk.free.set()
            until(lambda: committer.pending == 0)
            assert max(disk.commits) == 5

    def test_a_bundle_is_not_torn_by_the_bound(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committers, "_GROUP_BYTES", 10)
        records = tuple(Record(EVENTS, key(seq), b"x" * 20) for seq in range(1, 6))
        with committing(path) as (disk, committer):
            committer.put(Pending(records, {}, 100, 0, 1))
            until(lambda: committer.pending == 0)
            assert disk.commits == [5]

    def test_only_ticks_are_counted_as_ticks(self, path: Path) -> None:
        with committing(path) as (_, committer):
            committer.put(pending(7))
            committer.put(event(1))
            committer.put(event(2))
            until(lambda: committer.pending == 0)
            assert (committer.committed, committer.durable_seq) == (1, 7)

    def test_followers_are_woken_after_the_commit(self, path: Path) -> None:
        with closing(Listener(path.parent / "wake")) as listener, committing(path) as (disk, committer):
            disk.free.clear()
            committer.put(pending(1))
            assert disk.entered.wait(30)
            assert listener.take() == []
            disk.free.set()
            until(lambda: listener.take() == [b""])
            assert committer.durable_seq == 1

    def test_the_loss_window_is_the_age_of_the_oldest(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with committing(path) as (disk, committer):
            assert committer.loss_window_ms() == 0.0
            disk.free.clear()
            first = pending(1)
            committer.put(first)
            assert disk.entered.wait(30)
            committer.put(pending(2))
            now = first.taken_ns + 250_000_000
            with monkeypatch.context() as later:
                later.setattr("rigd.record.committer.time.monotonic_ns", lambda: now)
                assert committer.loss_window_ms() == pytest.approx(250.0)
            disk.free.set()
            until(lambda: committer.pending == 0)
            assert committer.loss_window_ms() == 0.0


@contextmanager
def shown(path: Path, commit_every_s: float) -> Iterator[tuple[Disk, Committer, Callable[[int], None]]]:
    """A committer, and what hands a tick over that followers find in a live tail already."""
    with committing(path, commit_every_s) as (disk, committer):
        tail = TailWriter.begin(tail_path(path.parent, path.parent), disk.id, path.parent)

        def put(seq: int) -> None:
            made = pending(seq)
            position = tail.append(made.records, shown=True) or 0
            committer.put(made._replace(tail=tail, position=position, reserve=Reserve(seq + 10, 1, 1)))

        yield disk, committer, put
        committer.close()
        tail.close()


class TestCommitEvery:
    """An hour between two commits stands for one that nobody has the patience for."""

    def test_what_followers_have_comes_together(self, path: Path) -> None:
        with shown(path, 3600.0) as (disk, committer, put):
            put(1)
            until(lambda: committer.pending == 0)
            for seq in range(2, 12):
                put(seq)
            assert (committer.pending, disk.commits) == (10, [1])
            committer.hurry()
            until(lambda: committer.pending == 0)
            assert disk.commits == [1, 10]

    def test_a_commit_says_how_far_it_goes_in_which_tail(self, path: Path) -> None:
        with shown(path, 0.0) as (disk, committer, put):
            assert tuple(committer.granted) == (None, (0, 0, 0))
            put(1)
            put(2)
            until(lambda: (tail := committer.granted.tail) and tail.heads().committed == tail.head)
            tail, reserve = committer.granted
            assert tail is not None
            assert reserve == (12, 1, 1)
            assert Place.read(disk.meta(PLACE)) == (tail.id, tail.head, tail.path)
            assert Reserve.read(disk.meta(RESERVED)) == reserve

    def test_closing_does_not_wait(self, path: Path) -> None:
        with shown(path, 3600.0) as (_, committer, put):
            for seq in range(1, 6):
                put(seq)
            assert committer.close()
        assert stored(path) == [1, 2, 3, 4, 5]

    def test_a_backlog_does_not_wait(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committers, "_GROUP_BYTES", 1000)
        with shown(path, 3600.0) as (disk, committer, put):
            disk.free.clear()
            put(1)
            assert disk.entered.wait(30)
            for seq in range(2, 42):
                put(seq)
            committer.hurry()
            disk.free.set()
            until(lambda: committer.pending == 0)
            assert disk.commits == [1, 10, 10, 10, 10]

    def test_without_a_tail_followers_wait_for_it_and_it_does_not(self, path: Path) -> None:
        with shown(path, 3600.0) as (disk, committer, put):
            put(1)
            until(lambda: committer.pending == 0)
            committer.put(pending(2))
            committer.hurry()
            until(lambda: committer.pending == 0)
            assert committer.granted == (None, (0, 0, 0))
            assert (disk.meta(PLACE), disk.meta(RESERVED)) == (None, None)
            for seq in range(3, 6):
                committer.put(pending(seq))
                until(lambda: committer.pending == 0)


ERRORS = [
    lmdb.DiskError("no space left on device"),
    lmdb.MapFullError("full"),
    OSError(28, "no space left on device"),
    OSError(),
    lmdb.PanicError("fatal"),
]


class TestARefusingDisk:
    @pytest.mark.parametrize("error", ERRORS, ids=repr)
    def test_nothing_is_lost_and_the_order_stays(self, path: Path, error: Exception) -> None:
        with committing(path) as (disk, committer):
            committer.put(pending(1))
            until(lambda: committer.pending == 0)
            disk.broken = error
            for seq in range(2, 30):
                committer.put(pending(seq))
            until(lambda: disk.attempts > 5)
            assert committer.error == (str(error) or repr(error))
            assert (committer.pending, committer.pending_bytes) == (28, 2800)
            assert (committer.durable_seq, committer.committed) == (1, 1)
            disk.broken = None
            until(lambda: committer.pending == 0)
            assert committer.error == ""
            assert (committer.durable_seq, committer.committed) == (29, 29)
            committer.put(pending(30))
            until(lambda: committer.pending == 0)
        assert stored(path) == list(range(1, 31))

    def test_the_environment_is_opened_again(self, path: Path) -> None:
        """After some errors LMDB refuses it for good."""
        with committing(path) as (disk, committer):
            disk.failures = [lmdb.DiskError("once"), lmdb.DiskError("twice")]
            committer.put(pending(1))
            until(lambda: committer.pending == 0)
            assert disk.reopened == 2
        assert stored(path) == [1]

    def test_an_environment_that_does_not_open_is_tried_again(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            folder, away = path, path.with_name("unmounted")
            disk.broken = lmdb.DiskError("gone")
            committer.put(pending(1))
            disk.hold()
            folder.rename(away)
            folder.write_text("the disk is not mounted")
            disk.free.set()
            until(lambda: "Not a directory" in committer.error or "exists" in committer.error)
            assert committer.pending == 1
            disk.hold()
            folder.unlink()
            away.rename(folder)
            disk.broken = None
            disk.free.set()
            until(lambda: committer.pending == 0)
        assert stored(path) == [1]

    def test_memory_is_bounded(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committers, "MEMORY_BOUND_BYTES", 1000)
        with committing(path) as (disk, committer):
            disk.broken = lmdb.DiskError("no")
            for seq in range(1, 10):
                committer.put(pending(seq))
                assert not committer.full
            committer.put(pending(10))
            assert committer.full
            disk.broken = None
            until(lambda: committer.pending == 0)
            assert not committer.full

    def test_closing_while_it_refuses_says_so_and_ends(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            disk.broken = lmdb.DiskError("no")
            committer.put(pending(1))
            assert not committer.close()
            assert committer.pending == 1
        ring, _ = open_ring(path, LIMIT)
        assert ring.spans()[PHYSICS] == Span(0, 0)
        ring.close()

    def test_a_commit_that_was_made_and_not_confirmed_is_no_second_one(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            append = RingWriter.append

            def made_but_unknown(records: Any, meta: Any) -> None:
                append(disk, list(records), meta)
                disk.append = Disk.append.__get__(disk)  # type: ignore[method-assign]
                raise lmdb.DiskError("fsync failed after the write")

            disk.append = made_but_unknown  # type: ignore[method-assign]
            committer.put(pending(1))
            committer.put(pending(2))
            until(lambda: committer.pending == 0)
        assert stored(path) == [1, 2]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12))
    def test_whatever_fails_everything_arrives(
        self, tmp_path_factory: pytest.TempPathFactory, story: list[tuple[int, int]]
    ) -> None:
        path = tmp_path_factory.mktemp("story") / "ring"
        seq = 0
        with committing(path) as (disk, committer):
            for ticks, failures in story:
                disk.failures += [lmdb.DiskError("again")] * failures
                for _ in range(ticks):
                    seq += 1
                    committer.put(pending(seq))
            disk.failures.clear()
            assert committer.close()
            assert (committer.committed, committer.durable_seq) == (seq, seq)
        assert stored(path) == list(range(1, seq + 1))


class TestADamagedRing:
    @pytest.mark.parametrize(
        "error", [lmdb.CorruptedError("wrong page"), lmdb.PageNotFoundError("no page")], ids=repr
    )
    def test_it_is_set_aside_and_nothing_handed_over_is_lost(self, path: Path, error: Exception) -> None:
        with committing(path) as (disk, committer):
            committer.put(pending(1))
            until(lambda: committer.pending == 0)
            before = disk.id
            disk.failures = [error]
            committer.put(pending(2))
            committer.put(pending(3))
            until(lambda: committer.pending == 0)
            assert disk.id != before
        assert stored(path) == [2, 3]
        (kept,) = path.parent.glob("ring.damaged-*")
        assert stored(kept) == [1]
        reader = RingReader(path)
        assert reader.limit_bytes() == LIMIT
        reader.close()

    def test_a_disk_that_refuses_is_no_damage(self, path: Path) -> None:
        with committing(path) as (disk, committer):
            disk.failures = [lmdb.DiskError("no"), lmdb.MapFullError("no")]
            committer.put(pending(1))
            until(lambda: committer.pending == 0)
        assert list(path.parent.glob("ring.damaged-*")) == []
