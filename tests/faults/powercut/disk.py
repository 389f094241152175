"""A disk whose power is cut: what may be found on it afterwards.

What was synced is there. Of anything else, any part may be: of the writes to a file any subset, torn at
sectors, because a disk writes in the order it likes; of the new, changed and removed names in a folder any
subset, until the folder itself is synced. A file whose name is not on the disk is lost with all its synced
bytes. Journaling file systems promise more; rigd does not rely on it.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.powercut.witness import Entry, Kind

_PAGE: Final = 4096
"""What a write through a syncing descriptor takes along: whole pages of the cache."""

Choose = Callable[[int], list[bool]]
"""Which of so many things, oldest first, reached the disk."""


class Change(NamedTuple):
    """A change of a file's bytes that is not known to be on the disk."""

    number: int
    """Of its entry."""
    at: int
    data: memoryview | None
    """None: the file was given the size `at`."""

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.at + len(self.data or b"")


class Link(NamedTuple):
    """A change of a folder's names that is not known to be on the disk."""

    number: int
    removed: str
    """A name that is no longer there; empty: none."""
    added: str
    node: "File | Folder | None"


@dataclass
class File:
    """Synced bytes, and what came after."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self, before: int) -> None:
        """What was asked for before entry `before` is on the disk."""
        for change in self.pending:
            if change.number < before:
                _apply(self.synced, change)
        self.pending = [change for change in self.pending if change.number >= before]

    def sync_range(self, number: int, start: int, end: int) -> None:
        """The pages of this range are on the disk, as they were at entry `number`."""
        start, end = start // _PAGE * _PAGE, -(-end // _PAGE) * _PAGE
        left = []
        for change in self.pending:
            if change.number > number or change.data is None:
                left.append(change)
                continue
            for part in _split(change, [start, end]):
                if start <= part.at < end:
                    _apply(self.synced, part)
                else:
                    left.append(part)
        self.pending = left

    def found(self, choose: Choose, sector: int) -> bytes:
        """What may be found; `sector` 0: writes are not torn."""
        parts = [part for change in self.pending for part in _split(change, _sectors(change, sector))]
        out = bytearray(self.synced)
        for part, there in zip(parts, choose(len(parts)), strict=True):
            if there:
                _apply(out, part)
        return bytes(out)


@dataclass
class Folder:
    """Names: those on the disk, those that programs see, and the changes between them."""

    synced: dict[str, "File | Folder"] = field(default_factory=dict)
    seen: dict[str, "File | Folder"] = field(default_factory=dict)
    pending: list[Link] = field(default_factory=list)

    def change(self, link: Link) -> None:
        """Change names."""
        _relink(self.seen, link)
        self.pending.append(link)

    def sync(self, before: int) -> None:
        """What was asked for before entry `before` is on the disk."""
        for link in self.pending:
            if link.number < before:
                _relink(self.synced, link)
        self.pending = [link for link in self.pending if link.number >= before]

    def found(self, choose: Choose) -> dict[str, "File | Folder"]:
        """What may be found."""
        names = dict(self.synced)
        for link, there in zip(self.pending, choose(len(self.pending)), strict=True):
            if there:
                _relink(names, link)
        return names


def _relink(names: dict[str, File | Folder], link: Link) -> None:
    names.pop(link.removed, None)
    if link.node is not None:
        names[link.added] = link.node


def _apply(data: bytearray, change: Change) -> None:
    if change.data is None:
        data[change.at :] = bytes(max(change.at - len(data), 0))
        return
    if len(data) < change.at:
        data.extend(bytes(change.at - len(data)))
    data[change.at : change.end] = change.data


def _split(change: Change, places: list[int]) -> Iterator[Change]:
    """The change in parts that end at `places`."""
    if change.data is None:
        yield change
        return
    inner = [place for place in places if change.at < place < change.end]
    for start, end in zip([change.at, *inner], [*inner, change.end], strict=True):
        yield Change(change.number, start, change.data[start - change.at : end - change.at])


def _sectors(change: Change, sector: int) -> list[int]:
    return list(range(change.at // sector * sector + sector, change.end, sector)) if sector else []


class Disk:
    """The disk below a folder as the entries of a journal, up to some number, have left it."""

    def __init__(self, root: Path, inode: int) -> None:
        self.root = root
        self.top = Folder()
        self.number = 0
        """Entries so far."""
        self._nodes: dict[int, File | Folder] = {inode: self.top}
        self._begun: dict[tuple[int, int], int] = {}
        """Syncs that have not returned, by thread and inode, with the number of the entry."""

    def see(self, entry: Entry) -> None:
        """The next entry."""
        match entry.kind:
            case Kind.CREATE | Kind.MKDIR:
                node = self._nodes[entry.inode] = File() if entry.kind == Kind.CREATE else Folder()
                self._link(entry.name, node)
            case Kind.UNLINK | Kind.RMDIR:
                self._unlink(entry.name)
            case Kind.RENAME | Kind.LINK:
                self._name(*entry.name.split("\0"), stays=entry.kind == Kind.LINK)
            case Kind.WRITE:
                self._file(entry).pending.append(Change(self.number, entry.at, entry.data))
            case Kind.TRUNCATE:
                self._file(entry).pending.append(Change(self.number, entry.at, None))
            case Kind.ALLOCATE:
                self._allocate(entry)
            case Kind.SYNC_BEGIN:
                self._begun[entry.thread, entry.inode] = self.number
            case Kind.SYNC_END:
                self._nodes[entry.inode].sync(self._begun.pop((entry.thread, entry.inode)))
            case Kind.WRITTEN:
                self._file(entry).sync_range(self.number, entry.at, entry.at + entry.bytes)
        self.number += 1

    def _file(self, entry: Entry) -> File:
        node = self._nodes[entry.inode]
        assert isinstance(node, File)
        return node

    def _allocate(self, entry: Entry) -> None:
        """The file has this size at least."""
        file = self._file(entry)
        if len(file.found(all_of, 0)) < entry.at:
            file.pending.append(Change(self.number, entry.at, None))

    def _place(self, name: str) -> tuple[Folder, str]:
        """The folder that a path leads to, and the name in it."""
        *folders, last = Path(name).relative_to(self.root).parts
        folder = self.top
        for part in folders:
            found = folder.seen[part]
            assert isinstance(found, Folder)
            folder = found
        return folder, last

    def _link(self, name: str, node: File | Folder) -> None:
        folder, last = self._place(name)
        folder.change(Link(self.number, "", last, node))

    def _unlink(self, name: str) -> None:
        """Remove a name; sockets were never seen to be made."""
        folder, last = self._place(name)
        if last in folder.seen:
            folder.change(Link(self.number, last, "", None))

    def _name(self, old: str, new: str, *, stays: bool) -> None:
        """Give a file or a folder another name, or one more."""
        folder, last = self._place(old)
        target, name = self._place(new)
        assert folder is target, "from folder to folder is two changes, of which one may be lost"
        folder.change(Link(self.number, "" if stays else last, name, folder.seen[last]))

    def write(self, target: Path, cut: "Cut") -> None:
        """Make `target` the folder that is found after the power was cut now."""
        _write(self.top, target, cut)


def _write(folder: Folder, target: Path, cut: "Cut") -> None:
    target.mkdir()
    for name, node in folder.found(cut.choose).items():
        if isinstance(node, Folder):
            _write(node, target / name, cut)
        else:
            (target / name).write_bytes(node.found(cut.choose, cut.sector))


def replayed(disk: Disk, entries: Iterable[Entry], target: Path) -> list[str]:
    """Play all entries, lay out in `target` what programs see then, and name the files that are otherwise in
    the folder that was watched.
    """
    for entry in entries:
        disk.see(entry)
    disk.write(target, Cut("everything", all_of))
    found, there = _content(target), _content(disk.root)
    return sorted(name for name in found.keys() | there.keys() if found.get(name) != there.get(name))


def _content(folder: Path) -> dict[str, bytes]:
    """Files and folders below."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if not path.is_socket()
    }


# What the disk has done of what it was not told to finish.


def none_of(count: int) -> list[bool]:
    """Nothing."""
    return [False] * count


def all_of(count: int) -> list[bool]:
    """Everything."""
    return [True] * count


class Cut(NamedTuple):
    """How the power was cut."""

    name: str
    choose: Choose
    sector: int = 0
    """Writes are torn at multiples of this; 0: they are not."""


def cuts(chance: random.Random) -> list[Cut]:
    """One of each kind."""

    def first(count: int) -> list[bool]:
        most = chance.randint(0, count)
        return [at < most for at in range(count)]

    def last(count: int) -> list[bool]:
        return [not there for there in first(count)]

    def some(count: int) -> list[bool]:
        share = chance.choice((0.1, 0.5, 0.9))
        return [chance.random() < share for _ in range(count)]

    return [
        Cut("nothing that was not synced", none_of),
        Cut("everything", all_of),
        Cut("the first of it", first),
        Cut("the last of it", last),
        Cut("any subset", some),
        Cut("torn at 512", some, 512),
        Cut("torn at 4096", some, 4096),
    ]
