"""The lock of a running sync and the folder of its spool: one per rig and warehouse, in the user's cache."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rig import disk
from rig.errors import Busy

_LOCK: Final = "lock"


class SyncLock:
    """Held by one process of this machine at a time. The lock saves work; that nothing is loaded twice is the
    warehouse's doing, which also machines know that share no lock.
    """

    def __init__(self, rig_id: str, warehouse: str) -> None:
        """Take the lock. `warehouse` is the destination's name. Raises Busy when another process has it."""
        own = hashlib.sha256(f"{rig_id} {warehouse}".encode()).hexdigest()[:16]
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder: Final = Path(base) / "rigd/sync" / own
        """Folder of the spool; no other process writes there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not disk.lock(self._lock):
            self.close()
            raise Busy(f"another sync brings rig {rig_id} to {warehouse}", hint="it brings what you want")

    def close(self) -> None:
        """Release the lock."""
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
