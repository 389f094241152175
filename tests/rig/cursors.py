"""Cursors of a rig that no test has, and those of release 0.1."""

import struct
import zlib

from rigd.auth.seal import Seal
from rigd.serve.cursor import Cursor, Cursors

CURSORS = Cursors(Seal(bytes(32)))


def old(cursor: Cursor) -> bytes:
    """As release 0.1 packed it: with a checksum that anybody can compute."""
    body = struct.pack("<2sBB8sQ", b"rc", 1, cursor.stream, cursor.ring, cursor.seq)
    return body + struct.pack("<I", zlib.crc32(body))
