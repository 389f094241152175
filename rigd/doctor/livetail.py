"""The memory of the live tail: a folder of this machine's memory, the user's own in it, and room."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from rig.errors import Denied
from rig.regular import shown
from rigd.check import Check, ok, warning, wrong
from rigd.doctor.storage import MEMORY, file_system
from rigd.ring.tail import CAPACITY, check_own, free_bytes, tail_path

_WITHOUT: Final = "readers wait for the disk"
_OTHER: Final = "name a folder in memory with --tail-folder"


def check_live_tail(memory: Path, data: Path, mounts: Path = Path("/proc/mounts")) -> Iterator[Check]:
    """Look at the folder in memory where the live tail of a data directory is, or would be made."""
    if not memory.is_dir():
        yield wrong("live tail", f"there is no folder {shown(memory)}: {_WITHOUT}", _OTHER)
        return
    yield _check_folder(tail_path(memory, data).parent)
    yield _check_memory(memory, mounts)
    yield _check_room(tail_path(memory, data))


def _check_folder(own: Path) -> Check:
    if not os.path.lexists(own):
        if os.access(own.parent, os.W_OK | os.X_OK):
            return ok("live tail", f"{shown(own)} will be made by the recorder")
        return wrong("live tail", f"{shown(own.parent)} takes no new folder: {_WITHOUT}", _OTHER)
    try:
        check_own(own)
    except Denied as error:
        return wrong("live tail", f"{error.message}: {_WITHOUT}", f"remove {shown(own)}, or {_OTHER}")
    return ok("live tail", f"{shown(own)} is yours alone")


def _check_memory(memory: Path, mounts: Path) -> Check:
    kind = file_system(memory.resolve(), mounts)
    if kind in MEMORY:
        return ok("tail memory", f"{shown(memory)} is memory ({kind})", {"kind": kind})
    what = f"{shown(memory)} is on {kind}: every tick is written to it, 20 to 400 times a second"
    return warning("tail memory", what, _OTHER, {"kind": kind})


def _check_room(tail: Path) -> Check:
    """Check for what a tail takes when it has come round; the one that is there has some of it."""
    free = free_bytes(tail.parent.parent)
    if free is None:
        return ok("tail room", "this memory has no bound")
    held = tail.stat().st_blocks * 512 if tail.is_file() else 0
    what = f"{decimal(free)} are free, a live tail takes {decimal(CAPACITY)}"
    facts = {"free_bytes": free, "held_bytes": held}
    if free + held < CAPACITY:
        return wrong(
            "tail room", f"{what}: {_WITHOUT}", f"delete what is not needed there, or {_OTHER}", facts
        )
    return ok("tail room", what, facts)
