"""The event loop of the server: takes what gRPC has finished all at once."""

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, Final

import uvloop

_COUNT: Final = struct.Struct("i")


class Loop(uvloop.Loop):
    """gRPC's thread writes a byte for everything that it has finished. Its reader takes one byte and all that
    is finished: the bytes of 32 messages would wake the loop 31 times more, for nothing.
    """

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        """Have a socket read; of gRPC's own, which alone is a pair of streams, all bytes but one go first."""
        if isinstance(fd, socket.socket) and fd.family == socket.AF_UNIX and fd.type == socket.SOCK_STREAM:
            super().add_reader(fd, _at_once, fd, callback, *args)
        else:
            super().add_reader(fd, callback, *args)


def _at_once(pair: socket.socket, callback: Callable[..., Any], *args: Any) -> None:
    (count,) = _COUNT.unpack(fcntl.ioctl(pair, termios.FIONREAD, bytes(_COUNT.size)))
    if count > 1:
        pair.recv(count - 1)
    callback(*args)
