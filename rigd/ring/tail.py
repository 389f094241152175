"""The live tail: what the recorder has captured, in shared memory, before the disk has it.

A file in memory that holds the newest bundles one after another, as a ring of bytes. The recorder's tick
thread alone appends; the committer says how far the disk is. Whoever follows reads what is new without
waiting for a commit, and the next recorder finds there what the killed one had not committed.

Positions count the bytes ever appended; a position's place in the file is its remainder. A bundle is whole
before the head moves over it, and a reader looks at the head again after it has copied: what was overwritten
meanwhile it does not use. The file is read and written, not mapped: one that somebody truncates, or a memory
that is full, must not end a process with SIGBUS.
"""

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from rig.disk import beside
from rig.errors import Corrupt, Denied
from rig.regular import open_regular
from rigd.ring.tables import EVENTS, GAPS, META, PHYSICS, SCORING, Record

CAPACITY: Final = 80 << 20
"""Bytes of a tail: what is kept while the disk refuses (64 MB), and room for those who follow."""

_MOST: Final = 2 << 20
"""Bytes of a bundle."""
_GUARD: Final = 2 * _MOST
"""Bytes beyond the head that may be in writing: what is left before the end of the file, and a bundle."""

PLACE: Final = b"tail"
"""Small value of the ring: the Place that goes with its newest commit."""
RESERVED: Final = b"reserved"
"""Small value of the ring: the Reserve made with its newest commit."""

CUT: Final = b"cut"
"""Small value of the ring: the Reserve that a power cut took, declared by now or not."""

_TABLES: Final = (PHYSICS, SCORING, EVENTS, GAPS, META)

_MAGIC: Final = b"rigdtail"
_VERSION: Final = 2
_HEADER: Final = struct.Struct("<8sI4x8s8sQQ")
"""Magic, version, id of the tail, id of the ring, capacity, the file's inode: a copy may be older than what
was there, and numbers would be given twice.
"""
_HEADS: Final = struct.Struct("<QQQ")
"""Where the next bundle goes; up to where followers may read; up to where the ring has it."""
_MOVED: Final = struct.Struct("<QQ")
"""The first two, which the tick thread writes."""
_COMMITTED: Final = struct.Struct("<Q")
"""The third, which the committer writes."""
_HEADS_AT: Final = 64
_COMMITTED_AT: Final = _HEADS_AT + _MOVED.size
_OWNER: Final = struct.Struct("<H")
"""Bytes of the path of the data directory, which follows: a tail whose directory is gone is nobody's."""
_OWNER_AT: Final = 128
_DATA_AT: Final = 4096
_MOST_HEAD: Final = 1 << 62
"""No recorder comes near: a greater position is a damaged one."""

_FRAME: Final = struct.Struct("<QII16x")
"""Of a bundle: its position, its bytes with this, its records."""
_RECORD: Final = struct.Struct("<BBI")
"""Of a record: its table, the bytes of its key and of its value."""

_PLACE: Final = struct.Struct("<8sQ")
_RESERVE: Final = struct.Struct("<QQQ")


class Place(NamedTuple):
    """How far a commit goes in which tail; it travels with the commit."""

    tail: bytes
    """Id."""
    position: int
    """All before it is in the ring."""
    path: Path

    def pack(self) -> bytes:
        """Return it as the ring keeps it."""
        return _PLACE.pack(self.tail, self.position) + os.fsencode(self.path)

    @classmethod
    def read(cls, value: bytes | None) -> "Place | None":
        """Undo `pack`; None for none, and for what no recorder wrote."""
        if value is None or len(value) <= _PLACE.size:
            return None
        tail, position = _PLACE.unpack_from(value)
        return cls(tail, position, Path(os.fsdecode(value[_PLACE.size :])))


class Reserve(NamedTuple):
    """Numbers below these may have been given to followers, those of the streams in the order of STREAMS."""

    physics: int = 0
    scoring: int = 0
    events: int = 0

    def pack(self) -> bytes:
        """Return them as the ring keeps them."""
        return _RESERVE.pack(*self)

    @classmethod
    def read(cls, value: bytes | None) -> "Reserve":
        """Undo `pack`; zeros for none, and for what no recorder wrote."""
        if value is None or len(value) != _RESERVE.size:
            return cls()
        return cls(*_RESERVE.unpack(value))

    def covers(self, following: Iterable[int]) -> bool:
        """Return whether all numbers before these, a stream's each, are reserved."""
        return all(own >= other for own, other in zip(self, following, strict=True))


class Heads(NamedTuple):
    """Positions in a tail."""

    head: int
    """Where the next bundle goes."""
    shown: int
    """Up to where followers may read."""
    committed: int
    """Up to where the ring has it."""


class Bundle(NamedTuple):
    """Records that became known together; those of the table META are small values."""

    end: int
    """Position after it."""
    records: list[Record]


class _File:
    """An open tail. Raises OSError when there is none, Denied for another user's, Corrupt for what no
    recorder of this version made.
    """

    _fd = -1

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self._fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        self._check()

    def _check(self) -> None:
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise Denied(f"{self.path} is no file of ours", hint="remove it", path=self.path)
        self._header = header = os.pread(self._fd, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            raise Corrupt(f"{self.path} has {len(header)} bytes, a live tail has {_DATA_AT} at least")
        magic, version, self.id, self.ring, capacity, inode = _HEADER.unpack(header)
        if (magic, version, capacity) != (_MAGIC, _VERSION, CAPACITY):
            raise Corrupt(f"{self.path} is no live tail of version {_VERSION}")
        if inode != found.st_ino:
            raise Corrupt(
                f"{self.path} is a copy of a live tail: it may be older than the one that was there"
            )

    def heads(self) -> Heads:
        """Return how far it goes. Raises Corrupt."""
        words = os.pread(self._fd, _HEADS.size, _HEADS_AT)
        if len(words) < _HEADS.size:
            raise Corrupt(f"{self.path} was truncated")
        return Heads(*_HEADS.unpack(words))

    def lost(self) -> bool:
        """Return whether the file was deleted, replaced, truncated or written over: nobody else finds what is
        in it.
        """
        ours = os.fstat(self._fd)
        try:
            same = os.path.samestat(os.stat(self.path, follow_symlinks=False), ours)
        except OSError:
            return True
        whole = ours.st_size >= _DATA_AT + CAPACITY
        return not (same and whole) or os.pread(self._fd, _HEADER.size, 0) != self._header

    def bundles(self, position: int, until: int, most: int) -> list[Bundle] | None:
        """Return the bundles from `position` to before `until`, oldest first: no more than fit `most` bytes
        (but one at least). None when some were overwritten. Raises Corrupt for what is no bundle.
        """
        if not 0 <= until - position <= CAPACITY:
            return None
        most = min(max(most, _FRAME.size), until - position)
        try:
            out = list(_parsed(self._ahead(position, most), position))
            if not out and most:
                out = list(_parsed(self._ahead(position, self._size(position, until)), position))
        except Corrupt:
            if self._overwritten(position):
                return None
            raise
        return None if self._overwritten(position) else out

    def _ahead(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from a position, no further than to the end of the file."""
        at = position % CAPACITY
        return os.pread(self._fd, min(size, CAPACITY - at), _DATA_AT + at)

    def _size(self, position: int, until: int) -> int:
        """Return the bytes of the bundle at a position. Raises Corrupt when it is none."""
        size = _frame(self._ahead(position, _FRAME.size), position)[0]
        if position + size > until:
            raise Corrupt(f"a bundle of {size} bytes at {position} of {self.path}, which ends at {until}")
        return size

    def _overwritten(self, position: int) -> bool:
        return position + CAPACITY < self.heads().head + _GUARD

    def close(self) -> None:
        """Close the file. May be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close  # a lost one is closed when the last of two threads has let go of it


def _frame(data: bytes, position: int) -> tuple[int, int]:
    """Return the bytes and the records of the bundle that begins with `data`. Raises Corrupt."""
    if len(data) < _FRAME.size:
        raise Corrupt(f"the live tail ends within a bundle at {position}")
    at, size, count = _FRAME.unpack_from(data)
    if at != position or not _FRAME.size <= size <= _MOST or size % _FRAME.size:
        raise Corrupt(f"there is no bundle at {position} of the live tail")
    return size, count


def _parsed(data: bytes, position: int) -> Iterator[Bundle]:
    """Yield the bundles that are whole in `data`. Raises Corrupt."""
    at = 0
    while len(data) - at >= _FRAME.size:
        size, count = _frame(data[at : at + _FRAME.size], position)
        if at + size > len(data):
            return
        position += size
        yield Bundle(position, _records(data, at + _FRAME.size, at + size, count))
        at += size


def _records(data: bytes, at: int, end: int, count: int) -> list[Record]:
    out = []
    for _ in range(count):
        if at + _RECORD.size > end:
            raise Corrupt("a bundle of the live tail ends within a record")
        table, key_bytes, value_bytes = _RECORD.unpack_from(data, at)
        key_at = at + _RECORD.size
        value_at = key_at + key_bytes
        at = value_at + value_bytes
        if table >= len(_TABLES) or at > end:
            raise Corrupt("a record of the live tail is none")
        out.append(Record(_TABLES[table], data[key_at:value_at], data[value_at:at]))
    return out


class TailReader(_File):
    """Follows a tail. Any number, in any process of the same user."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, os.O_RDONLY)

    def visible(self) -> int:
        """Return up to where there is something to read: what is shown, or in the ring. Raises Corrupt."""
        heads = self.heads()
        return max(heads.shown, heads.committed)


class TailWriter(_File):
    """The one writer. The caller holds the ring's lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, os.O_RDWR)
        self.head, self._shown, self._durable = self.heads()
        reaches = self._durable <= self.head <= self._durable + CAPACITY and self._shown <= self.head
        if not reaches or self.head > _MOST_HEAD:
            raise Corrupt(f"{path} reaches from {self._durable} to {self.head}, which cannot be")

    @classmethod
    def begin(cls, path: Path, ring: bytes, data: Path) -> "TailWriter":
        """Begin an empty tail of the ring with that id, of the data directory `data`, in the file `path`,
        whatever is there. Raises OSError and Denied.
        """
        _own_folder(path.parent)
        _check_room(path.parent)
        written = beside(path)
        written.unlink(missing_ok=True)
        fd = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            inode = os.fstat(fd).st_ino
            _write(fd, _HEADER.pack(_MAGIC, _VERSION, os.urandom(8), ring, CAPACITY, inode), 0)
            owner = os.fsencode(data.resolve())
            _write(fd, _OWNER.pack(len(owner)) + owner[: _DATA_AT - _OWNER_AT - _OWNER.size], _OWNER_AT)
            os.ftruncate(fd, _DATA_AT + CAPACITY)
        finally:
            os.close(fd)
        written.rename(path)
        return cls(path)

    @property
    def uncommitted_bytes(self) -> int:
        """Bytes that the disk does not have."""
        return self.head - self._durable

    def append(self, records: Sequence[Record], *, shown: bool) -> int | None:
        """Append a bundle and return the position after it; followers see it, and all before it, if it is to
        be `shown`. None when there is no room for what the disk does not have. Raises OSError.
        """
        parts = [b""]
        for table, key, value in records:
            parts += _RECORD.pack(_TABLES.index(table), len(key), len(value)), key, value
        size = _FRAME.size + sum(map(len, parts))
        size += -size % _FRAME.size
        rest = CAPACITY - self.head % CAPACITY
        skipped = rest if size > rest else 0
        if size > _MOST or self.uncommitted_bytes + skipped + size > CAPACITY - _GUARD:
            return None
        if skipped:  # an empty bundle: none goes over the end of the file
            self._put(_FRAME.pack(self.head, skipped, 0), skipped)
        parts[0] = _FRAME.pack(self.head, size, len(records))
        self._put(b"".join(parts), size)
        if shown:
            self._shown = self.head
        _write(self._fd, _MOVED.pack(self.head, self._shown), _HEADS_AT)
        return self.head

    def _put(self, data: bytes, size: int) -> None:
        _write(self._fd, data, _DATA_AT + self.head % CAPACITY)
        self.head += size

    def commit(self, position: int) -> None:
        """Note that the ring has everything before `position`. For the committer's thread. Raises OSError."""
        _write(self._fd, _COMMITTED.pack(position), _COMMITTED_AT)
        self._durable = position


def _write(fd: int, data: bytes, at: int) -> None:
    """Write all of it. Raises OSError also where only a part found room."""
    if os.pwrite(fd, data, at) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_bytes(folder: Path) -> int | None:
    """Return what is free in a memory; None for one without a bound, which says that it has no blocks."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize if room.f_blocks else None


def _check_room(folder: Path) -> None:
    """Raise OSError for a memory that would be full before the tail has come round: then it would take all
    that others need, and be lost.
    """
    free = free_bytes(folder)
    if free is not None and free < CAPACITY:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def forget_tails(folder: Path) -> None:
    """Delete the tails in the user's folder whose data directories are gone."""
    with contextlib.suppress(OSError, Denied):
        _own_folder(folder)
        for path in folder.iterdir():
            with contextlib.suppress(OSError, Corrupt):  # one that is no file keeps none of the others
                if not _owned(path):
                    path.unlink(missing_ok=True)


def _owned(path: Path) -> bool:
    """Return whether a tail has its data directory still; also of a file that is no tail. Raises Corrupt for
    what is no file, and OSError.
    """
    with open(open_regular(path), "rb") as file:
        header = file.read(_DATA_AT)
    if not header.startswith(_MAGIC) or len(header) < _DATA_AT:
        return True
    (size,) = _OWNER.unpack_from(header, _OWNER_AT)
    begin = _OWNER_AT + _OWNER.size
    return begin + size > _DATA_AT or os.path.exists(header[begin : begin + size])


def tail_path(memory: Path, data: Path) -> Path:
    """Return where the tail of a data directory lies in a folder in memory, `/dev/shm`."""
    path = str(data.resolve())
    # A name has 255 bytes, a letter up to four.
    name = f"{path.strip('/').replace('/', '-')[-40:]}-{sha256(os.fsencode(path)).hexdigest()[:12]}"
    return memory / f"rigd-{os.geteuid()}" / f"{name}.tail"


def _own_folder(folder: Path) -> None:
    """Have the user's folder, which no other can enter. Raises Denied and OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    check_own(folder)


def check_own(folder: Path) -> None:
    """Raise Denied for a folder that another user owns or can enter."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Denied(f"{folder} is not ours alone", hint="remove it", path=folder)
