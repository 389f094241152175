"""A backup of everything, made while it changes, and brought back: whole, checked, or not at all."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import rigclient
from rig.errors import BadRequest, Busy, Corrupt, Denied, Exhausted, NotFound, Unavailable
from rigd.archive.archiver import Archiver, Settings
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore
from rigd.backup import copy
from rigd.backup import restore as restoring
from rigd.backup import run as running
from rigd.backup.restore import restore
from rigd.backup.run import BackupRun
from rigd.ring import RingReader
from rigd.ring.lock import ring_lock
from rigd.serve import server as servers
from rigd.store.store import Store
from rigd.verify.run import DataCheck
from tests.archive.conftest import archived_race as archived_race
from tests.archive.conftest import recorded_race as recorded_race
from tests.archive.tape import ROOMY, drained
from tests.once import once
from tests.stage import until
from tests.store import import_laps


@pytest.fixture(scope="session")
def kept(archived_race: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a race, an import, a pinned lap, one that was deleted, a catalog, a mark, a
    token.
    """

    def make(folder: Path) -> None:
        data = shutil.copytree(archived_race, folder / "data")
        store = Store.open(data)
        store.put_session(import_laps.session())
        (folder / "lap").write_bytes(import_laps.file(import_laps.lap(1)))
        store.place(import_laps.lap(1).name, folder / "lap")
        first, second, *_ = store.folder.laps()
        store.pin(first, True, "ann")
        store.remove(second, {"why": "deleted on request"})
        store.close()
        (data / "marks").mkdir(exist_ok=True)
        (data / "marks/20261120-134500-000000001.damaged").write_bytes(b"a mark")
        with contextlib.closing(sqlite3.connect(data / "catalog.sqlite")) as db:
            db.executescript(
                "PRAGMA journal_mode = WAL; CREATE TABLE event (name TEXT); INSERT INTO event VALUES ('x')"
            )
        TokenStore(data).create("pit wall", "ann", (Scope.LAPS,), 0)
        (data / "laps/.reserve").write_bytes(bytes(4096))

    return once(tmp_path_factory, "kept", make) / "data"


def made(data: Path, file: Path, **what: bool) -> Path:
    file.write_bytes(b"".join(part.data for part in BackupRun(data, **what).responses()))
    return file


@pytest.fixture(scope="session")
def backup(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all of it."""
    return once(tmp_path_factory, "backup", lambda folder: made(kept, folder / "all")) / "all"


def findings(data: Path) -> list[str]:
    return [str(one) for part in DataCheck(data).responses() for one in part.findings]


def files(data: Path) -> dict[str, bytes]:
    """What never changes."""
    return {
        str(path.relative_to(data)): path.read_bytes()
        for folder in ("laps", "circuits", "marks")
        for path in sorted((data / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_everything_comes_back(kept: Path, backup: Path, tmp_path: Path) -> None:
    done = restore(backup, tmp_path / "back")
    assert findings(tmp_path / "back") == []
    assert files(tmp_path / "back") == files(kept)
    with (
        contextlib.closing(RingReader(kept / "ring")) as was,
        contextlib.closing(RingReader(tmp_path / "back/ring")) as ring,
    ):
        assert (ring.id, ring.spans()) == (was.id, was.spans())
    with contextlib.closing(sqlite3.connect(tmp_path / "back/catalog.sqlite")) as db:
        assert db.execute("SELECT name FROM event").fetchall() == [("x",)]
    assert (tmp_path / "back/rig.id").exists() == (kept / "rig.id").exists()
    store = Store.open(tmp_path / "back")
    assert done == (done.files, done.bytes, 2, store.index.count(), True)
    store.close()


def test_an_archiver_goes_on_where_the_rig_was(kept: Path, backup: Path, tmp_path: Path) -> None:
    restore(backup, tmp_path / "back")
    before = files(tmp_path / "back")
    archiver = drained(Archiver(Settings(tmp_path / "back", ROOMY)))
    assert archiver.archived == 0, "what was deleted stays so, and all else is there"
    archiver.close()
    assert files(tmp_path / "back").keys() >= before.keys()
    assert findings(tmp_path / "back") == []


def test_laps_keep_their_time(kept: Path, backup: Path, tmp_path: Path) -> None:
    """Retention counts from when an import came."""
    restore(backup, tmp_path / "back")
    for path in kept.glob("laps/*/*.lap"):
        assert int((tmp_path / "back" / path.relative_to(kept)).stat().st_mtime) == int(path.stat().st_mtime)


def test_nothing_that_lets_anybody_in_is_in_it_unless_asked_for(
    kept: Path, backup: Path, tmp_path: Path
) -> None:
    restore(backup, tmp_path / "without")
    assert not (tmp_path / "without/tokens.json").exists()
    restore(made(kept, tmp_path / "all", with_secrets=True, without_ring=True), tmp_path / "with")
    assert (tmp_path / "with/tokens.json").read_bytes() == (kept / "tokens.json").read_bytes()
    assert (tmp_path / "with/tokens.json").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "with/ring").exists()
    assert findings(tmp_path / "with") == []


def test_it_is_consistent_whatever_daemons_do_meanwhile(tmp_path: Path) -> None:
    """Laps are recorded, archived and deleted by retention while it is made."""
    data = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.backup.racing", str(data)], stdout=subprocess.PIPE, text=True
    ) as racing:
        try:
            assert racing.stdout is not None
            until(lambda: len(list(data.glob("laps/*/*.lap"))) > 1)
            for number in range(2):
                racing.stdout.readline()
                file = made(data, tmp_path / f"{number}")
                restore(file, tmp_path / f"back{number}")
                assert findings(tmp_path / f"back{number}") == []
        finally:
            racing.kill()
    again = drained(Archiver(Settings(tmp_path / "back1", ROOMY)))
    again.close()
    assert findings(tmp_path / "back1") == []


def test_laps_that_go_while_it_is_made_are_left_out_with_what_stands_beside_them(
    kept: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(kept, tmp_path / "data")
    taken = copy.StoresCopy(data, ring=False, secrets=False)
    with contextlib.closing(taken):
        taken.take()
        store = Store.open(data)
        pinned = next(lap for lap in store.folder.laps() if store.folder.pinned(lap))
        store.remove(pinned, {"why": "deleted on request"})
        store.close()
        part = next(
            one
            for one in taken.parts
            if one.path == data / f"laps/{pinned.split('/')[1]}/{pinned.split('/')[3]}.lap"
        )
        with taken.open(part) as found:
            assert found is None
    restore(made(data, tmp_path / "file"), tmp_path / "back")
    assert findings(tmp_path / "back") == []


def test_a_folder_with_something_in_it_is_left_alone(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadRequest, match=r"not empty, it has notes\.txt"):
        restore(backup, tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_damaged_file_leaves_the_folder_empty(backup: Path, tmp_path: Path) -> None:
    data = backup.read_bytes()
    for number, damaged in enumerate((data[: len(data) // 2], data[:-100], b"nothing")):
        (tmp_path / "file").write_bytes(damaged)
        with pytest.raises(Corrupt):
            restore(tmp_path / "file", tmp_path / f"{number}")
        assert set(os.listdir(tmp_path / f"{number}")) <= {"ring.lock", "laps.lock"}
    restore(backup, tmp_path / "0")


def test_a_restore_that_was_killed_is_begun_again(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "back/.restoring/laps").mkdir(parents=True)
    (tmp_path / "back/.restoring/laps/half").write_bytes(b"x")
    restore(backup, tmp_path / "back")
    assert findings(tmp_path / "back") == []


def test_no_daemon_begins_while_it_comes_back(backup: Path, tmp_path: Path) -> None:
    lock = ring_lock(tmp_path / "back")
    with pytest.raises(Busy):
        restore(backup, tmp_path / "back")
    lock.release()
    restore(backup, tmp_path / "back")


def test_a_disk_without_room_is_left_as_it_was(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_LEFT_BYTES", 1 << 60)
        with pytest.raises(Exhausted, match="no room for"):
            restore(backup, tmp_path / "back")
    assert ".restoring" not in os.listdir(tmp_path / "back")
    restore(backup, tmp_path / "back")


def test_there_has_to_be_something_and_room_for_a_copy_of_the_ring(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="neither ring nor laps"):
        BackupRun(tmp_path)
    monkeypatch.setattr(running, "room", lambda _: 1000)
    with pytest.raises(Exhausted, match="1000 are free"):
        BackupRun(kept)
    BackupRun(kept, without_ring=True)


def test_a_ring_that_takes_too_long_ends_it(kept: Path, tmp_path: Path) -> None:
    assert "within 60 s" in str(running._ended(-14, []))
    ended = running._ended(1, ["sqlite3.DatabaseError: file is not a database"])
    assert isinstance(ended, Unavailable)
    assert "not a database" in str(ended)


def test_a_process_that_fails_says_why(kept: Path, tmp_path: Path) -> None:
    data = shutil.copytree(kept, tmp_path / "data")
    (data / "catalog.sqlite").write_bytes(b"no database" * 1000)
    for beside in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (data / beside).unlink(missing_ok=True)
    with pytest.raises(Unavailable, match="did not come to its end"):
        list(BackupRun(data).responses())
    assert [path.name for path in data.glob(".backup-*")] == []


# Over the network.


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "data")


@pytest.fixture
async def address(data: Path) -> AsyncIterator[str]:
    socket = f"unix:{data}/socket"
    server = servers.Server(servers.Settings(data, socket, also=("127.0.0.1:0",)))
    await server.start()
    yield socket
    await server.stop()


async def test_a_rig_sends_its_backup(data: Path, address: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    async with rigclient.aio.connect(address) as rig:
        with file.open("wb") as out:
            async for part in rig.backup():
                out.write(part.data)
                last = part
    assert 0 < last.done_bytes <= last.total_bytes
    await asyncio.to_thread(restore, file, tmp_path / "back")
    assert await asyncio.to_thread(findings, tmp_path / "back") == []


async def test_one_is_made_at_a_time_and_ends_when_nobody_listens(data: Path, address: str) -> None:
    async with rigclient.aio.connect(address) as rig:
        first = rig.backup()
        assert await anext(first)
        with pytest.raises(Exhausted, match="a backup runs already"):
            await anext(rig.backup())
        await first.aclose()
        async with asyncio.timeout(240):
            while True:
                with contextlib.suppress(Exhausted):
                    again = rig.backup(without_ring=True)
                    assert await anext(again)
                    await again.aclose()
                    return
                await asyncio.sleep(0.02)


async def test_it_takes_the_scope_admin(data: Path, tmp_path: Path, address: Any) -> None:
    server = servers.Server(servers.Settings(data, "127.0.0.1:0"))
    await server.start()
    async with rigclient.aio.connect(f"127.0.0.1:{server.port}") as rig:
        with pytest.raises(Denied, match="admin"):
            await anext(rig.backup())
    await server.stop()
