"""A whole check: its parts, each in a process of its own, which a damaged ring may end."""

import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from google.protobuf import json_format

from rig.errors import NotFound
from rig.v1 import rig_pb2
from rigd.lifeline import tied
from rigd.verify.finding import finding
from rigd.verify.parts import trusted


class DataCheck:
    """One check of a data directory, `deep` with all laps that the ring still holds. `stop` ends it from any
    thread. Raises NotFound where there is nothing to check.
    """

    def __init__(self, data: Path, deep: bool = False) -> None:
        if not (data / "ring").is_dir() and not (data / "laps").is_dir():
            raise NotFound(
                f"there is neither ring nor laps in {data}", hint="choose the right --data", path=data
            )
        self._data, self._deep = data, deep
        self._turn = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._stopped = False

    def responses(self) -> Generator[rig_pb2.VerifyResponse]:
        """Yield how far it is, and what is found as it is found."""
        with_ring = True
        for response in self._part("ring"):
            yield response
            with_ring = with_ring and trusted(response.findings)
        yield from self._part("rest", *["deep"] * self._deep, *["without-ring"] * (not with_ring))

    def stop(self) -> None:
        """End it; `responses` ends then too."""
        with self._turn:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def _part(self, part: str, *words: str) -> Iterator[rig_pb2.VerifyResponse]:
        """Yield what one process says, and how it ended."""
        with self._turn:
            if self._stopped:
                return
            command = [sys.executable, "-m", "rigd.verify", str(self._data), part, *words]
            self._child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **tied()
            )
        with self._child as child:
            try:
                assert child.stdout is not None
                assert child.stderr is not None
                for line in child.stdout:
                    if line.endswith("\n"):
                        yield json_format.Parse(line, rig_pb2.VerifyResponse())
                said = child.stderr.read().strip().splitlines()
                child.wait()
            finally:
                child.kill()
        if child.returncode and not self._stopped:
            yield _ended(part, child.returncode, said)


def _ended(part: str, code: int, said: list[str]) -> rig_pb2.VerifyResponse:
    """Return a finding for a process that did not come to its end."""
    how = signal.Signals(-code).name if code < 0 else (said or ["no word"])[-1]
    kind = "ring-unreadable" if part == "ring" else "check-ended"
    wrong = finding(kind, part, f"reading it ended the process: {how}")
    return rig_pb2.VerifyResponse(walk=part, done=1, total=1, findings=[wrong])
