"""Where the server listens, and whether somebody else does."""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig import sockets
from rig.errors import Busy, Unavailable
from rigd.durable import make_private

_PEER: Final = (socket.SOL_SOCKET, socket.SO_PEERCRED)
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of who listens."""

_LISTEN: Final = "0A"
"""The state in /proc/net/tcp."""


def own_address(instance: str) -> str:
    """Return the address of an instance's socket, in a folder that is there: systemd's for the service, else
    the user's own, which nobody else may enter.
    """
    told = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if told:
        return sockets.address(Path(told), instance)
    folder = sockets.own_folder()
    found = sockets.address(folder, instance)
    sockets.path_of(found)
    make_private(folder)
    return found


def ensure_free(address: str) -> None:
    """Raise Busy where somebody listens at an address. A socket file that a killed server left is removed."""
    if address.startswith("unix:"):
        _ensure_free_socket(address)
    else:
        _ensure_free_port(address)


def _ensure_free_socket(address: str) -> None:
    path = sockets.path_of(address)
    if probe := sockets.connected(path):
        with probe:
            raise _held(address, *_CREDENTIALS.unpack(probe.getsockopt(*_PEER, _CREDENTIALS.size))[:1])
    if path.is_socket():
        path.unlink(missing_ok=True)
    elif os.path.lexists(path):
        raise Busy(f"cannot listen on {address}: there is a file", hint="choose another path", path=path)


def _ensure_free_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _held(address, port_holder(int(port))) from None
            raise Unavailable(f"cannot listen on {address}: {error.strerror}", address=address) from error


def _held(address: str, process: int) -> Busy:
    who = f"process {process}" if process else "a process of another user"
    return Busy(
        f"{who} listens on {address}",
        hint="stop it first, or choose another --instance or --address",
        address=address,
    )


def port_holder(port: int) -> int:
    """Return the process that listens on a port; 0 when it cannot be seen."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(descriptor) in wanted:
                return int(descriptor.parts[2])
    return 0


def _inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]


def protect(address: str) -> None:
    """Let only the owner open a server's socket, and its group where the folder is the group's (0750)."""
    if address.startswith("unix:"):
        path = sockets.path_of(address)
        path.chmod(0o660 if path.parent.stat().st_mode & 0o077 == 0o050 else 0o600)
