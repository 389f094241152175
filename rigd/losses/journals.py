"""The loss journals of a ring's sessions, kept from its events as the archiver reads them."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from rig.errors import Corrupt
from rig.v1 import event_pb2, session_pb2
from rigd.losses import extents as extent
from rigd.losses.account import (
    BEFORE,
    BEGAN,
    GAP,
    LAP,
    OVER,
    REACHED,
    STREAMS,
    Account,
    AccountEntry,
    Attribution,
    Heads,
)
from rigd.losses.journal import LossJournal
from rigd.ring import RingReader
from rigd.store.folder import LapFolder
from rigd.store.sessions import RingSessions

_ATTEND_S: Final = 60.0
"""Between two notes of how far the running session has come. They matter only if the ring is damaged later:
what came after the last one is not known then. A day of them is 150 kB.
"""
_LAP_REASONS: Final = (event_pb2.GAP_REASON_EVICTED, event_pb2.GAP_REASON_TOO_LONG)
"""Why a lap's file may lack what the recorder had stored."""


class LossJournals:
    """Keeps the accounts, which `flush` makes durable; `event` is the number of the newest event given.

    After an OSError everything since the last `flush` has to be given again, to another one.
    """

    def __init__(self, store: LapFolder, sessions: RingSessions, ring: RingReader, event: int) -> None:
        self._store, self._sessions, self._ring = store, sessions, ring
        self._journals: dict[str, LossJournal] = {}
        self._pending: dict[str, list[AccountEntry]] = {}
        self._attribution = Attribution(self._account, [one.ring_session for one in sessions.known()])
        self._event = event
        self._attend_at = time.monotonic() + _ATTEND_S

    def whole(self) -> bool:
        """Return whether every session of this ring has a sound journal. A damaged one is set aside now; the
        ring's events make it again, as far as they are still there.
        """
        begun = [self._opened(session).account.begun for session in self._sessions.known()]
        return all(begun)

    @property
    def settled(self) -> int:
        """Return the event up to which nothing is left to do, once all is flushed: what waits for its session
        to be told has to be given again after a crash.
        """
        return min((event.seq - 1 for event in self._attribution.waiting), default=self._event)

    def take(self, event: event_pb2.Event) -> None:
        """Record an event. The session whose beginning it tells is known already."""
        self._event = event.seq
        kind, number = event.WhichOneof("kind"), event.session
        if kind in ("session_ended", "lap_closed") and number and self._account(number) is None:
            self._begin_untold(number, event)
        elif kind == "session_started":
            self._begin_earlier(number)
        self._record(self._attribution.take(event))

    def _begin_earlier(self, number: int) -> None:
        """Begin the accounts of sessions before that one whose first event is gone. Of others that lost
        something scoring never told, and the archive has no such session.
        """
        for waiting in self._attribution.waiting:
            earlier = waiting.gap.session
            if earlier < number and event_pb2.STREAM_SCORING in extent.held(self._ring, earlier):
                self._begin_untold(earlier, waiting)

    def _begin_untold(self, number: int, event: event_pb2.Event) -> None:
        """Begin the account of a session with the first event that is left of it."""
        first = next((one for one in self._attribution.waiting if one.gap.session == number), event)
        session = self._sessions.of(number, first.session_time, first.capture_time_ns)
        self._begin_late(session, first.seq)
        self._record(self._attribution.begun_late(number))

    def miss(self, first: int, event: event_pb2.Event) -> None:
        """Note that the ring let go of the events from `first` until `event` before they were given."""
        session = self._newest()
        if session is None or self._account(session.ring_session) is None:
            return
        now_ns = event.capture_time_ns
        gap = _uncounted(session, event_pb2.STREAM_EVENTS, first - 1, event_pb2.GAP_REASON_EVICTED, now_ns)
        gap.last_seq, gap.count = event.seq - 1, event.seq - first
        self._put(session, AccountEntry(GAP, event.seq, now_ns, gap=gap))
        self._doubt(session, event.seq, now_ns)

    def lose(self, session: session_pb2.Session, lap: str, gaps: Iterable[event_pb2.Gap]) -> None:
        """Note, durably, what the file of a lap will lack for other reasons than the recorder's."""
        for gap in gaps:
            if gap.reason in _LAP_REASONS:
                self._put(session, AccountEntry(LAP, 0, time.time_ns(), gap=gap, lap=lap))
                self.flush()
                return

    def abandon(self, session: session_pb2.Session) -> None:
        """Note, durably, that another ring took the place of that session's: nobody knows how far it came."""
        account, now_ns = self._opened(session).account, time.time_ns()
        if account.over:
            return
        heads: Heads = {stream: account.last.get(stream, 0) for stream in STREAMS}
        for stream, head in heads.items():
            gap = _uncounted(session, stream, head, event_pb2.GAP_REASON_RING_REPLACED, now_ns)
            self._put(session, AccountEntry(GAP, 0, now_ns, gap=gap))
        self._put(session, AccountEntry(OVER, 0, now_ns, heads))
        self.flush()

    def attend(self) -> None:
        """Note once a minute how far the running session has come."""
        if time.monotonic() < self._attend_at:
            return
        self._attend_at = time.monotonic() + _ATTEND_S
        for session in self._sessions.known():
            if not self._opened(session).account.begun:
                self._begin_late(session, self._event)  # not even an event is left of it
        if (newest := self._newest()) is not None:
            self._note_reach(newest)
        self.flush()

    def _note_reach(self, session: session_pb2.Session) -> None:
        account = self._opened(session).account
        heads = extent.reach(self._ring, session.ring_session, self._event)
        if not account.over and heads.items() - account.last.items():
            self._put(session, AccountEntry(REACHED, 0, time.time_ns(), heads))

    def flush(self) -> None:
        """Make durable what was taken."""
        for name in list(self._pending):
            self._journals[name].append(self._pending[name])
            del self._pending[name]

    # Accounts and their entries.

    def _newest(self) -> session_pb2.Session | None:
        return self._sessions.known()[-1] if self._sessions.known() else None

    def _account(self, number: int) -> Account | None:
        """Return the account of a session, None before its beginning is booked."""
        session = self._sessions.numbered(number)
        account = self._opened(session).account if session else None
        return account if account and account.begun else None

    def _opened(self, session: session_pb2.Session) -> LossJournal:
        if session.name not in self._journals:
            path = self._store.journal_path(session.name)
            try:
                self._journals[session.name] = LossJournal(path, session.name)
            except Corrupt:
                self._store.set_journal_aside(session.name)
                self._journals[session.name] = LossJournal(path, session.name)
        return self._journals[session.name]

    def _record(self, entries: Iterator[tuple[int, AccountEntry]]) -> None:
        for number, entry in entries:
            session = self._sessions.numbered(number)
            assert session is not None
            if entry.kind == OVER and not entry.heads:
                heads = extent.reach(self._ring, number, entry.event - 1)
                entry = replace(entry, heads=heads)
            if entry.kind != BEGAN or entry.heads:
                self._put(session, entry)
            elif not self._opened(session).account.begun:
                self._begin_late(session, entry.event)  # a recorder that did not tell them

    def _put(self, session: session_pb2.Session, entry: AccountEntry) -> None:
        journal = self._opened(session)
        if 0 < entry.event <= journal.newest or (
            entry.kind == BEFORE and entry.gap in journal.account.borders
        ):
            return  # it was told again
        journal.account.take(entry)
        self._pending.setdefault(session.name, []).append(entry)

    def _begin_late(self, session: session_pb2.Session, event: int) -> None:
        """Begin a session late. Nobody told how it began: it began with the first of it that the ring
        has, and with event number `event`. What it lacks is told all the same when the ring itself is
        younger than the session.
        """
        now_ns = time.time_ns()
        heads = extent.before(self._ring, session.ring_session, event)
        self._put(session, AccountEntry(BEGAN, 0, now_ns, heads))
        gaps = [one.gap for one in self._attribution.waiting if one.gap.session == session.ring_session]
        if not any(gap.reason == event_pb2.GAP_REASON_RING_REPLACED for gap in gaps):
            self._doubt(session, 0, now_ns)

    def _doubt(self, session: session_pb2.Session, event: int, now_ns: int) -> None:
        """Note that events are gone that may have declared losses."""
        account = self._opened(session).account
        for stream in (event_pb2.STREAM_PHYSICS, event_pb2.STREAM_SCORING):
            gap = _uncounted(session, stream, account.last[stream], event_pb2.GAP_REASON_EVICTED, now_ns)
            gap.detail = "events that may have declared losses had left the ring before they were read"
            self._put(session, AccountEntry(GAP, event, now_ns, gap=gap))


def _uncounted(
    session: session_pb2.Session, stream: int, head: int, reason: "event_pb2.GapReason.ValueType", now_ns: int
) -> event_pb2.Gap:
    """Return a loss after number `head` of which nobody knows how much it is."""
    return event_pb2.Gap(
        stream=stream,  # type: ignore[arg-type]
        first_seq=head + 1,
        last_seq=head,
        reason=reason,
        end_time_ns=now_ns,
        session=session.ring_session,
    )
