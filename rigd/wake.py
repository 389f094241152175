"""The wake-up: a datagram from the recorder to every follower on this machine. Daemons tell how they are in
the same way, in another folder.

An empty datagram says that the ring has grown; any other carries the recorder's status, once a second. Losing
one costs a follower a few milliseconds, never data: what counts is in the ring.
"""

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Final

from rigd.durable import make_folder

_SWEEP_S: Final = 0.5
"""How often the recorder looks for followers that came or went."""

_DATAGRAM_BYTES: Final = 65_536


def _short(folder_fd: int, name: str) -> str:
    """Return a path to `name` that fits a socket address (108 bytes), however deep the folder lies."""
    return f"/proc/self/fd/{folder_fd}/{name}"


class Bell:
    """The recorder's end: rings every listener in the folder."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._path = folder
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._listeners: list[str] = []
        self._swept = -_SWEEP_S

    def ring(self, message: bytes = b"") -> None:
        """Send `message` to all. A listener that is full has wake-ups enough; one that died is forgotten."""
        now = time.monotonic()
        if now - self._swept > _SWEEP_S:
            self._swept = now
            with contextlib.suppress(OSError):  # a disk in trouble: those who were there are still rung
                self._sweep()
        for name in list(self._listeners):
            try:
                self._socket.sendto(message, _short(self._folder, name))
            except BlockingIOError:
                continue
            except OSError:
                self._listeners.remove(name)

    def _sweep(self) -> None:
        """Look who listens; in the folder of that name, also when it was replaced."""
        with contextlib.suppress(FileNotFoundError):  # moved away: those who listen went with it
            if os.stat(self._path).st_ino != os.fstat(self._folder).st_ino:
                folder, self._folder = self._folder, os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
                os.close(folder)
        self._listeners = os.listdir(self._folder)

    def close(self) -> None:
        """Release the socket. May be called again."""
        self._socket.close()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


class Listener:
    """A follower's end: a socket in the folder, named after the process."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._path = folder / f"{os.getpid()}-{time.monotonic_ns()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        _forget_the_dead(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._socket.bind(_short(fd, self._path.name))
        finally:
            os.close(fd)

    def fileno(self) -> int:
        """Return the descriptor, for an event loop."""
        return self._socket.fileno()

    def forgotten(self) -> bool:
        """Return whether the socket was removed from the folder: nobody can ring it any more. One that was
        moved away with the data directory comes back with it.
        """
        return not self._path.exists() and self._path.parent.parent.exists()

    def next(self) -> bytes | None:
        """Take the oldest of what has come; None: nothing has."""
        try:
            return self._socket.recv(_DATAGRAM_BYTES)
        except BlockingIOError:
            return None

    def take(self) -> list[bytes]:
        """Take everything that has come, oldest first."""
        return list(iter(self.next, None))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _forget_the_dead(folder: Path) -> None:
    """Remove sockets whose process is gone, left by a kill."""
    for path in folder.iterdir():
        pid = path.name.split("-", 1)[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            path.unlink(missing_ok=True)
