"""A ring that came back from a backup: it goes on with numbers that cannot have been given out since.

What was recorded after the backup is in no ring any more, but clients and warehouses have it, under this
ring's id. Another id would make their cursors worthless, and have them load once more what they have. So
the id stays, and the numbers go on behind the moment of the restore: those of the streams at its
millisecond, those of sessions at its second, counted from 1970. No stream comes near 1,000 records a
second, no ring near a session a second.
"""

import time
from pathlib import Path
from typing import Final, NamedTuple

import lmdb

from rigd.ring.tables import META
from rigd.ring.tail import CUT, PLACE, RESERVED

RESTORED: Final = b"restored"
"""Small value of the ring: the RestoredNumbers of its last restore."""

_MOST_MS: Final = 4_200_000_000_000
"""In 2103, before the numbers of sessions end; a greater moment is a damaged one."""


class RestoredNumbers(NamedTuple):
    """Numbers up to these may have been given out; zeros for a ring that never came back."""

    number: int = 0
    """Of a record, in each of the streams; the moment in unix milliseconds."""
    session: int = 0
    """Of a session."""

    @classmethod
    def read(cls, value: bytes | None) -> "RestoredNumbers":
        """Return what the ring says; zeros for nothing, and for what no restore wrote."""
        if value is None or not value.isdigit() or len(value) > len(str(_MOST_MS)) or int(value) > _MOST_MS:
            return cls()
        return cls(int(value), int(value) // 1000)


def mark_restored(path: Path) -> None:
    """Note in the sound ring at `path`, which nobody has open, that it came back just now. What it says of a
    live tail is another time's. Raises lmdb.Error.
    """
    data = path / "data.mdb"
    found = data.stat()
    moment_s = max(time.time(), found.st_mtime)  # of the backup: a clock behind that is wrong
    room = found.st_size + (64 << 20)
    with (
        lmdb.open(str(data), subdir=False, lock=False, max_dbs=8, map_size=room) as env,
        env.begin(write=True) as txn,
    ):
        meta = env.open_db(META, txn=txn, create=False)
        txn.put(RESTORED, b"%d" % (1000 * moment_s), db=meta)
        for name in (PLACE, RESERVED, CUT):
            txn.delete(name, db=meta)
