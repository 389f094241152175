"""Loss journals: sound in themselves, and equal to what the ring tells, as far as it still does."""

from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.v1 import event_pb2, session_pb2
from rigd import ring as rings
from rigd.losses import extents as extent
from rigd.losses.account import BEGAN, GAP, OVER, Account, AccountEntry, Attribution
from rigd.losses.journal import entry_text, read_journal
from rigd.ring import RingReader, key
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader
from rigd.verify.finding import finding
from rigd.verify.sessionwalk import readable_sessions
from rigd.verify.walk import Findings

_STREAMS: Final[dict[int, bytes]] = {
    event_pb2.STREAM_PHYSICS: rings.PHYSICS,
    event_pb2.STREAM_SCORING: rings.SCORING,
}


class JournalWalk:
    """Checks journals. `index` is None when there is none that can be read."""

    def __init__(self, data: Path, index: IndexReader | None) -> None:
        self._data = data
        self._store, self._index = LapFolder(data / "laps"), index

    def check(self, session: session_pb2.Session) -> Findings:
        """Yield what is wrong with the journal of a session; an imported one has none."""
        if session.source == session_pb2.SESSION_SOURCE_IMPORT:
            return
        try:
            account = Account(read_journal(self._store.journal_path(session.name), session.name))
        except Corrupt as error:
            yield finding("ledger-damaged", self._where(session), error.message)
            return
        if not account.begun:
            yield finding("ledger-missing", self._where(session), "nothing tells what was to come")
        elif session.status == session_pb2.SESSION_STATUS_COMPLETED and not account.over:
            yield finding("ledger-open", self._where(session), "it does not say that the session is over")

    def compare(self, ring: RingReader) -> Findings:
        """Yield what the journals of a ring's sessions say, and the ring does not; and the other way
        round.
        """
        retold = _Retold(ring, self._index.position(ring.id) if self._index else 0)
        for session in readable_sessions(self._store):
            if session.ring != ring.id.hex():
                continue
            entries = self._entries_of(session)
            if Account(entries).begun:
                retold.know(session, entries)
        retold.read()
        for session in retold.sessions:
            yield from self._entries(session, retold)
            yield from self._numbers(session, retold, ring)

    def _entries_of(self, session: session_pb2.Session) -> list[AccountEntry]:
        """Return its journal; none when it is damaged, which is told by `check`."""
        try:
            return read_journal(self._store.journal_path(session.name), session.name)
        except Corrupt:
            return []

    def _entries(self, session: session_pb2.Session, retold: "_Retold") -> Findings:
        where = self._where(session)
        written = {entry_text(entry) for entry in retold.written(session.ring_session)}
        expected = {entry_text(entry) for entry in retold.expected(session.ring_session)}
        for text in sorted(expected - written):
            yield finding("ledger-lacks", where, f"the ring tells what it does not have: {text}")
        for text in sorted(written - expected):
            yield finding("ledger-differs", where, f"it has what the ring does not tell: {text}")

    def _numbers(self, session: session_pb2.Session, retold: "_Retold", ring: RingReader) -> Findings:
        """Check that as many records are there as the journal says were stored, as far back as the ring
        goes.
        """
        number, where = session.ring_session, self._where(session)
        entries = retold.known(number)
        account = Account(entries)
        for stream, (first, last) in retold.held[number].items():
            begin, end = account.first[stream] + 1, account.last[stream]
            span = f"{_STREAMS[stream].decode()} {first} to {last}"
            if first < begin or (account.over and end < last):
                what = f"it says {begin} to {end}, the ring has {span} of this session"
                yield finding("ledger-numbers", where, what)
                continue
            stored = _count(ring, _STREAMS[stream], first, last)
            said = last - first + 1 - _missing(entries, stream, first, last)
            if stored != said:
                what = f"it says that {said} of {span} were stored, the ring has {stored}"
                yield finding("ledger-numbers", where, what)

    def _where(self, session: session_pb2.Session) -> str:
        return str(self._store.journal_path(session.name).relative_to(self._data))


class _Retold:
    """The entries of a ring's sessions, made once more from the events that it still has."""

    def __init__(self, ring: RingReader, position: int) -> None:
        self._ring, self._position = ring, position
        self._first = ring.spans()[rings.EVENTS].first
        self._journals: dict[int, list[AccountEntry]] = {}
        self._accounts: dict[int, Account] = {}
        self._expected: dict[int, list[AccountEntry]] = {}
        self.sessions: list[session_pb2.Session] = []
        self.held: dict[int, dict[int, tuple[int, int]]] = {}
        """By session and stream the first and the last record of the ring."""

    def know(self, session: session_pb2.Session, entries: list[AccountEntry]) -> None:
        """Take a session with its journal. What of that is older than the ring's events is taken for true."""
        number = session.ring_session
        self.sessions.append(session)
        self._journals[number] = entries
        self._accounts[number] = Account(entry for entry in entries if entry.event < self._first)

    def read(self) -> None:
        """Read the events. The records are looked at first: events declare all their losses."""
        self.held = {number: extent.held(self._ring, number) for number in self._journals}
        attribution = Attribution(self._begun, self._accounts)
        for event in extent.events_after(self._ring, 0):
            for number, entry in attribution.take(event):
                self._accounts.setdefault(number, Account()).take(entry)
                self._expected.setdefault(number, []).append(entry)

    def _begun(self, number: int) -> Account | None:
        account = self._accounts.get(number)
        return account if account and account.begun else None

    def written(self, number: int) -> list[AccountEntry]:
        """Return what the journal has of events that the ring has too, and that the archiver is done with."""
        done, headless = range(self._first, self._position + 1), self._headless(number)
        entries = (entry for entry in self._journals[number] if entry.event in done and not _missed(entry))
        return [entry for entry in entries if (entry.kind, entry.event) not in headless]

    def expected(self, number: int) -> list[AccountEntry]:
        """Return what it should have of them, as far as the events tell it all."""
        headless = self._headless(number)
        entries = (entry for entry in self._expected.get(number, ()) if entry.event <= self._position)
        return [entry for entry in entries if (entry.kind, entry.event) not in headless]

    def _headless(self, number: int) -> set[tuple[str, int]]:
        """Return beginnings and ends for which the archiver had to find the heads itself."""
        entries = (entry for entry in self._expected.get(number, ()) if not entry.heads)
        return {(entry.kind, entry.event) for entry in entries if entry.kind in (BEGAN, OVER)}

    def known(self, number: int) -> list[AccountEntry]:
        """Return the journal, and what is told since."""
        done = [entry for entry in self._journals[number] if entry.event <= self._position]
        return done + [entry for entry in self._expected.get(number, ()) if entry.event > self._position]


def _missed(entry: AccountEntry) -> bool:
    """Return whether an entry is about events that were gone, which tell of nothing."""
    return entry.gap is not None and entry.gap.reason == event_pb2.GAP_REASON_EVICTED


def _missing(entries: list[AccountEntry], stream: int, first: int, last: int) -> int:
    """Return numbers of first..last that are declared missing."""
    gaps = (entry.gap for entry in entries if entry.kind == GAP and entry.gap is not None)
    counted = (gap for gap in gaps if gap.stream == stream and gap.HasField("count"))
    return sum(max(min(gap.last_seq, last) - max(gap.first_seq, first) + 1, 0) for gap in counted)


def _count(ring: RingReader, stream: bytes, first: int, last: int) -> int:
    """Return records of first..last."""
    count = 0
    with ring.begin() as txn:
        cursor = txn.cursor(ring.dbs[stream])
        found = cursor.set_range(key(first))
        while found and cursor.key() <= key(last):
            count, found = count + 1, cursor.next()
    return count
