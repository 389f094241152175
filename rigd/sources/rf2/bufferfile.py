"""One buffer file as a reader sees it: opened, short, cut, replaced, never created and never mapped."""

import contextlib
import enum
import os
from pathlib import Path
from typing import Final

from rigd.sources.rf2.layout import Buffer

CHECK_NS: Final = 1_000_000_000
"""How often an open file is compared with its path: two calls, 3 us, so once a second is free."""

RETRY_NS: Final = 100_000_000
"""How often a missing file is looked for. A failed open costs 4 us; a game start takes many seconds."""


class FileState(enum.Enum):
    """What is known of one buffer file."""

    ABSENT = "absent"
    DENIED = "denied"
    SHORT = "short"
    CUT = "cut"
    """It was whole and then truncated: what the plugin does when the game starts."""
    READY = "ready"


class BufferFile:
    """The descriptor behind one buffer.

    Reads go through `preadv`: a mapping that is touched while the plugin truncates its file kills the
    process with SIGBUS, a read comes back short. The file is opened read-only and never created, because
    a file of ours would make the plugin fall back to memory that nobody else can see.
    """

    def __init__(self, folder: Path, buffer: Buffer) -> None:
        self.path = folder / buffer.file_name
        self.expected = buffer.size
        self.state = FileState.ABSENT
        self.size = 0
        """Bytes the file had when it was last measured."""
        self.reopens = 0
        """Times the path was found to lead to another file than before."""
        self.cuts = 0
        """Times a whole file became short under the reader."""
        self.fd = -1
        self._ready = False
        self._inode = 0
        self._check_at = 0

    @property
    def birth(self) -> tuple[int, int]:
        """(inode, modification time in ns): one value for one life of the file, (0, 0) without a file.

        Truncation sets the modification time; a store through a mapping does so only when it is the first
        to its page, and the plugin clears every page when it starts. So equal births mean that version
        words can be compared across restarts of our own.
        """
        if self.fd < 0:
            return (0, 0)
        found = os.fstat(self.fd)
        return (found.st_ino, found.st_mtime_ns)

    def watch(self, now_ns: int) -> None:
        """Look after the path when it is time: open it, notice that it was replaced, measure it."""
        if now_ns < self._check_at:
            return
        if self.fd >= 0 and self._left_behind():
            self.close()
        if self.fd < 0:
            self._open()
        if self.fd >= 0 and not self._ready:
            self._measure()
        self._check_at = now_ns + (CHECK_NS if self.fd >= 0 else RETRY_NS)

    def fill(self, views: list[memoryview], offset: int, length: int) -> bool:
        """Read `length` bytes at `offset` into `views`; False if the file is not there or not whole."""
        if not self._ready and not self._measure():
            return False
        if os.preadv(self.fd, views, offset) == length:
            return True
        self._cut()
        return False

    def close(self) -> None:
        """Release the descriptor; the next `watch` opens the path again."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
        self._ready = False
        self._check_at = 0
        self.state = FileState.ABSENT

    def _open(self) -> None:
        try:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            self.state = FileState.ABSENT
            return
        except PermissionError:
            self.state = FileState.DENIED
            return
        inode = os.fstat(self.fd).st_ino
        self.reopens += self._inode not in (0, inode)
        self._inode = inode
        self.state = FileState.SHORT

    def _measure(self) -> bool:
        """Return whether the file has its full size. Bridges make it larger than the layout, never
        smaller.
        """
        if self.fd < 0:
            return False
        self.size = os.fstat(self.fd).st_size
        self._ready = self.size >= self.expected
        if self._ready:
            self.state = FileState.READY
        return self._ready

    def _cut(self) -> None:
        self._ready = False
        self._check_at = 0
        self.cuts += 1
        self.state = FileState.CUT

    def _left_behind(self) -> bool:
        """Return whether the path no longer leads to the open file: unlinked, or unlinked and made anew."""
        with contextlib.suppress(OSError):
            return os.stat(self.path).st_ino != self._inode or os.fstat(self.fd).st_nlink == 0
        return True
