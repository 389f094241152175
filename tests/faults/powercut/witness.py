"""The witness of what processes ask of the disk, and the journal it keeps: see witness.c."""

import mmap
import os
import random
import struct
import subprocess
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.conditions import compiled

_SOURCE: Final = Path(__file__).with_name("witness.c")
_HEAD: Final = struct.Struct("<4I4Q")
_MARK: Final = 0x544E5457


class Kind(IntEnum):
    """What happened. The numbers are those of witness.c."""

    CREATE = 1
    MKDIR = 2
    UNLINK = 3
    RMDIR = 4
    RENAME = 5
    WRITE = 6
    TRUNCATE = 7
    ALLOCATE = 8
    SYNC_BEGIN = 9
    SYNC_END = 10
    WRITTEN = 11
    """A write through a descriptor that syncs each has returned."""
    BELL = 12
    """A wake-up is about to be sent."""
    MAPPED = 13
    """A file was mapped for writing: what is stored through the map is not seen."""
    ESCAPED = 14
    """Something that this witness cannot record."""
    FAILED = 15
    """The operation of this thread recorded last did not happen as recorded."""
    LINK = 16


class Entry(NamedTuple):
    """One thing that happened."""

    kind: Kind
    thread: int
    inode: int
    at: int
    """Where a write begins; the size that a file was given."""
    bytes: int
    time_ns: int
    """Wall clock."""
    name: str
    """Absolute path; both of a rename or a link, with a NUL between."""
    data: memoryview


class Journal:
    """All entries so far, in the order in which things happened."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.entries: list[Entry] = []
        self.ends: list[int] = []
        """Size of the journal after each entry."""
        at = 0
        while at < len(view):
            entry, at = _entry(view, at)
            self.entries.append(entry)
            self.ends.append(at)

    def mapped(self) -> set[str]:
        """Files that were mapped for writing."""
        return {entry.name for entry in self.entries if entry.kind == Kind.MAPPED}

    def waited_ns(self, start_ns: int, end_ns: int) -> int:
        """For how long of this time the disk kept somebody waiting."""
        waited = 0
        for before, entry in zip(self.entries, self.entries[1:], strict=False):
            if entry.time_ns <= start_ns or before.time_ns >= end_ns:
                continue
            if entry.kind in (Kind.SYNC_END, Kind.WRITTEN):
                waited += min(entry.time_ns, end_ns) - max(before.time_ns, start_ns)
        return waited

    def moments(self, chance: random.Random, count: int) -> set[int]:
        """Numbers of entries after which the power is cut: half of them anywhere, half after one of the kinds
        that are rare among the writes, a sync, a wake-up, a new name.
        """
        turns: dict[Kind, list[int]] = {}
        for number, entry in enumerate(self.entries):
            if entry.kind not in (Kind.WRITE, Kind.SYNC_BEGIN):
                turns.setdefault(entry.kind, []).append(number + 1)
        found: set[int] = set()
        while len(found) < count // 2:
            found.add(chance.choice(turns[chance.choice(sorted(turns))]))
        while len(found) < count:
            found.add(chance.randrange(len(self.entries)))
        return found

    def lapses(self) -> list[Entry]:
        """What must not be there: things that could not be recorded, or did not happen as recorded."""
        return [entry for entry in self.entries if entry.kind in (Kind.ESCAPED, Kind.FAILED)]


def _entry(view: memoryview, at: int) -> tuple[Entry, int]:
    mark, kind, thread, name_bytes, inode, place, size, time_ns = _HEAD.unpack_from(view, at)
    assert mark == _MARK, f"the journal is broken at {at}"
    names = at + _HEAD.size
    data = names + name_bytes
    end = data + (size if kind in (Kind.WRITE, Kind.BELL) else 0)
    name = os.fsdecode(bytes(view[names:data]))
    return Entry(Kind(kind), thread, inode, place, size, time_ns, name, view[data:end]), end


@dataclass(frozen=True)
class Witness:
    """Watches what happens below `folder`, which must be there."""

    folder: Path
    scratch: Path
    """Where library and journal lie, outside of `folder`."""

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.scratch / "journal"

    @property
    def size(self) -> int:
        """Bytes of the journal: whatever happened until now is before this."""
        return self.path.stat().st_size

    def environment(self) -> dict[str, str]:
        """Variables for a process that is to be watched."""
        library = self.scratch / "witness.so"
        if not library.exists():
            compiled(_SOURCE, self.scratch)
        watched = {"LD_PRELOAD": library, "WITNESS_FOLDER": self.folder, "WITNESS_JOURNAL": self.path}
        return {**os.environ, **{name: str(value) for name, value in watched.items()}}

    def start(self, command: list[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a process under watch."""
        return subprocess.Popen(command, env=self.environment(), text=True, **options)

    def journal(self) -> Journal:
        """What has been recorded so far."""
        return Journal(self.path)
