"""Makes a backup and writes it to standard output: messages, each with its length before it.

python -m rigd.backup DATA [without-ring] [with-secrets]
"""

import contextlib
import sys
import time
from pathlib import Path
from typing import Final

import rigd
from rig.v1 import rig_pb2
from rigd.backup.copy import CopiedFile, StoresCopy, sweep
from rigd.backup.members import MemberWriter
from rigd.backup.messages import MessageWriter
from rigd.lifeline import hold
from rigd.process import yield_to_others

_LAP: Final = ".lap"
_BESIDE: Final = (".lap.pin", ".lap.synced", ".lap.corners")


def main(data: Path, *words: str) -> None:
    """Make it."""
    yield_to_others()
    sweep(data)
    messages = MessageWriter(sys.stdout.buffer)
    copy = StoresCopy(data, ring="without-ring" not in words, secrets="with-secrets" in words)
    with contextlib.closing(copy):
        messages.now.what = "copying what changes"
        copy.take()
        messages.now.total_bytes = copy.total_bytes
        facts: dict[str, object] = {"version": rigd.__version__, "time_ns": time.time_ns()}
        writer = MemberWriter(messages, facts)  # type: ignore[arg-type]
        laps: set[str] = set()
        for part in copy.parts:
            messages.now.what = part.name.partition("/")[0]
            if _wanted(part.name, laps):
                _add(writer, copy, part, messages.now, laps)
        writer.close()
    messages.close()


def _wanted(name: str, laps: set[str]) -> bool:
    """Return whether a file is to be had: what stands beside a lap that went meanwhile is not."""
    beside = next((ending for ending in _BESIDE if name.endswith(ending)), "")
    return not beside or name.removesuffix(beside) in laps


def _add(
    writer: MemberWriter, copy: StoresCopy, part: CopiedFile, now: rig_pb2.BackupResponse, laps: set[str]
) -> None:
    with copy.open(part) as found:
        if found is None:
            return
        for written in writer.add(part.name, *found):
            now.done_bytes += written
    laps.add(part.name.removesuffix(".damaged").removesuffix(_LAP))


if __name__ == "__main__":
    hold()
    main(Path(sys.argv[1]), *sys.argv[2:])
