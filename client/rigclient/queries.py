"""Sessions, laps and marks: what a caller asks for, as the contract's messages."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypedDict, Unpack

from rig.errors import BadRequest, Corrupt, NotFound
from rig.info import misspelt
from rig.infos import LapKind, SessionKind, SessionSource
from rig.v1 import lap_pb2, laps_pb2, season_pb2, session_pb2
from rigclient.requests import WallClock, slots, time_ns
from riglap.lap import Lap

ALL: Final = "sessions/-"
"""In place of a session: all of them."""

BEST: Final = "best"
"""In place of a lap: the fastest valid one."""

LAST: Final = "last"
"""In place of a lap: the newest complete one of the local player, where there is none of any car."""

KEPT_LATER: Final = "a lap is kept some seconds after it ends"
"""Hint where there is nothing yet."""

_LISTED: Final = 5

PAGE: Final = 200
"""Sessions or laps asked for at a time: some 50 kB."""

Span = tuple[float | None, float | None]
"""From (inclusive) and until (exclusive); None is open."""

Progress = Callable[[int, int], None]
"""Told the bytes read so far and of the whole, 0 while nobody knows."""


class SessionFilter(TypedDict, total=False):
    """Which sessions. What is not given does not restrict."""

    track: str
    """Part of the track's name."""
    kind: SessionKind
    source: SessionSource
    imported: bool | None
    """Made of files of other programs; False: recorded by the rig."""
    since: WallClock
    """Began then or later."""
    until: WallClock
    """Began before."""
    page_size: int


class LapFilter(TypedDict, total=False):
    """Which laps, and in which order. What is not given does not restrict."""

    track: str
    """Part of the track's name."""
    cars: Iterable[int]
    """Slot ids."""
    vehicle: str
    """Part of the vehicle's name."""
    vehicle_class: str
    """Part of the class."""
    user: str
    """The whole name of the user whose laps they are."""
    driver: str
    """Part of the driver's name."""
    valid: bool | None
    complete: bool | None
    pinned: bool | None
    damaged: bool | None
    player: bool | None
    synced: bool | None
    imported: bool | None
    """Made of files of other programs; False: recorded by the rig."""
    since: WallClock
    """Began then or later."""
    until: WallClock
    """Began before."""
    min_lap_time: float | None
    """Seconds."""
    max_lap_time: float | None
    """Seconds."""
    session_kind: SessionKind
    source: SessionSource
    kind: LapKind
    best_of: Literal["", "session", "class", "car", "driver", "track"]
    """Only the fastest valid lap of each."""
    order_by: str
    """Such as "lap_time", "start_time desc": see ListLapsRequest."""
    page_size: int


class SeasonFilter(TypedDict, total=False):
    """Which sessions make a season. What is not given does not restrict."""

    track: str
    """Part of the track's name."""
    vehicle_class: str
    """Part of the class."""
    kind: SessionKind
    """Default: races."""
    source: SessionSource
    since: WallClock
    """Began then or later."""
    until: WallClock
    """Began before."""
    sessions: Iterable[str]
    """These alone, by their whole names."""


class ReadOptions(TypedDict, total=False):
    """Which part of a lap."""

    lap_time: Span | None
    """Seconds since its start."""
    distance: Span | None
    """Metres since the line."""
    max_rate_hz: float
    step_m: float
    """At most one sample in so many metres."""


def list_sessions(**wanted: Unpack[SessionFilter]) -> laps_pb2.ListSessionsRequest:
    """Return the request for sessions. Raises BadRequest for an unknown word, a clock out of range."""
    _check(wanted, SessionFilter, "sessions")
    return laps_pb2.ListSessionsRequest(
        track=wanted.get("track", ""),
        kind=enum_number(session_pb2.SessionKind, wanted.get("kind", "")),
        source=enum_number(session_pb2.SessionSource, wanted.get("source", "")),
        from_time_ns=time_ns(wanted.get("since", 0.0)),
        until_time_ns=time_ns(wanted.get("until", 0.0)),
        imported=wanted.get("imported"),
        page_size=wanted.get("page_size", PAGE),
    )


def list_laps(session: str = ALL, **wanted: Unpack[LapFilter]) -> laps_pb2.ListLapsRequest:
    """Return the request for laps of a session, or of all. Raises BadRequest for an unknown word, a slot id
    or a clock out of range.
    """
    _check(wanted, LapFilter, "laps")
    conditions: dict[str, Any] = {
        name: value
        for name, value in wanted.items()
        if value is not None and name in laps_pb2.LapFilter.DESCRIPTOR.fields_by_name
    }
    conditions |= {
        "cars": slots(wanted.get("cars") or ()),
        "from_time_ns": time_ns(wanted.get("since", 0.0)),
        "until_time_ns": time_ns(wanted.get("until", 0.0)),
        "session_kind": enum_number(session_pb2.SessionKind, wanted.get("session_kind", "")),
        "source": enum_number(session_pb2.SessionSource, wanted.get("source", "")),
        "kind": enum_number(lap_pb2.LapKind, wanted.get("kind", "")),
    }
    return laps_pb2.ListLapsRequest(
        parent=session,
        filter=laps_pb2.LapFilter(**conditions),
        best_of=enum_number(laps_pb2.BestOf, wanted.get("best_of", "")),
        order_by=wanted.get("order_by", ""),
        page_size=wanted.get("page_size", PAGE),
    )


def season_filter(**wanted: Unpack[SeasonFilter]) -> season_pb2.SeasonFilter:
    """Return which sessions make a season. Raises BadRequest as `list_sessions` does."""
    _check(wanted, SeasonFilter, "seasons")
    return season_pb2.SeasonFilter(
        track=wanted.get("track", ""),
        vehicle_class=wanted.get("vehicle_class", ""),
        session_kind=enum_number(session_pb2.SessionKind, wanted.get("kind", "")),
        source=enum_number(session_pb2.SessionSource, wanted.get("source", "")),
        from_time_ns=time_ns(wanted.get("since", 0.0)),
        until_time_ns=time_ns(wanted.get("until", 0.0)),
        sessions=wanted.get("sessions", ()),
    )


def _check(wanted: Mapping[str, Any], known: type, what: str) -> None:
    for name in wanted.keys() - known.__annotations__.keys():
        raise BadRequest(misspelt(what, "condition", name, list(known.__annotations__)))


def read_lap(
    name: str,
    channels: Iterable[str] = (),
    *,
    lap_time: Span | None = None,
    distance: Span | None = None,
    max_rate_hz: float = 0.0,
    step_m: float = 0.0,
) -> laps_pb2.ReadLapRequest:
    """Return a request for the samples of a lap. `lap_time` is in seconds, `distance` in metres since the
    line.
    """
    return laps_pb2.ReadLapRequest(
        name=name,
        channels=list(channels),
        lap_time=_range(lap_time),
        distance=_range(distance),
        max_rate_hz=max_rate_hz,
        step_m=step_m,
        encoding=laps_pb2.ENCODING_BLOCKS,
    )


def read_scoring(
    name: str, channels: Iterable[str] = (), lap_time: Span | None = None, triggers: Iterable[int] = ()
) -> laps_pb2.ReadScoringRequest:
    """Return a request for the scoring updates of a lap."""
    return laps_pb2.ReadScoringRequest(
        name=name, channels=list(channels), lap_time=_range(lap_time), triggers=list(triggers)
    )


def mark(
    before_s: float, after_s: float, at: WallClock | None = None, cars: Iterable[int] = (), note: str = ""
) -> laps_pb2.MarkRequest:
    """Return a request to keep the time around `at`; None: now.

    Raises BadRequest for a slot id or clock out of range.
    """
    return laps_pb2.MarkRequest(
        time_ns=time_ns(at or 0.0), before_s=before_s, after_s=after_s, cars=slots(cars), note=note
    )


def mark_synced(digests: Mapping[str, str]) -> laps_pb2.MarkLapsSyncedRequest:
    """Return a request that tells which laps a warehouse has."""
    synced = [laps_pb2.SyncedLap(name=name, digest=digest) for name, digest in digests.items()]
    return laps_pb2.MarkLapsSyncedRequest(laps=synced)


IMPORT_PIECE_BYTES: Final = 60_000
"""Of a lap file that is sent, in one message: a rig takes requests of 64 KiB."""
_SLOWEST_BYTES_S: Final = 100_000
_LEAST_S: Final = 60.0


def import_lap(
    session: session_pb2.Session, data: bytes, *, replace: bool = False
) -> Callable[[], Iterator[laps_pb2.ImportLapRequest]]:
    """Return what gives the messages that bring a lap file to a rig. Raises Corrupt for what is no lap
    file.
    """
    from rig.lapfile import LapFile  # loads zstandard, which those who only follow streams do without

    file = LapFile(data)
    name, digest = file.header.lap.name, file.digest
    start = laps_pb2.LapImport(session=session, lap=name, size=len(data), digest=digest, replace=replace)

    def messages() -> Iterator[laps_pb2.ImportLapRequest]:
        yield laps_pb2.ImportLapRequest(start=start)
        for at in range(0, len(data), IMPORT_PIECE_BYTES):
            yield laps_pb2.ImportLapRequest(data=data[at : at + IMPORT_PIECE_BYTES])

    return messages


def sending(method: Any, size: int) -> Callable[..., Any]:
    """Return a call that sends what its request gives, anew in every try, with the time that so many bytes
    may take.
    """
    return lambda request, timeout: method(request(), timeout=max(timeout, _LEAST_S, size / _SLOWEST_BYTES_S))


class WantedChannels(NamedTuple):
    """Channels of a lap that a caller wants, formulas among them."""

    needed: tuple[str, ...]
    """What the rig is asked for."""
    formulas: Mapping[str, str]

    def made(self, lap: Lap) -> Lap:
        """Return the lap with the formulas. Raises BadRequest, MissingChannel."""
        if not self.formulas:
            return lap
        from riglap.formulas import with_formulas

        return with_formulas(lap, self.formulas)


def wanted(channels: Iterable[str]) -> WantedChannels:
    """Return what a caller wants of a lap. Raises BadRequest for a wrong formula."""
    names = tuple(channels)
    if not any("=" in name for name in names):
        return WantedChannels(names, {})
    from riglap.formulas import chosen  # which most callers do without

    found = chosen(names)
    return WantedChannels(found.needed(), found.formulas)


class Reading:
    """A lap file as it arrives, part by part."""

    def __init__(self, total: int = 0, progress: Progress | None = None) -> None:
        self._parts: list[bytes] = []
        self._done, self._total = 0, total
        self._progress = progress

    def take(self, response: laps_pb2.ReadLapResponse) -> None:
        """Take the next part. Raises Corrupt when it comes to more than a lap file can have."""
        from rig.lapfile import FILE_LIMIT  # loads zstandard, which those who only follow streams do without

        self._parts.append(response.data)
        self._done += len(response.data)
        if self._done > FILE_LIMIT:
            raise Corrupt(f"the lap came to more than {FILE_LIMIT} bytes, which is the limit")
        if self._progress is not None:
            self._progress(self._done, self._total)

    def lap(self) -> Lap:
        """Return the lap, once all parts are there. Raises Corrupt."""
        return Lap.from_bytes(self.data())

    def data(self) -> bytes:
        """Return the bytes of its file."""
        return b"".join(self._parts)


def whole(request: laps_pb2.ReadLapRequest) -> bool:
    """Return whether the request is for the file as it lies on the disk, so that its size is known before."""
    return request == laps_pb2.ReadLapRequest(name=request.name, encoding=request.encoding)


def words(enum: Any) -> dict[str, int]:
    """Return the values of an enum by the lower-case words that callers use, without the unspecified one."""
    prefix = enum.keys()[0].removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}


def enum_number(enum: Any, word: str) -> Any:
    """Return the number of a word of an enum, 0 for none. Raises BadRequest for another."""
    known = words(enum)
    if word and word not in known:
        raise BadRequest(f"{word!r} is no {enum.DESCRIPTOR.name}", hint=f"there are {', '.join(known)}")
    return known.get(word, 0)


def only(text: str, found: Sequence[str], names: Sequence[str], where: str) -> str:
    """Return the one name found for `text`. Raises NotFound with the nearest of `names` and the command
    `where` they are listed, BadRequest for several.
    """
    if len(found) == 1:
        return found[0]
    if not found:
        wanted = text.rpartition("/")[2]
        # As much of the end of a name as was given: practice-5f3a-1 of 20261119-100000-...-practice-5f3a-1.
        parts = wanted.count("-") + 1
        ends = {"-".join(name.rpartition("/")[2].split("-")[-parts:]): None for name in names}
        near = difflib.get_close_matches(wanted, ends, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise NotFound(f"nothing is named {text!r}", hint=f"{hint}{where} lists what there is")
    few = ", ".join(name.rpartition("/")[2] for name in found[:_LISTED])
    more = ", ..." if len(found) > _LISTED else ""
    raise BadRequest(f"{text!r} may be {few}{more}", hint="give more of the name")


def _range(span: Span | None) -> laps_pb2.Range | None:
    if span is None:
        return None
    begin, end = span
    return laps_pb2.Range(**{"from": begin, "until": end})  # `from` is a word of Python
