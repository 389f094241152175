"""Small files that a crash leaves as they were before or as they were meant to become."""

import os
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".writing-"
"""Begins the name of a file that is not finished."""


def replace(path: Path, data: bytes) -> None:
    """Make `data` the file at `path`: written beside, flushed, renamed, the folder flushed. OSError when the
    disk refuses; nothing is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(UNFINISHED + path.name)
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add `data` to the file at `path`, made if there is none. A crash may leave a part of it. OSError when
    the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def cut(path: Path, size: int) -> None:
    """Take off what stands after the first `size` bytes."""
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make names that came and went durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
