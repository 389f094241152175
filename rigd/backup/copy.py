"""A consistent copy of the stores while daemons write them: what changes is copied at once, what never
changes is read later, from where it lies.

The order makes it consistent. The index comes first: up to its position in the events everything is done.
Then what stands beside laps, which is as new or newer; the ring comes last, so that no store knows of an
event that the ring has not got. Between index and laps the archiver may have gone on: a restore brings the
two together, as every start of an archiver does.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from rig.disk import UNFINISHED
from rig.regular import is_regular, open_regular
from rigd.backup.members import is_name
from rigd.ring import RingReader

RING_COPY_S: Final = 60
"""So long a read of the ring may keep its pages from being used again: 100 MB at 50 Hz and 40 cars. A ring of
6 GB takes it at 100 MB/s.
"""
SECRETS: Final = ("tokens.json", "seal.key", "tls")
"""What proves who somebody is."""

_INDEX: Final = "index.sqlite"
_FRESH: Final = "index.new.sqlite"
_SESSION: Final = ("session.json", "losses.log")
"""Beside laps, and written again; what is gone is told last, after the laps were read."""
_GONE: Final = "gone.jsonl"
_TEMPORARY: Final = ".backup-"
_LAP: Final = ".lap"
_FOLDERS: Final = ("circuits", "marks")


class CopiedFile(NamedTuple):
    """A file of the copy."""

    name: str
    path: Path | None
    """Where it lies; None: in the spool."""
    at: int = 0
    size: int = 0
    mtime_ns: int = 0


class StoresCopy:
    """The copy. What was copied at once lies in the spool, a file without a name: nothing is left of it after
    a kill.
    """

    def __init__(self, data: Path, *, ring: bool, secrets: bool) -> None:
        self._data, self._with_ring, self._with_secrets = data, ring, secrets
        self._spool: BinaryIO = tempfile.TemporaryFile(dir=data)  # noqa: SIM115  closed by `close`
        self.parts: list[CopiedFile] = []

    def close(self) -> None:
        """Let go of the spool."""
        self._spool.close()

    def take(self) -> None:
        """Copy what changes, and note what does not. Raises OSError, and ends the process where the ring
        takes too long.
        """
        for name in ("rig.id", "seat"):
            self._keep(name)
        for path in sorted(self._data.glob("*.sqlite"), key=lambda path: path.name != _INDEX):
            if path.name != _FRESH and is_name(path.name):
                self._keep_database(path)
        self._note_laps()
        for folder in _FOLDERS:
            self._note(folder)
        if self._with_secrets:
            for name in SECRETS:
                self._keep(name) if is_regular(self._data / name) else self._note(name)
        if self._with_ring and (self._data / "ring/data.mdb").exists():
            self._keep_ring()

    @property
    def total_bytes(self) -> int:
        """Return the bytes of all parts."""
        return sum(part.size for part in self.parts)

    def open(self, part: CopiedFile) -> contextlib.AbstractContextManager[tuple[BinaryIO, int, int] | None]:
        """Open a part: where to read, bytes, time of change; None for a file that is gone by now."""
        return self._spooled(part) if part.path is None else _lying(part.path)

    @contextlib.contextmanager
    def _spooled(self, part: CopiedFile) -> Iterator[tuple[BinaryIO, int, int]]:
        self._spool.seek(part.at)
        yield self._spool, part.size, part.mtime_ns

    def _note_laps(self) -> None:
        for folder in sorted(path for path in (self._data / "laps").glob("*/") if not path.is_symlink()):
            name = f"laps/{folder.name}"
            if not is_name(f"{name}/{_GONE}"):
                continue  # somebody's own
            for file in _SESSION:
                self._keep(f"{name}/{file}")
            own = {*_SESSION, _GONE}
            self._note(name, without=own)
            self._note_file(folder / _GONE, f"{name}/{_GONE}")

    def _note(self, name: str, without: frozenset[str] | set[str] = frozenset()) -> None:
        """Note the files of a folder, and of those in it."""
        folder = self._data / name
        if not folder.is_dir() or folder.is_symlink():
            return
        for path in sorted(folder.iterdir()):
            if path.is_dir() and name.count("/") < 1:
                self._note(f"{name}/{path.name}")
            elif path.name not in without:
                self._note_file(path, f"{name}/{path.name}")

    def _note_file(self, path: Path, name: str) -> None:
        """Note a file that is a regular one, whole, and can be of ours."""
        with contextlib.suppress(FileNotFoundError):
            if is_name(name) and not path.name.startswith(UNFINISHED) and not path.is_symlink():
                found = path.stat()
                if is_regular(path):
                    self.parts.append(CopiedFile(name, path, 0, found.st_size, found.st_mtime_ns))

    def _keep(self, name: str) -> None:
        """Copy a small file at once."""
        with contextlib.suppress(FileNotFoundError), _lying(self._data / name) as found:
            if found is not None:
                source, size, mtime_ns = found
                self._copy(name, source, size, mtime_ns)

    def _copy(self, name: str, source: BinaryIO, size: int, mtime_ns: int) -> None:
        at = self._spool.seek(0, os.SEEK_END)
        while size and (piece := source.read(min(size, 1 << 20))):
            self._spool.write(piece)
            size -= len(piece)
        self.parts.append(CopiedFile(name, None, at, self._spool.tell() - at, mtime_ns))

    def _keep_database(self, path: Path) -> None:
        """Copy a database as it is at one moment, its journal included."""
        copy = self._data / f"{_TEMPORARY}{os.getpid()}"
        with (
            contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            open(copy, "w+b") as file,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            copy.unlink()
            target.execute("PRAGMA journal_mode = OFF")
            source.backup(target)
            self._copy(path.name, file, os.fstat(file.fileno()).st_size, time.time_ns())

    def _keep_ring(self) -> None:
        """Copy the ring without its free pages. It cannot be interrupted, so the process ends where it takes
        so long that the recorder would run out of room.
        """
        at = self._spool.seek(0, os.SEEK_END)
        self._spool.flush()
        signal.alarm(RING_COPY_S)
        with contextlib.closing(RingReader(self._data / "ring")) as ring:
            ring.copy(self._spool.fileno())
        signal.alarm(0)
        size = self._spool.seek(0, os.SEEK_END) - at
        self.parts.append(CopiedFile("ring/data.mdb", None, at, size, time.time_ns()))


@contextlib.contextmanager
def _lying(path: Path) -> Iterator[tuple[BinaryIO, int, int] | None]:
    """Open a file as it is now: what is added meanwhile is no part of it. None for one that is gone."""
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        yield None
        return
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        yield file, found.st_size, found.st_mtime_ns


def sweep(data: Path) -> None:
    """Remove what a backup that was killed left."""
    for path in data.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def room_wanted(data: Path) -> int:
    """Return the bytes that a copy of the ring takes on the disk, at most."""
    with contextlib.suppress(FileNotFoundError):
        return (data / "ring/data.mdb").stat().st_blocks * 512
    return 0


def room(data: Path) -> int:
    """Return the bytes that are free there."""
    return shutil.disk_usage(data).free
