"""The same buffers read through pyRfactor2SharedMemory, for those who want the library they know.

The library is not on the package index; it is a folder `pyRfactor2SharedMemory` on the Python path. Used
of it: `rF2MMap.MMapControl(name, struct)` (called `RF2MMap` before December 2025) with `create`, `update`
and `data` in copy mode, and the ctypes structs of `rF2data`. Three of its habits are contained here:

- It looks at the version words before its copy or after it, never both. So the words are read here, before
  and after, and only frames that stood still are given: the same promise as without the library.
- It creates a file that is missing. So it is let near a file only once that file is there and whole.
- It maps the file for writing. That needs write permission, and the process dies (SIGBUS) if the game
  truncates the file within the microseconds of a copy. This cannot be mended from outside.
"""

import ctypes
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from rig.errors import Unavailable
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.layout import Buffer
from rigd.sources.rf2.reader import BufferReader
from rigd.sources.rf2.source import SharedMemory

LIBRARY: Final = "pyRfactor2SharedMemory"

ROOT: Final = "/dev/shm/"  # noqa: S108 - no temporary file: where Linux keeps shared memory
"""The library puts this before every name; other folders are reached by a path relative to it."""

COPY_MODE: Final = 0

_HINT: Final = (
    "put a current pyRfactor2SharedMemory on the Python path, as TinyPedal ships it; "
    "or leave the source at its default, which reads the same bytes without it"
)


class PyRf2(SharedMemory):
    """The game's buffers through pyRfactor2SharedMemory; Unavailable without the library."""

    def __init__(self, folder: Path, *, game: Callable[[], object | None] = find_game) -> None:
        self._maps, self._structs = _load("rF2MMap"), _load("rF2data")
        super().__init__(folder, game=game)

    def _reader(self, buffer: Buffer, *, first: bool = False) -> BufferReader:
        control = getattr(self._maps, "MMapControl", None) or getattr(self._maps, "RF2MMap", None)
        struct = getattr(self._structs, f"rF2{buffer.name}", None)
        if control is None or struct is None:
            raise Unavailable(f"this {LIBRARY} has no memory map of {buffer.name}", hint=_HINT)
        if ctypes.sizeof(struct) != buffer.size:
            size = ctypes.sizeof(struct)
            raise Unavailable(
                f"{LIBRARY} lays {buffer.name} out in {size} bytes, not {buffer.size}", hint=_HINT
            )
        return PyRf2Reader(self.folder, buffer, first=first, control=control, struct=struct)


class PyRf2Reader(BufferReader):
    """A reader whose payload comes out of the library's copy; everything else is as in BufferReader."""

    def __init__(
        self, folder: Path, buffer: Buffer, *, first: bool, control: Callable[..., Any], struct: type
    ) -> None:
        super().__init__(folder, buffer, first=first)
        self._control, self._struct = control, struct
        self._map: Any = None
        self._mapped_life = -1

    def _copy(self, length: int) -> bool:
        """Let the library copy the file, and take the bytes in use from there."""
        if self._map is None or self._mapped_life != self.epoch:
            self._attach_library()
        if os.fstat(self.file.fd).st_size < self.buffer.size:
            return False
        self._map.update()
        self._view[:length] = np.frombuffer(self._map.data, np.uint8, length).data
        return True

    def _attach_library(self) -> None:
        """Have the library map the file that is open here, once in every life of its counters.

        The library copies only when End differs from its last copy's, so one that lived through a restart
        could take the old frame for the new one of the same number.
        """
        self._map = self._control(os.path.relpath(self.file.path, ROOT), self._struct)
        try:
            self._map.create(COPY_MODE)
        except OSError as error:
            raise Unavailable(
                f"{LIBRARY} cannot map {self.file.path}: {error.strerror}",
                hint="it opens the file for writing; run as the user who runs the game",
            ) from error
        self._mapped_life = self.epoch


def _load(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"{LIBRARY}.{module}")
    except ImportError as error:
        raise Unavailable(f"{LIBRARY} cannot be imported: {error}", hint=_HINT) from error
