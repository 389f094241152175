"""Following what is new: the recorder's live tail where there is one, else the ring."""

from collections import deque
from typing import Final

from rig.errors import Corrupt, RigError
from rigd.ring.tail import PLACE, Place, TailReader, tail_path
from rigd.serve.history import BATCH, BATCH_BYTES, RingHistory

_READ_BYTES: Final = 1 << 20
"""Of one read of the tail: half a second of 40 cars, after a stall."""
_NONE: Final = "the recorder keeps no live tail"


class LiveTail:
    """Reads a tail from a place on, which a commit of the ring told."""

    def __init__(self, place: Place, history: RingHistory) -> None:
        """Raises OSError, Denied, Corrupt."""
        self._tail = TailReader(place.path)
        self.id, self.position = place.tail, place.position
        self._history = history
        self._uncommitted: deque[tuple[int, dict[bytes, int]]] = deque()
        """Positions, and how far the streams are there."""
        ours = tail_path(place.path.parent, history.ring.path.parent).name  # a copied ring tells of another's
        if (self._tail.id, self._tail.ring, place.path.name) != (place.tail, history.id, ours):
            self._tail.close()
            raise Corrupt(f"{place.path} is of another recorder or ring")

    def read(self, committed: int = 0) -> bool:
        """Take in what is new in the tail, and what of it the ring has, at least up to a position; returns
        whether anything was. Raises Corrupt, OSError.
        """
        heads = self._tail.heads()
        committed = max(committed, heads.committed)
        moved = self._advance(max(committed, heads.shown))
        return self._settle(committed) or moved

    def _advance(self, until: int) -> bool:
        moved = self.position < until
        while self.position < until:
            bundles = self._tail.bundles(self.position, until, _READ_BYTES)
            if not bundles:
                raise Corrupt(f"{self._tail.path} was overwritten before it was read")
            for bundle in bundles:
                self._history.take(bundle.records)
                self._uncommitted.append((bundle.end, dict(self._history.heads)))
            self.position = bundles[-1].end
        return moved

    def _settle(self, committed: int) -> bool:
        """Note what the ring has by now."""
        durable = None
        while self._uncommitted and self._uncommitted[0][0] <= committed:
            durable = self._uncommitted.popleft()[1]
        if durable is not None:
            self._history.settle(durable)
        return durable is not None

    def lost(self) -> bool:
        """Return whether the file is no longer where the next one looks for it."""
        return self._tail.lost()

    def close(self) -> None:
        """Close the file."""
        self._tail.close()


class LiveFollower:
    """Has a history grow. Raises lmdb.Error and Corrupt for a ring that cannot be read, never for a tail."""

    def __init__(self, history: RingHistory) -> None:
        self._history = history
        self._tail: LiveTail | None = None
        self.trouble = ""
        """What keeps from following a tail that there should be."""
        self.look()

    @property
    def why_not_live(self) -> str:
        """Why new records are seen only when they are committed; empty when they are seen at once."""
        return "" if self._tail else self.trouble or _NONE

    def grow(self) -> None:
        """Take in what is new."""
        if self._tail is not None and not self._read_tail():
            self.look()  # rung for nothing: it may have been given up
        if self._tail is None:
            self._read_ring()

    def look(self) -> None:
        """Check that what is followed is what the recorder writes, else follow that."""
        heads, value = self._history.ring.heads_with(PLACE)
        place = Place.read(value)
        if self._tail is not None and not self._holds(self._tail, heads, place):
            self._leave("")
        if self._tail is None:
            self._join(heads, place)

    def _holds(self, tail: LiveTail, heads: dict[bytes, int], place: Place | None) -> bool:
        """Return whether a tail has all that a commit has, and others find it."""
        if place is None or place.tail != tail.id or tail.lost():
            return False
        self._read_tail(place.position)
        return all(heads[stream] <= self._history.heads[stream] for stream in heads)

    def _join(self, heads: dict[bytes, int], place: Place | None) -> None:
        self.trouble = ""
        if place is None:
            return
        try:
            tail = LiveTail(place, self._history)
        except (OSError, RigError) as error:
            self.trouble = f"the live tail cannot be followed: {error}"
            return
        while any(heads[stream] > self._history.durable[stream] for stream in heads):
            self._read_ring()  # all before the place is in the ring
        self._tail = tail
        self._read_tail()

    def _read_tail(self, committed: int = 0) -> bool:
        """Return whether there was something new in the tail."""
        assert self._tail is not None
        try:
            return self._tail.read(committed)
        except (OSError, Corrupt) as error:
            self._leave(f"the live tail cannot be read: {error}")
            return True

    def _leave(self, trouble: str) -> None:
        """Go back to the ring."""
        if self._tail is not None:
            self._tail.close()
            self._history.rewind()
            self._tail, self.trouble = None, trouble

    def _read_ring(self) -> None:
        more = True
        while more:
            news = self._history.ring.news(self._history.durable, BATCH, BATCH_BYTES)
            more = any(len(records) > 1 for records in news.values())
            self._history.take_committed(news)

    def close(self) -> None:
        """Let go of the tail."""
        self._leave("")
