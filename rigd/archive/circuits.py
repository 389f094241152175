"""Circuits learned from the laps that are archived: surveyed until the line is good, then left as it is."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import RigError
from rigd import log
from rigd.store.store import circuits_path
from riglap.circuits.circuit import circuit_of
from riglap.circuits.shelf import Shelf
from riglap.circuits.survey import Updates, covered, joined, survey, updates_of
from riglap.compare import with_splits
from riglap.lap import Lap

_TRIES: Final = (4, 6, 9, 13, 20, 30, 45, 70, 100)
"""After so many laps of a session the line is tried: each try takes half a second of CPU."""
_FOR_SPLITS: Final = 6
"""Laps that tell where the timing lines are."""

_TROUBLE: Final = (RigError, OSError, ValueError, ArithmeticError, LookupError)
"""What a lap may hold that nobody thought of must not keep the next one from being archived."""


class _Track(NamedTuple):
    """What is gathered of one track in one session: sessions do not change their layout."""

    updates: list[Updates]
    laps: list[Path]


class Circuits:
    """What the archiver knows of circuits. Trouble is said, and keeps no lap from being archived."""

    def __init__(self, data: Path) -> None:
        self._shelf = Shelf(circuits_path(data))
        self._session = ""
        self._track: _Track = _Track([], [])
        self._waiting: deque[tuple[str, Path]] = deque()
        self._settled = False
        """Nothing more is to be learned in this session."""

    def add(self, session: str, path: Path) -> None:
        """Take a lap that was archived, to learn from when there is time."""
        self._waiting.append((session, path))

    def work(self) -> bool:
        """Learn from one of the laps; return whether there was any."""
        if self._waiting:
            self._learn(*self._waiting.popleft())
            return True
        return False

    def _learn(self, session: str, path: Path) -> None:
        """Take a lap; after some of them, write the circuit if its line is good."""
        if session != self._session:
            self._session, self._track, self._settled = session, _Track([], []), False
        if self._settled:
            return
        try:
            self._take(path)
        except _TROUBLE as error:
            log.say(log.CIRCUIT_TROUBLE, lap=path.name, error=str(error) or repr(error))

    def _take(self, path: Path) -> None:
        lap = Lap.open(path)
        if not lap.info.complete or not lap.info.official:
            return
        updates, track = updates_of([lap]), self._track
        if not track.updates and self._known(lap, updates):
            self._settled = True
            return
        track.updates.append(updates)
        track.laps.append(path)
        count = len(track.updates)
        if count in _TRIES:
            self._settled = self._try(lap) or count == _TRIES[-1]

    def _known(self, lap: Lap, updates: Updates) -> bool:
        """Return whether the layout has a good line already."""
        found = self._shelf.find(lap.info.track_name, lap.info.track_length, updates.places, updates.distance)
        return found is not None and found.frozen

    def _try(self, lap: Lap) -> bool:
        """Write the circuit where the line is good; return whether it is."""
        info, updates = lap.info, joined(self._track.updates)
        if not covered(updates, info.track_length):
            return False
        surveyed = survey(updates, info.track_length)
        if not surveyed.good:
            return False
        circuit = circuit_of(info.track_name, info.track_length, surveyed)
        kept = self._shelf.add(with_splits(circuit, self._latest()))
        log.say(log.CIRCUIT_KEPT, circuit=kept.name, corners=len(kept.corners), updates=kept.updates)
        return True

    def _latest(self) -> Iterator[Lap]:
        for path in self._track.laps[-_FOR_SPLITS:]:
            yield Lap.open(path)
