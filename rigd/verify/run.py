"""A whole check: its parts, each in a process of its own, which a damaged ring may end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from rig.errors import NotFound
from rig.v1 import rig_pb2
from rigd.verify.finding import finding

_USELESS: Final = frozenset({"ring-unreadable", "ring-disordered"})
"""Findings after which nothing is compared with the ring."""


def run(data: Path, deep: bool = False) -> Iterator[rig_pb2.VerifyResponse]:
    """Check the data directory, `deep` with all laps that the ring still holds. Tells how far it is, and what
    is found as it is found. Raises NotFound where there is nothing to check.
    """
    check_there(data)
    with_ring = True
    for response in _part(data, "ring"):
        yield response
        with_ring = with_ring and not _USELESS & {found.kind for found in response.findings}
    yield from _part(data, "rest", *["deep"] * deep, *["without-ring"] * (not with_ring))


def check_there(data: Path) -> None:
    """Raises NotFound where there is nothing to check."""
    if not (data / "ring").is_dir() and not (data / "laps").is_dir():
        raise NotFound(f"there is neither ring nor laps in {data}", hint="choose the right --data", path=data)


def _part(data: Path, part: str, *words: str) -> Iterator[rig_pb2.VerifyResponse]:
    """What one process says, and how it ended."""
    command = [sys.executable, "-m", "rigd.verify", str(data), part, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            for line in child.stdout:
                if line.endswith("\n"):
                    yield json_format.Parse(line, rig_pb2.VerifyResponse())
            said = child.stderr.read().strip().splitlines()
            child.wait()
        finally:
            child.kill()
    if child.returncode:
        kind = "ring-unreadable" if part == "ring" else "check-ended"
        how = signal.Signals(-child.returncode).name if child.returncode < 0 else (said or ["no word"])[-1]
        wrong = finding(kind, part, f"the process that read it was ended by {how}")
        yield rig_pb2.VerifyResponse(walk=part, done=1, total=1, findings=[wrong])
