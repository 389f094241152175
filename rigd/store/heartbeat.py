"""The archiver's word to the server, once a second: a small file that is worth nothing after a crash."""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from rig import parse
from rig.errors import Corrupt
from rig.regular import read_regular
from rig.v1 import rig_pb2
from rigd.durable import open_to_write

_FILE: Final = "archiver.status"
_EVERY_S: Final = 1.0
_SILENT_S: Final = 3.0
_MOST_BYTES: Final = 1 << 16


class Heartbeat:
    """Writes the status when it is due."""

    def __init__(self, data: Path) -> None:
        self._path = data / _FILE
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Return whether a second has passed."""
        return time.monotonic() >= self._next

    def beat(self, status: rig_pb2.ArchiverStatus) -> None:
        """Write it. Not flushed to the disk: a reader wants it now or not at all."""
        self._next = time.monotonic() + _EVERY_S
        beside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk is in the words that do not fit on it
            with open_to_write(beside, os.O_TRUNC) as file:
                file.write(status.SerializeToString())
            beside.rename(self._path)


def heard(data: Path) -> rig_pb2.ArchiverStatus | None:
    """Return the archiver's last words, None when it has been silent for three seconds."""
    path = data / _FILE
    try:
        if time.time() - path.stat().st_mtime > _SILENT_S:
            return None
        return parse.message(rig_pb2.ArchiverStatus, read_regular(path, _MOST_BYTES))
    except (OSError, Corrupt):
        return None
