"""What goes over the wire and into the ring: records, responses, errors, cursors."""

import base64
import struct
import zlib
from functools import cache
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from rig.channels import PHYSICS, SCORING, Table
from rig.columns import HEAD_BYTES, Cut, Head, Layout, field, peek, read_head, read_heads
from rig.errors import CursorExpired, RigError
from rig.v1 import event_pb2, telemetry_pb2
from rigclient import requests
from rigclient.cli.commands.bookmark import Bookmark, cursor_of, cursor_text
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.resume import Reception, framed, unpack_events
from rigclient.wire import translated
from rigd.serve.cursor import Cursor
from tests.fuzz.target import Target, file_of
from tests.rig.cursors import CURSORS, old
from tests.rig.samples import TAIL, record

_CURSOR = Cursor(b"8 bytes!", 1, 123_456)


# Records.


def _records(table: Table, tail: bytes = b"") -> list[bytes]:
    whole = record(table, 0)
    twice = whole + whole[HEAD_BYTES:] + tail
    return [*(record(table, rows, tail=tail) for rows in (0, 1, 3)), twice]


def _record(table: Table, data: bytes) -> None:
    """Head, columns, and cuts of them, which are records of their own."""
    head = read_head(data)
    layout = Layout(table, data, 0, len(data))
    assert layout.rows == head.rows
    assert layout.fits(data, 0, len(data)) or data[layout.end] > 0x7F, "its tail looks like a column"
    _check_columns(table, layout, data, head)
    known = [channel for channel in table.columns.values() if channel.name in layout.spans]
    for channels, rows in ((known[::2], None), (known, tuple(range(min(head.rows, 2))))):
        cut = b"".join(Cut(layout, channels, rows)(data))
        part = Layout(table, cut, 0, len(cut))
        assert part.spans.keys() == {channel.name for channel in channels}
        assert part.rows == (head.rows if rows is None else len(rows))
        _check_columns(table, part, cut, read_head(cut))


def _check_columns(table: Table, layout: Layout, data: bytes, head: Head) -> None:
    view = layout.view(data, 0)
    assert view.dtype.names == tuple(layout.spans)
    for channel in table.columns.values():
        if channel.name in layout.spans:
            values = view[channel.name]
            assert values.shape == ((head.rows,) if channel.width == 1 else (head.rows, channel.width))
            assert values.dtype == channel.dtype


def _heads(data: bytes) -> None:
    """Many heads at once are the same heads."""
    heads = read_heads(data)
    assert len(heads) * HEAD_BYTES == len(data)
    for at, row in enumerate(heads):
        head = read_head(data, at * HEAD_BYTES)
        assert (int(row["seq"]), int(row["rows"]), bool(row["whole"])) == (head.seq, head.rows, head.whole)
        assert repr(peek(data[at * HEAD_BYTES :])) == repr(
            (head.session, head.session_time, head.schema, head.rows)
        )


def _peeked(data: bytes) -> None:
    assert len(peek(data)) == 4


# Responses.

_GAP = field(3, event_pb2.Gap(first_seq=3, last_seq=5, count=3).SerializeToString())
_PROGRESS = field(4, telemetry_pb2.Progress(head_seq=9, time_ns=1).SerializeToString())
_SKIPPED = b"\x28\x07"


@cache
def _responses(table: Table) -> list[bytes]:
    cursor, one = (
        field(1, CURSORS.pack(_CURSOR)),
        field(2, record(table, 2, tail=TAIL if table is SCORING else b"")),
    )
    return [
        cursor + one,
        cursor + one + one + _GAP + _SKIPPED,
        cursor + _PROGRESS,
        cursor + _GAP + one + _SKIPPED,
    ]


def _frames(kind: Any, data: bytes) -> None:
    """Frames of one response, looked at in every way that a caller can."""
    decoder = Decoder(kind)
    reception = Reception(requests.physics(), framed(decoder), reconnect=True)
    for frame in reception.take(data):
        assert len(frame) == frame.head.rows
        assert all(len(column) == len(frame) for column in frame.columns().values())
        repr(frame)
        if "id" in frame.channels:
            assert [car.id for car in frame] == frame.id.tolist()
            assert frame.player is None or frame.player.id == frame.head.player
        assert frame.tail() in data
        if isinstance(frame, ScoringFrame):
            assert frame.session_state.SerializeToString() is not None
            assert frame.entry_list is None or frame.entry_list.SerializeToString() is not None
    assert reception.next_request().SerializeToString() is not None


def _events(data: bytes) -> None:
    reception = Reception(requests.events(), unpack_events, reconnect=True)
    for event in reception.take(data):
        assert event.SerializeToString() is not None


def _event_responses() -> list[bytes]:
    event = event_pb2.Event(seq=4, capture_time_ns=1, recorder_started=event_pb2.RecorderStarted(version="1"))
    cursor, one = field(1, CURSORS.pack(_CURSOR)), field(2, event.SerializeToString())
    return [cursor + one, cursor + _GAP + one + one, cursor + _PROGRESS]


def _resumed(data: bytes) -> None:
    """A response after the ring has let go of records: what is missing is known anew."""
    reception = Reception(requests.physics(), framed(Decoder(PhysicsFrame)), reconnect=True)
    reception.take(_responses(PHYSICS)[0])
    reception.recover(CursorExpired("gone", seq=10, first_seq=20))
    for frame in reception.take(data):
        assert all(gap.SerializeToString() is not None for gap in frame.gaps)


def _refusals() -> list[bytes]:
    """Status details, with the text of the status in front."""
    out = []
    for facts in ({"seq": "10", "first_seq": "20"}, {}):
        status = status_pb2.Status(code=11, message="gone (start at the earliest)")
        info = error_details_pb2.ErrorInfo(reason="CURSOR_EXPIRED", domain="rigd", metadata=facts)
        status.details.add().Pack(info)
        out.append(b"gone (start at the earliest)\0" + status.SerializeToString())
    return out


class _Refusal:
    """What gRPC gives a client when a call fails."""

    def __init__(self, data: bytes) -> None:
        text, _, self._details = data.partition(b"\0")
        self._text = text.decode(errors="replace")

    def code(self) -> grpc.StatusCode:
        return list(grpc.StatusCode)[len(self._text) % len(grpc.StatusCode)]

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> list[tuple[str, bytes]]:
        return [("grpc-status-details-bin", self._details)]


def _refused(data: bytes) -> None:
    """The error is one of the tree, and a stream either raises it or goes on."""
    error = translated(_Refusal(data), "here")
    assert isinstance(error, RigError)
    reception = Reception(requests.physics(), framed(Decoder(PhysicsFrame)), reconnect=True)
    reception.take(_responses(PHYSICS)[0])
    assert reception.recover(error) >= 0
    assert reception.next_request().SerializeToString() is not None


# Cursors.


def _cursors() -> list[bytes]:
    made = [Cursor(bytes(8), stream, seq) for stream, seq in ((1, 0), (2, 7), (3, 2**64 - 1))]
    return [pack(cursor) for cursor in made for pack in (CURSORS.pack, old)]


def _cursor(data: bytes) -> None:
    """As it came, and one of release 0.1 with its check put right."""
    body = data[:20].ljust(20, b"\0")
    for each in (body + struct.pack("<I", zlib.crc32(body)), data):
        try:
            found = CURSORS.read(each, old=True)
        except RigError:
            if each is data:
                raise
            continue
        assert each in (old(found), CURSORS.pack(found))


def _bookmark(data: bytes) -> None:
    """A cursor kept in a file by a client."""
    kept = Bookmark(file_of("bookmark", data)).read()
    assert kept is not None
    assert cursor_of(cursor_text(kept)) == kept
    base64.urlsafe_b64encode(kept)


TARGETS = (
    Target("record_of_physics", lambda: _records(PHYSICS), lambda data: _record(PHYSICS, data)),
    Target("record_of_scoring", lambda: _records(SCORING, TAIL), lambda data: _record(SCORING, data)),
    Target("record_heads", lambda: [record(PHYSICS, 1)[:HEAD_BYTES] * n for n in (1, 3)], _heads),
    Target("record_peek", lambda: [record(PHYSICS, 1)[:HEAD_BYTES]], _peeked),
    Target("frames_of_physics", lambda: _responses(PHYSICS), lambda data: _frames(PhysicsFrame, data)),
    Target("frames_of_scoring", lambda: _responses(SCORING), lambda data: _frames(ScoringFrame, data)),
    Target("frames_after_a_gap", lambda: _responses(PHYSICS), _resumed),
    Target("events", _event_responses, _events),
    Target("refusals", _refusals, _refused),
    Target("cursor", _cursors, _cursor),
    Target("bookmark", lambda: [cursor_text(each).encode() for each in _cursors()], _bookmark),
)
