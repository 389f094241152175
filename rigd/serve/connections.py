"""What a connection may take of the server, and how long it may say nothing.

A silent one costs a descriptor and 20 kB. When the descriptors are used up, nobody is accepted, and the
server opens no file: 200 silent connections did that to a process that may have 256.
"""

import asyncio
import contextlib
import ipaddress
import math
import os
import resource
import socket
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote

from rigd.serve.limits import MAX_CALLS_PER_CLIENT, MAX_SILENCE_S, USUAL

IDLE_S: Final = 10
"""Silence, without any call, after which a connection is closed. gRPC's clients open another when they next
ask, which takes 2 ms here.
"""

HANDSHAKE_S: Final = 5
"""Until a connection has said that it is HTTP/2."""

ANY_SOCKET: Final = "unix:"
"""What gRPC calls each of them."""

_OWN_FILES: Final = 64
"""Descriptors that are not for connections: ring, index, lap files being read, sockets."""


def limit(most: int = USUAL.connections) -> int:
    """Return the connections that the files of this process leave room for, the most it may open being
    asked for.
    """
    soft, hard = (math.inf if one == resource.RLIM_INFINITY else one for one in _files())
    files = int(min(most + _OWN_FILES, hard))
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, _files()[1]))
    return max(files - _OWN_FILES, 1)


def _files() -> tuple[int, int]:
    """Return descriptors this process may have, and how many it may ask for."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def options(most: int = USUAL.connections) -> tuple[tuple[str, int], ...]:
    """Return the limits as gRPC's server takes them, for so many connections."""
    return (
        ("grpc.max_allowed_incoming_connections", limit(most)),
        ("grpc.max_connection_idle_ms", IDLE_S * 1000),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
        ("grpc.max_concurrent_streams", 2 * MAX_CALLS_PER_CLIENT),
    )


def host_of(peer: str) -> str:
    """Return the IP address in gRPC's name of a peer; "" for a Unix socket, which has none."""
    return _end_of(peer)[0]


def close(peer: str) -> None:
    """Close the connection with a peer, so that a call ends whose client has stopped reading. gRPC has no
    way to do that itself: its own ends wait until what was written is read.
    """
    wanted = _end_of(peer)
    if not wanted[0]:
        return
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), _line(int(name)) as line:
            if line.family in (socket.AF_INET, socket.AF_INET6) and _same(line.getpeername(), wanted):
                line.shutdown(socket.SHUT_RDWR)


async def write(message: Any, context: Any) -> None:
    """Write a message of a call that holds what others wait for, and close the connection of who has stopped
    reading: four reads of one token kept everybody from the laps that are being driven. Who stops at a socket
    of this machine is waited for.
    """
    writing = asyncio.ensure_future(context.write(message))
    try:
        await asyncio.wait((writing,), timeout=MAX_SILENCE_S)
        if not writing.done():
            close(context.peer())
        await writing
    finally:
        writing.cancel()


class Crowds:
    """Closes connections of an address that has too many. gRPC counts only all of them, and does not tell of
    those without a call: one machine that opens them and says nothing would keep all others out.
    """

    def __init__(self, ports: Collection[int]) -> None:
        self._ports = ports
        """Where the server listens."""
        self._known: dict[int, int] = {}
        """Sockets, in the order in which they were first seen."""

    def disperse(self, most: int) -> Counter[str]:
        """Close what an address has beyond `most`, the newest first. Returns how many, by address."""
        names = os.listdir("/proc/self/fd")
        if len(names) <= most:
            return Counter()  # as a rule: 14 us, and no look at each
        with contextlib.ExitStack() as stack:
            lines = self._accepted(names, stack)
            self._known = {inode: at for at, inode in enumerate(self._in_order(lines))}
            return self._close([lines[inode] for inode in self._known], most)

    def _accepted(self, names: list[str], stack: contextlib.ExitStack) -> dict[int, socket.socket]:
        """The connections to our ports by the number of their socket."""
        found = {}
        for name in names:
            with contextlib.suppress(OSError):
                line = stack.enter_context(_line(int(name)))
                own = (
                    line.family in (socket.AF_INET, socket.AF_INET6) and line.getsockname()[1] in self._ports
                )
                if own and line.getpeername():
                    found[os.fstat(line.fileno()).st_ino] = line
        return found

    def _in_order(self, lines: Mapping[int, socket.socket]) -> list[int]:
        """Those that were seen before come first."""
        return sorted(lines, key=lambda inode: self._known.get(inode, len(self._known)))

    def _close(self, lines: list[socket.socket], most: int) -> Counter[str]:
        seen, closed = Counter[str](), Counter[str]()
        for line in lines:
            with contextlib.suppress(OSError):
                network = _network(line.getpeername()[0])
                seen[network] += 1
                if seen[network] > most:
                    line.shutdown(socket.SHUT_RDWR)
                    closed[network] += 1
        return closed


def _network(host: str) -> str:
    """What counts as one address: of IPv6 the half that a machine cannot choose."""
    plain = ipaddress.ip_address(_plain(host.partition("%")[0]))
    return str(ipaddress.ip_network((plain, 64), strict=False) if plain.version == 6 else plain)


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
