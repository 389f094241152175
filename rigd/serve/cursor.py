"""Cursors: a position in one stream of one ring, as opaque bytes that this rig alone can make."""

import base64
import hmac
import struct
import zlib
from functools import lru_cache
from typing import Final, NamedTuple

from rig.errors import MalformedCursor
from rigd.auth.seal import SEAL_BYTES, Seal

_BODY: Final = struct.Struct("<2sBB8sQQ")
_MAGIC: Final = b"rc"
_VERSION: Final = 2
_PURPOSE: Final = b"cursor"

CURSOR_BYTES: Final = _BODY.size + SEAL_BYTES

_OLD_BODY: Final = struct.Struct("<2sBB8sQ")
_OLD_CHECK: Final = struct.Struct("<I")
_OLD_VERSION: Final = 1
_OLD_BYTES: Final = _OLD_BODY.size + _OLD_CHECK.size

_SHARED: Final = 256
"""Cursors kept packed: followers with different selections send the same one, and it comes back from all
who acknowledge.
"""


class Cursor(NamedTuple):
    """After record `seq` of stream number `stream` of the ring `ring`."""

    ring: bytes
    stream: int
    seq: int
    boot: int = 0
    """Of what was not on the disk yet; 0: it is."""


class Cursors:
    """Makes and reads cursors. They are sealed: what a client may follow is decided when it asks, and no
    cursor is worth making up.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self.pack = lru_cache(_SHARED)(self._pack)
        """As a client keeps it."""

    def _pack(self, cursor: Cursor) -> bytes:
        body = _BODY.pack(_MAGIC, _VERSION, cursor.stream, cursor.ring, cursor.boot, cursor.seq)
        return body + self._seal.of(_PURPOSE, body)

    def text(self, cursor: Cursor) -> str:
        """Return the cursor as an error message or a terminal shows it."""
        return base64.urlsafe_b64encode(self.pack(cursor)).decode()

    def read(self, data: bytes, *, old: bool = False) -> Cursor:
        """Return the cursor in `data`; with `old` also one of release 0.1, which is checksummed only. Raises
        MalformedCursor for anything that was not made here.
        """
        if len(data) == _OLD_BYTES and data[2] == _OLD_VERSION:
            return _read_old(data, old)
        if len(data) != CURSOR_BYTES:
            raise MalformedCursor(f"a cursor has {CURSOR_BYTES} bytes, this one has {len(data)}")
        magic, version, stream, ring, boot, seq = _BODY.unpack_from(data)
        if magic == _MAGIC and version > _VERSION:
            raise MalformedCursor(f"cursor version {version}, this program reads {_VERSION}")
        cursor = Cursor(ring, stream, seq, boot)
        if not hmac.compare_digest(self.pack(cursor), data):
            raise MalformedCursor(
                "the cursor's bytes were changed, or another rig made it", hint="start without it"
            )
        return cursor


def _read_old(data: bytes, allowed: bool) -> Cursor:
    magic, _, stream, ring, seq = _OLD_BODY.unpack_from(data)
    (check,) = _OLD_CHECK.unpack_from(data, _OLD_BODY.size)
    if magic != _MAGIC or check != zlib.crc32(data[: _OLD_BODY.size]):
        raise MalformedCursor("the cursor's bytes were changed, or are no cursor")
    if not allowed:
        raise MalformedCursor(
            "the cursor is of release 0.1, which is taken on the rig's own machine alone",
            hint="start without it",
        )
    return Cursor(ring, stream, seq)
