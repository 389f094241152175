"""The folder of laps: the truth about what is archived. One file per lap, immutable once it has its name."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.disk import UNFINISHED, beside, finish, sync_folder
from rig.errors import Corrupt, NotFound
from rig.regular import is_regular, open_regular, read_regular
from rig.v1 import archive_pb2, lap_pb2
from rigd.durable import add_folder, open_to_write, remove, remove_folder, rename
from rigd.store.corners import read_corners, stated
from rigd.store.naming import is_name, parts_of
from rigd.store.sessionfolder import DAMAGED, SUFFIX, SessionFolder

_PIN: Final = ".pin"
_SYNCED: Final = ".synced"
_CORNERS: Final = ".corners"
_MOST_BYTES: Final = 1 << 20
"""Of a pin, which says whose it is."""
_COPIED_BYTES: Final = 1 << 20
_NO_CORNERS: Final = (archive_pb2.LapCorners(), 0)


class LapFileState(NamedTuple):
    """What is known of a lap without opening its file."""

    pinned: bool
    synced: bool
    damaged: bool


class LapFolder(SessionFolder):
    """Files of laps below a folder, and beside them what only the archive knows: pins, and what is gone."""

    # Laps.

    def path(self, lap: str) -> Path:
        """Return where the lap of that name lies, or would lie. Raises NotFound for what is no name."""
        session, own = parts_of(lap, 2)
        return self.root / session / f"{own}{SUFFIX}"

    def write(self, lap: str, data: bytes) -> None:
        """Make `data` the file of that lap: whole and durable, or not there at all. OSError when the disk
        refuses.
        """
        path = self.path(lap)
        if os.path.lexists(path) and not is_regular(path):
            rename(path, self._aside(lap.rpartition("/laps/")[0], f"{path.name}.foreign"))
        self._replace(path, data)

    def place(self, lap: str, file: Path) -> None:
        """Copy a file to be that of a lap: whole and durable, or not there at all. What stood beside another
        file of the lap goes before it, but its pin. OSError when the disk refuses.
        """
        path = self.path(lap)
        self._tombstones(lap.rpartition("/laps/")[0]).forget(lap)
        for suffix in (_SYNCED, _CORNERS):
            remove(_with(path, suffix))
        self._copy(file, path)
        remove(self.damaged_path(lap))

    def _copy(self, file: Path, path: Path) -> None:
        add_folder(path.parent)
        try:
            with open(open_regular(file), "rb") as source, open_to_write(beside(path), os.O_TRUNC) as target:
                shutil.copyfileobj(source, target, _COPIED_BYTES)
            finish(path)
        except OSError:
            remove(beside(path))
            raise

    def damaged_path(self, lap: str) -> Path:
        """Return where the file of that lap lies if it was set aside."""
        return _with(self.path(lap), DAMAGED)

    def written_ns(self, lap: str) -> int:
        """Return when a lap's file was written, unix nanoseconds; 0 without one."""
        with contextlib.suppress(FileNotFoundError):
            return self.path(lap).stat().st_mtime_ns
        return 0

    def settled(self, lap: str) -> bool:
        """Return whether there is nothing to write: the file is there, was set aside, or was deleted."""
        if is_regular(self.path(lap)) or self.damaged_path(lap).exists():
            return True
        return lap in self.tombstones(lap.rpartition("/laps/")[0])

    def described(self, lap: lap_pb2.Lap, size: int, digest: str) -> lap_pb2.Lap:
        """Return the lap with what is known of its file and stands beside it."""
        lap.bytes, lap.digest = size, digest
        lap.pinned, lap.synced = self.pinned(lap.name), self.synced(lap.name)
        lap.corners, lap.corners_bytes = self._corners(lap.name)
        return lap

    def delete(self, lap: str) -> None:
        """Remove a lap's file and what stands beside it."""
        path = self.path(lap)
        for suffix in ("", DAMAGED, _PIN, _SYNCED, _CORNERS):
            remove(_with(path, suffix))
        sync_folder(path.parent)

    def set_aside(self, lap: str) -> None:
        """Take a damaged file out of the way; nothing is deleted."""
        path = self.path(lap)
        rename(path, self.damaged_path(lap))

    def laps(self) -> Iterator[str]:
        """Return the names of all laps that have a file."""
        return self._named("")

    def foreign(self) -> Iterator[Path]:
        """Yield files that look like laps and have no lap's name; unfinished ones are none."""
        for path in sorted(self.root.glob(f"*/[!.]*{SUFFIX}")):
            if not is_name(f"sessions/{path.parent.name}/laps/{path.stem}") or not path.is_file():
                yield path

    def damaged(self, session: str = "sessions/*") -> Iterator[str]:
        """Return the names of all laps whose file was set aside, or of those of one session."""
        return self._named(DAMAGED, session)

    def states(self) -> dict[str, LapFileState]:
        """Return all laps that have a file or had one, with what stands beside each."""
        sound, pinned, synced = (set(self._named(suffix)) for suffix in ("", _PIN, _SYNCED))
        return {
            lap: LapFileState(lap in pinned, lap in synced, lap not in sound)
            for lap in sound.union(self._named(DAMAGED))
        }

    def _named(self, suffix: str, session: str = "sessions/*") -> Iterator[str]:
        """Return laps by the files beside them. What has no lap's name is none: somebody put it there."""
        for path in sorted(self.root.glob(f"{session.partition('/')[2]}/*{SUFFIX}{suffix}")):
            name = f"sessions/{path.parent.name}/laps/{path.name.removesuffix(SUFFIX + suffix)}"
            if is_name(name) and path.is_file():
                yield name

    def sweep(self) -> None:
        """Remove what an archiver that was killed left half written, or half removed."""
        for path in self.root.glob(f"*/{UNFINISHED}*"):
            remove(path)
        for name in list(self.folders()):
            remove_folder(self._beside(name, ""))

    # What stands beside a lap.

    def pinned(self, lap: str) -> bool:
        """Return whether the lap is kept whatever else has to go."""
        return _with(self.path(lap), _PIN).exists()

    def pin(self, lap: str, pinned: bool, user: str = "") -> None:
        """Pin a lap for a user, or let it go. A pin that is there stays whose it is."""
        if pinned and user and not self.pinned(lap):
            self._there(lap)
            self._replace(_with(self.path(lap), _PIN), user.encode())
        else:
            self._flag(lap, _PIN, pinned)

    def pinned_by(self, user: str) -> dict[str, int]:
        """Return the laps that a user has pinned, with their bytes. A thousand take a tenth of a second."""
        return {lap: _size(self.path(lap)) for lap in self._named(_PIN) if self.pinned_for(lap) == user}

    def pinned_for(self, lap: str) -> str:
        """Return whose pin it is; "" for those of the administrator, and of release 0.1."""
        with contextlib.suppress(FileNotFoundError, Corrupt):
            return read_regular(_with(self.path(lap), _PIN), _MOST_BYTES).decode(errors="replace")
        return ""

    def synced(self, lap: str) -> bool:
        """Return whether the warehouse has the lap."""
        return _with(self.path(lap), _SYNCED).exists()

    def sync(self, lap: str) -> None:
        """Note that the warehouse has the lap."""
        self._flag(lap, _SYNCED, True)

    def corners_path(self, lap: str) -> Path:
        """Return where the corners of a lap lie, or would lie. Raises NotFound for what is no name."""
        return _with(self.path(lap), _CORNERS)

    def keep_corners(self, lap: str, data: bytes) -> None:
        """Write the corners of a lap beside it. Raises NotFound when there is none, OSError."""
        self._there(lap)
        self._replace(self.corners_path(lap), data)

    def _corners(self, lap: str) -> tuple[int, int]:
        """Return the fingerprint of a lap's corners and the bytes of their file; 0 for those that there are
        not, or that cannot be read.
        """
        with contextlib.suppress(Corrupt, OSError):
            return stated(*(read_corners(self.corners_path(lap)) or _NO_CORNERS))
        return 0, 0

    def _flag(self, lap: str, suffix: str, up: bool) -> None:
        path = self._there(lap)
        flag = _with(path, suffix)
        flag.touch() if up else remove(flag)
        sync_folder(path.parent)

    def _there(self, lap: str) -> Path:
        path = self.path(lap)
        if not path.exists():
            raise NotFound(f"there is no lap {lap!r}", name=lap)
        return path


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 without one."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
