"""A folder that is held: known again after it was moved, with a reserve on its disk."""

import os
import shutil
from pathlib import Path
from typing import Final

from rigd.durable import make_folder, remove, replace

_RESERVE: Final = ".reserve"
RESERVE_BYTES: Final = 4 << 20
"""Enough for the index to write its journal and for the names of a thousand laps."""


class HeldFolder:
    """A folder, and the room on its disk."""

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

    def _replace(self, path: Path, data: bytes) -> None:
        if self._held < 0:
            make_folder(self.root)  # one that is held is not made again: it may come back
        replace(path, data)

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
        remove(self.root / _RESERVE)

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
