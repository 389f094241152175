"""What a recorder has taken of the game's frames. Its live tail tells: that outlives `kill -9`."""

import contextlib
from pathlib import Path

from rig.columns import read_head
from rigd import ring as rings
from rigd.ring import META
from rigd.ring.tail import Bundle, TailReader, tail_path

_PART = 1 << 20


class Taken:
    """Versions of the newest frame and of the newest scoring update that a recorder has taken. `memory` is
    the folder of its tail.
    """

    def __init__(self, memory: Path, data: Path) -> None:
        self.frame = self.update = -1
        self._path = tail_path(memory, data)
        self._tail: TailReader | None = None
        self._at = 0

    def look(self) -> None:
        """Read on to the end of the tail, also what is not shown yet."""
        with contextlib.suppress(FileNotFoundError):  # it has not begun, or is over
            if self._tail is None or self._tail.lost():
                self.close()
                self._tail, self._at = TailReader(self._path), 0
            self._read(self._tail)

    def _read(self, tail: TailReader) -> None:
        head = tail.heads().head
        while self._at < head:
            bundles = tail.bundles(self._at, head, _PART)
            assert bundles, "overwritten before it was read"
            for bundle in bundles:
                self._note(bundle)
            self._at = bundles[-1].end

    def _note(self, bundle: Bundle) -> None:
        for table, key, value in bundle.records:
            if table == rings.PHYSICS:
                self.frame = read_head(value).frame
            elif (table, key) == (META, b"scored"):  # of which the recorder also notes by which game
                self.update = int(value.split()[0])

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()
