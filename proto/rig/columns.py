"""Tables as wire bytes: made from a template, read and cut by slicing, never parsed field by field.

A record is a head of ten fixed fields, then the columns, then whatever else the message holds (its tail).
Every column's header is four bytes: a two-byte tag (columns have numbers 16 to 2047) and a length padded to
two bytes, which every protobuf parser reads. So all four-byte values of a record lie on four-byte steps, and
the place of a column depends on nothing but the channels and the number of rows.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import FIRST_COLUMN, Channel, Table
from rig.errors import Corrupt

Bytes = bytes | bytearray | memoryview

_HEAD: Final = struct.Struct("<BQBQBIBdBIBIBIBiBBBB")
HEAD_BYTES: Final = _HEAD.size
_TAGS: Final = (0x09, 0x11, 0x1D, 0x21, 0x2D, 0x35, 0x3D, 0x45, 0x48, 0x50)
_ROWS_AT: Final = struct.calcsize("<BQBQBIBdBIBIB")
"""Offset of the value of `rows` in the head."""
_SHORT_LENGTH: Final = 1 << 14
"""Lengths below fit the two-byte form; a tick's longest column is 128 cars x 48 bytes = 6144."""


class Head(NamedTuple):
    """The fixed fields of a record; meanings in `physics.proto`."""

    seq: int
    capture_time_ns: int
    session: int
    session_time: float
    frame: int
    schema: int
    rows: int
    player: int
    after_gap: bool
    whole: bool

    def pack(self) -> bytes:
        """Return the head as wire bytes."""
        # Spelled out: this runs on every tick, and a loop over the pairs takes three times as long.
        a, b, c, d, e, f, g, h, i, j = self
        return _HEAD.pack(
            0x09, a, 0x11, b, 0x1D, c, 0x21, d, 0x2D, e, 0x35, f, 0x3D, g, 0x45, h, 0x48, i, 0x50, j
        )


def read_head(data: Bytes, at: int = 0) -> Head:
    """Return the head of the record that starts at `at`. Raises Corrupt when there is none."""
    try:
        parts = _HEAD.unpack_from(data, at)
    except struct.error as error:
        raise Corrupt(f"a record needs {HEAD_BYTES} bytes, {len(data) - at} are left") from error
    if parts[0::2] != _TAGS:
        raise Corrupt("the bytes do not start with a record's head")
    return Head._make((*parts[1:17:2], bool(parts[17]), bool(parts[19])))


_HEADS: Final = np.dtype(
    {
        "names": [f"tag{at}" for at in range(10)] + list(Head._fields),
        "formats": ["u1"] * 10 + ["<u8", "<u8", "<u4", "<f8", "<u4", "<u4", "<u4", "<i4", "?", "?"],
        "offsets": [0, 9, 18, 23, 32, 37, 42, 47, 52, 54, 1, 10, 19, 24, 33, 38, 43, 48, 53, 55],
        "itemsize": HEAD_BYTES,
    }
)
_PEEK: Final = struct.Struct("<19xIxd6xIxI")


def read_heads(data: Bytes) -> np.ndarray[Any, np.dtype[Any]]:
    """Return many heads, one after another, as an array with a field for each of `Head`. Raises Corrupt."""
    if len(data) % HEAD_BYTES:
        raise Corrupt(f"{len(data)} bytes are no heads of {HEAD_BYTES}")
    heads = np.frombuffer(data, _HEADS)
    if any((heads[f"tag{at}"] != tag).any() for at, tag in enumerate(_TAGS)):
        raise Corrupt("the bytes do not start with a record's head")
    return heads


def peek(data: Bytes) -> tuple[int, float, int, int]:
    """Return session, session clock, schema and rows of a record: a tenth of the price of `read_head`, for
    its tags are not looked at. Raises Corrupt when it is too short for a head.
    """
    try:
        return _PEEK.unpack_from(data)
    except struct.error as error:
        raise Corrupt(f"a record needs {HEAD_BYTES} bytes, this one has {len(data)}") from error


def varint(value: int, least: int = 1) -> bytes:
    """Return `value` as a varint of at least `least` bytes."""
    out = bytearray()
    while value > 0x7F or len(out) + 1 < least:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field: tag, length, payload."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def _column_header(channel: Channel, rows: int) -> bytes:
    length = rows * channel.row_bytes
    return varint(channel.number << 3 | 2, 2) + varint(length, 2 if length < _SHORT_LENGTH else 6)


def column(channel: Channel, values: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """Return a column as wire bytes; the first axis of `values` is the rows."""
    return _column_header(channel, len(values)) + values.astype(channel.dtype).tobytes()


def _read_varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Corrupt(f"the record ends inside a number at byte {at}")


_KINDS: Final = ("<f4", "<f8", "<i4", "<u4", "|b1")


def _place(channel: Channel) -> tuple[int, bool, bool]:
    """Return the order of columns: those of a kind lie side by side, and those with one correction: one call
    serves all. Bytes come last, so that all else keeps to four-byte steps.
    """
    shifted = channel.missing_non_positive or channel.offset != 0.0
    return _KINDS.index(channel.dtype.str), shifted, channel.scale != 1.0


class Template:
    """The wire bytes of a table of `rows` rows with every header in place and a view onto every column.

    `columns[name]` is a writable array, shape (rows,) or (rows, width). `region` spans neighbouring columns
    and the headers between them, so that one call can correct them all: a header reads as a positive finite
    float (anything else would need a length above 16,256), which times 1 or plus 0 stays what it is.
    """

    def __init__(self, table: Table, rows: int) -> None:
        self.table: Table = table
        self.rows: int = rows
        self.order: list[Channel] = sorted(table.channels, key=_place)
        headers = [_column_header(channel, rows) for channel in self.order]
        size = HEAD_BYTES + sum(map(len, headers)) + rows * sum(c.row_bytes for c in self.order)
        # numpy aligns the start of an array to 16 bytes, a bytearray promises nothing.
        self._bytes = np.zeros(size, np.uint8)
        self._head = self._bytes.data[:HEAD_BYTES]
        self.columns: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
        self.starts: dict[str, int] = {}
        """Offset of each column's first value."""
        at = HEAD_BYTES
        for channel, header in zip(self.order, headers, strict=True):
            self._bytes.data[at : at + len(header)] = header
            at = self._place(channel, at + len(header))

    def _place(self, channel: Channel, start: int) -> int:
        end = start + self.rows * channel.row_bytes
        values = self._bytes[start:end].view(channel.dtype)
        self.columns[channel.name] = (
            values if channel.width == 1 else values.reshape(self.rows, channel.width)
        )
        self.starts[channel.name] = start
        return end

    def region(self, channels: Sequence[Channel], dtype: str) -> "Region":
        """Return what lies from the first to the last of `channels`, which must be neighbours in `order`."""
        if not channels:
            return Region(0, np.empty(0, dtype))
        first = self.order.index(channels[0])
        assert list(channels) == self.order[first : first + len(channels)]
        start, last = self.starts[channels[0].name], channels[-1]
        end = self.starts[last.name] + self.rows * last.row_bytes
        return Region(start, self._bytes[start:end].view(dtype))

    def pack(self, head: Head, tail: bytes = b"") -> bytes:
        """Return the record as wire bytes: `head`, the columns as they stand, `tail`."""
        self._head[:] = head.pack()
        return self._bytes.tobytes() + tail


class Region(NamedTuple):
    """Neighbouring columns with the headers between them."""

    start: int
    """Offset of the first value in the record."""
    values: np.ndarray[Any, np.dtype[Any]]


class Layout:
    """Where the columns of a record lie, counted from the record's start.

    Found by one walk and then valid for every record with the same channels and rows; `fits` tells whether
    another record has it, by comparing all headers at once.
    """

    def __init__(self, table: Table, data: Bytes, at: int, end: int) -> None:
        self.rows: int = read_head(data, at).rows
        self._channels: dict[str, Channel] = {}
        self.spans: dict[str, tuple[int, int, int]] = {}
        """Channel name -> offsets of its header, its first value, its end. Of a column that is there twice
        the last counts, as for every protobuf parser.
        """
        self._walk(table, data, at, end)
        headers = np.array(
            [i for start, first, _ in self.spans.values() for i in range(start, first)], np.intp
        )
        self._places = headers
        self._dtype = self._structured()
        self._headers = np.frombuffer(data, np.uint8, end - at, at)[headers].tobytes()

    def _walk(self, table: Table, data: Bytes, at: int, end: int) -> None:
        here = at + HEAD_BYTES
        if here > end:
            raise Corrupt(f"a record needs {HEAD_BYTES} bytes, this one has {end - at}")
        while here < end:
            tag, after_tag = _read_varint(data, here, end)
            if tag >> 3 < FIRST_COLUMN or tag & 7 != 2:
                break
            length, first = _read_varint(data, after_tag, end)
            stop = first + length
            self._take(table.columns.get(tag >> 3), here - at, first - at, stop - at, end - at)
            here = stop
        self.end: int = here - at
        """Offset of the tail."""

    def _take(self, channel: Channel | None, start: int, first: int, stop: int, size: int) -> None:
        if stop > size:
            raise Corrupt(f"a column ends at byte {stop} of a record of {size}")
        if channel is None:
            return  # a channel from the future
        if stop - first != self.rows * channel.row_bytes:
            raise Corrupt(
                f"{channel.name} holds {stop - first} bytes, "
                f"{self.rows} rows need {self.rows * channel.row_bytes}"
            )
        self.spans[channel.name] = (start, first, stop)
        self._channels[channel.name] = channel

    def fits(self, data: Bytes, at: int, end: int) -> bool:
        """Return whether the record at `at` has this layout."""
        if end - at < self.end:
            return False
        if end - at > self.end and data[at + self.end] > 0x7F:
            return False  # one more column: only their tags have two bytes
        return np.frombuffer(data, np.uint8, self.end, at)[self._places].tobytes() == self._headers

    def _structured(self) -> np.dtype[Any]:
        """Return the record as one numpy type with a field per column: 0.2 us a column, where an array made
        from the bytes takes 0.8.
        """
        channels = self._channels.values()
        shapes = [(self.rows,) if c.width == 1 else (self.rows, c.width) for c in channels]
        return np.dtype(
            {
                "names": list(self.spans),
                "formats": [(c.dtype, shape) for c, shape in zip(channels, shapes, strict=True)],
                "offsets": [first for _, first, _ in self.spans.values()],
                "itemsize": self.end,
            }
        )

    def view(self, data: Bytes, at: int) -> np.ndarray[tuple[()], np.dtype[Any]]:
        """Return the record at `at`, without a copy: `view[name]` is a column, shape (rows,) or (rows,
        width).
        """
        return np.ndarray((), self._dtype, data, at)


class Layouts:
    """The layouts met so far, by channels and rows. One per stream: a stream's channels do not change.

    `whole` says that all records hold all columns, as they do in a ring: then schema and rows decide the
    layout, and it is not compared again.
    """

    def __init__(self, table: Table, whole: bool = False) -> None:
        self.table: Table = table
        self._whole = whole
        self._known: dict[tuple[int, int], Layout] = {}

    def of(self, head: Head, data: Bytes, at: int, end: int) -> Layout:
        """Return the layout of the record at `at`, whose head is `head`. Raises Corrupt."""
        key = (head.schema, head.rows)
        layout = self._known.get(key)
        if layout is None or not (self._whole or layout.fits(data, at, end)):
            layout = Layout(self.table, data, at, end)
            if self._whole:
                self._check(head, layout)
            self._known[key] = layout
        return layout

    def _check(self, head: Head, layout: Layout) -> None:
        """Raise Corrupt unless a record of today's channels has them all, any other at least `id`."""
        due = self.table.by_name.keys() if head.schema == self.table.schema else {"id"}
        if missing := due - layout.spans.keys():
            raise Corrupt(f"record {head.seq} has no column {min(missing)!r}")


class Cut:
    """Takes some channels and some rows out of records of one layout, by slicing.

    `rows` None keeps all rows. What is cut is a record of its own: same head but for `rows`, same tail.
    """

    def __init__(self, layout: Layout, channels: Sequence[Channel], rows: Sequence[int] | None) -> None:
        self._end = layout.end
        kept = sorted((layout.spans[c.name], c) for c in channels if c.name in layout.spans)
        if rows is None:
            self._pieces = _merged([(start, stop) for (start, _, stop), _ in kept])
        else:
            self._pieces = [(0, _ROWS_AT), struct.pack("<I", len(rows)), (_ROWS_AT + 4, HEAD_BYTES)]
            for (_, first, _), channel in kept:
                self._pieces += _picked(channel, first, rows)

    def __call__(self, data: bytes) -> list[bytes | memoryview]:
        """Return the pieces of the cut record; join them."""
        view = memoryview(data)
        parts = [view[p[0] : p[1]] if isinstance(p, tuple) else p for p in self._pieces]
        if len(data) > self._end:
            parts.append(view[self._end :])
        return parts


_Piece = tuple[int, int] | bytes


def _merged(spans: list[tuple[int, int]]) -> list[_Piece]:
    """Return spans after the head, neighbours joined."""
    out: list[tuple[int, int]] = [(0, HEAD_BYTES)]
    for start, stop in spans:
        if start == out[-1][1]:
            out[-1] = (out[-1][0], stop)
        else:
            out.append((start, stop))
    return list(out)


def _picked(channel: Channel, first: int, rows: Sequence[int]) -> list[_Piece]:
    size = channel.row_bytes
    out: list[_Piece] = [_column_header(channel, len(rows))]
    return out + [(first + row * size, first + (row + 1) * size) for row in rows]
