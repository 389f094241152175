"""Regular files in folders where others can write: whatever else has their name is Corrupt, and never waited
for. A FIFO would hold its reader for ever, and a device may do anything.
"""

import os
import stat
from pathlib import Path

from rig.errors import Corrupt
from rig.signs import visible


def open_regular(path: Path | str) -> int:
    """Return a descriptor to read the file at `path`. Raises Corrupt for what is no regular file, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        if is_regular(path):
            raise
        raise Corrupt(f"{shown(path)} is no regular file: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Corrupt(f"{shown(path)} is no regular file")
    return descriptor


def read_regular(path: Path | str, limit: int) -> bytes:
    """Return what is in the file at `path`. Raises Corrupt also for more than `limit` bytes, OSError."""
    with open(open_regular(path), "rb") as file:
        # Reading `limit` bytes would take as much memory before there is any.
        data = file.read() if os.fstat(file.fileno()).st_size <= limit else None
    if data is None or len(data) > limit:
        raise Corrupt(f"{shown(path)} has more than {limit} bytes, which is the limit")
    return data


def is_regular(path: Path | str) -> bool:
    """Return whether a regular file is there; a link is what it leads to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def shown(path: Path | str) -> str:
    """Return a path as text that can be printed and sent: a name may be any bytes, also such as steer a
    terminal.
    """
    return visible(os.fsencode(path).decode(errors="backslashreplace"))
