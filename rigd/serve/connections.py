"""What a connection may take of the server, and how long it may say nothing.

A silent one costs a descriptor and 20 kB. When the descriptors are used up, nobody is accepted, and the
server opens no file: 200 silent connections did that to a process that may have 256.
"""

import math
import resource
from typing import Final

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
    """Return the connections that the files of this process leave room for, the most it may open being asked
    for.
    """
    soft, hard = (math.inf if one == resource.RLIM_INFINITY else one for one in _files())
    files = int(min(MAX_CONNECTIONS + _OWN_FILES, hard))
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, _files()[1]))
    return max(files - _OWN_FILES, 1)


def _files() -> tuple[int, int]:
    """Return descriptors this process may have, and how many it may ask for."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def options() -> tuple[tuple[str, int], ...]:
    """Return the limits as gRPC's server takes them."""
    return (
        ("grpc.max_allowed_incoming_connections", limit()),
        ("grpc.max_connection_idle_ms", IDLE_S * 1000),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
        ("grpc.max_concurrent_streams", 2 * MAX_CALLS_PER_CLIENT),
    )
