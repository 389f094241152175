"""Laps against the ring, where that still has their time: the same samples bit by bit, the same events and
gaps.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.columns import read_head
from rig.errors import Corrupt
from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rig.v1 import archive_pb2, event_pb2, lap_pb2, session_pb2
from rigd import ring as rings
from rigd.gather.gather import gather
from rigd.losses import extents as extent
from rigd.ring import RingReader
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader
from rigd.store.naming import lap_name
from rigd.verify.finding import differing, finding
from rigd.verify.sessionwalk import readable_sessions
from rigd.verify.walk import Findings

_MARGIN_S: Final = 3.0
"""A lap is gathered from what reaches up to two seconds beyond it."""
_SOME: Final = 8
"""Laps that are compared when not all are: each takes a tenth of a second."""
_ARCHIVED: Final = (
    *("name", "track_name", "start_time_ns", "end_time_ns", "samples", "missing", "scorings"),
    *("torn_samples", "green"),
    *("bytes", "pinned", "damage", "synced"),
)
"""Facts of a lap that are known once it is archived."""

Array = np.ndarray[Any, np.dtype[Any]]


class TruthWalk:
    """Compares laps with the ring they came from."""

    def __init__(self, data: Path, ring: RingReader, index: IndexReader | None) -> None:
        self._data, self._ring, self._store = data, ring, LapFolder(data / "laps")
        self._sessions = {one.ring_session: one for one in readable_sessions(self._store) if self._of(one)}
        self._done = index.position(ring.id) if index else 0
        """The event up to which the archiver was done when we began."""

    def check_position(self, ring: RingReader) -> Findings:
        """Check how far the index says that the archiver is."""
        head = ring.heads()[rings.EVENTS]
        if self._done > head:
            what = f"it says that event {self._done} is done with, the ring ends with {head}"
            yield finding("index-position", "index.sqlite", what)

    def closed(self) -> list[event_pb2.Event]:
        """Return events of closed laps that the archiver is done with."""
        closed = (one for one in extent.events_after(self._ring, 0) if one.HasField("lap_closed"))
        return [one for one in closed if one.seq <= self._done]

    def check(self, event: event_pb2.Event) -> Findings:
        """Check that a lap of which the ring tells has its file, and that this says what the ring says."""
        session, wanted = self._sessions.get(event.session), event.lap_closed.lap
        if session is None:
            yield finding("lap-missing", f"ring events {event.seq}", f"session {event.session} has no folder")
            return
        name = lap_name(session.name, wanted)
        header = self._header(name)
        if header is None and not self._store.settled(name):
            what = f"event {event.seq} of the ring tells of it, and there is no file"
            yield finding("lap-missing", self._where(name), what)
        elif header is not None and (fields := _other_than(header.lap, wanted)):
            yield finding("lap-untrue", self._where(name), f"event {event.seq} says otherwise of {fields}")

    def held(self, deep: bool) -> list[str]:
        """Return laps whose whole time is still in the ring: all of them, or some from everywhere."""
        found = [
            name
            for name in self._store.laps()
            if (header := self._header(name)) and self._of(header.session) and self._holds(header.lap)
        ]
        return found if deep else found[:: max(-(-len(found) // _SOME), 1)]

    def compare(self, name: str) -> Findings:
        """Yield what the file of a lap has that the ring has not, or the other way round."""
        try:
            with LapFile.open(self._store.path(name)) as file:
                header = file.header
                columns = {of: file.columns((), of) for of in (SAMPLES, SCORINGS)}
        except (Corrupt, FileNotFoundError):
            return  # told elsewhere, or deleted just now
        if not self._holds(header.lap):
            return  # the ring has just let go of it
        lap = lap_pb2.Lap()
        lap.CopyFrom(header.lap)
        (again,) = gather(self._ring, [lap], header.session)
        where = self._where(name)
        for of, values in ((SAMPLES, again.samples), (SCORINGS, again.scoring)):
            for what in _unlike(columns[of], values):
                yield finding("lap-untrue", where, what)
        for field in ("gaps", "events"):
            if list(getattr(header, field)) != list(getattr(again.header, field)):
                yield finding("lap-untrue", where, f"its {field} are not those of the ring")
        if "whole" not in columns[SAMPLES]:
            lap.ClearField("torn_samples")  # release 0.1 did not count them
        if not header.lap.HasField("green"):
            lap.ClearField("green")  # nor did it say this
        if header.lap != lap:
            yield finding("lap-untrue", where, f"the ring says otherwise of {differing(header.lap, lap)}")

    def _header(self, name: str) -> archive_pb2.LapHeader | None:
        try:
            with LapFile.open(self._store.path(name)) as file:
                return file.header
        except (Corrupt, FileNotFoundError):
            return None

    def _of(self, session: session_pb2.Session) -> bool:
        return session.ring == self._ring.id.hex()

    def _holds(self, lap: lap_pb2.Lap) -> bool:
        """Return whether the ring has everything from some seconds before the lap on."""
        begin = lap.session, lap.start_time - _MARGIN_S
        for stream, moment in _MOMENTS.items():
            first = self._ring.spans()[stream].first
            oldest = self._ring.get(stream, first)
            if oldest is None or (first > 1 and moment(oldest) >= begin):
                return False
        return True

    def _where(self, name: str) -> str:
        return str(self._store.path(name).relative_to(self._data))


def _moment(value: bytes) -> tuple[int, float]:
    head = read_head(value)
    return head.session, head.session_time


def _event_moment(value: bytes) -> tuple[int, float]:
    event = event_pb2.Event.FromString(value)
    return event.session, event.session_time


_MOMENTS: Final = {rings.PHYSICS: _moment, rings.SCORING: _moment, rings.EVENTS: _event_moment}
"""Session and clock of a record, by its stream."""


def _other_than(lap: lap_pb2.Lap, wanted: lap_pb2.Lap) -> str:
    """Return facts of which the ring says something else."""
    plain = lap_pb2.Lap()
    plain.CopyFrom(lap)
    for field in _ARCHIVED:
        plain.ClearField(field)
    return differing(plain, wanted)


def _unlike(kept: Mapping[str, Array], found: Mapping[str, Array]) -> Iterator[str]:
    """Yield channels that differ in a bit; a file of another version may lack some."""
    for name in sorted(kept.keys() & found.keys()):
        one, other = kept[name], found[name]
        if len(one) != len(other):
            yield f"it has {len(one)} rows of {name}, the ring {len(other)}"
        elif one.tobytes() != other.tobytes():
            rows = np.flatnonzero([a.tobytes() != b.tobytes() for a, b in zip(one, other, strict=True)])
            yield f"{name} differs from the ring in {len(rows)} rows, first in row {rows[0]}"
