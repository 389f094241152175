"""What a connection may take of the server, and how long it may say nothing.

A silent one costs a descriptor and 20 kB. When the descriptors are used up, nobody is accepted, and the
server opens no file: 200 silent connections did that to a process that may have 256.
"""

import contextlib
import ipaddress
import math
import os
import resource
import socket
from typing import Final
from urllib.parse import unquote

MAX_CONNECTIONS: Final = 1024
"""Connections at once, where the process may have as many files; the next one is closed at once."""

IDLE_S: Final = 10
"""Silence, without any call, after which a connection is closed. gRPC's clients open another when they next
ask, which takes 2 ms here.
"""

HANDSHAKE_S: Final = 5
"""Until a connection has said that it is HTTP/2."""

MAX_CALLS_PER_CLIENT: Final = 256
"""Calls open at once over one connection, streams among them. Clients are told to begin no more than twice as
many, so that those beyond the limit are refused by name and do not wait without a word.
"""

MAX_CALLS_OVER_SOCKETS: Final = 2048
"""The same of all clients of a Unix socket together: gRPC does not tell one from another."""

ANY_SOCKET: Final = "unix:"
"""What gRPC calls each of them."""

_OWN_FILES: Final = 64
"""Descriptors that are not for connections: ring, index, lap files being read, sockets."""


def limit() -> int:
    """Connections that the files of this process leave room for, the most it may open being asked for."""
    soft, hard = (math.inf if one == resource.RLIM_INFINITY else one for one in _files())
    files = int(min(MAX_CONNECTIONS + _OWN_FILES, hard))
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, _files()[1]))
    return max(files - _OWN_FILES, 1)


def _files() -> tuple[int, int]:
    """Descriptors this process may have, and how many it may ask for."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def options() -> tuple[tuple[str, int], ...]:
    """As gRPC's server takes them."""
    return (
        ("grpc.max_allowed_incoming_connections", limit()),
        ("grpc.max_connection_idle_ms", IDLE_S * 1000),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
        ("grpc.max_concurrent_streams", 2 * MAX_CALLS_PER_CLIENT),
    )


def host_of(peer: str) -> str:
    """Return the IP address in gRPC's name of a peer; "" for a Unix socket, which has none."""
    return _end_of(peer)[0]


def close(peer: str) -> None:
    """Shut down the connection with a peer, so that a call ends whose client has stopped reading. gRPC has no
    way to do that itself: its own ends wait until what was written is read.
    """
    wanted = _end_of(peer)
    if not wanted[0]:
        return
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), _line(int(name)) as line:
            if line.family in (socket.AF_INET, socket.AF_INET6) and _same(line.getpeername(), wanted):
                line.shutdown(socket.SHUT_RDWR)


def _line(descriptor: int) -> socket.socket:
    """The socket behind one of this process's descriptors, of its own. Raises OSError for what is none."""
    own = os.dup(descriptor)
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise


def _same(name: tuple[str, int], wanted: tuple[str, int]) -> bool:
    return (_plain(name[0]), name[1]) == wanted


def _end_of(peer: str) -> tuple[str, int]:
    """Address and port in `ipv4:192.0.2.7:51000` or `ipv6:%5B2001:db8::7%5D:51000`."""
    family, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if family not in ("ipv4", "ipv6") or not port.isdigit():
        return "", 0
    return _plain(host.strip("[]")), int(port)


def _plain(host: str) -> str:
    """An address as it is written shortest; IPv4 also where it comes through a socket of IPv6."""
    found = ipaddress.ip_address(host)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
