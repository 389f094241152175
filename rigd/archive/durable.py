"""A small file that stands whole after a crash, as it was before or as it was meant to become."""

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


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
