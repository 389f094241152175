"""What is missing of a session: its journal, and what the ring has told since."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rig.errors import NotFound
from rig.v1 import event_pb2, laps_pb2, rig_pb2, session_pb2
from rigd import ring as rings
from rigd.losses import extents as extent
from rigd.losses.account import (
    BEFORE,
    GAP,
    LAP,
    OVER,
    REACHED,
    STREAMS,
    Account,
    AccountEntry,
    Attribution,
    shown,
)
from rigd.losses.journal import newest, read_journal
from rigd.ring import RingReader
from rigd.store.commands import REQUESTED
from rigd.store.folder import LapFolder
from rigd.store.paging import Paging
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer

_NEWEST: Final = ("", "-", "sessions/-")
_REASONS: Final = {
    event_pb2.GAP_REASON_EVICTED: rig_pb2.LAP_LOSS_EVICTED,
    event_pb2.GAP_REASON_TOO_LONG: rig_pb2.LAP_LOSS_TOO_LONG,
}


class Losses:
    """Answers for all sessions of a data directory, from files: not for an event loop."""

    def __init__(self, data: Path) -> None:
        self._store = StoreReader(data)

    def answer(
        self, request: rig_pb2.GetLossesRequest, ring: RingReader | None, viewer: Viewer = EVERYTHING
    ) -> rig_pb2.GetLossesResponse:
        """Return the answer, of a session that there is for the viewer. Raises NotFound, Corrupt, BadRequest,
        MalformedToken.
        """
        session = self._session(request.session, viewer)
        paging = Paging(_of(request, session.name), [int, int])
        entries = self._entries(session, ring)
        account = Account(entries)
        if not account.begun:
            hint = "it was imported" if session.source == session_pb2.SESSION_SOURCE_IMPORT else ""
            raise NotFound(f"no account was kept of {session.name}", hint=hint, name=session.name)
        streams = [stream for stream in STREAMS if request.stream in (0, stream)]
        gaps, token = _page(entries, streams, paging)
        return rig_pb2.GetLossesResponse(
            session=session.name,
            status=session.status,
            streams=[account.losses(stream) for stream in streams],
            gaps=gaps,
            laps=() if request.page_token else _lost_laps(self._store, session.name, entries, viewer),
            next_page_token=token,
        )

    def _session(self, name: str, viewer: Viewer) -> session_pb2.Session:
        index = self._store.index
        if name not in _NEWEST:
            session = index.session(name, viewer)
            if session is None:
                raise NotFound(f"there is no session {name!r}", name=name)
            return session
        for session in index.list_sessions(
            laps_pb2.ListSessionsRequest(page_size=1, imported=False), viewer
        ).sessions:
            return session
        raise NotFound("no session has been kept yet", hint="is `rigd archive` running?")

    def _entries(self, session: session_pb2.Session, ring: RingReader | None) -> list[AccountEntry]:
        """Return the journal, and of a session of this ring what the archiver has not come to yet."""
        entries = read_journal(self._store.folder.journal_path(session.name), session.name)
        if ring is None or session.ring != ring.id.hex():
            return entries
        accounts = _Accounts(self._store.folder, ring, session.ring_session, entries)
        return [*entries, *accounts.go_on(self._store.index.position(ring.id))]


class _Accounts:
    """The accounts of a ring's sessions, for one of which more is asked."""

    def __init__(self, folder: LapFolder, ring: RingReader, number: int, entries: list[AccountEntry]) -> None:
        self._folder, self._ring, self._number = folder, ring, number
        self._known = newest(entries)
        self._accounts: dict[int, Account] = {number: Account(entries)}

    def get(self, number: int) -> Account | None:
        """Return the account of a session, None when the archive does not have it yet."""
        if number not in self._accounts:
            session = self._folder.numbered(self._ring.id.hex(), number)
            if session is not None:
                journal = read_journal(self._folder.journal_path(session.name), session.name)
                self._accounts[number] = Account(journal)
        account = self._accounts.get(number)
        return account if account and account.begun else None

    def _numbers(self) -> list[int]:
        """Return the numbers of this session and of those of its ring before."""
        own = (one.ring_session for one in self._folder.sessions() if one.ring == self._ring.id.hex())
        return [number for number in own if number <= self._number]

    def go_on(self, after: int) -> Iterator[AccountEntry]:
        """Yield what events after number `after`, and the records of the ring, tell beyond the journal."""
        mine, ring = self._accounts[self._number], self._ring
        # Before the events, lest a loss that is declared meanwhile is taken for records.
        heads = extent.reach(ring, self._number, ring.heads()[rings.EVENTS])
        attribution = Attribution(self.get, self._numbers())
        for event in extent.events_after(ring, after):
            for number, entry in attribution.take(event):
                account = self._accounts.setdefault(number, Account())
                if entry.kind == OVER and not entry.heads:
                    entry = replace(entry, heads=extent.reach(ring, number, entry.event - 1))
                if number != self._number:
                    account.take(entry)
                elif entry.event > self._known:
                    account.take(entry)
                    yield entry
        if mine.begun and not mine.over:
            yield AccountEntry(REACHED, 0, 0, heads)


def _of(request: rig_pb2.GetLossesRequest, session: str) -> rig_pb2.GetLossesRequest:
    """Return the same question by the session's name: another one may be the newest for the next page."""
    named = rig_pb2.GetLossesRequest()
    named.CopyFrom(request)
    named.session = session
    return named


def _page(
    entries: list[AccountEntry], streams: list["event_pb2.Stream.ValueType"], paging: Paging
) -> tuple[list[event_pb2.Gap], str]:
    """Return a page of gaps, by streams and then in the order in which they were told, to which later
    ones are added; and the token of the next page.
    """
    gaps = [shown(entry) for entry in entries if entry.kind in (GAP, BEFORE)]
    places = [
        (stream, number, gap)
        for stream in streams
        for number, gap in enumerate(gap for gap in gaps if gap.stream == stream)
    ]
    after = tuple(paging.after or (0, 0))
    left = [place for place in places if not paging.after or place[:2] > after]
    page = left[: paging.size]
    token = paging.token(page[-1][:2]) if len(left) > len(page) else ""
    return [gap for *_, gap in page], token


def _lost_laps(
    store: StoreReader, session: str, entries: Iterable[AccountEntry], viewer: Viewer
) -> list[rig_pb2.LostLap]:
    """Return the laps of a session that are not there as they should be, by name; `entries` are those of its
    journal. What happened last counts. Whose a lap was that is gone nobody knows, so those alone are told of
    it for whom there is everything.
    """
    lost = {entry.lap: _cut(entry) for entry in entries if entry.kind == LAP}
    lost |= {name: _damaged(store, name) for name in store.folder.damaged(session)}
    lost |= {name: _deleted(name, facts) for name, facts in store.folder.tombstones(session).items()}
    return [lost[name] for name in sorted(lost) if viewer.all or store.index.lap(name, viewer)]


def _cut(entry: AccountEntry) -> rig_pb2.LostLap:
    assert entry.gap is not None
    gap = entry.gap
    part = f"{gap.count} samples at the end" if gap.count else gap.detail
    return rig_pb2.LostLap(name=entry.lap, loss=_REASONS[gap.reason], detail=part, time_ns=entry.time_ns)


def _damaged(store: StoreReader, name: str) -> rig_pb2.LostLap:
    known = store.index.lap(name)
    return rig_pb2.LostLap(
        name=name,
        loss=rig_pb2.LAP_LOSS_DAMAGED,
        detail=known.damage if known else "",
        time_ns=store.folder.damaged_path(name).stat().st_ctime_ns,
    )


def _deleted(name: str, facts: dict[str, Any]) -> rig_pb2.LostLap:
    why = str(facts.get("why", ""))
    deleted = rig_pb2.LAP_LOSS_DELETED if why == REQUESTED else rig_pb2.LAP_LOSS_RETENTION
    loss = rig_pb2.LAP_LOSS_FORCED if facts.get("forced") else deleted
    return rig_pb2.LostLap(name=name, loss=loss, detail=why, time_ns=int(facts.get("time_ns", 0)))
