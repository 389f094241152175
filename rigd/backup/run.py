"""A backup in the making: by a process of its own, which a damaged ring may end, and after all others."""

import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

from rig.errors import Exhausted, NotFound, RigError, Unavailable
from rig.v1 import rig_pb2
from rigd.backup.copy import RING_COPY_S, room, room_wanted
from rigd.backup.messages import read_messages
from rigd.lifeline import tied


class BackupRun:
    """One backup of a data directory; `stop` ends it from any thread. Raises NotFound where there is nothing
    to copy, Exhausted where the disk has no room for a copy of the ring.
    """

    def __init__(self, data: Path, *, without_ring: bool = False, with_secrets: bool = False) -> None:
        if not (data / "ring").is_dir() and not (data / "laps").is_dir():
            raise NotFound(
                f"there is neither ring nor laps in {data}", hint="choose the right --data", path=data
            )
        if not without_ring and (wanted := room_wanted(data)) > room(data):
            raise Exhausted(
                f"a copy of the ring takes up to {wanted} bytes, {room(data)} are free in {data}",
                hint="make room, or go --without-ring",
                limit=room(data),
                value=wanted,
            )
        words = ["without-ring"] * without_ring + ["with-secrets"] * with_secrets
        self._command = [sys.executable, "-m", "rigd.backup", str(data), *words]
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def responses(self) -> Generator[rig_pb2.BackupResponse]:
        """Yield the file, and how far it is. Raises Unavailable where it does not come to its end."""
        with self._turn:
            if self._stopped:
                return
            self._child = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **tied()
            )
        with self._child as child:
            try:
                assert child.stdout is not None
                assert child.stderr is not None
                yield from read_messages(child.stdout)
                said = child.stderr.read().decode(errors="replace").strip().splitlines()
                child.wait()
            finally:
                child.kill()
        if child.returncode and not self._stopped:
            raise _ended(child.returncode, said)

    def stop(self) -> None:
        """End it; `responses` ends then too."""
        with self._turn:
            self._stopped = True
            if self._child is not None:
                self._child.kill()


def _ended(code: int, said: list[str]) -> RigError:
    """Return why there is no backup."""
    if code == -signal.SIGALRM:
        why = f"the ring could not be copied within {RING_COPY_S} s"
        return Unavailable(why, hint="go --without-ring, or try again when the disk has less to do")
    how = signal.Signals(-code).name if code < 0 else (said or ["no word"])[-1]
    return Unavailable(f"the backup did not come to its end: {how}", hint="`rigd verify` may say why")
