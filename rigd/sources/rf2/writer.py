"""The plugin's side of a shared-memory buffer: what the simulated game and the replay write through."""

import mmap
import os
from pathlib import Path
from types import TracebackType

import numpy as np

from rigd.sources.rf2.layout import Buffer


class BufferWriter:
    """Creates one buffer file as the plugin does and writes it between `begin` and `end`.

    The file is truncated if it exists, then grown to its exact size, and never unlinked: that is what the
    plugin does under Wine, and it is the moment that kills readers which map the file. Stores reach
    readers in program order (x86-64), so a version word written last is seen last.
    """

    def __init__(self, folder: Path, buffer: Buffer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / buffer.file_name
        self.buffer = buffer
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.ftruncate(fd, buffer.size)
            self._map = mmap.mmap(fd, buffer.size)
        finally:
            os.close(fd)
        self.array: np.ndarray[tuple[()], np.dtype[np.void]] = np.ndarray((), buffer.dtype, self._map)
        """The whole file as one structured scalar; assign fields to write them."""
        self.bytes: np.ndarray[tuple[int], np.dtype[np.uint8]] = np.ndarray(buffer.size, np.uint8, self._map)
        self._words: np.ndarray[tuple[int], np.dtype[np.uint32]] = np.ndarray(2, "<u4", self._map)
        # The plugin clears what it maps. It also makes every page exist: the first store to a page of tmpfs
        # moves the file's modification time, by which readers tell one run of the game from the next.
        self.bytes[:] = 0

    def begin(self) -> None:
        """Open a frame. An update that was left open is closed first, as the plugin does."""
        words = self._words
        if words[0] != words[1]:
            words[1] = words[0]  # never back: a reader in mid-copy must see Begin move on
        words[0] = (int(words[0]) + 1) & 0xFFFFFFFF

    def end(self) -> None:
        """Close the frame."""
        self._words[1] = (int(self._words[1]) + 1) & 0xFFFFFFFF

    @property
    def version(self) -> int:
        """The End word: frames closed since the file was created (wraps at 2^32)."""
        return int(self._words[1])

    def clear(self) -> None:
        """Clear the payload within one version step, as the plugin does at session start and shutdown."""
        self.begin()
        self.bytes[8:] = 0
        self.end()

    def close(self) -> None:
        """Close the map. The file stays, as the plugin's does."""
        del self.array, self.bytes, self._words
        self._map.close()

    def __enter__(self) -> "BufferWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
