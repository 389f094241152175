"""How far the archiver is in a ring's events: everything up to there is on the disk."""

from typing import Final

from rigd.ring import RingReader
from rigd.store.index import Index, IndexReader

_KEY: Final = "position"


def position(index: Index | IndexReader, ring: RingReader) -> int:
    """Number of the last event that is done with; 0 in a ring that is new to the archiver."""
    own, _, seq = (index.meta(_KEY) or "").partition(" ")
    return int(seq) if own == ring.id.hex() else 0


def set_position(index: Index, ring: RingReader, seq: int) -> None:
    """Note that everything up to event number `seq` is done with."""
    index.set_meta(_KEY, f"{ring.id.hex()} {seq}")
