"""The ring: what was appended is read, the oldest goes first, and nobody sees half a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import Busy, RingMissing
from rigd.ring import (
    EVENTS,
    GAPS,
    PHYSICS,
    SCORING,
    SHARES,
    STREAMS,
    Lock,
    Record,
    RingReader,
    RingWriter,
    Span,
    gap_key,
    key,
    open_ring,
)
from rigd.ring.tables import CHECKS, FILLED
from tests.ring.child import child, line

LIMIT = 4 << 20


@contextmanager
def writing(path: Path, limit: int = LIMIT) -> Iterator[RingWriter]:
    """The ring for writing. LMDB wants one environment per process, so it is closed before any reading."""
    ring, _ = open_ring(path, limit)
    try:
        yield ring
    finally:
        ring.close()


@contextmanager
def reading(path: Path) -> Iterator[RingReader]:
    ring = RingReader(path)
    try:
        yield ring
    finally:
        ring.close()


def physics(seq: int, size: int = 10) -> Record:
    """A record whose bytes tell its number."""
    return Record(PHYSICS, key(seq), value(seq, size))


def value(seq: int, size: int = 10) -> bytes:
    return (b"%d." % seq * size)[:size]


class TestAppending:
    def test_what_is_appended_is_read(self, path: Path) -> None:
        with writing(path) as ring:
            ring.append([physics(1), physics(2), Record(EVENTS, key(1), b"event")], {b"game": b"123"})
            ring.append([physics(4), Record(SCORING, key(1), b"")], {})
            assert ring.last(PHYSICS) == value(4)
            assert ring.last(SCORING) == b""
            assert ring.meta(b"game") == b"123"
            assert ring.meta(b"nothing") is None
        with reading(path) as read:
            assert read.read(PHYSICS, 0, 10, 1 << 20) == [(1, value(1)), (2, value(2)), (4, value(4))]
            assert read.get(EVENTS, 1) == b"event"
            assert read.get(PHYSICS, 3) is None
            assert read.spans() == {PHYSICS: Span(1, 4), SCORING: Span(1, 1), EVENTS: Span(1, 1)}
            assert read.heads() == {PHYSICS: 4, SCORING: 1, EVENTS: 1}

    def test_an_empty_ring_is_empty(self, path: Path) -> None:
        with writing(path) as ring:
            assert ring.spans() == dict.fromkeys(STREAMS, Span(0, 0))
            assert ring.last(PHYSICS) is None
        with reading(path) as read:
            assert read.read(PHYSICS, 0, 10, 1 << 20) == []
            assert read.bisect(PHYSICS, lambda _: True) == 0
            assert read.gaps(PHYSICS, 0, 1 << 60) == []
            assert read.limit_bytes() == LIMIT

    def test_numbers_are_ordered_as_numbers(self, path: Path) -> None:
        numbers = [1, 255, 256, 65_535, 65_536, 2**32, 2**63, 2**64 - 2]
        with writing(path) as ring:
            ring.append([physics(seq) for seq in numbers], {})
        with reading(path) as read:
            assert [seq for seq, _ in read.read(PHYSICS, 0, 100, 1 << 20)] == numbers

    @pytest.mark.parametrize("late", [1, 4, 5])
    def test_out_of_order_is_refused_and_nothing_of_the_commit_stays(self, path: Path, late: int) -> None:
        with writing(path) as ring:
            ring.append([physics(5)], {b"game": b"before"})
            wrong = Record(PHYSICS, key(late), b"late")
            with pytest.raises(lmdb.KeyExistsError, match=r"physics .* not after the newest"):
                ring.append([physics(6), Record(EVENTS, key(1), b"x"), wrong], {b"game": b"after"})
            assert ring.spans() == {PHYSICS: Span(5, 5), SCORING: Span(0, 0), EVENTS: Span(0, 0)}
            assert ring.meta(b"game") == b"before"
            ring.append([physics(6)], {})
            assert ring.last(PHYSICS) == value(6)

    def test_the_same_commit_again_changes_nothing(self, path: Path) -> None:
        """After an error of the disk nobody knows whether a commit was made: it is tried again."""
        records = [physics(5), physics(6), Record(GAPS, gap_key(PHYSICS, 5, 1), b"gap")]
        with writing(path) as ring:
            ring.append(records, {})
            ring.append([*records, physics(7)], {})
        with reading(path) as read:
            assert read.read(PHYSICS, 0, 9, 1 << 20) == [(seq, value(seq)) for seq in (5, 6, 7)]
            assert read.gaps(PHYSICS, 5, 5) == [b"gap"]

    def test_it_is_all_there_after_opening_again(self, path: Path) -> None:
        with writing(path) as ring:
            ring.append([physics(seq) for seq in range(1, 50)], {b"session": b"key"})
            before = ring.id
        with writing(path) as ring:
            assert ring.id == before
            assert ring.spans()[PHYSICS] == Span(1, 49)
            assert ring.meta(b"session") == b"key"
            ring.reopen()
            ring.append([physics(50)], {})
            assert ring.spans()[PHYSICS] == Span(1, 50)

    def test_two_rings_have_two_names(self, tmp_path: Path) -> None:
        with writing(tmp_path / "one") as one, writing(tmp_path / "two") as two:
            assert one.id != two.id
            assert len(one.id) == len(two.id) == 8

    def test_another_limit_is_told_to_readers(self, path: Path) -> None:
        with writing(path, LIMIT):
            pass
        with writing(path, 2 * LIMIT):
            pass
        with reading(path) as read:
            assert read.limit_bytes() == 2 * LIMIT


class TestEvicting:
    @pytest.mark.parametrize("size", [40, 1_000, 3_000, 30_000, 200_000])
    def test_the_oldest_go_and_the_rest_fits_its_share(self, path: Path, size: int) -> None:
        limit = 1 << 20
        share = int(SHARES[PHYSICS] * FILLED * limit)
        count = 3 * limit // size
        with writing(path, limit) as ring:
            for first in range(1, count + 1, 50):
                ring.append([physics(seq, size) for seq in range(first, min(first + 50, count + 1))], {})
        with reading(path) as read:
            held = read.read(PHYSICS, 0, count, 1 << 40)
            assert [seq for seq, _ in held] == list(range(held[0][0], count + 1))
            assert all(data == value(seq, size) for seq, data in held)
            with read.begin() as txn:
                used = read.used_bytes() + read.used(txn, CHECKS)
            assert used <= share
            # And no more went than had to: pages are what is counted, and one record more would not fit.
            pages = -(-(size + 16) // 4096) * 4096 if size > 2000 else size * 4
            assert share - used <= pages + 16_384

    def test_the_newest_stays_however_large(self, path: Path) -> None:
        limit = 1 << 20
        with writing(path, limit) as ring:
            ring.append([physics(1, 100), physics(2, 2 * limit)], {})
            assert ring.spans()[PHYSICS] == Span(2, 2)
            ring.append([physics(3, 100)], {})
            assert ring.spans()[PHYSICS] == Span(3, 3)

    def test_each_table_has_a_share_of_its_own(self, path: Path) -> None:
        limit = 1 << 20
        with writing(path, limit) as ring:
            ring.append([Record(EVENTS, key(1), b"started"), Record(SCORING, key(1), b"first")], {})
            for seq in range(1, 200):
                ring.append([physics(seq, 20_000)], {})
            assert ring.spans()[PHYSICS].first > 1
            assert ring.spans()[EVENTS] == ring.spans()[SCORING] == Span(1, 1)
            for seq in range(2, 400):
                ring.append([Record(EVENTS, key(seq), bytes(500))], {})
            assert ring.spans()[EVENTS].first > 1
            assert ring.spans()[SCORING] == Span(1, 1)

    def test_shares_are_the_whole(self) -> None:
        assert sum(SHARES.values()) == pytest.approx(1.0)
        assert SHARES.keys() == {*STREAMS, GAPS}

    def test_the_file_stays_within_bounds(self, path: Path) -> None:
        limit = 1 << 20
        with writing(path, limit) as ring:
            for seq in range(1, 1000):
                ring.append([physics(seq, 9_000)], {})
        assert (path / "data.mdb").stat().st_size < 2 * limit

    @pytest.mark.parametrize("limit", [16 << 20, 64 << 20])
    @pytest.mark.parametrize("size", [800, 83_000])
    def test_the_file_is_as_large_as_the_limit_says(self, path: Path, limit: int, size: int) -> None:
        """With the records of 2 and of 104 cars, in the largest groups that the committer makes of them, and
        beside a reader whose transactions last as long as a commit.
        """
        numbers = count(1)
        with writing(path, limit) as ring:
            for group in range(1, 140):
                ticks = [physics(next(numbers), size) for _ in range(max(limit // 64 // size, 1))]
                scoring = [Record(SCORING, key(group), bytes(limit // 800))]
                with ring.begin():
                    ring.append([*ticks, *scoring], {b"session": bytes(3000)})
            assert ring.spans()[PHYSICS].first > 1
            assert (path / "data.mdb").stat().st_size <= 1.05 * limit

    def test_a_reader_that_pins_pages_lets_it_grow_at_most_to_its_map(self, path: Path) -> None:
        """Then it refuses; the recorder declares what it cannot keep in memory."""
        limit = 4 << 20
        with writing(path, limit) as ring:

            def fill() -> None:
                for seq in range(1, 1 << 12):
                    ring.append([physics(seq, 80_000)], {})

            with ring.begin(), pytest.raises(lmdb.MapFullError):
                fill()
            last = ring.spans()[PHYSICS].last
            ring.append([physics(last + 1, 80_000)], {})
            assert (path / "data.mdb").stat().st_size <= 2 * limit + (64 << 20)

    def test_a_smaller_limit_takes_effect(self, path: Path) -> None:
        with writing(path, 4 << 20) as ring:
            ring.append([physics(seq, 30_000) for seq in range(1, 101)], {})
            assert ring.spans()[PHYSICS] == Span(1, 100)
        with writing(path, 1 << 20) as ring:
            ring.append([physics(101, 30_000)], {})
            assert 25 <= 102 - ring.spans()[PHYSICS].first <= 31


numbers = st.lists(st.integers(1, 300), unique=True, max_size=40).map(sorted)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring that the examples of a property rewrite."""
    return tmp_path_factory.mktemp("shared") / "ring"


def rewrite(path: Path, sequence: list[int]) -> None:
    """Make the ring hold these physics records alone."""
    ring = RingWriter(path, LIMIT)
    with ring.env.begin(write=True) as txn:
        txn.drop(ring.dbs[PHYSICS], delete=False)
    ring.append([physics(seq, size=100) for seq in sequence], {})
    ring.close()


class TestReading:
    @given(numbers, st.integers(0, 310), st.integers(1, 50), st.integers(1, 3000))
    def test_batches_are_bounded_by_count_and_bytes(
        self, shared: Path, sequence: list[int], after: int, count: int, most: int
    ) -> None:
        rewrite(shared, sequence)
        later = [seq for seq in sequence if seq > after]
        with reading(shared) as read:
            got = read.read(PHYSICS, after, count, most)
        assert [seq for seq, _ in got] == later[: len(got)]
        assert all(data == value(seq, 100) for seq, data in got)
        wanted = min(len(later), count, -(-most // 100))
        assert len(got) == wanted

    @given(numbers, st.integers(0, 310))
    def test_bisect_finds_the_last_before(self, shared: Path, sequence: list[int], bound: int) -> None:
        rewrite(shared, sequence)
        calls = 0

        def before(data: memoryview) -> bool:
            nonlocal calls
            calls += 1
            return int(bytes(data).split(b".")[0]) < bound

        with reading(shared) as read:
            found = read.bisect(PHYSICS, before)
        if sequence:
            earlier = [seq for seq in sequence if seq < bound]
            assert found == (earlier[-1] if earlier else sequence[0] - 1)
            assert calls <= 10
        else:
            assert found == 0

    def test_a_batch_of_one_is_given_however_large(self, path: Path) -> None:
        with writing(path) as ring:
            ring.append([physics(1, 100_000), physics(2, 100_000)], {})
        with reading(path) as read:
            assert read.read(PHYSICS, 0, 10, 1) == [(1, value(1, 100_000))]


class TestGaps:
    def test_losses_are_found_by_where_they_begin(self, path: Path) -> None:
        losses = [(PHYSICS, 5, 1), (PHYSICS, 5, 2), (PHYSICS, 9, 3), (SCORING, 6, 4), (PHYSICS, 300, 5)]
        with writing(path) as ring:
            records = [
                Record(GAPS, gap_key(stream, first, event), b"%d" % event) for stream, first, event in losses
            ]
            ring.append(records[::-1], {})
        with reading(path) as read:
            assert read.gaps(PHYSICS, 1, 1000) == [b"1", b"2", b"3", b"5"]
            assert read.gaps(PHYSICS, 5, 5) == [b"1", b"2"]
            assert read.gaps(PHYSICS, 6, 8) == []
            assert read.gaps(PHYSICS, 6, 9) == [b"3"]
            assert read.gaps(PHYSICS, 10, 299) == []
            assert read.gaps(SCORING, 1, 1000) == [b"4"]
            assert read.gaps(EVENTS, 0, 2**64 - 1) == []

    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=30), st.data())
    def test_it_is_a_search_in_a_list(
        self, shared: Path, losses: list[tuple[int, int]], data: st.DataObject
    ) -> None:
        ring = RingWriter(shared, LIMIT)
        with ring.env.begin(write=True) as txn:
            txn.drop(ring.dbs[GAPS], delete=False)
        records = [
            Record(GAPS, gap_key(STREAMS[stream], first, event), b"%d" % event)
            for event, (stream, first) in enumerate(losses)
        ]
        ring.append(records, {})
        ring.close()
        stream = data.draw(st.integers(0, 2))
        low, high = data.draw(st.tuples(st.integers(0, 50), st.integers(0, 50)))
        wanted = sorted((first, event) for event, (of, first) in enumerate(losses) if of == stream)
        with reading(shared) as read:
            assert read.gaps(STREAMS[stream], low, high) == [
                b"%d" % event for first, event in wanted if low <= first <= high
            ]


WRITER = """
import sys
from pathlib import Path
from rigd.ring import EVENTS, PHYSICS, Record, key, open_ring

ring, _ = open_ring(Path(sys.argv[1]), int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for seq in range(1, int(sys.argv[3]) + 1):
    value = (b"%d." % seq * 8000)[:8000]
    ring.append([Record(PHYSICS, key(seq), value), Record(EVENTS, key(seq), value[:50])], {})
print("done", flush=True)
sys.stdin.readline()
"""


LARGER = """
import sys
from pathlib import Path
from rigd.ring import PHYSICS, Record, key, open_ring

ring, _ = open_ring(Path(sys.argv[1]), int(sys.argv[2]))
for seq in range(1, int(sys.argv[3]) + 1):
    ring.append([Record(PHYSICS, key(seq), bytes(800_000))], {})
ring.close()
print("done", flush=True)
sys.stdin.readline()
"""


class TestBesideTheWriter:
    def follow(self, read: RingReader, count: int) -> tuple[list[int], int]:
        """Read on until record `count`, checking all on the way; numbers received, and how many were lost."""
        at, got, lost = 0, [], 0
        while at < count:
            for seq, data in read.read(PHYSICS, at, 64, 256 << 10):
                assert seq > at
                assert data == value(seq, 8000)
                lost += seq - at - 1
                got.append(seq)
                at = seq
            spans = read.spans()
            # A commit is seen whole: both of its records, or none.
            assert spans[PHYSICS].last == spans[EVENTS].last
        return got, lost

    def test_a_reader_sees_whole_commits_in_order(self, path: Path) -> None:
        count = 300
        with child(WRITER, path, 64 << 20, count) as writer:
            assert line(writer) == "ready"
            with reading(path) as read:
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
                assert self.follow(read, count) == (list(range(1, count + 1)), 0)
                assert line(writer) == "done"

    def test_a_reader_that_is_overtaken_finds_the_oldest(self, path: Path) -> None:
        count = 300
        with child(WRITER, path, 1 << 20, count) as writer:
            assert line(writer) == "ready"
            with reading(path) as read:
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
                assert line(writer) == "done"
                first = read.spans()[PHYSICS].first
                assert 1 < first < count
                got, lost = self.follow(read, count)
                assert got == list(range(first, count + 1))
                assert lost == first - 1

    def test_a_reader_maps_what_the_writer_maps(self, path: Path) -> None:
        """One that maps what is committed may find it too small in the moment after."""
        with writing(path, 16 << 20) as ring:
            size = ring.env.info()["map_size"]
        with reading(path) as read:
            assert read.env.info()["map_size"] == size

    def test_a_reader_goes_on_when_the_ring_becomes_larger(self, path: Path) -> None:
        """The first ring is mapped with 66 MB, the second grows to 80."""
        with writing(path, 1 << 20):
            pass
        with reading(path) as read, child(LARGER, path, 128 << 20, 100) as writer:
            assert line(writer) == "done"
            assert (path / "data.mdb").stat().st_size > read.env.info()["map_size"]
            assert read.spans()[PHYSICS].last == 100
            assert read.get(PHYSICS, 100) == bytes(800_000)

    def test_what_was_committed_survives_a_kill(self, path: Path) -> None:
        count = 100_000
        with child(WRITER, path, 64 << 20, count) as writer:
            assert line(writer) == "ready"
            with reading(path) as read:
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
                while (seen := read.heads()[PHYSICS]) < 20:
                    pass
        ring, trouble = open_ring(path, 64 << 20)
        assert trouble == ""
        last = ring.spans()[PHYSICS].last
        assert last >= seen
        ring.append([physics(last + 1)], {})
        ring.close()
        with reading(path) as read:
            held = read.read(PHYSICS, 0, count, 1 << 40)
            assert [seq for seq, _ in held] == list(range(1, last + 2))
            assert all(data == value(seq, 8000) for seq, data in held[:-1])

    def test_no_ring_is_said(self, path: Path) -> None:
        with pytest.raises(RingMissing, match="no ring"):
            RingReader(path)
        path.mkdir()
        (path / "data.mdb").write_bytes(b"")
        for _ in range(2):
            with pytest.raises(RingMissing, match="cannot be opened"):
                RingReader(path)

    def test_a_replaced_ring_is_noticed(self, path: Path) -> None:
        with writing(path) as ring:
            ring.append([physics(1)], {})
        with reading(path) as read:
            assert not read.replaced()
            path.rename(path.with_name("gone"))
            assert not read.replaced(), "it may come back"
            with child(WRITER, path, LIMIT, 1) as writer:
                assert line(writer) == "ready"
                assert read.replaced()
                assert read.get(PHYSICS, 1) == value(1)

    def test_letting_go_of_pages_loses_nothing(self, path: Path) -> None:
        with writing(path) as ring:
            ring.append([physics(seq, 10_000) for seq in range(1, 100)], {})
            ring.forget_pages()
            assert ring.last(PHYSICS) == value(99, 10_000)
            ring.append([physics(100, 10_000)], {})
        with reading(path) as read:
            assert len(read.read(PHYSICS, 0, 1000, 1 << 30)) == 100
            read.forget_pages()
            assert read.get(PHYSICS, 1) == value(1, 10_000)


OWNER = """
import sys
from pathlib import Path
from rigd.ring import Lock

lock = Lock(Path(sys.argv[1]))
print("mine", flush=True)
sys.stdin.readline()
lock.release()
print("yours", flush=True)
sys.stdin.readline()
"""


class TestTheLock:
    def test_it_names_its_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "ring.lock"
        with child(OWNER, path) as owner:
            assert line(owner) == "mine"
            with pytest.raises(Busy, match=f"process {owner.pid} on .* since") as caught:
                Lock(path)
            assert caught.value.hint
            assert caught.value.facts["path"] == str(path)
            assert owner.stdin is not None
            owner.stdin.write("release\n")
            owner.stdin.flush()
            assert line(owner) == "yours"
            Lock(path).release()

    def test_it_dies_with_its_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "ring.lock"
        with child(OWNER, path) as owner:
            assert line(owner) == "mine"
        lock = Lock(path)
        with pytest.raises(Busy):
            Lock(path)
        lock.release()

    def test_a_shorter_name_leaves_nothing_of_a_longer(self, tmp_path: Path) -> None:
        path = tmp_path / "ring.lock"
        path.write_text("x" * 500)
        lock = Lock(path)
        assert path.read_text().startswith("process ")
        assert path.read_text().count("\n") == 1
        assert "x" * 100 not in path.read_text()
        lock.release()
