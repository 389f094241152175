"""The archiver: follows the ring's events and turns closed laps into files. One process, at idle priority.

What is archived is known from the files alone: a lap is archived because its file stands under its name. The
position in the events is kept to save time, not to be right; it moves on only when everything before it is
on the disk.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from rig import parse
from rig.errors import RingMissing
from rig.v1 import event_pb2, lap_pb2, rig_pb2, session_pb2
from rigd import ring as rings
from rigd.archive.excerpts import Excerpts
from rigd.archive.gather import gather
from rigd.archive.heartbeat import Heartbeat
from rigd.archive.inbox import Inbox
from rigd.archive.index import remove_index
from rigd.archive.keep import keep
from rigd.archive.marks import Marks
from rigd.archive.naming import lap_name
from rigd.archive.orders import obey
from rigd.archive.reindex import open_index, reconcile
from rigd.archive.retention import Limits
from rigd.archive.sessions import Sessions
from rigd.archive.store import RESERVE_BYTES, Store
from rigd.archive.warden import Warden
from rigd.process import ProcessMeter
from rigd.ring import Lock, RingReader

_TURN_S: Final = 0.1
"""Between two looks: laps are closed a second after the line anyway, orders are answered at once."""
_BATCH: Final = 256
_BATCH_BYTES: Final = 1 << 20
"""Events of one look: some seconds of a race."""
_TOGETHER: Final = 8
"""Laps gathered in one pass over the ring: 40 MB of samples."""
_MARKS_S: Final = 1.0
"""Between two looks at the marks: a thousand of them take 13 ms to read."""
_RETRY_S: Final = 1.0
"""After the disk has refused."""
_POSITION: Final = "position"


@dataclass(frozen=True)
class Settings:
    """What the archiver can be told."""

    data: Path
    """Data directory: the ring is read from `data/ring`, laps go to `data/laps`."""
    limits: Limits = field(default_factory=Limits)


class Archiver:
    """One life of the archiver. Use `archive` to run one."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._data = settings, settings.data
        self.store = Store(settings.data / "laps")
        if self.store.free_bytes() < RESERVE_BYTES:
            self.store.give_reserve()  # the index could not even be opened
        self.index = open_index(settings.data)
        self._inbox = Inbox(settings.data)
        self._warden = Warden(self.store, self.index, settings.limits)
        self._marks = Marks(settings.data)
        self._marks_at = 0.0
        self._heartbeat, self._meter = Heartbeat(settings.data), ProcessMeter()
        self._ring: RingReader | None = None
        self._sessions: Sessions | None = None
        self.archived = 0
        """Laps archived in this life."""
        self.trouble = ""
        """What the disk last refused; empty when it works."""
        self.store.sweep()
        reconcile(self.store, self.index)

    def run(self, stop: Callable[[float], bool]) -> None:
        """Archive until `stop`, which waits the given seconds and then tells."""
        while not stop(_RETRY_S if self.trouble else 0.0 if self.turn() else _TURN_S):
            pass

    def turn(self) -> bool:
        """Do what there is to do; True when there may be more at once."""
        if self._heartbeat.due:
            self._heartbeat.beat(self._status())
        try:
            more = self._work()
        except (OSError, sqlite3.OperationalError) as error:
            self.trouble = str(error)
            self._make_room()
            return False
        except sqlite3.DatabaseError as error:
            self._begin_again()
            self.trouble = f"the index was damaged and is made anew: {error}"
            return True
        self.trouble = ""
        return more

    def _begin_again(self) -> None:
        """Without the index: the folder has it all."""
        archived = self.archived
        self.close()
        remove_index(self._data / "index.sqlite")
        self.__init__(self._settings)  # type: ignore[misc]
        self.archived = archived

    def _make_room(self) -> None:
        """The disk may be full of laps that can go. If even that fails there is another turn."""
        self.store.give_reserve()
        with contextlib.suppress(OSError, sqlite3.OperationalError):
            self._warden.patrol()
            self.store.hold_reserve()

    def _status(self) -> rig_pb2.ArchiverStatus:
        head = self._ring.heads()[rings.EVENTS] if self._ring else 0
        return rig_pb2.ArchiverStatus(
            archived=self.archived,
            laps=self.index.count(),
            bytes=self.index.total_bytes(),
            behind=head - self._position(self._ring) if self._ring else 0,
            trouble=self.trouble,
            lost=len(self.index.losses()),
            free_bytes=self.store.free_bytes(),
            process=self._meter.status(),
        )

    def _work(self) -> bool:
        obey(self._inbox, self.store, self.index)
        ring = self._opened()
        if ring is None:
            return False
        more = self._follow(ring)
        if not more:
            self._keep_marks(ring)
        if self._warden.patrol_sometimes():
            self.store.hold_reserve()
        return more

    def _keep_marks(self, ring: RingReader) -> None:
        """Once a second, and when the sessions of the marked time are known."""
        if time.monotonic() < self._marks_at:
            return
        self._marks_at = time.monotonic() + _MARKS_S
        assert self._sessions is not None
        if Excerpts(ring, self.store, self.index, self._sessions).keep(self._marks):
            ring.forget_pages()

    def _opened(self) -> RingReader | None:
        if self._ring is not None and self._ring.replaced():
            self._ring.close()
            self._ring = None
        if self._ring is None:
            with contextlib.suppress(RingMissing):
                self._ring = RingReader(self._data / "ring")
                self._sessions = Sessions(self.store, self.index, self._ring)
        return self._ring

    def _follow(self, ring: RingReader) -> bool:
        """Take the next events; True when there were any."""
        position = self._position(ring)
        records = ring.read(rings.EVENTS, position, _BATCH, _BATCH_BYTES)
        if not records:
            return False
        events = [parse.message(event_pb2.Event, data) for _, data in records]
        for kind, group in groupby(events, lambda event: event.WhichOneof("kind")):
            for together in _chunks(list(group), _TOGETHER):
                self._take(ring, kind or "", together)
        self.index.set_meta(_POSITION, f"{ring.id.hex()} {records[-1][0]}")
        return True

    def _position(self, ring: RingReader) -> int:
        """Number of the last event that is done with; 0 in a ring that is new to us."""
        own, _, seq = (self.index.meta(_POSITION) or "").partition(" ")
        return int(seq) if own == ring.id.hex() else 0

    def _take(self, ring: RingReader, kind: str, events: list[event_pb2.Event]) -> None:
        assert self._sessions is not None
        match kind:
            case "session_started":
                for event in events:
                    self._sessions.begin(event)
            case "session_ended":
                for event in events:
                    self._sessions.end(event)
            case "lap_closed":
                for _, group in groupby(events, lambda event: event.session):
                    self._archive(ring, list(group))

    def _archive(self, ring: RingReader, events: list[event_pb2.Event]) -> None:
        """Write the laps of which `events`, all of one session, tell; not those that were deleted."""
        assert self._sessions is not None
        first = events[0]
        session = self._sessions.of(first.session, first.lap_closed.lap.end_time, first.capture_time_ns)
        laps = [_named(session, event) for event in events]
        wanted = [lap for lap in laps if not self.store.settled(lap.name)]
        if wanted:
            for gathered in gather(ring, wanted, session):
                keep(self.store, self.index, gathered)
            self.archived += len(wanted)
            ring.forget_pages()

    def close(self) -> None:
        """Let go of everything."""
        self.index.close()
        if self._ring is not None:
            self._ring.close()


def _named(session: session_pb2.Session, event: event_pb2.Event) -> lap_pb2.Lap:
    """The lap of an event with its name. Its wall clock is near enough for one that has no samples."""
    lap = event.lap_closed.lap
    lap.name = lap_name(session.name, lap)
    lap.track_name = session.track_name
    lap.start_time_ns = event.capture_time_ns - int((event.session_time - lap.start_time) * 1e9)
    lap.end_time_ns = event.capture_time_ns - int((event.session_time - lap.end_time) * 1e9)
    return lap


def _chunks(events: list[event_pb2.Event], size: int) -> Iterator[list[event_pb2.Event]]:
    return (events[at : at + size] for at in range(0, len(events), size))


def archive(settings: Settings, stop: Callable[[float], bool]) -> int:
    """Archive the ring's laps until `stop`. Returns how many. Raises Busy when another archiver runs."""
    yield_to_others()
    lock = Lock(settings.data / "laps.lock", "laps are archived")
    try:
        archiver = Archiver(settings)
        try:
            archiver.run(stop)
            return archiver.archived
        finally:
            archiver.close()
    finally:
        lock.release()


def yield_to_others() -> None:
    """Run when nobody else wants the processor; the disk follows the nice value."""
    os.nice(19)
    with contextlib.suppress(PermissionError):  # some containers forbid it; the nice value stands
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
