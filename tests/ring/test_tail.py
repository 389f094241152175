"""The live tail: what was appended is read, in order, unchanged or not at all, whoever breaks the file."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import Corrupt, Denied
from rigd.ring import EVENTS, GAPS, META, PHYSICS, SCORING, Record, key, tail
from rigd.ring.tail import Place, Reserve, TailReader, TailWriter, forget_tails, tail_path
from tests.ring.child import child, line

RING = b"ring-id."
SMALL, MOST = 16 << 10, 1 << 10
"""Of a tail that is overtaken soon."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "CAPACITY", SMALL)
    monkeypatch.setattr(tail, "_MOST", MOST)
    monkeypatch.setattr(tail, "_GUARD", 2 * MOST)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[TailWriter]:
    with closing(TailWriter.begin(tail_path(tmp_path, tmp_path), RING, tmp_path)) as writer:
        yield writer


def tick(seq: int, size: int = 10) -> Record:
    """A record whose bytes tell its number."""
    return Record(PHYSICS, key(seq), (b"%d." % seq * size)[:size])


def rest(reader: TailReader, at: int) -> list[Record]:
    """All records from a position on."""
    out = []
    while at < reader.visible():
        found = reader.bundles(at, reader.visible(), 1 << 20)
        out += records_of(found)
        at = found[-1].end if found else at
    return out


def records_of(found: list[tail.Bundle] | None) -> list[Record]:
    assert found is not None
    return [record for bundle in found for record in bundle.records]


class Written(NamedTuple):
    """A bundle as it was appended, from where to where."""

    start: int
    end: int
    records: list[Record]


class Story:
    """A tail, and what it must hold."""

    def __init__(self, folder: Path) -> None:
        self.path = tail_path(folder, folder)
        self.writer = TailWriter.begin(self.path, RING, folder)
        self.reader = TailReader(self.path)
        self.at = 0
        self.bundles: list[Written] = []
        self.head = self.shown = self.committed = 0

    def append(self, records: list[Record], *, shown: bool) -> None:
        before = self.head
        end = self.writer.append(records, shown=shown)
        room = SMALL - 2 * MOST - (before - self.committed)
        if end is None:
            assert sum(len(one.value) + len(one.key) for one in records) + MOST + 100 > room
            return
        assert end - self.committed <= SMALL - 2 * MOST
        self.head = end
        self.bundles.append(Written(before, end, records))
        if shown:
            self.shown = end

    def commit(self, share: float) -> None:
        ends = [one.end for one in self.bundles if one.end >= self.committed]
        if ends:
            self.committed = ends[int(share * (len(ends) - 1))]
            self.writer.commit(self.committed)

    def read(self, most: int) -> None:
        until = self.reader.visible()
        assert until == max(self.shown, self.committed)
        found = self.reader.bundles(self.at, until, most)
        if found is None:
            assert self.at + SMALL < self.head + 2 * MOST, "it had everything still"
            self.at = until
            return
        end = found[-1].end if found else self.at
        expected = [one.records for one in self.bundles if self.at < one.end <= end]
        assert [bundle.records for bundle in found if bundle.records] == expected
        assert found or self.at == until, "nothing, and there was something"
        self.at = end

    def restart(self) -> None:
        """Another recorder takes it up."""
        self.writer.close()
        self.writer = TailWriter(self.path)
        assert self.writer.heads() == (self.head, self.shown, self.committed)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


RECORDS = st.lists(
    st.builds(
        Record,
        st.sampled_from([PHYSICS, SCORING, EVENTS, GAPS, META]),
        st.binary(min_size=1, max_size=17),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=3,
)
STEPS = st.one_of(
    st.tuples(st.just("append"), RECORDS, st.booleans()),
    st.tuples(st.just("append"), RECORDS, st.just(True)),
    st.tuples(st.just("commit"), st.floats(0, 1)),
    st.tuples(st.just("read"), st.integers(0, 4000)),
    st.tuples(st.just("restart")),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(STEPS, max_size=150))
def test_what_is_read_is_what_was_appended(
    small: None, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    with closing(Story(tmp_path_factory.mktemp("tail"))) as story:
        for step in steps:
            match step:
                case ("append", records, shown):
                    story.append(records, shown=shown)  # type: ignore[arg-type]
                case ("commit", share):
                    story.commit(share)  # type: ignore[arg-type]
                case ("read", most):
                    story.read(most)  # type: ignore[arg-type]
                case _:
                    story.restart()


def test_it_goes_round_and_round(small: None, written: TailWriter) -> None:
    """Also where a bundle does not fit before the end of the file."""
    with closing(TailReader(written.path)) as reader:
        at = 0
        for seq in range(1, 500):
            assert written.append([tick(seq, 100 + seq % 700)], shown=True)
            assert rest(reader, at) == [tick(seq, 100 + seq % 700)]
            at = reader.visible()
            written.commit(at)
    assert at > 10 * SMALL


def test_what_is_not_shown_is_seen_when_it_is_committed(written: TailWriter) -> None:
    with closing(TailReader(written.path)) as reader:
        end = written.append([tick(1)], shown=False)
        assert end
        assert reader.visible() == 0
        written.commit(end)
        assert reader.visible() == end
        assert written.append([tick(2)], shown=False) != reader.visible() == end
        last = written.append([tick(3)], shown=True)
        assert reader.visible() == last
        assert records_of(reader.bundles(end, reader.visible(), 1 << 20)) == [tick(2), tick(3)]


def test_what_the_disk_does_not_have_is_never_overwritten(small: None, written: TailWriter) -> None:
    seqs: list[int] = []
    while written.append([tick(len(seqs) + 1, 500)], shown=True):
        seqs.append(len(seqs) + 1)
    assert SMALL // 700 < len(seqs) < SMALL // 500
    with closing(TailReader(written.path)) as reader:
        assert records_of(reader.bundles(0, reader.visible(), 1 << 20)) == [tick(seq, 500) for seq in seqs]
        written.commit(written.head)
        assert written.append([tick(99, 500)], shown=True)


def test_a_reader_that_was_overtaken_is_told(small: None, written: TailWriter) -> None:
    with closing(TailReader(written.path)) as reader:
        for seq in range(1, 100):
            written.commit(written.append([tick(seq, 500)], shown=True) or 0)
        assert reader.bundles(0, reader.visible(), 1 << 20) is None
        assert reader.bundles(reader.visible(), reader.visible(), 1 << 20) == []
        assert reader.bundles(reader.visible() + 32, reader.visible(), 1 << 20) is None


WRITING = """
import sys, time
from pathlib import Path
from rigd.ring import tail
from rigd.ring.tail import TailWriter
from tests.ring.test_tail import MOST, SMALL, tick
tail.CAPACITY, tail._MOST, tail._GUARD = SMALL, MOST, 2 * MOST
writer = TailWriter(Path(sys.argv[1]))
print("ready", flush=True)
seq = 0
while True:
    seq += 1
    writer.commit(writer.append([tick(seq, 100 + seq % 700)], shown=True))
"""


def test_two_processes_and_what_is_torn_is_not_used(small: None, written: TailWriter) -> None:
    """The writer is as fast as it can be, and goes round the file thousands of times."""
    with closing(TailReader(written.path)) as reader, child(WRITING, written.path) as process:
        assert line(process) == "ready"
        at, last, read, overtaken = 0, 0, 0, 0
        while read < 3000:
            until = reader.visible()
            assert until >= at, "the head goes on and never back"
            found = reader.bundles(at, until, 4 * MOST)
            if found is None:
                at, last, overtaken = until, 0, overtaken + 1
                continue
            for record in records_of(found):
                (seq,) = struct.unpack(">Q", record.key)
                assert record == tick(seq, 100 + seq % 700)
                assert seq == last + 1 or not last
                last, read = seq, read + 1
            at = found[-1].end if found else at
    assert process.returncode != 0, "it was killed in the middle of it"
    with closing(TailWriter(written.path)) as again:
        assert again.append([tick(1)], shown=True)


def test_another_users_file_is_refused(tmp_path: Path, written: TailWriter) -> None:
    written.close()
    if os.geteuid() == 0:
        os.chown(written.path, 12345, -1)
        for kind in (TailReader, TailWriter):
            with pytest.raises(Denied, match="is no file of ours"):
                kind(written.path)
    folder = written.path.parent
    folder.chmod(0o755)
    with pytest.raises(Denied, match="is not ours alone"):
        TailWriter.begin(written.path, RING, tmp_path)


def test_a_link_is_not_followed(tmp_path: Path, written: TailWriter) -> None:
    other = tmp_path / "other"
    written.path.rename(other)
    written.path.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        TailReader(written.path)
    assert written.lost()
    with closing(TailWriter.begin(written.path, RING, tmp_path)) as again:
        assert again.append([tick(1)], shown=True)
    assert not written.path.is_symlink()
    assert other.exists()


@pytest.mark.parametrize(("at", "value"), [(0, b"x"), (8, b"\1"), (32, b"\1"), (40, b"\xff" * 8)])
def test_another_version_is_refused(written: TailWriter, at: int, value: bytes) -> None:
    with written.path.open("r+b") as file:
        file.seek(at)
        file.write(value)
    with pytest.raises(Corrupt):
        TailReader(written.path)


@pytest.mark.parametrize("heads", [(0, 0, 9), (9, 10, 0), (1 << 63, 0, 1 << 63), (200 << 20, 0, 0)])
def test_positions_that_cannot_be_are_refused(written: TailWriter, heads: tuple[int, ...]) -> None:
    with written.path.open("r+b") as file:
        file.seek(64)
        file.write(struct.pack("<QQQ", *heads))
    with pytest.raises(Corrupt, match="which cannot be"):
        TailWriter(written.path)


@pytest.mark.parametrize("size", [0, 7, 63, 80, 5000, 100_000])
def test_a_file_that_was_cut_short_ends_no_process(written: TailWriter, size: int) -> None:
    with closing(TailReader(written.path)) as reader:
        for seq in range(1, 30):
            written.append([tick(seq, 10_000)], shown=True)
        until = reader.visible()
        os.truncate(written.path, size)
        assert written.lost()
        assert reader.lost()
        if size == 100_000:  # a part is there still
            assert records_of(reader.bundles(0, until, 50_000)) == [tick(seq, 10_000) for seq in range(1, 5)]
        with pytest.raises(Corrupt):
            reader.bundles(until - 10_048, reader.visible() and until, 1 << 20)


def test_one_that_nobody_holds_is_closed(written: TailWriter) -> None:
    reader = TailReader(written.path)
    opened = len(os.listdir("/proc/self/fd"))
    del reader
    assert len(os.listdir("/proc/self/fd")) == opened - 1


def test_a_file_that_was_deleted_or_replaced_is_lost(tmp_path: Path, written: TailWriter) -> None:
    assert not written.lost()
    written.path.unlink()
    assert written.lost()
    with closing(TailWriter.begin(written.path, RING, tmp_path)) as other:
        assert written.lost()
        assert not other.lost()
        assert other.id != written.id


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(4096, 4096 + 3000), st.binary(min_size=1, max_size=40))
def test_whatever_is_written_into_it_is_read_or_is_corrupt(
    tmp_path_factory: pytest.TempPathFactory, at: int, spoilt: bytes
) -> None:
    folder = tmp_path_factory.mktemp("tail")
    with closing(TailWriter.begin(tail_path(folder, folder), RING, folder)) as writer:
        for seq in range(1, 30):
            writer.append([tick(seq, 80)], shown=True)
        with writer.path.open("r+b") as file:
            file.seek(at)
            file.write(spoilt)
        with closing(TailReader(writer.path)) as reader, suppress(Corrupt):
            assert len(records_of(reader.bundles(0, reader.visible(), 1 << 20))) <= 29 * 3000


FULL = """
import resource, sys
from pathlib import Path
from rigd.ring.tail import TailReader, TailWriter
from tests.ring.test_tail import tick
writer, reader = TailWriter(Path(sys.argv[1])), TailReader(Path(sys.argv[1]))
assert writer.append([tick(1, 100)], shown=True)
head = writer.head
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for size in (100_000, 10_000_000):
    try:
        writer.append([tick(2, size)], shown=True)
    except OSError as error:
        print(error.errno)
assert reader.visible() == head == writer.head
"""


def test_a_memory_that_is_full_is_an_error_and_nothing_is_shown(written: TailWriter) -> None:
    """The kernel takes the first part of a bundle, and no more."""
    written.close()
    done = subprocess.run([sys.executable, "-c", FULL, written.path], stdout=subprocess.PIPE, check=True)
    assert done.stdout.split() == [b"28"]


def test_tails_of_data_directories_that_are_gone_are_deleted(tmp_path: Path) -> None:
    memory, paths = tmp_path / "memory", []
    memory.mkdir()
    for name in ("kept", "gone"):
        data = tmp_path / name
        data.mkdir()
        paths.append(tail_path(memory, data))
        TailWriter.begin(paths[-1], RING, data).close()
    foreign = paths[0].with_name("notes.txt")
    foreign.write_text("not ours")
    (tmp_path / "gone").rmdir()
    forget_tails(paths[0].parent)
    assert sorted(paths[0].parent.iterdir()) == sorted([paths[0], foreign])
    forget_tails(memory / "nowhere")


def test_a_data_directory_may_have_any_name(tmp_path: Path) -> None:
    """Of letters with many bytes, too."""
    data = tmp_path / ("\U0001f3ce" * 60) / ("\U0001f3ce" * 60)
    path = tail_path(tmp_path, data)
    TailWriter.begin(path, RING, data).close()
    assert path != tail_path(tmp_path, data.parent)


def test_what_is_no_file_keeps_no_recorder_and_no_other_tail(tmp_path: Path) -> None:
    """A FIFO that nobody writes is not waited for, wherever it stands in the folder."""
    data = tmp_path / "gone"
    data.mkdir()
    paths = [tail_path(tmp_path, data).with_stem(name) for name in ("1", "3")]
    for path in paths:
        TailWriter.begin(path, RING, data).close()
    data.rmdir()
    folder = paths[0].parent
    os.mkfifo(folder / "0.tail")
    (folder / "2.tail").mkdir()
    (folder / "4.tail").symlink_to(folder)
    forget_tails(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["0.tail", "2.tail", "4.tail"]


def test_a_file_that_another_tail_was_written_over_is_lost(written: TailWriter, tmp_path: Path) -> None:
    """It is the same file still, and has as many bytes."""
    reader = TailReader(written.path)
    other = TailWriter.begin(tmp_path / "other" / "tail", RING, tmp_path)
    assert [written.lost(), reader.lost()] == [False, False]
    with written.path.open("wb") as file:
        file.write(other.path.read_bytes())
    assert [written.lost(), reader.lost()] == [True, True]
    other.close()
    reader.close()


def test_a_place_and_a_reserve_are_read_as_they_were_packed() -> None:
    place = Place(b"12345678", 7, Path("/dev/shm/rigd-0/a b.tail"))
    assert Place.read(place.pack()) == place
    assert Place.read(None) is Place.read(b"short") is None
    reserve = Reserve(1 << 40, 2, 3)
    assert Reserve.read(reserve.pack()) == reserve
    assert Reserve.read(None) == Reserve.read(b"?") == (0, 0, 0)
    assert reserve.covers([1 << 40, 2, 3])
    assert not reserve.covers([1, 3, 3])
