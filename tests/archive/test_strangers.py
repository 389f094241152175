"""What is no file of ours, or of a newer version, among those that are: it is named, left alone, and holds up
nobody.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.errors import Corrupt, Newer
from rig.lapfile import LapFile
from rig.regular import open_regular, read_regular, shown
from rig.v1 import laps_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.losses.journal import read_journal
from rigd.store.commands import CommandQueue
from rigd.store.folder import LapFolder
from rigd.store.index import VERSION, Index, IndexReader
from rigd.store.marks import Marks
from rigd.store.reindex import reindex
from tests.archive.tape import ROOMY, drained
from tests.stage import until

Make = Callable[[Path], object]
STRANGERS: dict[str, Make] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": lambda path: os.mknod(path, 0o140600),
}


def rigd(*words: str | Path, code: int = 0) -> str:
    """What a command says, which ends by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "rigd", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def session_of(data: Path) -> Path:
    (folder,) = (path for path in (data / "laps").iterdir() if path.is_dir())
    return folder


def newer(path: Path) -> bytes:
    """Make a lap file one of the next version, as this one sees it."""
    data = bytearray(path.read_bytes())
    data[7] += 1
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_what_is_no_regular_file_is_corrupt_and_never_waited_for(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "stranger")
    for read in (open_regular, lambda path: read_regular(path, 1 << 20), LapFile.open):
        with pytest.raises(Corrupt, match="no regular file"):
            read(tmp_path / "stranger")


def test_a_file_that_is_longer_than_it_can_be_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(bytes(11))
    assert read_regular(tmp_path / "long", 11) == bytes(11)
    with pytest.raises(Corrupt, match="more than 10 bytes"):
        read_regular(tmp_path / "long", 10)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", 10)


def test_any_name_can_be_shown() -> None:
    assert shown(os.fsdecode(b"a\xff\x1b[31m\n")) == "a\\xff␛[31m␊"


def test_strangers_everywhere_hold_up_neither_archiver_nor_check(archived: Path) -> None:
    folder = session_of(archived)
    (archived / "marks").mkdir(exist_ok=True)
    for kind, make in STRANGERS.items():
        bad = os.fsdecode(kind.encode() + b"\xff")
        number = f"{len(kind)}{ord(kind[0])}"
        for place in (
            archived / "laps" / bad,
            folder / f"car{number}-0001.lap",
            folder / f"{bad}.lap",
            folder / f".writing-car{number}-0001.lap",
            archived / f"inbox/0000000000000000001-1-{number}.order",
            archived / f"inbox/0000000000000000001-1-{number}.refused",
            archived / "inbox" / f"{bad}.order",
            archived / f"marks/20261120-134500-00000{number}.json",
            archived / "marks" / f"{bad}.json",
        ):
            make(place)
    said = rigd("verify", "--data", archived, "--json", code=1)
    where = {found["where"] for found in json.loads(said)}
    for kind in STRANGERS:
        assert {rf"laps/{kind}\xff", rf"laps/{folder.name}/{kind}\xff.lap"} <= where
        assert {rf"inbox/{kind}\xff.order", rf"marks/{kind}\xff.json"} <= where
    laps = len(list(LapFolder(archived / "laps").laps()))
    archiver = Archiver(Settings(archived, ROOMY))
    command = CommandQueue(archived).post("pin", next(LapFolder(archived / "laps").laps()))
    drained(archiver)
    assert CommandQueue(archived).settled(command)
    assert archiver.store.index.count() == laps
    archiver.close()
    assert not Marks(archived).pending()
    said = rigd("reindex", "--data", archived, code=1)
    assert f"{laps} laps checked, 0 damaged" in said
    assert all(rf"{kind}\xff.lap" in said for kind in STRANGERS)


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("name", ["session.json", "gone.jsonl", "losses.log"])
def test_what_has_the_name_of_a_file_beside_the_laps_is_set_aside(
    archived: Path, make: Make, name: str
) -> None:
    own = session_of(archived) / name
    own.unlink(missing_ok=True)
    make(own)
    drained(Archiver(Settings(archived, ROOMY))).close()
    aside = own.with_name(f"{name}.damaged")
    assert os.path.lexists(aside)
    assert own.is_file() or name == "gone.jsonl"


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_in_the_place_of_a_lap_makes_way_for_it(archived: Path, make: Make) -> None:
    path = LapFolder(archived / "laps").path(next(LapFolder(archived / "laps").laps()))
    path.unlink()
    make(path)
    (archived / "index.sqlite").unlink()
    drained(Archiver(Settings(archived, ROOMY))).close()
    with LapFile.open(path) as file:
        file.verify()
    assert os.path.lexists(path.with_name(f"{path.name}.foreign.damaged"))


def test_a_lap_of_a_newer_version_is_kept_under_its_name_and_called_so(archived: Path) -> None:
    store = LapFolder(archived / "laps")
    lap = next(store.laps())
    data = newer(store.path(lap))
    command = CommandQueue(archived).post("examine", lap)
    drained(Archiver(Settings(archived, ROOMY))).close()
    assert CommandQueue(archived).settled(command)
    tally = reindex(archived)
    assert (tally.damaged, tally.newer, tally.aside) == (0, [store.path(lap)], [])
    assert store.path(lap).read_bytes() == data
    known = IndexReader(archived / "index.sqlite").lap(lap)
    assert known is not None
    assert known.newer
    assert "written by a newer version" in known.damage
    assert (known.bytes, known.start_time_ns > 0) == (len(data), True)
    assert "left alone: " in rigd("reindex", "--data", archived)
    found = json.loads(rigd("verify", "--data", archived, "--json", code=1))
    assert {one["kind"] for one in found} == {"lap-newer"}


def test_a_lap_that_this_version_reads_again_is_listed_as_it_is(archived: Path) -> None:
    store = LapFolder(archived / "laps")
    lap = next(store.laps())
    sound = store.path(lap).read_bytes()
    newer(store.path(lap))
    Archiver(Settings(archived, ROOMY)).close()
    store.path(lap).write_bytes(sound)
    Archiver(Settings(archived, ROOMY)).close()
    known = IndexReader(archived / "index.sqlite").lap(lap)
    assert known is not None
    assert (known.newer, known.damage) == (False, "")


def test_an_index_of_a_newer_version_ends_the_archiver_and_gives_way_to_a_reindex(archived: Path) -> None:
    path = archived / "index.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    said = rigd("archive", "--data", archived, code=2)
    assert f"written by a newer version and is kept: version {VERSION + 1}" in said
    with pytest.raises(Newer):
        IndexReader(path).list_laps(laps_pb2.ListLapsRequest(parent="sessions/-"))
    found = json.loads(rigd("verify", "--data", archived, "--json", code=1))
    assert "index-newer" in {one["kind"] for one in found}
    rigd("reindex", "--data", archived)
    with sqlite3.connect(f"{path}.newer") as kept:
        assert kept.execute("PRAGMA user_version").fetchone()[0] == VERSION + 1
    kept.close()
    index = Index(path)
    assert index.count() == len(list(LapFolder(archived / "laps").laps()))
    index.close()


def test_fields_of_the_future_beside_the_laps_are_read_over(archived: Path) -> None:
    folder = session_of(archived)
    name = f"sessions/{folder.name}"
    words = json.loads((folder / "session.json").read_text())
    del words["crc32"]
    (folder / "session.json").write_text(json.dumps(words | {"aura": 7, "kind": "SESSION_KIND_PARADE"}))
    (folder / "gone.jsonl").write_text(json.dumps({"lap": f"{name}/laps/car000-0099", "aura": [1]}) + "\n")
    (session,) = LapFolder(archived / "laps").sessions()
    assert session.name == name
    assert list(LapFolder(archived / "laps").tombstones(name)) == [f"{name}/laps/car000-0099"]
    entries = read_journal(folder / "losses.log", name)
    line = json.dumps([{"kind": "aura", "time_ns": 5, "heads": {"aura": 3}, "aura": {}}]).encode()
    crc = int((folder / "losses.log").read_bytes().splitlines()[-1][:8], 16)
    with (folder / "losses.log").open("ab") as journal:
        journal.write(b"%08x %b\n" % (zlib.crc32(line, crc), line))
    assert len(read_journal(folder / "losses.log", name)) == len(entries) + 1


def test_a_long_start_ends_when_it_is_told_to_and_the_next_one_goes_on(archived: Path) -> None:
    (archived / "index.sqlite").unlink()
    archiver = Archiver(Settings(archived, ROOMY), stop=lambda _: True)
    assert not archiver.store.index.count()
    archiver.close()
    archiver = Archiver(Settings(archived, ROOMY))
    assert archiver.store.index.count() == len(list(archiver.store.folder.laps())) > 0
    archiver.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["verify", "reindex"])
def test_a_long_check_ends_when_it_is_told_to(archived: Path, command: str, number: signal.Signals) -> None:
    """Also with Ctrl-C ignored by whoever started it, as shells do in the background."""
    lap = next(LapFolder(archived / "laps").laps())
    path = LapFolder(archived / "laps").path(lap)
    for copy in range(3000):
        os.link(path, path.with_name(f"car500-{copy:04d}.lap"))
    process = subprocess.Popen(
        [sys.executable, "-m", "rigd", command, "--data", str(archived)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    until(
        lambda: (
            b"SigCgt" in Path(f"/proc/{process.pid}/status").read_bytes() and _catches(process.pid, number)
        )
    )
    process.send_signal(number)
    process.communicate(timeout=240)
    assert process.returncode == 128 + number


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for the signal."""
    caught = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0]
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_a_small_file_takes_no_more_memory_than_it_has(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(bytes(100))
    tracemalloc.start()
    assert len(read_regular(tmp_path / "small", 1 << 30)) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
