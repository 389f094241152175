"""A backup that comes back: into an empty folder, and whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.disk import sync_folder
from rig.errors import BadRequest, Exhausted
from rig.regular import open_regular, shown
from rigd.backup.members import Member, MemberReader
from rigd.durable import make_private
from rigd.ring.inspection import inspected
from rigd.ring.lock import laps_lock, ring_lock
from rigd.ring.restored import mark_restored
from rigd.store.store import Store

_STAGING: Final = ".restoring"
_OURS: Final = frozenset({_STAGING, "ring.lock", "laps.lock"})
"""What a restore that was killed leaves."""
_LEFT_BYTES: Final = 64 << 20
_PRIVATE: Final = ("tokens.json", "seal.key", "tls")

Progress = Callable[[int, int], None]
"""Told how many bytes of the backup have been read, and how many it has."""


class Restored(NamedTuple):
    """What came back."""

    files: int
    bytes: int
    sessions: int
    laps: int
    ring: bool


def restore(file: Path, data: Path, progress: Progress = lambda *_: None) -> Restored:
    """Bring a backup back into a folder that is empty or not there. Every file is checked before any of it
    has its place. Raises BadRequest for a folder with something in it, Corrupt, Newer, Exhausted, Busy,
    OSError; then the folder is as empty as before.
    """
    _check_empty(data)
    make_private(data)
    with contextlib.ExitStack() as undo:
        for lock in (ring_lock, laps_lock):
            undo.callback(lock(data).release)
        _check_empty(data)
        staging = data / _STAGING
        shutil.rmtree(staging, ignore_errors=True)
        try:
            staging.mkdir(mode=0o700)
            names, size = _unpack(file, staging, progress)
            counted = _reconciled(staging)
            _renumber(staging / "ring")
            os.sync()  # 45,000 files one by one take minutes
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _move_up(staging, data)
    return Restored(names, size, *counted, (data / "ring/data.mdb").exists())


def _check_empty(data: Path) -> None:
    there = sorted(path.name for path in data.iterdir()) if data.is_dir() else []
    if other := [name for name in there if name not in _OURS]:
        raise BadRequest(
            f"{shown(data)} is not empty, it has {shown(other[0])}",
            hint="restore into another --data, or move that away first",
            path=data,
        )


def _unpack(file: Path, folder: Path, progress: Progress) -> tuple[int, int]:
    """Write all members below a folder; return how many, and their bytes."""
    count = size = 0
    with open(open_regular(file), "rb") as packed:
        whole = os.fstat(packed.fileno()).st_size
        for member, pieces in MemberReader(packed).members():
            _write(folder, member, pieces)
            count, size = count + 1, size + member.size
            progress(packed.tell(), whole)
    return count, size


def _write(folder: Path, member: Member, pieces: Iterator[bytes]) -> None:
    """Write a member. Its name leads nowhere else: the reader has looked at it."""
    path = folder / member.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = 0o600 if member.name.startswith(_PRIVATE) else 0o644
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        for piece in pieces:
            if shutil.disk_usage(folder).free < len(piece) + _LEFT_BYTES:
                raise Exhausted(
                    f"the disk has no room for {member.name}, which has {member.size} bytes",
                    hint="choose a --data on a larger disk",
                    limit=_LEFT_BYTES,
                )
            file.write(piece)
    os.utime(path, (member.mtime_s, member.mtime_s))  # retention counts from when an import came


def _reconciled(folder: Path) -> tuple[int, int]:
    """Bring the index to what the laps are: between the two the archiver had gone on. Return sessions and
    laps.
    """
    store = Store.open(folder)
    try:
        store.reconcile()
        return len(list(store.folder.sessions())), store.index.count()
    finally:
        store.close()


def _renumber(ring: Path) -> None:
    """Have the ring go on with numbers that nobody has yet. A damaged one is left as it is: the recorder
    begins another.
    """
    if (ring / "data.mdb").exists() and not inspected(ring):
        mark_restored(ring)


def _move_up(staging: Path, data: Path) -> None:
    """Give everything its place, the ring last: where it is, all is."""
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "ring"):
        path.rename(data / path.name)
    staging.rmdir()
    sync_folder(data)
