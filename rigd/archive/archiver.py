"""The archiver: follows the ring's events and turns closed laps into files. One process, after all others.

What is archived is known from the files alone: a lap is archived because its file stands under its name. The
position in the events is kept to save time, not to be right; it moves on only when everything before it is
on the disk.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import lmdb

from rig.errors import RigError
from rig.v1 import lap_pb2, rig_pb2, session_pb2
from rigd.archive.circuits import Circuits
from rigd.archive.corners import Corners
from rigd.archive.follower import RingFollower
from rigd.archive.retention import Limits, Retention
from rigd.archive.urgency import NiceThreads, nice_now, urgency
from rigd.process import ProcessMeter, yield_to_others
from rigd.ring import Lock, RingReader
from rigd.ring.lock import laps_lock
from rigd.store.commands import CommandQueue, process
from rigd.store.heartbeat import Heartbeat
from rigd.store.index import refuse_newer, remove_index
from rigd.store.marks import Marks
from rigd.store.store import Store, index_path
from rigd.watchdog import Watchdog

_TURN_S: Final = 0.1
"""Between two looks: laps are closed a second after the line anyway, commands are answered at once."""
_SOON_S: Final = 0.01
_IMPORTING_S: Final = 1.0
"""For so long after an import it looks that soon again: who brings a season sends one after the other."""
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
        self._follower: RingFollower | None = None
        self._had_ring = False
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
            return self._work(), self._follower.unread() if self._follower else ""
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._begin_again()
            return True, f"the index was damaged and is made anew: {error}"

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
        follower = self._opened()
        self.eviction = follower.eviction() if follower else 0.0
        status = rig_pb2.ArchiverStatus(
            archived=self.archived,
            laps=self.store.index.count(),
            bytes=self.store.index.total_bytes(),
            behind=follower.behind if follower else 0,
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
        follower = self._opened()
        if follower is None:
            self._enforce()
            return waiting or self._corners.work()
        more = follower.follow()
        if not more:
            waiting = self._keep_marks(follower) or waiting
            follower.attend()
        if not more and not waiting:
            waiting = self._circuits.work() or self._corners.work()
        self._enforce()
        return more or waiting

    def _enforce(self) -> None:
        """Delete what has to go now and then, and uploads that nobody goes on with."""
        if self._retention.enforce_sometimes():
            self.store.folder.hold_reserve()
            self._queue.sweep()

    def _keep_marks(self, follower: RingFollower) -> bool:
        """Do a piece of the work on marks; return whether there was one. It looks for more once a second."""
        if time.monotonic() < self._marks_at:
            return False
        if follower.keep(self._marks):
            return True
        self._marks_pending = len(self._marks.pending())
        self._marks_at = time.monotonic() + _MARKS_S
        return False

    def _opened(self) -> RingFollower | None:
        if self._follower is not None and self._follower.ring.replaced():
            self._let_go()
        if self._follower is None and (self._had_ring or (self._data / "ring/data.mdb").exists()):
            ring, room = RingReader(self._data / "ring"), self._retention.mark_room
            self._follower = RingFollower(ring, self.store, room, self._written, self._pulse.beat)
            self._had_ring = True
        return self._follower

    def _let_go(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _written(self, session: session_pb2.Session, lap: lap_pb2.Lap) -> None:
        """Note that a lap has its file."""
        self._circuits.add(session.name, self.store.folder.path(lap.name))
        self._corners.add(lap.name)
        self.archived += 1

    def close(self) -> None:
        """Release everything."""
        self.store.close()
        self._queue.close()
        self._let_go()


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
