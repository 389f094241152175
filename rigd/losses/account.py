"""The account of a session: what it was to bring of each stream, and what of that is declared missing.

It is kept from entries, and most entries come from events of the ring: the beginning and the end of a session
say how far the streams had come, gaps say what is missing. Every number belongs to one session. A loss at the
change of two is counted in the one that ran when it began; the other notes that some of it, nobody knows how
much, may be its own. Nothing here reads or writes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rig.v1 import event_pb2, rig_pb2

STREAMS: Final = (event_pb2.STREAM_PHYSICS, event_pb2.STREAM_SCORING, event_pb2.STREAM_EVENTS)

Heads = Mapping[int, int]
"""Newest sequence number by stream."""

BEGAN: Final = "began"
"""The session begins after `heads`."""
REACHED: Final = "reached"
"""The streams had come to `heads`, and it went on."""
OVER: Final = "over"
"""The session ended with `heads`."""
GAP: Final = "gap"
"""`gap` is missing."""
BEFORE: Final = "before"
"""`gap`, which is counted in the session before, reaches up to the beginning of this one."""
_NEVER: Final = 1 << 64
"""More than any number."""
_MOST: Final = _NEVER - 1
"""The greatest number of the contract; what damaged records declare may come to more."""

LAP: Final = "lap"
"""The file of `lap` lacks `gap`, which the ring had and has no more, or which is more than a file holds."""


@dataclass(frozen=True)
class AccountEntry:
    """One line of the account."""

    kind: str
    event: int
    """Number of the event in the ring that told it; 0 for what the archiver found out by itself."""
    time_ns: int
    """Wall clock, unix nanoseconds."""
    heads: Heads = field(default_factory=dict)
    gap: event_pb2.Gap | None = None
    lap: str = ""


class Account:
    """The sum of the entries so far."""

    def __init__(self, entries: Iterable[AccountEntry] = ()) -> None:
        self.first: dict[int, int] = {}
        """By stream the number before the session's first."""
        self.last: dict[int, int] = {}
        """By stream the session's last number, so far."""
        self.begun = self.over = False
        self.trailing: dict[int, event_pb2.Gap] = {}
        """By stream the newest gap."""
        self.borders: list[event_pb2.Gap] = []
        """Gaps of the session before that reach up to this one."""
        self._passed_over: list[event_pb2.Gap] = []
        """Of numbers that no record of this session had: a restore went behind them."""
        self._reasons: dict[tuple[int, int], rig_pb2.ReasonLosses] = {}
        for entry in entries:
            self.take(entry)

    def take(self, entry: AccountEntry) -> None:
        """Add an entry."""
        match entry.kind:
            case "began":
                self.begun = True
                for stream, seq in entry.heads.items():
                    self.first[stream] = min(seq, self.first.get(stream, seq))
                    self.last[stream] = max(seq, self.last.get(stream, seq))
            case "reached" | "over":
                self.last |= {stream: self._end(stream, seq) for stream, seq in entry.heads.items()}
                self.over = self.over or entry.kind == OVER
            case "gap" | "before":
                self._take_gap(entry)

    def _end(self, stream: int, seq: int) -> int:
        """Return the last number to expect: what is declared missing was to come, whatever is said of the
        end. Behind the numbers of a restore comes another session.
        """
        gap = self.trailing.get(stream)
        if gap is None:
            return seq
        ends = gap.reason == event_pb2.GAP_REASON_RESTORED and gap not in self.borders
        return _reach(gap) if ends else max(seq, _reach(gap))

    def _take_gap(self, entry: AccountEntry) -> None:
        assert entry.gap is not None
        gap, mine = entry.gap, entry.kind == GAP
        counted = mine and gap.HasField("count")
        reach = _reach(gap) if mine else gap.last_seq
        self.last[gap.stream] = max(reach, self.last.get(gap.stream, reach))
        if counted:
            self.first[gap.stream] = min(gap.first_seq - 1, self.first.get(gap.stream, gap.first_seq - 1))
        self.trailing[gap.stream] = gap
        if mine and gap.reason == event_pb2.GAP_REASON_RESTORED:
            self._passed_over.append(gap)
        if not mine:
            self.borders.append(gap)
            self.first[gap.stream] = max(gap.last_seq, self.first.get(gap.stream, 0))
        found = self._reasons.setdefault((gap.stream, gap.reason), rig_pb2.ReasonLosses(reason=gap.reason))
        found.missing = min(found.missing + (gap.count if counted else 0), _MOST)
        found.uncounted += not counted
        found.gaps += 1

    def losses(self, stream: "event_pb2.Stream.ValueType") -> rig_pb2.StreamLosses:
        """Return what the account says of a stream."""
        first, last = self.first.get(stream, 0), self.last.get(stream, 0)
        came = last - first - self._never_came(stream, last)
        reasons = [found for (of, _), found in sorted(self._reasons.items()) if of == stream]
        missing = min(sum(found.missing for found in reasons), _MOST)
        return rig_pb2.StreamLosses(
            stream=stream,
            first_seq=min(first + 1, _MOST),
            last_seq=last,
            expected=max(came, 0),
            received=max(came - missing, 0),
            missing=missing,
            reasons=reasons,
        )

    def _never_came(self, stream: int, last: int) -> int:
        """Return how many numbers up to the last a restore passed over: other losses may stand behind it."""
        spans = ((gap.first_seq, gap.last_seq) for gap in self._passed_over if gap.stream == stream)
        return sum(end - begin + 1 for begin, end in spans if end <= last)


def _reach(gap: event_pb2.Gap) -> int:
    """Return the last number to expect with a gap: those of one without a count may never have been given
    out.
    """
    return gap.last_seq if gap.HasField("count") else gap.first_seq - 1


def shown(entry: AccountEntry) -> event_pb2.Gap:
    """Return the gap of an entry as the session's own. One that is counted in another session has no count
    here.
    """
    assert entry.gap is not None
    gap = event_pb2.Gap()
    gap.CopyFrom(entry.gap)
    if entry.kind == BEFORE:
        whole = f"some of {gap.count}, which are counted in the session before" if gap.count else ""
        gap.detail = "; ".join(part for part in (gap.detail, whole) if part)
        gap.first_seq = gap.last_seq + 1
        gap.ClearField("count")
    return gap


class Attribution:
    """Finds the accounts that an event concerns, and the entries it makes in them. Events come in their
    order, evicted ones left out.

    `account` gives the account of a session by its number in the ring, None for one whose beginning is not
    recorded. `numbers` are those of the sessions that are known, begun or not.
    """

    def __init__(self, account: Callable[[int], Account | None], numbers: Iterable[int]) -> None:
        self._account = account
        self._known = set(numbers)
        self._newest = max((number for number in self._known if account(number)), default=0)
        """The highest number that was told."""
        self._waiting: dict[int, list[event_pb2.Event]] = {}

    @property
    def waiting(self) -> list[event_pb2.Event]:
        """Return the oldest event of each session that is not told yet, in their order."""
        return sorted((events[0] for events in self._waiting.values()), key=lambda event: event.seq)

    def take(self, event: event_pb2.Event) -> Iterator[tuple[int, AccountEntry]]:
        """Yield session numbers with their entries; each is to be taken into its account before the next is
        asked for. Heads that the event does not tell are absent: of a session that was left before the last
        one, and in a ring of an earlier version.
        """
        match event.WhichOneof("kind"):
            case "session_started":
                yield from self._begin(event)
            case "session_ended":
                heads = heads_of(event.session_ended.heads)
                yield event.session, AccountEntry(OVER, event.seq, event.capture_time_ns, heads)
            case "gap":
                yield from self._lose(event)

    def begun_late(self, number: int) -> Iterator[tuple[int, AccountEntry]]:
        """Yield the entries of what waited for this session, whose beginning is recorded now."""
        self._known.add(number)
        for event in self._waiting.pop(number, []):
            yield from self._lose(event)

    def _begin(self, event: event_pb2.Event) -> Iterator[tuple[int, AccountEntry]]:
        self._newest = max(self._newest, event.session)
        self._known.add(event.session)
        heads, time_ns = heads_of(event.session_started.heads), event.capture_time_ns
        yield event.session, AccountEntry(BEGAN, event.seq, time_ns, heads)
        yield from self.begun_late(event.session)
        former, account = self._former(event.session)
        if account is not None and not account.over:
            yield former, AccountEntry(OVER, event.seq, time_ns, heads if former == event.session - 1 else {})
        for gap in (*(account.trailing.values() if account else ()), *self._untold(event.session)):
            if gap.last_seq >= heads.get(gap.stream, _NEVER):
                yield event.session, AccountEntry(BEFORE, event.seq, time_ns, gap=gap)

    def _untold(self, number: int) -> list[event_pb2.Gap]:
        """Return gaps of sessions before that one which nobody is going to tell of: telemetry was in them,
        and scoring never. They wait no longer.
        """
        untold = sorted(of for of in self._waiting if of < number)
        return [event.gap for of in untold for event in self._waiting.pop(of)]

    def _former(self, number: int) -> tuple[int, Account | None]:
        """Return the newest session before that one."""
        earlier = sorted((of for of in self._known if of < number), reverse=True)
        known = ((of, self._account(of)) for of in earlier)
        return next((found for found in known if found[1] is not None), (0, None))

    def _lose(self, event: event_pb2.Event) -> Iterator[tuple[int, AccountEntry]]:
        event.gap.session = event.gap.session or event.session  # a recorder of an earlier version says none
        number = event.gap.session
        if number and self._account(number) is not None:
            yield number, AccountEntry(GAP, event.seq, event.capture_time_ns, gap=event.gap)
        elif number > self._newest:
            self._waiting.setdefault(number, []).append(event)
            return
        for later in sorted(of for of in self._known if number < of <= self._newest):
            following = self._account(later)
            if following and event.gap.last_seq >= following.first.get(event.gap.stream, _NEVER):
                yield later, AccountEntry(BEFORE, event.seq, event.capture_time_ns, gap=event.gap)


def heads_of(heads: Iterable[event_pb2.StreamHead]) -> dict[int, int]:
    """Return the heads by stream."""
    return {head.stream: head.seq for head in heads}
