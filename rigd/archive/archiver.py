"""The archiver: follows the ring's events and turns closed laps into files. One process, after all others.

What is archived is known from the files alone: a lap is archived because its file stands under its name. The
position in the events is kept to save time, not to be right; it moves on only when everything before it is
on the disk.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import lmdb

from rig import parse
from rig.errors import Corrupt, RigError
from rig.v1 import event_pb2, lap_pb2, rig_pb2, session_pb2
from rigd import log
from rigd import ring as rings
from rigd.archive.circuits import Circuits
from rigd.archive.corners import Corners
from rigd.archive.excerpts import Excerpts
from rigd.archive.retention import Limits, Retention
from rigd.archive.urgency import NiceThreads, eviction, nice_now, urgency
from rigd.gather.gather import gather
from rigd.losses.holes import uncovered
from rigd.losses.journals import LossJournals
from rigd.process import ProcessMeter, yield_to_others
from rigd.ring import Lock, RingReader
from rigd.ring.lock import laps_lock
from rigd.store.commands import CommandQueue, process
from rigd.store.heartbeat import Heartbeat
from rigd.store.index import refuse_newer, remove_index
from rigd.store.marks import Marks
from rigd.store.naming import lap_name
from rigd.store.sessions import RingSessions
from rigd.store.store import Store, index_path
from rigd.watchdog import Watchdog

_TURN_S: Final = 0.1
"""Between two looks: laps are closed a second after the line anyway, commands are answered at once."""
_SOON_S: Final = 0.01
_IMPORTING_S: Final = 1.0
"""For so long after an import it looks that soon again: who brings a season sends one after the other."""
_BATCH: Final = 256
_BATCH_BYTES: Final = 1 << 20
"""Events of one look: some seconds of a race."""
_TOGETHER: Final = 8
_TOGETHER_S: Final = 1000.0
"""Laps gathered in one pass of the ring, and their seconds: 45 MB of samples. A car may stand for hours."""
_MARKS_S: Final = 1.0
"""Between two looks at the marks: a thousand of them take 13 ms to read."""
_UNSYNCED_S: Final = 10.0
"""Between two looks at what the warehouse has not got."""
_RETRY_S: Final = 1.0
"""After the disk has refused."""

TROUBLE: Final = (OSError, sqlite3.OperationalError, lmdb.Error, RigError)
"""What a disk, an index or a ring may refuse for a while. Any other error is a mistake, and ends us."""


@dataclass(frozen=True)
class Settings:
    """Settings of the archiver."""

    data: Path
    """Data directory: the ring is read from `data/ring`, laps go to `data/laps`."""
    limits: Limits = field(default_factory=Limits)


class _Followed(NamedTuple):
    """A ring, and what is kept of it."""

    ring: RingReader
    sessions: RingSessions
    journals: LossJournals
    excerpts: Excerpts


class Archiver:
    """One life of the archiver. Use `archive` to run one."""

    def __init__(
        self,
        settings: Settings,
        watchdog: Watchdog | None = None,
        stop: Callable[[float], bool] = lambda _: False,
        latest: Callable[[], Settings] | None = None,
    ) -> None:
        self._settings, self._data, self._stop = settings, settings.data, stop
        self._latest = latest or (lambda: settings)
        self._watchdog = watchdog or Watchdog("archive", settings.data)
        self._pulse = self._watchdog.pulse("archiver")
        self._heartbeat, self._meter = Heartbeat(settings.data), ProcessMeter()
        self._marks_at = 0.0
        self._marks_pending = 0
        self._imported_at = -_IMPORTING_S
        self._unsynced_at, self._unsynced_laps = 0.0, (0, 0)
        self._followed: _Followed | None = None
        self._had_ring = False
        self._cursor = 0
        """The newest event that was read. Up to which everything is done for good, the index knows."""
        self._taken = 0
        """The newest of them that could be read: what is between the two is missing."""
        self.archived = 0
        """Laps archived in this life."""
        self.trouble = ""
        """What keeps it from its work, such as a full disk; empty when it works."""
        self.eviction = 0.0
        """How near the next lap to archive is to leaving the ring; 1 is next."""
        self._open()

    def _open(self) -> None:
        """Open all but the ring, which may come later."""
        self._whole = False
        self._pulse.beat()
        self.store = Store.open(self._data)
        self._queue = CommandQueue(self._data)
        self._retention = Retention(self.store, self._settings.limits)
        self._marks = Marks(self._data)
        self._circuits = Circuits(self._data)
        self._corners = Corners(self._data, self.store)
        self.store.folder.sweep()
        self.store.reconcile(self._stopped)
        self._whole = True

    def _stopped(self) -> bool:
        """Return whether we are to stop; asked between two laps, so that a long list of them is progress."""
        self._pulse.beat()
        return self._stop(0.0)

    def run(self, stop: Callable[[float], bool]) -> None:
        """Archive until `stop`, which waits the given seconds and then tells."""
        threads = NiceThreads()
        try:
            more = False
            while not stop(self._pause(more)):
                more = threads.work(urgency(self.eviction), self.turn)
        finally:
            threads.close()

    def _pause(self, more: bool) -> float:
        """Return the seconds until the next look."""
        if self.trouble:
            return _RETRY_S
        if more:
            return 0.0
        return _SOON_S if time.monotonic() < self._imported_at + _IMPORTING_S else _TURN_S

    def _take_up(self, lap: str) -> None:
        """Note that a lap was imported."""
        self._corners.add(lap)
        self._imported_at = time.monotonic()

    def turn(self) -> bool:
        """Do what there is to do; True when there may be more at once. What was refused is `trouble`, and the
        next turn tries again.
        """
        self._pulse.beat()
        try:
            self._adopt(self._latest())
            more, self.trouble = self._attempt()
        except TROUBLE as error:
            more, self.trouble = False, str(error) or repr(error)
            self._let_go()  # what is on the disk decides where to go on
            self._make_room(error)
            with contextlib.suppress(sqlite3.DatabaseError):
                self._say()
        self._watchdog.trouble(self.trouble)
        return more

    def _adopt(self, settings: Settings) -> None:
        """Take up settings that changed: which laps stay."""
        if settings is not self._settings:
            self._retention.adopt(settings.limits)
            self._settings = settings

    def _attempt(self) -> tuple[bool, str]:
        """Return whether there is more to do, and what was wrong."""
        try:
            self._mind_the_files()
            self._say()
            return self._work(), self._unread()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._begin_again()
            return True, f"the index was damaged and is made anew: {error}"

    def _unread(self) -> str:
        """Return what is wrong with the newest events; they are declared missing with the next that can be
        read.
        """
        if self._cursor == self._taken:
            return ""
        return f"events {self._taken + 1} to {self._cursor} of the ring cannot be read"

    def _begin_again(self) -> None:
        """Begin again without the index: the folder has it all."""
        self.close()
        remove_index(index_path(self._data))
        self._open()

    def _make_room(self, error: Exception) -> None:
        """Make room: the disk may be full of laps that can go. If even that fails there is another turn."""
        if not isinstance(error, OSError) and "full" not in str(error):
            return
        with contextlib.suppress(*TROUBLE, sqlite3.DatabaseError):
            self.store.folder.give_reserve()
            self._retention.enforce()
            self.store.folder.hold_reserve()

    def _say(self) -> None:
        """Say how things are, once a second, and look whether the files are still ours."""
        if not self._heartbeat.due:
            return
        status = rig_pb2.ArchiverStatus()
        status.CopyFrom(self._watchdog.archiver or status)
        with contextlib.suppress(*TROUBLE):
            status = self._status()
        status.trouble = self.trouble
        self._watchdog.archiver = status
        self._heartbeat.beat(status)

    def _status(self) -> rig_pb2.ArchiverStatus:
        followed = self._opened()
        head = followed.ring.heads()[rings.EVENTS] if followed else 0
        self.eviction = eviction(followed.ring, self._cursor) if followed and head > self._cursor else 0.0
        status = rig_pb2.ArchiverStatus(
            archived=self.archived,
            laps=self.store.index.count(),
            bytes=self.store.index.total_bytes(),
            behind=max(head - self._cursor, 0),
            lost=len(self.store.index.losses()),
            free_bytes=self.store.folder.free_bytes(),
            process=self._meter.status(),
            eviction=self.eviction,
            urgency=urgency(self.eviction).name,
            nice=nice_now(),
            marks_pending=self._marks_pending,
            corners=self._corners.made,
            corners_pending=self._corners.pending,
            corners_failed=self._corners.failed,
        )
        status.unsynced, status.unsynced_since_ns = self._unsynced()
        self._retention.status(status)
        return status

    def _unsynced(self) -> tuple[int, int]:
        """How many laps no warehouse has, and when the oldest began. Asked now and then: the index walks
        all laps for it, 10 ms with 100,000 of them.
        """
        if time.monotonic() >= self._unsynced_at:
            self._unsynced_laps = self.store.index.unsynced()
            self._unsynced_at = time.monotonic() + _UNSYNCED_S
        return self._unsynced_laps

    def _mind_the_files(self) -> None:
        """Go on with the files that stand there, whoever put them. Raises FileNotFoundError while they are
        moved away.
        """
        if not self._whole or self.store.replaced():
            self._begin_again()

    def _work(self) -> bool:
        """Do a share of the commands, then laps, and without any a piece of a mark, of a circuit or of
        corners: none of them holds up laps.
        """
        waiting = process(self._queue, self.store, imported=self._take_up)
        followed = self._opened()
        if followed is None:
            self._enforce()
            return waiting or self._corners.work()
        more = self._follow(followed)
        if not more:
            waiting = self._keep_marks(followed) or waiting
            followed.journals.attend()
        if not more and not waiting:
            waiting = self._circuits.work() or self._corners.work()
        self._enforce()
        return more or waiting

    def _enforce(self) -> None:
        """Delete what has to go now and then, and uploads that nobody goes on with."""
        if self._retention.enforce_sometimes():
            self.store.folder.hold_reserve()
            self._queue.sweep()

    def _keep_marks(self, followed: _Followed) -> bool:
        """Do a piece of the work on marks; return whether there was one. It looks for more once a second."""
        if time.monotonic() < self._marks_at:
            return False
        if followed.excerpts.keep(self._marks):
            followed.ring.forget_pages()
            return True
        self._marks_pending = len(self._marks.pending())
        self._marks_at = time.monotonic() + _MARKS_S
        return False

    def _opened(self) -> _Followed | None:
        if self._followed is not None and self._followed.ring.replaced():
            self._let_go()
        if self._followed is None and (self._had_ring or (self._data / "ring/data.mdb").exists()):
            self._followed = self._taken_up(RingReader(self._data / "ring"))
            self._had_ring = True
        return self._followed

    def _taken_up(self, ring: RingReader) -> _Followed:
        """Return the ring, to go on in from where everything is done; from its first event when a journal is
        to be made again.
        """
        self._cursor = self._taken = self.store.index.position(ring.id)
        sessions = RingSessions(self.store, ring)
        journals = LossJournals(self.store.folder, sessions, ring, self._cursor)
        if not journals.whole():
            self._cursor = self._taken = 0
        excerpts = Excerpts(ring, self.store, sessions, self._retention.mark_room)
        return _Followed(ring, sessions, journals, excerpts)

    def _let_go(self) -> None:
        if self._followed is not None:
            self._followed.ring.close()
            self._followed = None

    def _follow(self, followed: _Followed) -> bool:
        """Take the next events; True when there were any."""
        ring, journals = followed.ring, followed.journals
        records = ring.read(rings.EVENTS, self._cursor, _BATCH, _BATCH_BYTES)
        if not records:
            return False
        for events in _unbroken(_readable(records)):
            if self._taken and _unread(self._taken + 1, events[0]):
                journals.miss(self._taken + 1, events[0])
            for kind, group in groupby(events, lambda event: event.WhichOneof("kind")):
                for together in _chunks(group):
                    self._take(followed, kind or "", together)
            self._taken = events[-1].seq
        self._cursor = records[-1][0]
        journals.flush()
        self.store.index.set_position(ring.id, journals.settled)
        return True

    def _take(self, followed: _Followed, kind: str, events: list[event_pb2.Event]) -> None:
        """Take events of one kind."""
        self._pulse.beat()
        for event in events:
            if kind == "session_started":
                self._begin(followed, event)
            followed.journals.take(event)
            if kind == "session_ended":
                followed.sessions.end(event)
        if kind == "lap_closed":
            for _, group in groupby(events, lambda event: event.session):
                self._archive(followed, list(group))

    def _begin(self, followed: _Followed, event: event_pb2.Event) -> None:
        """Begin a session; those that another ring left behind are over."""
        for session in followed.sessions.left_behind():
            followed.journals.abandon(session)
        followed.sessions.begin(event)

    def _archive(self, followed: _Followed, events: list[event_pb2.Event]) -> None:
        """Write the laps of which `events`, all of one session, tell; not those that were deleted."""
        first = events[0]
        session = followed.sessions.of(first.session, first.lap_closed.lap.end_time, first.capture_time_ns)
        laps = [_named(session, event) for event in events]
        wanted = [lap for lap in laps if not self.store.folder.settled(lap.name)]
        if wanted:
            for gathered in gather(followed.ring, wanted, session):
                followed.journals.lose(session, gathered.header.lap.name, gathered.header.gaps)
                lap = self.store.write(gathered)
                log.say(log.LAP_ARCHIVED, lap=lap.name, bytes=lap.bytes)
                self._circuits.add(session.name, self.store.folder.path(lap.name))
                self._corners.add(lap.name)
                self._pulse.beat()
            self.archived += len(wanted)
            followed.ring.forget_pages()

    def close(self) -> None:
        """Release everything."""
        self.store.close()
        self._queue.close()
        self._let_go()


def _named(session: session_pb2.Session, event: event_pb2.Event) -> lap_pb2.Lap:
    """Return the lap of an event with its name. Its wall clock is near enough for one that has no samples."""
    lap = event.lap_closed.lap
    lap.name = lap_name(session.name, lap)
    lap.track_name = session.track_name
    lap.start_time_ns = event.capture_time_ns - int((event.session_time - lap.start_time) * 1e9)
    lap.end_time_ns = event.capture_time_ns - int((event.session_time - lap.end_time) * 1e9)
    return lap


def _readable(records: list[tuple[int, bytes]]) -> list[event_pb2.Event]:
    """Return the events but those that the disk has spoiled, which are missing."""
    found = []
    for seq, data in records:
        try:
            event = parse.message(event_pb2.Event, data)
            if event.seq != seq:  # what is missing is counted by it
                raise Corrupt(f"it says that it is number {event.seq}")
            found.append(event)
        except Corrupt as error:
            log.say(log.EVENT_SPOILED, seq=seq, what=error)
    return found


def _unbroken(events: list[event_pb2.Event]) -> Iterator[list[event_pb2.Event]]:
    """Return the events in runs without a missing number."""
    if not events:
        return iter(())
    starts = [0, *(at for at in range(1, len(events)) if events[at].seq != events[at - 1].seq + 1)]
    return (events[start:end] for start, end in zip(starts, [*starts[1:], len(events)], strict=True))


def _unread(first: int, event: event_pb2.Event) -> bool:
    """Return whether the ring let go of events from `first` until this one. What a power cut took has numbers
    too; the next event declares them.
    """
    declared = [event.gap] if event.gap.stream == event_pb2.STREAM_EVENTS else []
    return bool(uncovered(first, event.seq - 1, declared))


def _chunks(events: Iterable[event_pb2.Event]) -> Iterator[list[event_pb2.Event]]:
    """Return events in lists that are taken at once."""
    together, seconds = list[event_pb2.Event](), 0.0
    for event in events:
        lap = event.lap_closed.lap
        own = lap.end_time - lap.start_time
        if together and (len(together) >= _TOGETHER or not seconds + own <= _TOGETHER_S):
            yield together
            together, seconds = [], 0.0
        together.append(event)
        seconds += own
    yield together


def archive(
    settings: Settings,
    stop: Callable[[float], bool],
    watchdog: Watchdog | None = None,
    latest: Callable[[], Settings] | None = None,
) -> int:
    """Archive the ring's laps until `stop`. `latest` gives the settings in force, which may change. Returns
    how many laps. Raises Busy when another archiver runs, Newer where the index is a newer version's: it
    would lose what that alone understands.
    """
    yield_to_others(0)
    lock = laps_lock(settings.data)
    try:
        refuse_newer(index_path(settings.data))
        if watchdog is not None:
            watchdog.ready()
        archiver = _begun(settings, stop, watchdog or Watchdog("archive", settings.data), latest)
        if archiver is None:
            return 0
        try:
            archiver.run(lambda seconds: _stopped(lock, stop, seconds))
            return archiver.archived
        finally:
            archiver.close()
    finally:
        lock.release()


def _stopped(lock: Lock, stop: Callable[[float], bool], seconds: float) -> bool:
    lock.keep()
    return stop(seconds)


def _begun(
    settings: Settings,
    stop: Callable[[float], bool],
    watchdog: Watchdog,
    latest: Callable[[], Settings] | None,
) -> Archiver | None:
    """Return an archiver, as soon as the disk allows; None when it was stopped before."""
    while True:
        try:
            return Archiver(settings, watchdog, stop, latest)
        except TROUBLE as error:
            watchdog.trouble(str(error) or repr(error))
            if stop(_RETRY_S):
                return None
