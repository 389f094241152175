"""A ring that was damaged: whatever is in its file, recording goes on, and what was there is kept aside."""

import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import pytest

from rigd.ring import (
    EVENTS,
    GAPS,
    META,
    PHYSICS,
    SCORING,
    Record,
    RingReader,
    RingWriter,
    gap_key,
    inspect,
    key,
    open_ring,
)
from tests.faults.campaign import tries
from tests.ring.child import ROOT

LIMIT = 1 << 20
PAGE = 4096
RINGS = tries(8, 400)
"""Damaged rings tried: each costs a process."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring that is full, so that it has evicted and reuses pages."""
    path = tmp_path_factory.mktemp("sound") / "ring"
    ring, _ = open_ring(path, LIMIT)
    for seq in range(1, 200):
        records = [
            Record(PHYSICS, key(seq), bytes([seq]) * (2000 + 37 * seq)),
            Record(SCORING, key(seq), bytes([seq]) * 700),
            Record(EVENTS, key(seq), b"event"),
            Record(GAPS, gap_key(PHYSICS, seq, seq), b"gap"),
        ]
        ring.append(records, {b"session": b"1 2 3"})
    ring.close()
    return path


@pytest.fixture
def ring(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(sound, tmp_path / "ring")


def check(path: Path) -> str:
    """Write and read what `use_ring` does; what open_ring had to say."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ring.use_ring", path, str(LIMIT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def aside(path: Path) -> list[Path]:
    """Damaged rings beside this one."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))


def test_a_sound_ring_is_left_alone(ring: Path) -> None:
    assert check(ring) == ""
    assert aside(ring) == []


def test_an_inspection_leaves_no_trace(ring: Path) -> None:
    before = {path.name: path.read_bytes() for path in ring.iterdir()}
    inspect(ring)
    assert {path.name: path.read_bytes() for path in ring.iterdir()} == before


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"\0" * 2 * PAGE, b"\0" * 100 * PAGE, b"garbage" * 5000, b"\xff" * 3 * PAGE],
    ids=["empty", "short", "zero pages", "zeros", "garbage", "ones"],
)
def test_what_is_no_ring_is_set_aside(path: Path, content: bytes) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(content)
    trouble = check(path)
    (kept,) = aside(path)
    assert f"it was moved to {kept}" in trouble
    assert (kept / "data.mdb").read_bytes() == content


@pytest.mark.parametrize("left", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_set_aside(ring: Path, left: float) -> None:
    data = ring / "data.mdb"
    whole = data.read_bytes()
    data.write_bytes(whole[: int(left * len(whole))])
    assert "it was moved" in check(ring)
    assert len(aside(ring)) == 1


def test_the_end_alone_cut_off_is_told(ring: Path) -> None:
    data = ring / "data.mdb"
    with lmdb.open(str(ring), readonly=True, lock=False, max_dbs=8) as env:
        used = (env.info()["last_pgno"] + 1) * PAGE
    data.write_bytes(data.read_bytes()[: used - PAGE])
    assert "its pages reach" in check(ring)


@pytest.mark.parametrize("content", [b"2", b"", None])
def test_a_ring_of_another_format_is_set_aside(ring: Path, content: bytes | None) -> None:
    writer = RingWriter(ring, LIMIT)
    with writer.env.begin(write=True) as txn:
        if content is None:
            txn.delete(b"format", db=writer.dbs[META])
        else:
            txn.put(b"format", content, db=writer.dbs[META])
    writer.close()
    assert "ring format" in check(ring)
    assert len(aside(ring)) == 1


def test_an_environment_of_somebody_else_is_set_aside(path: Path) -> None:
    path.mkdir()
    with lmdb.open(str(path), max_dbs=2) as env, env.begin(write=True) as txn:
        txn.put(b"their", b"data", db=env.open_db(b"theirs", txn=txn))
    assert "cannot be read" in check(path)
    assert len(aside(path)) == 1


def test_a_lock_file_of_nonsense_is_no_matter(ring: Path) -> None:
    (ring / "lock.mdb").write_bytes(b"nonsense" * 1000)
    check(ring)


def test_two_rings_are_set_aside_in_one_second(path: Path) -> None:
    for number in range(3):
        path.mkdir()
        (path / "data.mdb").write_bytes(b"%d" % number)
        ring, trouble = open_ring(path, LIMIT)
        ring.close()
        assert trouble
        shutil.rmtree(path)
    assert [(kept / "data.mdb").read_bytes() for kept in aside(path)] == [b"0", b"1", b"2"]


def test_a_new_ring_has_another_name(ring: Path) -> None:
    reader = RingReader(ring)
    before = reader.id
    reader.close()
    (ring / "data.mdb").write_bytes(b"\0" * PAGE)
    writer, _ = open_ring(ring, LIMIT)
    assert writer.id != before
    assert writer.spans()[PHYSICS].last == 0
    writer.close()


def damage(path: Path, seed: int) -> None:
    """Spoil one to five pages of the ring, the first and most important ones more often than others."""
    chance = random.Random(seed)
    data = bytearray((path / "data.mdb").read_bytes())
    pages = len(data) // PAGE
    kind = chance.choice(["bits", "zeros", "garbage", "swap", "header"])
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = PAGE * chance.choice([*range(6), chance.randrange(pages), chance.randrange(pages)])
        other = PAGE * chance.randrange(pages)
        if kind == "bits":
            for _ in range(chance.choice([1, 8, 64])):
                data[at + chance.randrange(PAGE)] ^= 1 << chance.randrange(8)
        elif kind == "zeros":
            data[at : at + PAGE] = bytes(PAGE)
        elif kind == "garbage":
            data[at : at + PAGE] = chance.randbytes(PAGE)
        elif kind == "swap":
            data[at : at + PAGE], data[other : other + PAGE] = (
                data[other : other + PAGE],
                data[at : at + PAGE],
            )
        else:
            for _ in range(3):
                data[at + chance.randrange(64)] = chance.randrange(256)
    (path / "data.mdb").write_bytes(data)


def test_chance_damage_never_stops_the_recording(sound: Path, tmp_path: Path) -> None:
    """Either at once or when the damage is met, the ring is replaced; nothing handed over is lost."""

    def one(seed: int) -> str:
        path = shutil.copytree(sound, tmp_path / str(seed) / "ring")
        damage(path, seed)
        check(path)
        return "replaced" if aside(path) else "kept"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(one, range(RINGS)))
    assert set(outcomes) == {"replaced", "kept"}
