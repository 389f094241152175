"""Files with secrets in them: only their owner may read them, and one that others could read is refused."""

import os
import stat
from pathlib import Path

from rig.errors import Denied
from rig.regular import open_regular, read_regular, shown


def read_private(path: Path, limit: int) -> bytes:
    """Return what is in a file that nobody but its owner may read. Raises Denied where others may, or where
    it is another user's; Corrupt for no regular file and for more than `limit` bytes; OSError.
    """
    check_private(path)
    return read_regular(path, limit)


def check_private(path: Path) -> None:
    """Raise Denied for a file that others may read or write, or that is another user's; Corrupt, OSError."""
    descriptor = open_regular(path)
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if os.geteuid() not in (found.st_uid, 0):
        raise Denied(f"{shown(path)} belongs to another user", hint="it holds secrets of this rig", path=path)
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise Denied(
            f"{shown(path)} is open to other users (mode {mode:04o}): whoever read it has its secrets",
            hint=f"chmod 600 {shown(path)}, and if others use this machine, pair anew",
            path=path,
        )
