"""A stand-in for pyRfactor2SharedMemory: the part of its interface that rigd uses, behaving as it does.

Names and behaviour are the library's published ones (copy mode: the whole file is copied when End differs
from that of the last copy; a missing file is created; nothing is looked at after the copy).
"""

import ctypes
import mmap
from collections.abc import Callable
from typing import ClassVar

ROOT = "/dev/shm/"


def struct(name: str, size: int) -> type[ctypes.Structure]:
    """A ctypes struct of the right size with the version words in front."""
    words = [("mVersionUpdateBegin", ctypes.c_uint32), ("mVersionUpdateEnd", ctypes.c_uint32)]
    return type(name, (ctypes.Structure,), {"_fields_": [*words, ("rest", ctypes.c_ubyte * (size - 8))]})


rF2Telemetry = struct("rF2Telemetry", 241_680)  # noqa: N816 - the library's own names, here and below
rF2Scoring = struct("rF2Scoring", 75_312)  # noqa: N816
rF2Extended = struct("rF2Extended", 10_152)  # noqa: N816


class MMapControl:
    """One buffer."""

    after_copy: ClassVar[Callable[[], None] | None] = None
    """What else happens in the world right after a copy."""

    def __init__(self, mmap_name: str, data_struct: type[ctypes.Structure]) -> None:
        self._name, self._struct = mmap_name, data_struct
        self._buffer = bytearray(ctypes.sizeof(data_struct))

    def create(self, access_mode: int = 0, rf2_pid: str = "") -> None:
        """Map the file and copy it once."""
        assert access_mode == 0
        with open(ROOT + self._name, "a+b") as file:
            if file.tell() == 0:
                file.write(bytes(len(self._buffer)))
                file.flush()
            self._mmap = mmap.mmap(file.fileno(), len(self._buffer))
        self._buffer[:] = self._mmap
        self.data = self._struct.from_buffer(self._buffer)

    def update(self) -> None:
        """Copy if End moved."""
        if int.from_bytes(self._mmap[4:8], "little") != self.data.mVersionUpdateEnd:
            self._buffer[:] = self._mmap
        if MMapControl.after_copy is not None:
            MMapControl.after_copy()


class Denied(MMapControl):
    """One buffer that belongs to somebody else."""

    def create(self, access_mode: int = 0, rf2_pid: str = "") -> None:
        """Fail as opening for writing does."""
        raise PermissionError(13, "Permission denied")
