"""Records as lines: aligned text for people, JSON objects for programs."""

from collections.abc import Container, Iterable, Iterator
from typing import Any, Final, Protocol

import numpy as np
from google.protobuf.message import Message

from rig.channels import Channel
from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigclient.cli.commands.gaps import gap_text
from rigclient.cli.commands.messages import numbers
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.plain import json_text
from rigclient.cli.watch.headline import flag_words
from rigclient.frames import Frame
from riglap.times import lap_time

_HEADINGS_EVERY: Final = 40
_HEAD: Final = (("seq", 9), ("clock", 10), ("car", 4))
_CELLS: Final = {"f": 9, "i": 5, "u": 5, "b": 3}
"""Cells of one value, by the kind of its numpy type."""

_FINISH: Final = {0: "running", 1: "finished", 2: "retired", 3: "disqualified"}

Array = np.ndarray[Any, np.dtype[Any]]


class Form(Protocol):
    """How records become lines."""

    def frame(self, frame: Frame) -> Iterator[Line]:
        """Yield the lines of a table's record, those of the gaps before it first."""

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """Yield the lines of an event."""


class Json:
    """One object a line: numbers as numbers, missing values as null."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._names = [channel.name for channel in channels if channel.name != "id"]

    def frame(self, frame: Frame) -> Iterator[Line]:
        """Yield an object per gap, then one per car."""
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
        """Yield the event, with what happened under the name of its kind."""
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
        """Yield a line per gap, then one per car."""
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
        """Yield the event in words."""
        kind = event.WhichOneof("kind")
        if kind == "gap":
            yield Line(f"-- {gap_text(event.gap)}", YELLOW)
            return
        line = Line().right(str(event.seq), 9, DIM).right(f"{event.session_time:.3f}", 11, DIM)
        yield line.put(f" {kind_words(event):<18}", STRONG).put(details(event), TEXT)

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


def _object(facts: dict[str, Any]) -> Line:
    return Line(json_text(facts))


def _value(value: Any) -> Any:
    """Return a number, or a list of them for several values per car."""
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


def kind_words(event: event_pb2.Event) -> str:
    """Return what kind of event it is: sector completed."""
    return (event.WhichOneof("kind") or "event").replace("_", " ")


def details(event: event_pb2.Event, without: Container[str] = ()) -> str:
    """Return what happened, in words, except these fields: sector 1, split time 9.558."""
    match event.WhichOneof("kind"):
        case None:
            return "of a newer kind"
        case "gap":
            return gap_text(event.gap)
        case "flag_changed":
            return flag_words(event.flag_changed)
        case "lap_closed":
            return _closed(event.lap_closed.lap)
        case kind:
            return ", ".join(_facts(getattr(event, kind), without))


def _closed(lap: lap_pb2.Lap) -> str:
    """Return a closed lap in words: car 12, lap 3, A. Alder, 1:32.375; what is valid has nothing more
    to say.
    """
    words = (f"car {lap.car}", f"lap {lap.number + 1}", lap.driver, lap_time(lap.lap_time) or "no time")
    return ", ".join(word for word in (*words, "" if lap.valid else "not valid") if word)


def _facts(message: Message, without: Container[str]) -> Iterator[str]:
    """Yield the fields that are set, with their names; of a session its track, times to the millisecond."""
    for name, value in numbers(message).items():
        inner = getattr(message, name)
        if isinstance(inner, session_pb2.SessionState):
            yield inner.track_name
        elif isinstance(inner, Message):
            yield from _facts(inner, without)
        elif name not in without and value not in ("", [], None):
            yield f"{name.replace('_', ' ')} {_word(name, value)}"


def _word(name: str, value: Any) -> str:
    if name == "finish_status":
        return _FINISH.get(value, str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
