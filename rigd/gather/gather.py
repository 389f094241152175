"""Gathering: from records of all cars to the columns of one car, in one pass over the ring."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

import rigd
from rig import parse
from rig.channels import LAP, PHYSICS, SCORING, Channel, Table
from rig.columns import HEAD_BYTES, Layout, Layouts, peek, read_head, read_heads
from rig.errors import Corrupt
from rig.v1 import archive_pb2, event_pb2, lap_pb2, scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.gather.distance import distances, held, update_distances
from rigd.gather.gaps import gaps_of
from rigd.ring import RingReader
from riglap.flags import green

Array = np.ndarray[Any, np.dtype[Any]]

_BATCH: Final = 256
"""Records of one read transaction: about 2 ms."""
_SLACK_S: Final = 0.25
"""A frame's clock is that of its earliest car; the player's sample may be 20 ms ahead of it."""
_EVENT_SLACK_S: Final = 2.0
"""Events are told by two clocks, telemetry's and scoring's, which lie up to 0.2 s apart."""
MOST_ROWS: Final = 180_000
"""Rows kept of a lap: an hour at 50 Hz, 170 MB on the way. A car that nobody drives home may stand longer."""
_MOST_MISSING: Final = (1 << 32) - 1
"""A uint32 of the contract; a ring may declare more."""
_LATER: Final = frozenset(("update_time", "update_distance"))
"""Channels that records of release 0.1 do not have: what is missing is NaN."""
_HEAD_NAMES: Final = ("seq", "capture_time_ns", "session_time")
_WORD: Final = 4
_MOST_WORDS: Final = 512
"""More than any row has; a pass that met none still gives empty columns of the right shape."""


class Gathered(NamedTuple):
    """A lap as the archive keeps it: arrays of shape (rows,) or (rows, width) by channel name."""

    header: archive_pb2.LapHeader
    samples: dict[str, Array]
    scoring: dict[str, Array]


class _Picker:
    """Where one row's values lie in a record of one layout: words of four bytes, and flags of one."""

    def __init__(self, table: Table, layout: Layout, row: int) -> None:
        if missing := table.by_name.keys() - layout.spans.keys() - _LATER:
            raise Corrupt(f"a record of the ring has no column {min(missing)!r}")
        words: list[Array] = []
        flags: list[Array] = []
        self.blanks: list[tuple[slice, Array]] = []
        """Words of channels that the record does not have, and their missing values."""
        for channel in table.channels:
            places = np.arange(channel.row_bytes)
            if channel.name in layout.spans:
                places += layout.spans[channel.name][1] + row * channel.row_bytes
            else:
                blank = np.full(channel.width, np.nan, channel.dtype).view("<u4")
                at = sum(map(len, words)) // _WORD
                self.blanks.append((slice(at, at + len(blank)), blank))
            (flags if channel.dtype.itemsize == 1 else words).append(places)
        self.words = np.concatenate(words)[::_WORD] // _WORD
        self.flags = np.concatenate(flags)
        first_id = layout.spans["id"][1] + row * _WORD
        self.slot = slice(first_id, first_id + _WORD)
        self.count = layout.end // _WORD
        self.end = layout.end


class _CarRows:
    """The rows of one car that a pass has met so far."""

    def __init__(self, table: Table, car: int, most: int) -> None:
        self._table, self._most = table, most
        self._car = car.to_bytes(_WORD, "little", signed=True)
        self._pickers: dict[tuple[int, int], _Picker] = {}
        self._heads: list[bytes] = []
        self._words: list[Array] = []
        self._flags: list[Array] = []
        self.unreadable: dict[int, str] = {}
        """Numbers of records that cannot be read, and why."""
        self.left_out = 0
        """Rows beyond the most that are kept."""

    def take(self, key: tuple[int, int], data: Any, layouts: Layouts) -> None:
        """Copy the car's row, if it is in the record. `key` is schema and rows of the record."""
        picker = self._pickers.get(key)
        if picker is None or data[picker.slot] != self._car:
            picker = self._find(data, layouts)
            if picker is None:
                return
            self._pickers[key] = picker
        if len(self._heads) >= self._most:
            self.left_out += 1
            return
        if len(data) < picker.end:
            raise Corrupt(f"a record of the ring has {len(data)} bytes, its columns need {picker.end}")
        self._heads.append(bytes(data[:HEAD_BYTES]))
        words = np.frombuffer(data, "<u4", picker.count).take(picker.words)
        for place, blank in picker.blanks:
            words[place] = blank
        self._words.append(words)
        self._flags.append(np.frombuffer(data, np.uint8).take(picker.flags))

    def _find(self, data: Any, layouts: Layouts) -> _Picker | None:
        layout = layouts.of(read_head(data), data, 0, len(data))
        ids = layout.view(data, 0)["id"]
        rows = np.flatnonzero(ids == int.from_bytes(self._car, "little", signed=True))
        return _Picker(self._table, layout, int(rows[0])) if len(rows) else None

    def columns(self) -> dict[str, Array]:
        """Return every channel as an array of its own, and what the head says of each row."""
        heads = read_heads(b"".join(self._heads))
        names = (*_HEAD_NAMES, "whole") if self._table is PHYSICS else _HEAD_NAMES
        out = {name: heads[name].copy() for name in names}
        words, flags = _stacked(self._words, "<u4"), _stacked(self._flags, "u1")
        at = {_WORD: 0, 1: 0}
        for channel in self._table.channels:
            size = 1 if channel.dtype.itemsize == 1 else _WORD
            count = channel.row_bytes // size
            source = words if size == _WORD else flags
            out[channel.name] = _column(channel, source[:, at[size] : at[size] + count])
            at[size] += count
        return out


def _stacked(rows: list[Array], dtype: str) -> Array:
    return np.stack(rows) if rows else np.empty((0, _MOST_WORDS), dtype)


def _column(channel: Channel, raw: Array) -> Array:
    values = np.ascontiguousarray(raw).view(channel.dtype)
    return values[:, 0].copy() if channel.width == 1 else values


class _Pass:
    """One walk over a stream, for some laps of one session."""

    def __init__(
        self, ring: RingReader, stream: bytes, table: Table, laps: Sequence[lap_pb2.Lap], most: int
    ) -> None:
        self.ring, self.stream = ring, stream
        self.layouts = Layouts(table, whole=True)
        self.rows = [_CarRows(table, lap.car, most) for lap in laps]
        self.session = laps[0].session
        self.start = min(lap.start_time for lap in laps) - _SLACK_S
        self.end = max(lap.end_time for lap in laps) + _SLACK_S
        self.wanted = [
            (lap.start_time - _SLACK_S, lap.end_time + _SLACK_S, rows)
            for lap, rows in zip(laps, self.rows, strict=True)
        ]
        self.walk()

    def walk(self) -> None:
        """Walk from the last record before the start to the first after the end."""
        position = self.ring.bisect(self.stream, self._early)
        while (end := self.ring.visit(self.stream, position, _BATCH, self._see)) > position:
            position = end

    def _early(self, value: Any) -> bool:
        head = read_head(value)
        return (head.session, head.session_time) < (self.session, self.start)

    def _see(self, seq: int, data: Any) -> bool:
        session, clock, *key = peek(data)
        if session != self.session or clock > self.end:
            return False
        for start, end, rows in self.wanted:
            if start <= clock <= end:
                try:
                    rows.take((key[0], key[1]), data, self.layouts)
                except Corrupt as error:  # it must not keep the others, nor the laps after this one
                    rows.unreadable[seq] = str(error)
        return True


def gather(
    ring: RingReader,
    laps: Sequence[lap_pb2.Lap],
    session: session_pb2.Session,
    most_rows: int = 0,
) -> list[Gathered]:
    """Return the samples and scoring updates of `laps`, which are of one session, with what happened and what
    is missing. A sample belongs to the lap in which its own clock lies: start <= elapsed_time < end. At most
    `most_rows` of a lap are kept, `MOST_ROWS` without a word of it.
    """
    most_rows = most_rows or MOST_ROWS
    ticks = _Pass(ring, rings.PHYSICS, PHYSICS, laps, most_rows)
    scoring = _Pass(ring, rings.SCORING, SCORING, laps, most_rows)
    events = _events(ring, laps)
    out = []
    for lap, samples, updates in zip(laps, ticks.rows, scoring.rows, strict=True):
        header = archive_pb2.LapHeader(lap=lap, session=session, version=rigd.__version__)
        header.events.extend(event for event in events if _concerns(event, lap))
        out.append(_finished(ring, header, samples, updates))
    return out


def _finished(
    ring: RingReader, header: archive_pb2.LapHeader, ticks: _CarRows, updates: _CarRows
) -> Gathered:
    lap, samples, scoring = header.lap, ticks.columns(), updates.columns()
    samples = _within(samples, samples["elapsed_time"], lap)
    scoring = _within(scoring, scoring["session_time"], lap)
    _measure(samples, scoring, lap)
    header.gaps.extend(gaps_of(ring, samples, lap, ticks.left_out))
    header.gaps.extend(_damaged(seq, why) for seq, why in ticks.unreadable.items())
    if len(scoring["seq"]) and (data := ring.get(rings.SCORING, int(scoring["seq"][-1]))):
        # As it was at the end of the lap, however late the lap is archived.
        header.session.state.CopyFrom(parse.message(scoring_pb2.Scoring, data).session_state)
    lap.samples, lap.scorings = len(samples["seq"]), len(scoring["seq"])
    if (clear := green(header, scoring)) is not None:
        lap.green = clear
    lap.missing = min(sum(gap.count for gap in header.gaps), _MOST_MISSING)
    lap.torn_samples = int(np.count_nonzero(~samples["whole"]))
    if lap.samples:
        lap.start_time_ns, lap.end_time_ns = (int(samples["capture_time_ns"][i]) for i in (0, -1))
    return Gathered(header, samples, scoring)


def _damaged(seq: int, why: str) -> event_pb2.Gap:
    """Return the loss of a tick that the disk has spoiled."""
    return event_pb2.Gap(stream=event_pb2.STREAM_PHYSICS, first_seq=seq, last_seq=seq, count=1, detail=why)


def _within(columns: dict[str, Array], clock: Array, lap: lap_pb2.Lap) -> dict[str, Array]:
    chosen = (clock >= lap.start_time) & (clock < lap.end_time)
    return {name: values[chosen] for name, values in columns.items()}


def _measure(samples: dict[str, Array], scoring: dict[str, Array], lap: lap_pb2.Lap) -> None:
    """Add what the archive makes itself."""
    samples["lap_time"] = samples["elapsed_time"] - lap.start_time
    updates = update_distances(samples, scoring)
    samples["distance"] = distances(samples, updates, lap)
    samples["game_distance"] = held(samples["elapsed_time"], updates["session_time"], updates["lap_distance"])
    scoring["lap_time"] = scoring["session_time"] - lap.start_time
    assert samples.keys() >= LAP.by_name.keys()


def _events(ring: RingReader, laps: Sequence[lap_pb2.Lap]) -> list[event_pb2.Event]:
    """Return events of the time of `laps`, without their position in the ring."""
    session = laps[0].session
    start = min(lap.start_time for lap in laps) - _EVENT_SLACK_S
    end = max(lap.end_time for lap in laps) + _EVENT_SLACK_S

    def early(value: Any) -> bool:
        try:
            event = parse.message(event_pb2.Event, bytes(value))
        except Corrupt:
            return False  # begin before it
        return (event.session, event.session_time) < (session, start)

    out: list[event_pb2.Event] = []

    def see(_: int, data: Any) -> bool:
        try:
            event = parse.message(event_pb2.Event, bytes(data))
        except Corrupt:
            return True  # it is missing in the account of the session
        out.append(event)
        return (event.session, event.session_time) <= (session, end)

    position = ring.bisect(rings.EVENTS, early)
    while (at := ring.visit(rings.EVENTS, position, _BATCH, see)) > position:
        position = at
    for event in out:
        event.seq = 0
    return out


def _concerns(event: event_pb2.Event, lap: lap_pb2.Lap) -> bool:
    """Return whether an event belongs into a lap's file: of its car or of the session, and in its time."""
    if event.session != lap.session or not lap.start_time <= event.session_time < lap.end_time:
        return False
    kind = event.WhichOneof("kind") or ""
    if kind in ("flag_changed", "seat_changed"):
        return True
    body = getattr(event, kind, None)
    return kind != "lap_closed" and getattr(body, "car", None) == lap.car
