"""The folder of the buffers that a simulated game or a replay writes, and nobody else at the same time."""

import contextlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from rig import disk
from rig.errors import Busy, Denied
from rigd.durable import make_private
from rigd.sources.rf2.layout import BUFFERS

DEFAULT_FOLDER: Final = Path("/dev/shm/rigd-demo")  # noqa: S108 - shared memory is the point
"""A folder of its own, so that a real game's files are never touched."""


class BuffersFolder:
    """A folder of buffers, owned while the context lasts: made if it is not there, and closed to other users.
    Raises Busy while another process owns it, Denied for a folder of another user.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = self._locked()

    def _locked(self) -> int:
        """Return the open folder, locked. Its owner may have removed it meanwhile: then it is another
        one's turn.
        """
        while True:
            make_private(self._folder)
            fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            self._refuse_anothers(os.fstat(fd))
            if not disk.lock(fd):
                raise Busy(
                    f"{disk.holder(fd)} writes the buffers in {self._folder}",
                    hint="stop it first, or choose another --buffers",
                    path=self._folder,
                )
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)

    def _refuse_anothers(self, found: os.stat_result) -> None:
        """Refuse another's folder: what is written into one is its owner's. One that is everybody's, as
        /dev/shm, is sticky.
        """
        if found.st_uid != os.geteuid() and not found.st_mode & stat.S_ISVTX:
            raise Denied(
                f"{self._folder} belongs to another user", hint="choose another --buffers", path=self._folder
            )

    def clear(self) -> None:
        """Remove the buffers, also those of a killed game, and the folder where it is the default."""
        for buffer in BUFFERS:
            (self._folder / buffer.file_name).unlink(missing_ok=True)
        if self._folder == DEFAULT_FOLDER:
            with contextlib.suppress(OSError):  # somebody else has put something there
                self._folder.rmdir()

    def __enter__(self) -> "BuffersFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
