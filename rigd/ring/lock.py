"""Ownership of a folder that one process writes."""

import os
import socket
import time
from pathlib import Path

from rig import disk
from rig.errors import Busy
from rigd.durable import make_private, rename
from rigd.ring.environment import replaced


class Lock:
    """Ownership of a store: a lock file beside it that names the owner, held while the process lives.

    `what` completes the sentence for whoever comes second: `what` "by process 12 on ...".
    """

    def __init__(self, path: Path, what: str = "the ring is recorded") -> None:
        make_private(path.parent)
        self.path, self._what = path, what
        # No link: root takes this lock in the player's folder, and empties the file.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.fchmod(self._fd, 0o600)  # others could hold a lock on what they may read
        if not disk.lock(self._fd):
            owner = os.pread(self._fd, 256, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(self._fd)
            raise Busy(f"{what} by {owner}", hint="stop it first, or choose another --data", path=path)
        os.truncate(self._fd, 0)
        started = time.strftime("%Y-%m-%d %H:%M:%S")
        os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()} since {started}\n".encode(), 0)

    def keep(self) -> None:
        """Take it again if its file was deleted, or another stands in its place: it keeps nobody out then.
        Raises Busy when somebody else was quicker.
        """
        if replaced(self.path, self._fd):
            os.close(self._fd)
            self.__init__(self.path, self._what)  # type: ignore[misc]

    def release(self) -> None:
        """Give up ownership."""
        os.close(self._fd)


def ring_lock(data: Path) -> Lock:
    """Return the lock that owns the ring of a data directory. Raises Busy."""
    return Lock(data / "ring.lock")


def laps_lock(data: Path) -> Lock:
    """Return the lock that owns the laps of a data directory, and what stands beside them. Raises Busy."""
    return Lock(data / "laps.lock", "laps are archived")


def set_aside(path: Path) -> Path:
    """Move a damaged ring out of the way, never delete it. Returns its new place."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    while target.exists():
        target = target.with_name(f"{target.name}+")
    rename(path, target)
    return target
