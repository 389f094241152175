"""The folder of laps: the truth about what is archived. One file per lap, immutable once it has its name."""

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from rig.disk import UNFINISHED, beside, finish, sync_folder
from rig.errors import Corrupt, NotFound
from rig.lapfile import LapFile
from rig.regular import is_regular, open_regular, read_regular
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigd.durable import add_folder, make_folder, open_to_write, rename, replace
from rigd.store.checksummed import dump_message, load_message
from rigd.store.corners import read_corners, stated
from rigd.store.tombstones import Tombstones

SUFFIX: Final = ".lap"
DAMAGED: Final = ".damaged"
"""Added to the name of a file that failed its check."""
_PIN: Final = ".pin"
_SYNCED: Final = ".synced"
_CORNERS: Final = ".corners"
_TOMBSTONES: Final = "gone.jsonl"
_SESSION: Final = "session.json"
_JOURNAL: Final = "losses.log"
_MOST_BYTES: Final = 1 << 20
"""Of what is known of a session."""
_COPIED_BYTES: Final = 1 << 20
_RESERVE: Final = ".reserve"
RESERVE_BYTES: Final = 4 << 20
"""Enough for the index to write its journal and for the names of a thousand laps."""
_NAME: Final = re.compile(r"sessions/([a-z0-9-]+)(?:/laps/([a-z0-9-]+))?")


_NO_CORNERS: Final = (archive_pb2.LapCorners(), 0)


def _parts(name: str, wanted: int) -> tuple[str, ...]:
    match = _NAME.fullmatch(name)
    parts = tuple(part for part in match.groups() if part) if match else ()
    if len(parts) != wanted:
        form = "sessions/{session}" + "/laps/{lap}" * (wanted - 1)
        raise NotFound(f"{name!r} is no name of the form {form}", name=name)
    return parts


class LapFileState(NamedTuple):
    """What is known of a lap without opening its file."""

    pinned: bool
    synced: bool
    damaged: bool


class LapFolder:
    """Files of laps below a folder, and beside them what only the archive knows: pins, and what is gone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held = -1

    def hold(self) -> None:
        """Make the folder, if there is none, and keep hold of it: it is known again after it was moved."""
        self.release()
        make_folder(self.root)
        self._held = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def release(self) -> None:
        """Release the folder."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def still_there(self) -> bool:
        """Return whether the folder is the one held; False when another took its place or it was deleted.
        Raises FileNotFoundError while it is moved away: laps in its place would keep it from coming back.
        """
        held = os.fstat(self._held)
        try:
            return os.path.samestat(os.stat(self.root), held)
        except FileNotFoundError:
            if held.st_nlink:
                raise
            return False

    # Laps.

    def path(self, lap: str) -> Path:
        """Return where the lap of that name lies, or would lie. Raises NotFound for what is no name."""
        session, own = _parts(lap, 2)
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
            _remove(_with(path, suffix))
        self._copy(file, path)
        _remove(self.damaged_path(lap))

    def _copy(self, file: Path, path: Path) -> None:
        add_folder(path.parent)
        try:
            with open(open_regular(file), "rb") as source, open_to_write(beside(path), os.O_TRUNC) as target:
                shutil.copyfileobj(source, target, _COPIED_BYTES)
            finish(path)
        except OSError:
            _remove(beside(path))
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
            _remove(_with(path, suffix))
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
            if not _NAME.fullmatch(f"sessions/{path.parent.name}/laps/{path.stem}") or not path.is_file():
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
            if _NAME.fullmatch(name) and path.is_file():
                yield name

    def sweep(self) -> None:
        """Remove what an archiver that was killed left half written, or half removed."""
        for path in self.root.glob(f"*/{UNFINISHED}*"):
            _remove(path)
        for name in list(self.folders()):
            _remove_folder(self._beside(name, ""))

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
        flag.touch() if up else _remove(flag)
        sync_folder(path.parent)

    def _there(self, lap: str) -> Path:
        path = self.path(lap)
        if not path.exists():
            raise NotFound(f"there is no lap {lap!r}", name=lap)
        return path

    # Tombstones.

    def add_tombstone(self, lap: str, facts: dict[str, Any]) -> None:
        """Note for good that a lap is not here any more, or never was, and why."""
        self._tombstones(lap.rpartition("/laps/")[0]).add(lap, facts)

    def tombstones(self, session: str) -> dict[str, dict[str, Any]]:
        """Return the tombstones of a session by lap name."""
        return {lap: facts for lap, facts in self._tombstones(session).read().items() if _NAME.fullmatch(lap)}

    def _tombstones(self, session: str) -> Tombstones:
        (_,) = _parts(session, 1)
        return Tombstones(self._beside(session, _TOMBSTONES), session)

    # Sessions.

    def journal_path(self, session: str) -> Path:
        """Return where the loss journal of a session is, or would be. Raises NotFound for no name."""
        (own,) = _parts(session, 1)
        return self.root / own / _JOURNAL

    def put_session(self, session: session_pb2.Session) -> None:
        """Write what is known of a session beside its laps."""
        (_,) = _parts(session.name, 1)
        self._replace(self._beside(session.name, _SESSION), dump_message(session))

    def session(self, name: str) -> session_pb2.Session | None:
        """Return a session; None where there is none that can be read."""
        with contextlib.suppress(FileNotFoundError, Corrupt):
            return self._session(name)
        return None

    def remove_session(self, name: str) -> bool:
        """Remove a session that has nothing left but its own file; return whether it is gone. What was to be
        kept and had to go remains told, and the session with it.
        """
        folder = self._beside(name, "")
        forced = any(facts.get("forced") for facts in self.tombstones(name).values())
        if forced or not {path.name for path in folder.iterdir()} <= {_SESSION, _TOMBSTONES}:
            return False
        for file in (
            _TOMBSTONES,
            _SESSION,
        ):  # a crash between the two leaves a session, which is removed later
            _remove(folder / file)
        _remove_folder(folder)
        return True

    def sessions(self) -> Iterator[session_pb2.Session]:
        """Yield all sessions that have a folder, and in it a file that can be read."""
        for name in self.folders():
            with contextlib.suppress(FileNotFoundError, Corrupt):
                yield self._session(name)

    def numbered(self, ring: str, number: int) -> session_pb2.Session | None:
        """Return the session of that number in the ring of that identity, hexadecimal."""
        for session in self.sessions():
            if (session.ring, session.ring_session) == (ring, number):
                return session
        return None

    def mend(self) -> None:
        """Set aside what stands beside the laps and cannot be read. A session without a file is what its laps
        say of it: each has it as it was then.
        """
        for name in self.folders():
            self._tombstones(name).mend(self._aside(name, _TOMBSTONES))
            try:
                self._session(name)
            except Corrupt:
                rename(self._beside(name, _SESSION), self._aside(name, _SESSION))
                self._restore(name)
            except FileNotFoundError:
                self._restore(name)

    def aside(self) -> Iterator[Path]:
        """Yield what was set aside and is no lap."""
        for path in sorted(self.root.glob(f"*/*{DAMAGED}*")):
            if SUFFIX + DAMAGED not in path.name:
                yield path

    def _aside(self, session: str, file: str) -> Path:
        """Return where a damaged file goes; one that is there stays."""
        names = (f"{file}{DAMAGED}{number or ''}" for number in itertools.count())
        paths = (self._beside(session, name) for name in names)
        return next(path for path in paths if not path.exists())

    def folders(self) -> Iterator[str]:
        """Return the names of all sessions that have a folder."""
        names = (f"sessions/{path.name}" for path in sorted(self.root.glob("*/")))
        return (name for name in names if _NAME.fullmatch(name))

    def _session(self, name: str) -> session_pb2.Session:
        """Return a session from its file. Raises FileNotFoundError, Corrupt."""
        path = self._beside(name, _SESSION)
        session = load_message(session_pb2.Session, read_regular(path, _MOST_BYTES))
        if session.name != name:
            raise Corrupt(f"the file of {name} says it is {session.name!r}")
        return session

    def _restore(self, name: str) -> None:
        """Write the session's file anew, if one of its laps can be read."""
        for path in sorted(self._beside(name, "").glob(f"[!.]*{SUFFIX}"), reverse=True):
            with contextlib.suppress(Corrupt, OSError), LapFile.open(path) as file:
                if file.header.session.name == name:
                    self.put_session(file.header.session)
                    return

    def _replace(self, path: Path, data: bytes) -> None:
        if self._held < 0:
            make_folder(self.root)  # one that is held is not made again: it may come back
        replace(path, data)

    def _beside(self, session: str, file: str) -> Path:
        """Return a file in the folder of a session."""
        return self.root / session.removeprefix("sessions/") / file

    def set_journal_aside(self, session: str) -> None:
        """Take a damaged journal out of the way; nothing is deleted."""
        rename(self.journal_path(session), self._aside(session, _JOURNAL))

    def hold_reserve(self) -> None:
        """Take some room that can be given up when the disk is full: deleting needs a little, to write down
        what is deleted.
        """
        path = self.root / _RESERVE
        if not path.exists():
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def give_reserve(self) -> None:
        """Give that room up."""
        _remove(self.root / _RESERVE)

    def make_room_to_open(self) -> None:
        """Give the reserve up when the disk is so full that the index could not even be opened."""
        if self.free_bytes() < RESERVE_BYTES:
            self.give_reserve()

    def free_bytes(self) -> int:
        """Return the room on the disk, also where no archiver has made the folder yet. Raises
        FileNotFoundError while one that is held is moved away.
        """
        made = self._held >= 0 or self.root.is_dir()
        return shutil.disk_usage(self.root if made else self.root.parent).free

    def disk_bytes(self) -> int:
        """Return the size of the disk. Raises as `free_bytes` does."""
        if self._held < 0:
            make_folder(self.root)
        return shutil.disk_usage(self.root).total


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 without one."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remove_folder(path: Path) -> None:
    """Remove a folder, if nothing is in it."""
    with contextlib.suppress(OSError):
        path.rmdir()
        sync_folder(path.parent)


def _remove(path: Path) -> None:
    """Remove a file, if it is there; a folder of its name is somebody's own."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()
