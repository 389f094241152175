"""The file of a backup: a tar archive, packed by zstd, that any tar reads. What may stand in it and how it is
written and read, a piece at a time.

The headers are those of tarfile; its reader is not used, because names and notes of any length are read into
memory there, whoever wrote them.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, Protocol

import zstandard

from rig.errors import Corrupt, Newer
from rigd.store.checksummed import dump_json, load_json

FORMAT: Final = 1
HEAD: Final = "backup.json"
"""The first member: of which version the file is."""
MANIFEST: Final = "manifest.json"
"""The last member: SHA-256 and size of all others."""
PIECE_BYTES: Final = 1 << 20

_BLOCK: Final = tarfile.BLOCKSIZE
_OCTAL_LIMIT: Final = 8**11
"""Bytes of a member that the plain header can tell; the ring may have more."""
_LEVEL: Final = 3
"""Of zstd. Laps are packed already; the ring becomes half as large, at 200 MB/s."""
_WINDOW_BYTES: Final = 1 << 23
"""What a reader has to hold of the past; level 3 asks for a quarter of it."""
_MOST_MEMBERS: Final = 2_000_000
_MOST_MANIFEST: Final = 1 << 28
_MOST_HEAD: Final = 1 << 16
_NAMES: Final = re.compile(
    r"rig\.id|seat|seal\.key|tokens\.json|[a-z]{1,32}\.sqlite|ring/data\.mdb"
    r"|(laps|circuits|marks|tls)(/[A-Za-z0-9_][A-Za-z0-9._-]{0,150}){1,2}"
)
"""What a backup can have in it, and a restore writes: nothing that leads out of a folder."""


class Noted(NamedTuple):
    """What the manifest says of a member."""

    sha256: str
    size: int


class Readable(Protocol):
    """What is read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""


def is_name(name: str) -> bool:
    """Return whether a member of a backup can have that name."""
    return bool(_NAMES.fullmatch(name))


class MemberWriter:
    """Writes members one after the other. `close` adds the manifest, without which a file is no backup."""

    def __init__(self, file: BinaryIO, facts: dict[str, object]) -> None:
        self._packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(
            file, closefd=False
        )
        self._noted: dict[str, Noted] = {}
        self._add_json(HEAD, {"format": FORMAT, **facts})

    def add(self, name: str, source: Readable, size: int, mtime_ns: int) -> Iterator[int]:
        """Write `size` bytes of a source; yield how many of them were written with each piece. Raises Corrupt
        for a source that ends before.
        """
        digest, left = hashlib.sha256(), size
        self._packed.write(_header(name, size, mtime_ns // 1_000_000_000))
        while left:
            piece = source.read(min(left, PIECE_BYTES))
            if not piece:
                raise Corrupt(f"{name} ended {left} bytes before it should have")
            digest.update(piece)
            self._packed.write(piece)
            left -= len(piece)
            yield len(piece)
        self._packed.write(bytes(-size % _BLOCK))
        self._noted[name] = Noted(digest.hexdigest(), size)

    def _add_json(self, name: str, words: dict[str, object]) -> None:
        data = dump_json(json.dumps(words, indent=1)) + b"\n"
        self._packed.write(_header(name, len(data), 0) + data + bytes(-len(data) % _BLOCK))

    def close(self) -> None:
        """Write the manifest and the end."""
        members = {name: noted._asdict() for name, noted in self._noted.items()}
        self._add_json(MANIFEST, {"members": members})
        self._packed.write(bytes(2 * _BLOCK))
        self._packed.close()  # type: ignore[no-untyped-call]


def _header(name: str, size: int, mtime_s: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, max(mtime_s, 0), 0o600
    return info.tobuf(tarfile.USTAR_FORMAT if size < _OCTAL_LIMIT else tarfile.GNU_FORMAT)


class Member(NamedTuple):
    """What comes next in a file."""

    name: str
    size: int
    mtime_s: int


class MemberReader:
    """Reads members one after the other. Raises Corrupt for what no backup is, Newer for one to come."""

    def __init__(self, file: BinaryIO) -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        self._plain = unpacker.stream_reader(file, closefd=False)
        head = self._read_header()
        if head is None or head.name != HEAD:
            raise Corrupt("this is no backup: it does not begin with what one begins with")
        self.facts: dict[str, object] = self._read_json(head, _MOST_HEAD)
        version = self.facts.get("format")
        if not isinstance(version, int) or version < 1:
            raise Corrupt(f"this is no backup: its format is {version!r}")
        if version > FORMAT:
            raise Newer(f"the backup has format {version}, this program reads {FORMAT}", hint="update rigd")

    def members(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Yield the members, each with its pieces, which have to be taken before the next. What was yielded
        is to be trusted when all were: then the manifest has confirmed them.
        """
        found: dict[str, Noted] = {}
        while (member := self._read_header()) is not None:
            if member.name == MANIFEST:
                self._check(found, self._read_json(member, _MOST_MANIFEST))
                if any(self._read(2 * _BLOCK)):
                    raise Corrupt("the backup goes on after its manifest")
                return
            if not is_name(member.name):
                raise Corrupt(f"the backup has a file {member.name[:200]!r}, which no backup has")
            if member.name in found or len(found) >= _MOST_MEMBERS:
                raise Corrupt(f"the backup has {member.name} twice, or more than {_MOST_MEMBERS} files")
            digest = hashlib.sha256()
            yield member, self._pieces(member, digest.update)
            found[member.name] = Noted(digest.hexdigest(), member.size)
        raise Corrupt("the backup ends before its manifest: it was cut off")

    def _pieces(self, member: Member, see: "Look") -> Iterator[bytes]:
        left = member.size
        while left:
            piece = self._read(min(left, PIECE_BYTES))
            see(piece)
            left -= len(piece)
            yield piece
        self._read(-member.size % _BLOCK)

    def _check(self, found: dict[str, Noted], manifest: dict[str, object]) -> None:
        """Raise Corrupt unless all is as it was written."""
        told = manifest.get("members")
        if not isinstance(told, dict):
            raise Corrupt("the manifest of the backup names no files")
        noted = {name: noted._asdict() for name, noted in found.items()}
        if wrong := [name for name in noted.keys() | told.keys() if noted.get(name) != told.get(name)]:
            raise Corrupt(f"{min(wrong)} in the backup is not what was written: its SHA-256 differs")

    def _read_json(self, member: Member, most: int) -> dict[str, object]:
        if member.size > most:
            raise Corrupt(f"{member.name} has {member.size} bytes, the limit is {most}")
        return load_json(b"".join(self._pieces(member, lambda _: None)).strip())

    def _read_header(self) -> Member | None:
        """Return what comes next, None at the end."""
        block = self._read(_BLOCK)
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise Corrupt(f"the backup is damaged: {error}") from error
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise Corrupt(f"the backup has {info.name[:200]!r}, which is no regular file")
        return Member(info.name, info.size, int(info.mtime))

    def _read(self, size: int) -> bytes:
        """Return so many bytes. Raises Corrupt where there are fewer."""
        parts = bytearray()
        while len(parts) < size:
            try:
                piece = self._plain.read(size - len(parts))
            except zstandard.ZstdError as error:
                raise Corrupt(f"this is no backup, or a damaged one: {error}") from error
            if not piece:
                raise Corrupt("the backup ends before its manifest: it was cut off")
            parts += piece
        return bytes(parts)


class Look(Protocol):
    """Is shown each piece."""

    def __call__(self, piece: bytes, /) -> None:
        """Look at a piece."""
