"""Records as lines: aligned text for people, JSON objects for programs."""

import base64
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import numpy as np
from google.protobuf.message import Message

from rig.channels import Channel
from rig.v1 import event_pb2
from rigclient.commands.gaps import gap_text
from rigclient.frames import Frame
from rigclient.terminal.line import Line
from rigclient.terminal.palette import DIM, STRONG, TEXT, TITLE, YELLOW

_HEADINGS_EVERY: Final = 40
_HEAD: Final = (("seq", 9), ("clock", 10), ("car", 4))
_CELLS: Final = {"f": 9, "i": 5, "u": 5, "b": 3}
"""Cells of one value, by the kind of its numpy type."""

Array = np.ndarray[Any, np.dtype[Any]]


class Form(Protocol):
    """How records become lines."""

    def frame(self, frame: Frame) -> Iterator[Line]:
        """The lines of a table's record, those of the gaps before it first."""

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The lines of an event."""


class Json:
    """One object a line: numbers as numbers, missing values as null."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._names = [channel.name for channel in channels if channel.name != "id"]

    def frame(self, frame: Frame) -> Iterator[Line]:
        """An object per gap, then one per car."""
        for gap in frame.gaps:
            yield _object({"gap": numbers(gap)})
        head = frame.head
        facts = {
            "seq": head.seq,
            "capture_time_ns": head.capture_time_ns,
            "session": head.session,
            "session_time": head.session_time,
        }
        columns = [getattr(frame, name) for name in self._names]
        for row, car in enumerate(frame.id.tolist()):
            values = zip(self._names, (_value(column[row]) for column in columns), strict=True)
            yield _object({**facts, "car": car, **dict(values)})

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The event, with what happened under the name of its kind."""
        yield _object(numbers(event))


class Columns:
    """Aligned text with headings now and then; gaps stand out in yellow."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels = [channel for channel in channels if channel.name != "id"]
        self._cells = [
            max(len(_heading(c)), c.width * (_CELLS[c.dtype.kind] + 1) - 1) for c in self._channels
        ]
        self._until_heading = 0
        self._nobody = False

    def frame(self, frame: Frame) -> Iterator[Line]:
        """A line per gap, then one per car."""
        for gap in frame.gaps:
            yield Line(f"-- {gap_text(gap)}", YELLOW)
        if not len(frame) and not self._nobody:
            yield Line("-- no such car in this session; --cars all shows everyone", DIM)
        self._nobody = not len(frame)
        columns = [getattr(frame, channel.name) for channel in self._channels]
        for row, car in enumerate(frame.id.tolist()):
            if not self._until_heading:
                self._until_heading = _HEADINGS_EVERY
                yield self._headings()
            self._until_heading -= 1
            yield self._row(frame, car, [column[row] for column in columns])

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The event in words."""
        kind = event.WhichOneof("kind")
        if kind == "gap":
            yield Line(f"-- {gap_text(event.gap)}", YELLOW)
            return
        line = Line().right(str(event.seq), 9, DIM).right(f"{event.session_time:.3f}", 11, DIM)
        line.put(f" {(kind or 'event').replace('_', ' '):<18}", STRONG)
        yield line.put(_told(getattr(event, kind)) if kind else "of a newer kind", TEXT)

    def _headings(self) -> Line:
        line = Line()
        for name, cells in _HEAD:
            line.right(name, cells, TITLE).put(" ")
        for channel, cells in zip(self._channels, self._cells, strict=True):
            line.right(_heading(channel), cells, TITLE).put(" ")
        return line

    def _row(self, frame: Frame, car: int, values: list[Any]) -> Line:
        line = Line().right(str(frame.seq), 9, DIM).put(" ")
        line.right(f"{frame.session_time:.3f}", 10, DIM).put(" ").right(str(car), 4, STRONG).put(" ")
        for value, channel, cells in zip(values, self._channels, self._cells, strict=True):
            line.right(_shown(value, channel), cells, TEXT).put(" ")
        return line


def numbers(message: Message) -> dict[str, Any]:
    """A message with the contract's names, and 64-bit numbers as numbers; unset fields are left out."""
    return {
        field.name: _plain(field.enum_type, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _plain(enum: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return numbers(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        known = enum.values_by_number.get(value) if enum else None
        return value if known is None else known.name
    return [_plain(enum, one) for one in value]


def _object(facts: dict[str, Any]) -> Line:
    return Line(json.dumps(facts, allow_nan=False, ensure_ascii=False))


def _value(value: Any) -> Any:
    """A number, or a list of them for several values per car."""
    if isinstance(value, np.ndarray):
        return [_value(one) for one in value]
    if isinstance(value, np.floating):
        # The shortest text that reads back as the same float32, not its expansion to a double.
        return float(str(value)) if np.isfinite(value) else None
    return value.item()


def _heading(channel: Channel) -> str:
    return f"{channel.name} {channel.unit}".rstrip()


def _shown(value: Any, channel: Channel) -> str:
    if channel.width > 1:
        return " ".join(_one(part).rjust(_CELLS[channel.dtype.kind]) for part in value)
    return _one(value)


def _one(value: Any) -> str:
    if isinstance(value, np.floating):
        return "-" if np.isnan(value) else f"{value:.3f}"
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    return str(value)


def _told(message: Message) -> str:
    """The fields that are set, as name value pairs; messages inside a message only by their track."""
    facts = numbers(message)
    state = facts.pop("session_state", None)
    words = [str(state["track_name"])] if state else []
    words += [f"{name} {value}" for name, value in facts.items() if value not in ("", [], None)]
    return ", ".join(words)
