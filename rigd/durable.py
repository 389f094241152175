"""What stands after a power cut: files whole or not at all, and folders and names that stay.

A synced file is lost with its name, and a name is on the disk only when the folder it stands in was synced.
File systems with a journal are kinder; nothing here relies on it.
"""

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from rig.disk import beside, finish, sync_folder
from rig.errors import Denied
from rig.regular import shown


def replace(path: Path, data: bytes, *, private: bool = False) -> None:
    """Make `data` the file at `path`: written beside, flushed, renamed, the folder flushed. Nobody but its
    owner may read a `private` one, at no moment. OSError when the disk refuses; nothing is left then.
    """
    add_folder(path.parent)
    try:
        with open_to_write(beside(path), os.O_TRUNC) as file:
            if private:
                os.fchmod(file.fileno(), 0o600)
            file.write(data)
        finish(path)
    except OSError:
        beside(path).unlink(missing_ok=True)
        raise


def append(path: Path, data: bytes) -> None:
    """Add `data` to the file at `path`, made if there is none. A crash may leave a part of it. OSError when
    the disk refuses.
    """
    add_folder(path.parent)
    new = not path.exists()
    with open_to_write(path, os.O_APPEND) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def open_to_write(path: Path, how: int) -> BinaryIO:
    """Open the file at `path`, made if there is none; `how` is O_TRUNC or O_APPEND. OSError when the disk
    refuses, and for what is no regular file: a FIFO would be waited for, and through a link root would write
    over any file that whoever owns the folder chose.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(path, flags | how, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EEXIST, "something that is no regular file is in the way", str(path))
    return os.fdopen(descriptor, "wb" if how == os.O_TRUNC else "ab")


def cut(path: Path, size: int) -> None:
    """Truncate a file to its first `size` bytes, on the disk too. Raises OSError."""
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def rename(old: Path, new: Path) -> None:
    """Rename a file or a folder; what has its new name is on the disk. Raises OSError."""
    old.rename(new)
    sync_folder(new.parent)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are not there, on the disk too. Raises OSError."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def add_folder(path: Path) -> None:
    """Make a folder in one that is there. FileNotFoundError when that was moved away: what is made in its
    place would keep it from coming back.
    """
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def make_private(path: Path) -> None:
    """Make a folder that only its owner may enter, and so those above it that are not there. One of ours that
    is there and open to others is closed to them, which is said on standard error; one that is everybody's
    (sticky, as /tmp) stays. Raises Denied for another user's, who could read and exchange what is in it; root
    may.
    """
    if not path.is_dir():
        if not path.parent.is_dir():
            make_private(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)
    found = path.stat()
    if os.geteuid() not in (0, found.st_uid) and not found.st_mode & stat.S_ISVTX:
        raise Denied(f"{shown(path)} belongs to another user", hint="choose a folder of yours", path=path)
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        path.chmod(0o700)
        was = stat.S_IMODE(found.st_mode)
        print(f"{path} was open to other users (mode {was:04o}), it is closed to them now", file=sys.stderr)


def remove(path: Path) -> None:
    """Remove a file, if it is there; a folder of its name is somebody's own."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()


def remove_folder(path: Path) -> None:
    """Remove a folder, if nothing is in it."""
    with contextlib.suppress(OSError):
        path.rmdir()
        sync_folder(path.parent)
