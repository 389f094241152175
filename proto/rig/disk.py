"""What programs ask of a disk: a file whole under its name or not at all, and a lock for a process's life."""

import fcntl
import os
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".writing-"
"""Begins the name of a file that is not finished; what a killed writer left is taken by the next so named."""


def beside(path: Path) -> Path:
    """Return where to write the file that becomes `path`. The ending stays: formats are told by it."""
    return path.with_name(UNFINISHED + path.name)


def finish(path: Path) -> None:
    """Make what was written `beside` the file at `path`: flushed, renamed, the folder flushed. Raises OSError
    when the disk refuses.
    """
    written = beside(path)
    _flush(written)
    written.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, and that others are gone. Raises OSError."""
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed, at the latest with the process. Return False when
    another one has it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(descriptor: int) -> str:
    """Return who has locked an open file or folder, as the kernel tells it: "process 12"."""
    found = os.fstat(descriptor)
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if name in words and words[1] == "FLOCK":
            return f"process {words[4]}"
    return "another process"
