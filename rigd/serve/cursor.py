"""Cursors: a position in one stream of one ring, as opaque bytes that can be checked."""

import base64
import struct
import zlib
from typing import Final, NamedTuple

from rig.errors import MalformedCursor

_BODY: Final = struct.Struct("<2sBB8sQ")
_CHECK: Final = struct.Struct("<I")
_MAGIC: Final = b"rc"
_VERSION: Final = 1

CURSOR_BYTES: Final = _BODY.size + _CHECK.size


class Cursor(NamedTuple):
    """After record `seq` of stream number `stream` of the ring `ring`."""

    ring: bytes
    stream: int
    seq: int

    def pack(self) -> bytes:
        """As a client keeps it."""
        body = _BODY.pack(_MAGIC, _VERSION, self.stream, self.ring, self.seq)
        return body + _CHECK.pack(zlib.crc32(body))

    def text(self) -> str:
        """As an error message or a terminal shows it."""
        return base64.urlsafe_b64encode(self.pack()).decode()


def read_cursor(data: bytes) -> Cursor:
    """The cursor in `data`. Raises MalformedCursor for anything that `pack` did not make."""
    if len(data) != CURSOR_BYTES:
        raise MalformedCursor(f"a cursor has {CURSOR_BYTES} bytes, this one has {len(data)}")
    magic, version, stream, ring, seq = _BODY.unpack_from(data)
    if magic != _MAGIC or _CHECK.unpack_from(data, _BODY.size)[0] != zlib.crc32(data[: _BODY.size]):
        raise MalformedCursor("the cursor's bytes were changed, or are no cursor")
    if version != _VERSION:
        raise MalformedCursor(f"cursor version {version}, this program reads {_VERSION}")
    return Cursor(ring, stream, seq)
