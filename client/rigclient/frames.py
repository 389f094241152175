"""Frames: records as numpy tables, straight from the bytes that came over the wire."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from rig import parse
from rig.channels import PHYSICS, SCORING, Table, formula_columns
from rig.columns import Head, Layout, Layouts, read_head
from rig.errors import Corrupt
from rig.info import no_attribute
from rig.tables import PhysicsColumns, PhysicsRow, ScoringColumns, ScoringRow
from rig.v1 import event_pb2, scoring_pb2, session_pb2, telemetry_pb2

Array = np.ndarray[Any, np.dtype[Any]]

_CURSOR, _RECORDS, _GAP, _PROGRESS, _SKIPPED = 0x0A, 0x12, 0x1A, 0x22, 0x28
_CURSOR_ENDS: Final = {b"\x0a\x2c": 46, b"\x0a\x18": 26}
"""By tag and length where a cursor of our servers ends: it has 44 bytes, and 24 in release 0.1."""
_RECORD_TAG: Final = b"\x12"
_FIXED: Final = {1: 8, 5: 4}
"""Bytes of a number by its wire type."""


class Frame:
    """One record: a row per car, an attribute per channel.

    `frame.engine_rpm` is an array of one value per car, `frame.tyre_temp` one of twelve per car; both are
    views of the received bytes, read-only. Attributes that were not asked for raise AttributeError.
    """

    __slots__ = ("_at", "_data", "_end", "_layout", "_view", "cursor", "gaps", "head", "skipped")

    table: Table
    _car: "type[Car]"

    def __init__(self, data: bytes, at: int, end: int, head: Head, layout: Layout) -> None:
        self._data, self._at, self._end = data, at, end
        self._layout = layout
        self._view = layout.view(data, at)
        self.head: Head = head
        """seq, capture_time_ns, session, session_time, ...: the fixed fields of the record."""
        self.cursor: bytes = b""
        """Resume after this frame. Of ticks that were collected by request only the last has one."""
        self.gaps: tuple[event_pb2.Gap, ...] = ()
        """What is missing right before this frame."""
        self.skipped: int = 0
        """Frames left out right before this one: the latest was asked for, or we may not see them."""

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_"):
            raise AttributeError(name)  # asked for by copy and pickle before there is a view
        try:
            column: Array = self._view[name]
        except ValueError:
            raise no_attribute(f"this {type(self).__name__}", "channel", name, self.channels) from None
        return column

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.channels]

    def __len__(self) -> int:
        return self.head.rows

    def __repr__(self) -> str:
        head = self.head
        return (
            f"<{type(self).__name__} {head.seq}: {head.rows} cars, session {head.session} at "
            f"{head.session_time:.3f} s, {len(self.channels)} channels>"
        )

    @property
    def channels(self) -> list[str]:
        """Names of the channels in this frame."""
        return list(self._layout.spans)

    @property
    def seq(self) -> int:
        """Position in the ring."""
        return self.head.seq

    @property
    def session_time(self) -> float:
        """Session clock, seconds."""
        return self.head.session_time

    def columns(self) -> dict[str, Array]:
        """Return every channel as an array by name, without a copy."""
        view = self._view
        return {name: view[name] for name in self._layout.spans}

    def car(self, slot: int) -> "Car | None":
        """Return the car with this slot id, None when it is not in the frame."""
        rows = np.flatnonzero(self.id == slot)
        return self._car(self, int(rows[0])) if len(rows) else None

    @property
    def player(self) -> "Car | None":
        """The local player's car."""
        return None if self.head.player < 0 else self.car(self.head.player)

    def __iter__(self) -> Iterator["Car"]:
        """Yield the cars."""
        return (self._car(self, row) for row in range(len(self)))

    def tail(self) -> bytes:
        """Return the bytes of the message beside the table."""
        return self._data[self._at + self._layout.end : self._end]


class Car:
    """One row of a frame: `car.speed` is a number, `car.tyre_temp` an array of twelve.

    What was not asked for raises AttributeError.
    """

    __slots__ = ("_frame", "_row")

    def __init__(self, frame: Frame, row: int) -> None:
        self._frame = frame
        self._row = row

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._frame, name)[self._row]

    def __dir__(self) -> list[str]:
        return self._frame.channels

    def __repr__(self) -> str:
        return f"<car {self.id} of {self._frame!r}>"


class PhysicsCar(Car, PhysicsRow):
    """A car in a telemetry tick."""

    __slots__ = ()


class ScoringCar(Car, ScoringRow):
    """A car in a scoring update."""

    __slots__ = ()


class PhysicsFrame(Frame, PhysicsColumns):
    """A telemetry tick."""

    __slots__ = ()
    table = PHYSICS
    _car = PhysicsCar

    if TYPE_CHECKING:

        def car(self, slot: int) -> PhysicsCar | None:
            """Return the car with this slot id, None when it is not in the frame."""

        @property
        def player(self) -> PhysicsCar | None:
            """The local player's car."""

        def __iter__(self) -> Iterator[PhysicsCar]: ...


class ScoringFrame(Frame, ScoringColumns):
    """A scoring update, with the session's state beside it."""

    __slots__ = ()
    table = SCORING
    _car = ScoringCar

    if TYPE_CHECKING:

        def car(self, slot: int) -> ScoringCar | None:
            """Return the car with this slot id, None when it is not in the frame."""

        @property
        def player(self) -> ScoringCar | None:
            """The local player's car."""

        def __iter__(self) -> Iterator[ScoringCar]: ...

    @property
    def session_state(self) -> session_pb2.SessionState:
        """Track, kind, clock, flags, weather."""
        return parse.message(scoring_pb2.Scoring, self.tail()).session_state

    @property
    def entry_list(self) -> session_pb2.EntryList | None:
        """Who is who: on the first frame of a stream, on change, and every ten seconds; else None."""
        message = parse.message(scoring_pb2.Scoring, self.tail())
        return message.entry_list if message.HasField("entry_list") else None


F = TypeVar("F", bound=Frame)


class Envelope:
    """A response taken apart: where its records are, and what stands beside them."""

    __slots__ = ("_marks", "cursor", "gaps", "progress", "records", "skipped")

    def __init__(self, data: bytes) -> None:
        self.cursor: bytes = b""
        self._marks: list[tuple[int, bytes]] = []
        """Cursors, each with the number of records before it."""
        self.records: list[tuple[int, int]] = []
        self.gaps: list[event_pb2.Gap] = []
        self.progress: telemetry_pb2.Progress | None = None
        self.skipped: int = 0
        at = self._usual(data)
        while at < len(data):
            at = self._take(data, at)

    def cursors(self) -> list[bytes]:
        """Return by record the cursor after it, empty where there is none. A cursor is that of the last
        record before the next cursor: messages joined are a message.
        """
        if len(self.records) == 1:
            return [self.cursor]
        found = [b""] * len(self.records)
        for (begin, cursor), (end, _) in pairwise((*self._marks, (len(found), b""))):
            if begin < end:
                found[end - 1] = cursor
        found[-1:] = [self.cursor] * bool(found)
        return found

    def _usual(self, data: bytes) -> int:
        """Take what nearly every response is, a cursor and one record; returns how far that went."""
        end = _CURSOR_ENDS.get(data[:2], len(data))
        if data[end : end + 1] != _RECORD_TAG:
            return 0
        size, at = _varint(data, end + 1)
        if at + size != len(data):
            return 0
        self.cursor = data[2:end]
        self.records.append((at, at + size))
        return at + size

    def _take(self, data: bytes, at: int) -> int:
        tag, at = data[at], at + 1
        if tag > 0x7F:
            tag, at = _varint(data, at - 1)  # a field from the future
        if tag & 7 != 2:
            return self._pass(data, tag, at)
        size, at = _varint(data, at)
        end = at + size
        if end > len(data):
            raise Corrupt(f"the response ends at byte {len(data)}, a field of it at {end}")
        if tag == _RECORDS:
            self.records.append((at, end))
        elif tag == _CURSOR:
            self.cursor = data[at:end]
            self._marks.append((len(self.records), self.cursor))
        elif tag == _GAP:
            self.gaps.append(parse.message(event_pb2.Gap, data[at:end]))
        elif tag == _PROGRESS:
            self.progress = parse.message(telemetry_pb2.Progress, data[at:end])
        return end

    def _pass(self, data: bytes, tag: int, at: int) -> int:
        """Pass the end of a number; all but one are from the future."""
        if tag & 7 == 0:
            value, at = _varint(data, at)
            if tag == _SKIPPED:
                self.skipped = value
            return at
        if tag & 7 not in _FIXED or at + _FIXED[tag & 7] > len(data):
            raise Corrupt(f"the response cannot be read at byte {at}")
        return at + _FIXED[tag & 7]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        try:
            byte = data[at]
        except IndexError:
            raise Corrupt("the response ends inside a number") from None
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Corrupt(f"the response has a number without an end at byte {at}")


class Decoder(Generic[F]):
    """Turns the responses of one stream into frames."""

    def __init__(self, kind: type[F], channels: Iterable[str] = ()) -> None:
        """Of a request for these channels: its formulas become columns of their names. Raises BadRequest."""
        self._kind: Final = kind
        self._layouts = Layouts(kind.table.with_formulas(list(formula_columns(channels))))

    def frames(self, data: bytes, envelope: Envelope) -> list[F]:
        """Return the frames of a response, oldest first. Raises Corrupt."""
        out = []
        for at, end in envelope.records:
            head = read_head(data, at)
            out.append(self._kind(data, at, end, head, self._layouts.of(head, data, at, end)))
        return out
