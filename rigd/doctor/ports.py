"""Where the server is to listen: free, or held by whom."""

import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rig import sockets
from rig.errors import Busy, RigError
from rig.regular import shown
from rigd.check import Check, ok, wrong
from rigd.doctor.processes import Process
from rigd.serve.binding import ensure_free, port_holder

_PEER: Final = (socket.SOL_SOCKET, socket.SO_PEERCRED)
_CREDENTIALS: Final = struct.Struct("3i")


def check_ports(instance: str, addresses: Iterable[str], processes: Iterable[Process]) -> Iterator[Check]:
    """Look at the socket of an instance, and at every other address. Removes nothing."""
    servers = {process.pid for process in processes if process.daemon == "serve"}
    try:
        own = sockets.address(sockets.own_folder(), instance)
    except RigError as error:
        yield wrong("socket", str(error), "remove what is there, or log in anew")
        return
    for address in (own, *addresses):
        try:
            yield _check(address, servers)
        except RigError as error:
            yield wrong("address", error.message, error.hint or "write host:port or unix:PATH")


def _check(address: str, servers: set[int]) -> Check:
    sockets.check(address)
    local = address.startswith("unix:")
    subject = "socket" if local else "port"
    pid = _socket_holder(sockets.path_of(address)) if local else _holder(address)
    if pid is None:
        return ok(subject, f"{shown(address)} is free")
    if pid in servers:
        return ok(subject, f"rigd serve answers at {shown(address)}, process {pid}", {"pid": pid})
    who = f"process {pid} ({_name(pid)})" if pid else "a process of another user"
    way_out = f"stop it (kill {pid})" if pid else "ask who it is: sudo ss --listening --processes"
    return wrong(
        subject, f"{who} has {shown(address)}", f"{way_out}, or choose another address", {"pid": pid}
    )


def _socket_holder(path: Path) -> int | None:
    """Return the process that listens at a socket; None when nobody does."""
    probe = sockets.connected(path)
    if probe is None:
        return None
    with probe:
        return int(_CREDENTIALS.unpack(probe.getsockopt(*_PEER, _CREDENTIALS.size))[0])


def _holder(address: str) -> int | None:
    """Return the process that listens at a port, 0 for one that cannot be seen; None when nobody does. Raises
    RigError where nobody could.
    """
    try:
        ensure_free(address)
    except Busy:
        return port_holder(int(address.rpartition(":")[2]))
    return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "ended"
