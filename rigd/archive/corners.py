"""Corners of archived laps: computed in the archiver's idle time, and kept beside each lap.

Nothing is remembered but on the disk: at every start, and whenever a circuit came or was changed, all laps
are looked at, and those without corners, or with corners of another circuit, are computed. Whatever a crash
took is found so.
"""

import errno
import time
from collections import deque
from pathlib import Path
from typing import Final

from rig.errors import Corrupt, NotFound, RigError
from rig.v1 import archive_pb2, lap_pb2
from rigd import log
from rigd.store.corners import pack_corners, pass_messages, read_corners, stated
from rigd.store.store import Store, circuits_path
from riglap.alignment import align
from riglap.circuits.circuit import Circuit
from riglap.circuits.shelf import Shelf
from riglap.cornering import circuit_driven, cornering, fingerprint
from riglap.lap import Lap

_LOOK_S: Final = 1.0
"""Between two looks at the circuits: a folder with a few files."""
_AGAIN_S: Final = 60.0
"""After the disk has refused: a full one stays full for a while, and laps come first."""
_CHECKED: Final = 50
"""Laps of a piece of work that need nothing, 60 µs each; one that is computed takes 30 ms and ends it."""
_LENGTH_M: Final = 2.0

_REFUSALS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})
"""What a disk refuses for all laps, not for this one."""
_TROUBLE: Final = (RigError, ValueError, ArithmeticError, LookupError)
"""What a lap may hold that nobody thought of must not keep the next one from its corners."""


class Corners:
    """The work on corners that is to be done. Trouble is said and counted, and holds up nothing."""

    def __init__(self, data: Path, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(circuits_path(data))
        self._shelved: object = None
        """The circuits, as they were when all laps were looked at last."""
        self._look_at = 0.0
        self._waiting: deque[str] = deque()
        self.made = 0
        """Laps computed in this life."""
        self.failed = 0

    @property
    def pending(self) -> int:
        """Laps that wait to be looked at."""
        return len(self._waiting)

    def add(self, lap: str) -> None:
        """Take a lap that was archived; it comes first."""
        self._waiting.appendleft(lap)

    def work(self) -> bool:
        """Do a piece of the work, one lap computed at most; return whether there was any."""
        self._look()
        done = bool(self._waiting)
        for _ in range(min(len(self._waiting), _CHECKED)):
            if self._keep(self._waiting.popleft()):
                break
        return done

    def _look(self) -> None:
        """Look whether the circuits are those that all laps were looked at with."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_S
        shelved = self._shelf.state()
        if shelved != self._shelved:
            self._waiting = deque(self._store.index.whole_laps() if shelved else ())
            self._shelved = shelved

    def _keep(self, name: str) -> bool:
        """Keep the corners of a lap, if it needs that; return whether it took long."""
        try:
            return self._kept(name)
        except NotFound:
            return False  # deleted meanwhile
        except OSError as error:
            self._fail(name, error)
            if error.errno in _REFUSALS:
                self._give_way()
        except _TROUBLE as error:
            self._fail(name, error)
        return True

    def _fail(self, name: str, error: Exception) -> None:
        self.failed += 1
        log.say(log.CORNERS_TROUBLE, lap=name, error=str(error) or repr(error))

    def _give_way(self) -> None:
        """Let the disk be: all laps are looked at again after a while."""
        self._waiting.clear()
        self._shelved, self._look_at = None, time.monotonic() + _AGAIN_S

    def _kept(self, name: str) -> bool:
        row = self._store.index.lap(name)
        if row is None or not row.complete or row.damage or row.kind == lap_pb2.LAP_KIND_EXCERPT:
            return False
        if not row.samples:
            return False  # an import of times alone
        layouts = [one for one in self._shelf.named(row.track_name) if _as_long(one, row)]
        if not layouts:
            return False
        if (found := self._found(name)) and _fits(found[0], row, layouts):
            if (row.corners, row.corners_bytes) != (told := stated(*found)):
                self._store.index.set_corners(name, *told)
            return False
        lap = Lap.open(self._store.folder.path(name))
        kept = self._computed(lap, layouts)
        kept.digest = row.digest
        self._store.keep_corners(name, pack_corners(kept))
        self.made += 1
        return True

    def _found(self, name: str) -> tuple[archive_pb2.LapCorners, int] | None:
        """Return what is kept; None also for a damaged file, which is computed anew."""
        try:
            return read_corners(self._store.folder.corners_path(name))
        except Corrupt as error:
            self._fail(name, error)
            return None

    def _computed(self, lap: Lap, layouts: list[Circuit]) -> archive_pb2.LapCorners:
        """Return the corners of a lap, or why it has none: nobody tries again until the circuit changes."""
        try:
            circuit = circuit_driven(self._shelf, lap)
            if circuit is None:
                return _none(layouts[0], "it was driven on no layout that is known")
            passes = pass_messages(cornering(align(lap, circuit), circuit))
        except _TROUBLE as error:
            self._fail(lap.info.name, error)
            return _none(layouts[0], str(error) or repr(error))
        return archive_pb2.LapCorners(circuit=circuit.name, fingerprint=fingerprint(circuit), corners=passes)


def _none(circuit: Circuit, why: str) -> archive_pb2.LapCorners:
    return archive_pb2.LapCorners(circuit=circuit.name, fingerprint=fingerprint(circuit), trouble=why)


def _as_long(circuit: Circuit, lap: lap_pb2.Lap) -> bool:
    return abs(circuit.track_length - lap.track_length) <= _LENGTH_M


def _fits(kept: archive_pb2.LapCorners, lap: lap_pb2.Lap, layouts: list[Circuit]) -> bool:
    """Return whether what is kept is of this lap's file, and of a layout as it is now."""
    return kept.digest == lap.digest and any(kept.fingerprint == fingerprint(one) for one in layouts)
