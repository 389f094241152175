"""Bad conditions for the processes of a test: a slow disk, a full disk, a wall clock that jumps."""

import mmap
import os
import struct
import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("conditions.c")
_FIELDS: Final = struct.Struct("<qqq")


def compiled(source: Path, folder: Path) -> Path:
    """A library to put before the system's, made of one C file by the system's compiler."""
    library = folder / f"{source.stem}.so"
    words = ("cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl")
    subprocess.run(words, check=True)
    return library


class Conditions:
    """What processes with `environment` meet below `folder`. Setting an attribute takes effect at once."""

    def __init__(self, scratch: Path, folder: Path) -> None:
        control = scratch / "conditions"
        control.write_bytes(bytes(_FIELDS.size))
        with control.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _FIELDS.size)
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(compiled(_SOURCE, scratch)),
            "RIGD_CONDITIONS": str(control),
            "RIGD_CONDITIONS_FOLDER": str(folder.resolve()),
        }

    def become(self, sync_delay_s: float = 0.0, refuse: int = 0, clock_step_s: float = 0.0) -> None:
        """From now on; without arguments all is well again."""
        self._shared[:] = _FIELDS.pack(int(sync_delay_s * 1e9), refuse, int(clock_step_s * 1e9))
