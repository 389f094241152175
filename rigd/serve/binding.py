"""Where the server listens, whether somebody else does, and where others find it."""

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rig import sockets
from rig.errors import BadRequest, Busy, Unavailable
from rig.join import MAX_ADDRESSES
from rigd.durable import make_private

_PEER: Final = (socket.SOL_SOCKET, socket.SO_PEERCRED)
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of who listens."""

_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

_ANY: Final = {"0.0.0.0": (True, False), "[::]": (True, True)}  # noqa: S104  what others wrote is recognised
"""Hosts that stand for all addresses of the machine: whether of IPv4, and whether of IPv6."""

_SIOCGIFADDR: Final = 0x8915
"""Asks for the IPv4 address of an interface (netdevice(7))."""

_LISTEN: Final = "0A"
"""The state in /proc/net/tcp."""


def own_address(instance: str) -> str:
    """Return the address of an instance's socket, in a folder that is there: systemd's for the service, else
    the user's own, which nobody else may enter.
    """
    if given := _runtime_folders()[0]:
        return sockets.address(Path(given), instance)
    folder = sockets.own_folder()
    found = sockets.address(folder, instance)
    sockets.path_of(found)
    make_private(folder)
    return found


def is_local(address: str) -> bool:
    """Return whether only this machine can come to an address: a Unix socket, or loopback. A name other than
    localhost may lead anywhere.
    """
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0]
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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
    try:
        family, *_, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except socket.gaierror:
        raise BadRequest(
            f"{address!r}: no such host", hint="write an address of this machine", address=address
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _held(address, port_holder(int(port))) from None
        hint = _other(host) if error.errno in _NOT_OURS else ""
        raise Unavailable(
            f"cannot listen on {address}: {error.strerror}", hint=hint, address=address
        ) from error


def _other(host: str) -> str:
    """What to write instead of an address that is none of this machine's."""
    if host == "[::]":
        return "this machine has no IPv6; write 0.0.0.0 for all addresses of IPv4"
    ours = [*_own_ipv4(), *_own_ipv6()]
    return f"addresses of this machine: {', '.join(ours)}" if ours else "this machine has no address"


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
    """Let only the owner open a server's socket, and its group in the folder that systemd made for the group
    (0750). A home is often as open to a group that has everybody in it.
    """
    if address.startswith("unix:"):
        path = sockets.path_of(address)
        services = path.parent == sockets.SYSTEM or str(path.parent) in _runtime_folders()
        path.chmod(0o660 if services and path.parent.stat().st_mode & 0o077 == 0o050 else 0o600)


def _runtime_folders() -> list[str]:
    """Folders that systemd made for this service."""
    return os.environ.get("RUNTIME_DIRECTORY", "").split(":")


def reachable(addresses: Iterable[str]) -> list[str]:
    """Return where others find a server that listens at `addresses`: all of the machine's own where it
    listens at any, without those of loopback.
    """
    found: dict[str, None] = {}
    for address in addresses:
        host, _, port = address.rpartition(":")
        ipv4, ipv6 = _ANY.get(host, (False, False))
        hosts = [*(_own_ipv4() if ipv4 else ()), *(_own_ipv6() if ipv6 else ())]
        for one in hosts if host in _ANY else [host]:
            found[f"{one}:{port}"] = None
    return list(found)[:MAX_ADDRESSES]


def _own_ipv4() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has none
                request = struct.pack("256s", name.encode()[:15])
                found = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)[20:24]
                if not (own := ipaddress.IPv4Address(found)).is_loopback:
                    yield str(own)


def _own_ipv6() -> Iterator[str]:
    """Those that are the same from everywhere: others need the name of an interface of whoever asks."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            own = ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
            if not (own.is_loopback or own.is_link_local):
                yield f"[{own}]"
