"""Stores of ticks, ours and others': each takes them in order and holds the newest, a given number of them.

`append` returns when the store says that it has the tick. Opened again on what a killed one left, `newest`
tells what was really there.
"""

import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import redis
from mcap.exceptions import McapError
from mcap.records import Message
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

from rigd.ring import PHYSICS, SHARES, Record, RingWriter, key
from rigd.ring.tables import FILLED

_PAGES_OF_A_TICK: Final = 9 * 4096
"""What a tick of 40 cars takes of LMDB's pages."""
_SEGMENTS: Final = 8
"""Files among which an MCAP recording is split, so that the oldest can go."""
_STREAM: Final = "ticks"


class Store(Protocol):
    """What is measured."""

    def append(self, seq: int, tick: bytes) -> None:
        """Take a tick and let go of the oldest beyond the bound."""

    def held(self) -> int:
        """Number of ticks in the store."""

    def newest(self) -> int:
        """Number of the newest tick, 0 when there is none."""

    def close(self) -> None:
        """Let go of it."""


class Bare:
    """A file written round and round, one write and one sync a tick: what the disk takes by itself.

    Nothing could be found in it again, so it has no newest tick.
    """

    def __init__(self, place: Path, bound: int) -> None:
        self._bound = bound
        self._file = os.open(place / "bare", os.O_RDWR | os.O_CREAT)

    def append(self, seq: int, tick: bytes) -> None:
        os.pwrite(self._file, tick, seq % self._bound * _PAGES_OF_A_TICK)
        os.fdatasync(self._file)

    def held(self) -> int:
        return self._bound

    def newest(self) -> int:
        return 0

    def close(self) -> None:
        os.close(self._file)


class Ring:
    """Ours."""

    def __init__(self, place: Path, bound: int) -> None:
        self._ring = RingWriter(place / "ring", int(bound * _PAGES_OF_A_TICK / SHARES[PHYSICS] / FILLED))

    def append(self, seq: int, tick: bytes) -> None:
        """As the recorder's committer does."""
        self._ring.append((Record(PHYSICS, key(seq), tick),), {})

    def held(self) -> int:
        first, last = self._ring.spans()[PHYSICS]
        return last - first + 1

    def newest(self) -> int:
        return self._ring.spans()[PHYSICS].last

    def close(self) -> None:
        self._ring.close()


class Sqlite:
    """A table in a database with a write-ahead log."""

    def __init__(self, place: Path, bound: int, synchronous: str) -> None:
        self._bound = bound
        self._base = sqlite3.connect(place / "ticks.sqlite", isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute(f"PRAGMA synchronous={synchronous}")
        self._base.execute("CREATE TABLE IF NOT EXISTS ticks (seq INTEGER PRIMARY KEY, tick BLOB)")

    def append(self, seq: int, tick: bytes) -> None:
        run = self._base.execute
        run("BEGIN")
        run("INSERT INTO ticks VALUES (?, ?)", (seq, tick))
        run("DELETE FROM ticks WHERE seq <= ?", (seq - self._bound,))
        run("COMMIT")

    def held(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM ticks").fetchone()[0])

    def newest(self) -> int:
        return int(self._base.execute("SELECT coalesce(max(seq), 0) FROM ticks").fetchone()[0])

    def close(self) -> None:
        self._base.close()


class Mcap:
    """Files of the Python writer, one after another, the oldest deleted.

    Synced after each tick it writes no chunks: a chunk is not in the file before it is full.
    """

    def __init__(self, place: Path, bound: int, synced: bool) -> None:
        self._place, self._most, self._synced = place, bound // _SEGMENTS, synced
        self._inside = self._most
        self._file: BinaryIO | None = None
        self._writer: Writer | None = None
        self._topic = 0

    def append(self, seq: int, tick: bytes) -> None:
        if self._inside >= self._most:
            self._rotate(seq)
        assert self._writer is not None
        assert self._file is not None
        when = seq * 20_000_000
        self._writer.add_message(self._topic, log_time=when, publish_time=when, sequence=seq, data=tick)
        if self._synced:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._inside += 1

    def _rotate(self, seq: int) -> None:
        if self._writer and self._file:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        for path in self._files()[: -_SEGMENTS + 1]:
            path.unlink()
        self._file = (self._place / f"{seq:012d}.mcap").open("wb")
        self._writer = Writer(self._file, use_chunking=not self._synced)
        self._writer.start()
        schema = self._writer.register_schema("rig.v1.Physics", "protobuf", b"")
        self._topic, self._inside = self._writer.register_channel("/physics", "protobuf", schema), 0

    def _files(self) -> list[Path]:
        return sorted(self._place.glob("*.mcap"))

    def held(self) -> int:
        return (len(self._files()) - 1) * self._most + self._inside

    def newest(self) -> int:
        return max((_last_message(path) for path in self._files()[-2:]), default=0)

    def close(self) -> None:
        if self._file:
            self._file.close()


def _last_message(path: Path) -> int:
    """Number of the last message of a file that may end anywhere."""
    last = 0
    with path.open("rb") as file:
        try:
            for record in StreamReader(file).records:
                if isinstance(record, Message):
                    last = record.sequence
        except McapError:
            pass  # the file was cut off here: what came before counts
    return last


class Redis:
    """A stream of a Redis that listens on the socket `place`."""

    def __init__(self, place: Path, bound: int) -> None:
        self._bound = bound
        self._redis: Any = redis.Redis(unix_socket_path=str(place))

    def append(self, seq: int, tick: bytes) -> None:
        self._redis.xadd(_STREAM, {b"tick": tick}, id=f"{seq}-0", maxlen=self._bound, approximate=True)

    def held(self) -> int:
        return int(self._redis.xlen(_STREAM))

    def newest(self) -> int:
        found = self._redis.xrevrange(_STREAM, count=1)
        return int(found[0][0].split(b"-")[0]) if found else 0

    def close(self) -> None:
        self._redis.close()


STORES: Final[dict[str, Callable[[Path, int], Store]]] = {
    "ours": Ring,
    "bare": Bare,
    "sqlite_full": partial(Sqlite, synchronous="FULL"),
    "sqlite_normal": partial(Sqlite, synchronous="NORMAL"),
    "mcap_fsync": partial(Mcap, synced=True),
    "mcap": partial(Mcap, synced=False),
    "redis_always": Redis,
    "redis_everysec": Redis,
}
"""A store on a folder, or on the socket of its daemon, that holds so many ticks."""
