"""Whether the ring on the disk is sound, and opening it for writing."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import lt
from pathlib import Path
from typing import Any, Final

import lmdb

from rig.errors import Corrupt, Unavailable
from rigd.lifeline import tied
from rigd.ring.environment import DAMAGE, Environment
from rigd.ring.lock import set_aside
from rigd.ring.tables import CHECKS, FORMAT, GAPS, KEY, META, STREAMS, seq_of
from rigd.ring.writer import DEFAULT_LIMIT_BYTES, RingWriter

UNSOUND: Final = 3
"""Exit code of an inspection that found damage."""
_CRASHES: Final = (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)
"""What damaged pages do to a process. Other signals come from outside."""
_PASSING: Final = [os.strerror(number) for number in (errno.EIO, errno.EROFS, errno.ENOSPC, errno.ENOMEM)]
"""What LMDB says of a disk, and not of a ring."""
_LOT: Final = 4096
"""Keys that are looked at together: 2 MB at most, whatever a damaged page holds."""


def open_ring(path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> tuple[RingWriter, str]:
    """Return the ring at `path` for writing, made if there is none. The caller holds its `Lock`.

    A ring that fails its inspection is set aside and a new one begins; the second value then says why, else
    it is empty.
    """
    trouble = ""
    if (path / "data.mdb").exists():
        trouble = inspected(path)
        if trouble:
            trouble = f"{trouble}; it was moved to {set_aside(path)}"
    try:
        return RingWriter(path, limit_bytes), trouble
    except DAMAGE as error:
        trouble = f"the ring cannot be written: {error}; it was moved to {set_aside(path)}"
    except lmdb.Error as error:
        raise Unavailable(
            f"the ring in {path} cannot be opened: {error}", hint="is the disk full?"
        ) from error
    return RingWriter(path, limit_bytes), trouble


def inspected(path: Path) -> str:
    """Return why the ring cannot be used; empty when it can. Raises Unavailable when nobody can tell."""
    command = [sys.executable, "-m", "rigd.ring", str(path)]
    child = subprocess.run(command, capture_output=True, text=True, check=False, **tied())
    if child.returncode == 0:
        return ""
    if -child.returncode in _CRASHES:
        return f"reading the ring ended the process with signal {-child.returncode}"
    last: list[str] = child.stderr.strip().splitlines()[-1:]
    said = last or [f"the inspection ended with {child.returncode}"]
    if child.returncode == UNSOUND:
        return said[0]
    # Out of memory, a disk that refuses: nothing was found out about the ring, which must not go for it.
    raise Unavailable(f"the ring in {path} cannot be inspected: {said[0]}", hint="try again", path=path)


def inspect(path: Path) -> None:
    """Walk every key of the ring at `path` and try a write. Raises Corrupt; on badly damaged files it may
    also crash. Values are not read: what is wrong with one shows when it is evicted, see `replace`.

    LMDB trusts its pages: a damaged file can end the process with SIGBUS or SIGABRT. So run it in a process
    of its own (`python -m rigd.ring PATH`), as `open_ring` does.
    """
    try:
        size = (path / "data.mdb").stat().st_size
        if not size:
            raise Corrupt(f"the ring in {path} is empty")
        ring = Environment(path, map_size=size + (64 << 20), lock=False)
        inspect_size(ring)
        with contextlib.closing(ring), _trial(ring) as txn:
            for name in (*STREAMS, GAPS, META):
                ring.dbs[name] = ring.env.open_db(name, txn=txn, create=False)
            with contextlib.suppress(lmdb.NotFoundError):  # a ring of an earlier version has none
                ring.dbs[CHECKS] = ring.env.open_db(CHECKS, txn=txn, create=False)
            _inspect_format(txn.get(b"format", db=ring.dbs[META]))
            for name, db in ring.dbs.items():
                inspect_order(name, txn.stat(db)["entries"], txn.cursor(db).iternext(values=False))
            txn.put(b"trial", bytes(ring.env.stat()["psize"]), db=ring.dbs[META])
    except lmdb.Error as error:
        kind = Unavailable if any(passing in str(error) for passing in _PASSING) else Corrupt
        raise kind(f"the ring in {path} cannot be read: {error}") from error


@contextlib.contextmanager
def _trial(ring: Environment) -> Iterator[Any]:
    """Return a transaction that leaves nothing behind."""
    txn = ring.env.begin(write=True)
    try:
        yield txn
    finally:
        txn.abort()


def inspect_size(ring: Environment) -> None:
    """Raise Corrupt when the file ends before its pages do: reading those would end the process."""
    needed = (ring.env.info()["last_pgno"] + 1) * ring.env.stat()["psize"]
    size = os.stat(ring.path / "data.mdb").st_size
    if size < needed:
        raise Corrupt(f"data.mdb has {size} bytes, its pages reach {needed}")


def _inspect_format(found: bytes | None) -> None:
    if found != FORMAT:
        other = (found or b"?").decode(errors="replace")
        raise Corrupt(f"ring format {other!r}, this program writes {FORMAT.decode()!r}")


def inspect_order(name: bytes, entries: int, keys: Iterable[bytes]) -> None:
    """Raise Corrupt when the keys of a table are out of order, or none that a writer makes, or not as many as
    its page says.
    """
    count, before, rest = 0, b"", iter(keys)
    # A full ring has 200,000 keys: compared in lots they take 60 ms, one by one 160.
    while lot := list(islice(rest, _LOT)):
        odd = name in STREAMS and set(map(len, lot)) != {KEY.size}
        if odd or not all(map(lt, [before, *lot], lot)):
            raise Corrupt(f"the keys of {name.decode()} are out of order")
        count, before = count + len(lot), lot[-1]
    if name in STREAMS and before:
        seq_of(before)
    if count != entries:
        raise Corrupt(f"{name.decode()} holds {count} records, its page says {entries}")
