"""The disk of the data: what it is, its room, and how long a durable write takes."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from rich.filesize import decimal

from rig.regular import shown
from rigd.archive.retention import default_room
from rigd.check import Check, ok, warning, wrong

_TICK_BYTES: Final = 32 << 10
"""Of a tick with 40 cars."""
_WRITES: Final = 20
_MOST_S: Final = 2.0
"""A slow disk is known after fewer writes."""
SLOW_S: Final = 0.02
"""Time between two ticks: with slower writes commits take several ticks, and a power cut too."""
USELESS_S: Final = 1.0

_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "afs"})
MEMORY: Final = frozenset({"tmpfs", "ramfs"})


def check_storage(data: Path, mounts: Path = Path("/proc/mounts")) -> Iterator[Check]:
    """Look at the disk of a data directory, or at the one where it would be made."""
    folder = standing(data)
    yield _check_kind(folder, mounts)
    yield _check_room(folder)
    yield _check_writing(folder)


def standing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    path = path.absolute()
    return next((one for one in (path, *path.parents) if os.path.isdir(one)), Path("/"))


def _check_kind(folder: Path, mounts: Path) -> Check:
    kind = file_system(folder.resolve(), mounts)
    if kind in _NETWORK:
        return wrong(
            "disk",
            f"{shown(folder)} is on another machine ({kind}): locks and mapped files fail there",
            "choose a disk of this machine with --data, and copy laps with `rig export`",
            {"kind": kind},
        )
    if kind in MEMORY:
        return warning(
            "disk",
            f"{shown(folder)} is memory ({kind}): all is gone after a restart",
            "choose a disk with --data",
            {"kind": kind},
        )
    return ok("disk", f"{shown(folder)} is on {kind}", {"kind": kind})


def file_system(folder: Path, mounts: Path) -> str:
    """Return the kind of file system, by the longest mount point above a folder; the last one counts."""
    kind, length = "an unknown file system", -1
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return kind
    for words in (line.split() for line in lines):
        if len(words) > 2 and len(words[1]) >= length and folder.is_relative_to(_unescaped(words[1])):
            kind, length = words[2], len(words[1])
    return kind


def _unescaped(name: str) -> str:
    return name.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _check_room(folder: Path) -> Check:
    usage = shutil.disk_usage(folder)
    room, floor = default_room(usage.total)
    what = f"{decimal(usage.free)} of {decimal(usage.total)} are free"
    facts = {"free_bytes": usage.free, "total_bytes": usage.total}
    if usage.free < floor:
        return wrong("room", f"{what}: even laps that somebody wants are deleted", _MAKE_ROOM, facts)
    if usage.free < room:
        return warning("room", f"{what}: laps older than an hour are deleted", _MAKE_ROOM, facts)
    return ok("room", what, facts)


_MAKE_ROOM: Final = "make room, name another disk with --data, or lower --min-free and --ring-size"


def _check_writing(folder: Path) -> Check:
    try:
        times = list(_writes(folder))
    except OSError as error:
        return wrong(
            "durable write",
            f"{shown(folder)} takes nothing: {error.strerror}",
            "see whose the folder is, and whether the disk is full or read-only; or name another with --data",
            {"error": error.strerror},
        )
    middle, longest = median(times), max(times)
    what = f"{1e3 * middle:.1f} ms in the median, {1e3 * longest:.1f} ms at most, of {len(times)}"
    facts = {"median_ms": 1e3 * middle, "max_ms": 1e3 * longest}
    return judged(middle, what, facts)


def judged(middle_s: float, what: str, facts: dict[str, float]) -> Check:
    """Return what a median means for recording."""
    if middle_s >= USELESS_S:
        way_out = "name a faster disk with --data; records wait in memory, and beyond 64 MiB are lost"
        return wrong("durable write", what, way_out, facts)
    if middle_s >= SLOW_S:
        way_out = "name a faster disk with --data, or spare this one: rigd record --commit-every 0.5"
        return warning("durable write", what, way_out, facts)
    return ok("durable write", what, facts)


def _writes(folder: Path) -> Iterator[float]:
    """Write as much as a tick, durably, again and again, into a file without a name. Raises OSError."""
    data, began = os.urandom(_TICK_BYTES), time.monotonic()
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        for at in range(_WRITES):
            start = time.monotonic()
            os.pwrite(file.fileno(), data, at * _TICK_BYTES)
            os.fdatasync(file.fileno())
            yield time.monotonic() - start
            if time.monotonic() - began > _MOST_S:
                return
