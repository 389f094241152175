"""What the process that makes a backup writes to standard output: messages, each with its length before
it.
"""

import struct
import time
from collections.abc import Iterator
from typing import IO, Final

from rig import parse
from rig.v1 import rig_pb2

_LENGTH: Final = struct.Struct("<I")
_MESSAGE_BYTES: Final = (1 << 20) - 4096
_EVERY_S: Final = 0.2
"""Between two messages that tell nothing but how far it is."""


class MessageWriter:
    """The file as it is written, in messages. It is what `MemberWriter` takes for a file."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._held = bytearray()
        self._said_at = time.monotonic()
        self.now = rig_pb2.BackupResponse()

    def write(self, data: bytes) -> int:
        """Take the next bytes of the file."""
        self._held += data
        while len(self._held) >= _MESSAGE_BYTES:
            self._say(bytes(self._held[:_MESSAGE_BYTES]))
            del self._held[:_MESSAGE_BYTES]
        if time.monotonic() > self._said_at + _EVERY_S:
            self._say(b"")
        return len(data)

    def flush(self) -> None:
        """Do nothing: the last bytes come with `close`."""

    def close(self) -> None:
        """Write what is left."""
        self._say(bytes(self._held))

    def _say(self, data: bytes) -> None:
        self._said_at = time.monotonic()
        self.now.data = data
        message = self.now.SerializeToString()
        self._out.write(_LENGTH.pack(len(message)) + message)
        self._out.flush()


def read_messages(out: IO[bytes]) -> Iterator[rig_pb2.BackupResponse]:
    """Yield the messages, until there are no more or the process ends within one."""
    while len(head := out.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(head)
        if len(data := out.read(size)) == size:
            yield parse.message(rig_pb2.BackupResponse, data)
