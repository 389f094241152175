"""`rig tail`: records one line at a time, for people or for programs, and where to go on."""

import base64
import binascii
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from rig.channels import PHYSICS, SCORING, Channel, Table
from rig.errors import MalformedCursor
from rig.v1 import event_pb2
from rigclient.frames import Frame
from rigclient.terminal.line import Line
from rigclient.terminal.palette import DIM, STRONG, TEXT, TITLE, YELLOW

TABLES: Final = {"physics": PHYSICS, "scoring": SCORING}

DEFAULT_CHANNELS: Final = {
    "physics": ("gear", "speed", "engine_rpm", "throttle", "brake", "steering", "lap_number"),
    "scoring": ("place", "laps", "sector", "lap_distance", "last_lap_time", "best_lap_time", "in_pits"),
}
"""Shown when no channels are asked for."""

_HEADINGS_EVERY: Final = 40
_HEAD: Final = (("seq", 9), ("clock", 10), ("car", 4))

Array = np.ndarray[Any, np.dtype[Any]]


class Form(Protocol):
    """How records become lines."""

    def frame(self, frame: Frame) -> Iterator[Line]:
        """The lines of a table's record, those of its gaps first."""

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The lines of an event."""


class Json:
    """One object a line: numbers as numbers, missing values as null."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels = tuple(channels)

    def frame(self, frame: Frame) -> Iterator[Line]:
        """An object per gap, then one per car."""
        for gap in frame.gaps:
            yield _object({"gap": numbers(gap)})
        columns = {channel.name: _values(getattr(frame, channel.name)) for channel in self._channels}
        head = frame.head
        for row, car in enumerate(frame.id.tolist()):
            facts = {
                "seq": head.seq,
                "capture_time_ns": head.capture_time_ns,
                "session": head.session,
                "session_time": head.session_time,
                "car": car,
            }
            yield _object(facts | {name: column[row] for name, column in columns.items()})

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The event, its kind as the name of a field."""
        yield _object(numbers(event))


class Columns:
    """Aligned text with headings now and then; gaps are yellow."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels = tuple(channel for channel in channels if channel.name != "id")
        self._widths = [_cells(channel) for channel in self._channels]
        self._until_heading = 0

    def frame(self, frame: Frame) -> Iterator[Line]:
        """A line per gap, then one per car."""
        for gap in frame.gaps:
            yield Line(f"-- {gap_text(gap)}", YELLOW)
        columns = [getattr(frame, channel.name) for channel in self._channels]
        for row, car in enumerate(frame.id.tolist()):
            if not self._until_heading:
                self._until_heading = _HEADINGS_EVERY
                yield self._heading()
            self._until_heading -= 1
            yield self._row(frame, car, [column[row] for column in columns])

    def event(self, event: event_pb2.Event) -> Iterator[Line]:
        """The event in words."""
        kind = event.WhichOneof("kind") or "event"
        if kind == "gap":
            yield Line(f"-- {gap_text(event.gap)}", YELLOW)
            return
        line = Line().right(str(event.seq), 9, DIM).right(f"{event.session_time:.2f}", 11, TEXT)
        yield line.put(f"  {kind.replace('_', ' '):<17}", STRONG).put(_told(getattr(event, kind)), TEXT)

    def _heading(self) -> Line:
        line = Line()
        for name, cells in _HEAD:
            line.right(name, cells, TITLE).put(" ")
        for channel, cells in zip(self._channels, self._widths, strict=True):
            line.right(_heading(channel), cells, TITLE).put(" ")
        return line

    def _row(self, frame: Frame, car: int, values: list[Any]) -> Line:
        line = Line().right(str(frame.seq), 9, DIM).put(" ").right(f"{frame.session_time:.3f}", 10, DIM)
        line.put(" ").right(str(car), 4, STRONG).put(" ")
        for value, cells in zip(values, self._widths, strict=True):
            line.right(_shown(value), cells, TEXT).put(" ")
        return line
