"""Where a rig answers, in words: host:port, or unix:PATH."""

import re
from typing import Final

from rig.errors import BadRequest

UNIX: Final = "unix:"
_LONGEST_PATH: Final = 107
"""Bytes; the kernel's limit for the path of a socket."""
_LAST_PORT: Final = 65_535
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]\x00-\x20]+")
_HINT: Final = "write host:port, or unix:PATH for a socket"


def check(address: str, *, first_port: int = 1) -> None:
    """Raise BadRequest for what names no place where a rig could answer; 0 as `first_port` leaves the choice
    of a port to the system.
    """
    if address.startswith(UNIX):
        _check_path(address.removeprefix(UNIX), address)
        return
    host, _, port = address.rpartition(":")
    if not _HOST.fullmatch(host):
        raise BadRequest(f"{address!r} names no host", hint=_HINT, address=address)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and first_port <= int(port) <= _LAST_PORT):
        said = f"{port!r} is no port" if port else "the port is missing"
        raise BadRequest(f"{address!r}: {said}", hint=f"a number from 1 to {_LAST_PORT}", address=address)


def _check_path(path: str, address: str) -> None:
    if not path or "\0" in path:
        raise BadRequest(f"{address!r} names no file", hint=_HINT, address=address)
    size = len(path.encode(errors="surrogateescape"))
    if size > _LONGEST_PATH:
        raise BadRequest(
            f"the path of the socket has {size} bytes", hint=f"{_LONGEST_PATH} at most", address=address
        )
