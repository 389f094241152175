"""What a record of the ring has to be, so that everyone who reads it finds what is written."""

from typing import Any

from google.protobuf.message import DecodeError

from rig.channels import Table
from rig.columns import Head, Layout, Layouts, read_head
from rig.errors import Corrupt
from rig.v1 import event_pb2, scoring_pb2


class TableRecords:
    """Records that are tables: a head, every column in its place, and a tail that is a message or nothing."""

    def __init__(self, table: Table, *, tail: bool) -> None:
        self._table, self._tail = table, tail
        self._layouts = Layouts(table)

    def read(self, value: Any) -> Head:
        """Read the head. Raises Corrupt."""
        head = read_head(value)
        if head.schema == self._table.schema:
            layout = self._layouts.of(head, value, 0, len(value))
            missing = self._table.by_name.keys() - layout.spans.keys()
            if missing:
                raise Corrupt(f"it lacks {', '.join(sorted(missing))}")
        else:
            layout = Layout(self._table, value, 0, len(value))  # of another version: what it has must fit
        self._check_tail(bytes(value[layout.end :]))
        return head

    def _check_tail(self, tail: bytes) -> None:
        if tail and not self._tail:
            raise Corrupt(f"{len(tail)} bytes follow the last column")
        try:
            scoring_pb2.Scoring.FromString(tail)
        except DecodeError as error:
            raise Corrupt(f"what follows the columns is no message: {error}") from error


class EventRecords:
    """Records that are one message."""

    def read(self, value: Any) -> event_pb2.Event:
        """Read the event. Raises Corrupt."""
        try:
            return event_pb2.Event.FromString(bytes(value))
        except DecodeError as error:
            raise Corrupt(f"it is no event: {error}") from error
