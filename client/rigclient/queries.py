"""Sessions, laps and marks: what a caller asks for, as the contract's messages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from rig.errors import BadRequest, Corrupt
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigclient.requests import slots, time_ns
from riglap.lap import Lap

ALL: Final = "sessions/-"
"""In place of a session: all of them."""

PAGE: Final = 200
"""Sessions or laps asked for at a time: some 50 kB."""

Span = tuple[float | None, float | None]
"""From (inclusive) and until (exclusive); None is open."""

Progress = Callable[[int, int], None]
"""Told the bytes read so far and of the whole, 0 while nobody knows."""


def list_sessions(
    *,
    track: str = "",
    kind: str = "",
    source: str = "",
    since: float = 0.0,
    until: float = 0.0,
    page_size: int = PAGE,
) -> laps_pb2.ListSessionsRequest:
    """A request for sessions: part of the track's name, `kind` such as "race", `source` such as "demo".

    `since` and `until` are wall clocks, unix seconds. Raises BadRequest for an unknown word.
    """
    return laps_pb2.ListSessionsRequest(
        track=track,
        kind=enum_number(session_pb2.SessionKind, kind),
        source=enum_number(session_pb2.SessionSource, source),
        from_time_ns=time_ns(since),
        until_time_ns=time_ns(until),
        page_size=page_size,
    )


def list_laps(
    session: str | None = None,
    *,
    best_of: str = "",
    order_by: str = "",
    page_size: int = PAGE,
    since: float = 0.0,
    until: float = 0.0,
    session_kind: str = "",
    source: str = "",
    kind: str = "",
    **conditions: Any,
) -> laps_pb2.ListLapsRequest:
    """A request for laps of a session, or of all.

    `best_of` is session, class, car, driver or track; `order_by` is what ListLapsRequest says; `conditions`
    are the other fields of LapFilter. Raises BadRequest for an unknown word, a slot id or clock out of range.
    """
    unknown = conditions.keys() - laps_pb2.LapFilter.DESCRIPTOR.fields_by_name.keys()
    if unknown:
        known = ", ".join(laps_pb2.LapFilter.DESCRIPTOR.fields_by_name)
        raise BadRequest(f"laps have no condition {min(unknown)!r}", hint=f"there are {known}")
    conditions["cars"] = slots(conditions.get("cars") or ())
    chosen = laps_pb2.LapFilter(
        from_time_ns=time_ns(since),
        until_time_ns=time_ns(until),
        session_kind=enum_number(session_pb2.SessionKind, session_kind),
        source=enum_number(session_pb2.SessionSource, source),
        kind=enum_number(lap_pb2.LapKind, kind),
        **{name: value for name, value in conditions.items() if value is not None},
    )
    return laps_pb2.ListLapsRequest(
        parent=session_name(session) if session else ALL,
        filter=chosen,
        best_of=enum_number(laps_pb2.BestOf, best_of),
        order_by=order_by,
        page_size=page_size,
    )


def read_lap(
    name: str,
    channels: Iterable[str] = (),
    *,
    lap_time: Span | None = None,
    distance: Span | None = None,
    max_rate_hz: float = 0.0,
    step_m: float = 0.0,
) -> laps_pb2.ReadLapRequest:
    """A request for the samples of a lap. `lap_time` is in seconds, `distance` in metres since the line."""
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
    """A request for the scoring updates of a lap."""
    return laps_pb2.ReadScoringRequest(
        name=name, channels=list(channels), lap_time=_range(lap_time), triggers=list(triggers)
    )


def mark(
    before_s: float, after_s: float, at: float | None = None, cars: Iterable[int] = (), note: str = ""
) -> laps_pb2.MarkRequest:
    """A request to keep the time around `at`, a wall clock in unix seconds; None: now.

    Raises BadRequest for a slot id or clock out of range.
    """
    return laps_pb2.MarkRequest(
        time_ns=time_ns(at or 0.0), before_s=before_s, after_s=after_s, cars=slots(cars), note=note
    )


def mark_synced(digests: Mapping[str, str]) -> laps_pb2.MarkLapsSyncedRequest:
    """A request that tells which laps a warehouse has."""
    told = [laps_pb2.SyncedLap(name=name, digest=digest) for name, digest in digests.items()]
    return laps_pb2.MarkLapsSyncedRequest(laps=told)


class Reading:
    """A lap file as it arrives, part by part."""

    def __init__(self, total: int = 0, progress: Progress | None = None) -> None:
        self._parts: list[bytes] = []
        self._done, self._total = 0, total
        self._progress = progress

    def take(self, response: laps_pb2.ReadLapResponse) -> None:
        """The next part. Raises Corrupt when it comes to more than a lap file can have."""
        from rig.lapfile import FILE_LIMIT  # loads zstandard, which those who only follow streams do without

        self._parts.append(response.data)
        self._done += len(response.data)
        if self._done > FILE_LIMIT:
            raise Corrupt(f"the lap came to more than {FILE_LIMIT} bytes, which is the limit")
        if self._progress is not None:
            self._progress(self._done, self._total)

    def lap(self) -> Lap:
        """The lap, once all parts are there. Raises Corrupt."""
        return Lap.from_bytes(self.data())

    def data(self) -> bytes:
        """The bytes of its file."""
        return b"".join(self._parts)


def whole(request: laps_pb2.ReadLapRequest) -> bool:
    """The request is for the file as it lies on the disk, so that its size is known before."""
    return request == laps_pb2.ReadLapRequest(name=request.name, encoding=request.encoding)


def session_name(text: str) -> str:
    """`sessions/{session}` for a session's name with or without `sessions/`."""
    return text if text.startswith("sessions/") else f"sessions/{text}"


def session_id(name: str) -> str:
    """5f3a-2 of the name of a session or lap: the end of the session's, its ring and its number in there."""
    session = name.removeprefix("sessions/").partition("/laps/")[0]
    return "-".join(session.rsplit("-", 2)[-2:])


def short_names(names: Sequence[str]) -> list[str]:
    """car012-0003 of laps of one session, 5f3a-2/car012-0003 of several; names that differ stay different."""
    laps = [name.rpartition("/")[2] for name in names]
    if len({name.partition("/laps/")[0] for name in names}) == 1:
        return laps
    short = [f"{session_id(name)}/{lap}" for name, lap in zip(names, laps, strict=True)]
    if len(set(short)) == len(set(names)):
        return short
    return [name.removeprefix("sessions/").replace("/laps/", "/") for name in names]


def words(enum: Any) -> dict[str, int]:
    """The values of an enum by the lower-case words that callers use, without the unspecified one."""
    prefix = enum.keys()[0].removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}


def enum_number(enum: Any, word: str) -> Any:
    """The number of a word of an enum, 0 for none. Raises BadRequest for another."""
    known = words(enum)
    if word and word not in known:
        raise BadRequest(f"{word!r} is no {enum.DESCRIPTOR.name}", hint=f"there are {', '.join(known)}")
    return known.get(word, 0)


def _range(span: Span | None) -> laps_pb2.Range | None:
    if span is None:
        return None
    begin, end = span
    return laps_pb2.Range(**{"from": begin, "until": end})  # `from` is a word of Python
