"""A ring that is followed by its events: sessions, losses and laps are kept in their order."""

from collections.abc import Callable
from itertools import groupby
from typing import Final

from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigd import log
from rigd import ring as rings
from rigd.archive.events import chunks, missing_before, named, readable, unbroken
from rigd.archive.excerpts import Excerpts
from rigd.archive.urgency import eviction
from rigd.gather.gather import gather
from rigd.losses.journals import LossJournals
from rigd.ring import RingReader
from rigd.store.marks import Marks
from rigd.store.sessions import RingSessions
from rigd.store.store import Store

_BATCH: Final = 256
_BATCH_BYTES: Final = 1 << 20
"""Events of one look: some seconds of a race."""


class RingFollower:
    """Follows one ring from where everything is done; from its first event when a journal is to be made
    again.

    `written` is told of each lap as it gets its file, `progress` of every step, `room` says what marks may
    still take, in bytes.
    """

    def __init__(
        self,
        ring: RingReader,
        store: Store,
        room: Callable[[], int],
        written: Callable[[session_pb2.Session, lap_pb2.Lap], None],
        progress: Callable[[], None],
    ) -> None:
        self.ring: Final = ring
        self._store, self._written, self._progress = store, written, progress
        self._cursor = store.index.position(ring.id)
        """The newest event that was read. Up to which everything is done for good, the index knows."""
        self._sessions = RingSessions(store, ring)
        self._journals = LossJournals(store.folder, self._sessions, ring, self._cursor)
        if not self._journals.whole():
            self._cursor = 0
        self._taken = self._cursor
        """The newest of them that could be read: what is between the two is missing."""
        self._excerpts = Excerpts(ring, store, self._sessions, room)

    def close(self) -> None:
        """Release the ring."""
        self.ring.close()

    @property
    def behind(self) -> int:
        """How many events are still to be read."""
        return max(self.ring.heads()[rings.EVENTS] - self._cursor, 0)

    def eviction(self) -> float:
        """Return how near the next lap to archive is to leaving the ring; 1 is next."""
        return eviction(self.ring, self._cursor) if self.behind else 0.0

    def unread(self) -> str:
        """Return what is wrong with the newest events; they are declared missing with the next that can be
        read.
        """
        if self._cursor == self._taken:
            return ""
        return f"events {self._taken + 1} to {self._cursor} of the ring cannot be read"

    def follow(self) -> bool:
        """Take the next events; True when there were any."""
        records = self.ring.read(rings.EVENTS, self._cursor, _BATCH, _BATCH_BYTES)
        if not records:
            return False
        for events in unbroken(readable(records)):
            self._take_run(events)
        self._cursor = records[-1][0]
        self._journals.flush()
        self._store.index.set_position(self.ring.id, self._journals.settled)
        return True

    def attend(self) -> None:
        """Note once a minute how far the running session has come."""
        self._journals.attend()

    def keep(self, marks: Marks) -> bool:
        """Do a piece of the work on marks; return whether there was one."""
        kept = self._excerpts.keep(marks)
        if kept:
            self.ring.forget_pages()
        return kept

    def _take_run(self, events: list[event_pb2.Event]) -> None:
        """Take events whose numbers follow one another."""
        if self._taken and missing_before(self._taken + 1, events[0]):
            self._journals.miss(self._taken + 1, events[0])
        for kind, group in groupby(events, lambda event: event.WhichOneof("kind")):
            for together in chunks(group):
                self._take(kind or "", together)
        self._taken = events[-1].seq

    def _take(self, kind: str, events: list[event_pb2.Event]) -> None:
        """Take events of one kind."""
        self._progress()
        for event in events:
            if kind == "session_started":
                self._begin(event)
            self._journals.take(event)
            if kind == "session_ended":
                self._sessions.end(event)
        if kind == "lap_closed":
            for _, group in groupby(events, lambda event: event.session):
                self._archive(list(group))

    def _begin(self, event: event_pb2.Event) -> None:
        """Begin a session; those that another ring left behind are over."""
        for session in self._sessions.left_behind():
            self._journals.abandon(session)
        self._sessions.begin(event)

    def _archive(self, events: list[event_pb2.Event]) -> None:
        """Write the laps of which `events`, all of one session, tell; not those that were deleted."""
        first = events[0]
        session = self._sessions.of(first.session, first.lap_closed.lap.end_time, first.capture_time_ns)
        laps = [named(session, event) for event in events]
        wanted = [lap for lap in laps if not self._store.folder.settled(lap.name)]
        if wanted:
            for gathered in gather(self.ring, wanted, session):
                self._journals.lose(session, gathered.header.lap.name, gathered.header.gaps)
                lap = self._store.write(gathered)
                log.say(log.LAP_ARCHIVED, lap=lap.name, bytes=lap.bytes)
                self._written(session, lap)
                self._progress()
            self.ring.forget_pages()
