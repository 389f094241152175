"""Where rigs answer on their own machine: a Unix socket each, named after the instance.

A user's own are in `$XDG_RUNTIME_DIR/rigd`, or without that in a folder of the user's in the temporary
folder; that of the system is in /run/rigd. Whoever can open one may do everything.
"""

import contextlib
import os
import re
import socket
import stat
from pathlib import Path
from typing import Final

from rig.errors import BadRequest, Denied

RIG: Final = "rig"
DEMO: Final = "demo"

SYSTEM: Final = Path("/run/rigd")

MAX_PATH_BYTES: Final = 107
"""A socket's address has 108, the last one is 0."""

_LAST_PORT: Final = 65_535
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]\x00-\x20]+")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_ANSWER_S: Final = 2.0


def own_folder() -> Path:
    """Return the user's folder of sockets, which may not exist yet. Raises Denied where it is another's."""
    import tempfile

    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _ours(Path(runtime)):  # `su` leaves that of another user
        return _trusted(Path(runtime, "rigd"))
    return _trusted(Path(tempfile.gettempdir()) / f"rigd-{os.getuid()}")


def _ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        found = path.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return False


def _trusted(folder: Path) -> Path:
    """Return the folder. Raises Denied where somebody else made it: who listens there could be anyone."""
    if os.path.lexists(folder) and not _ours(folder):
        raise Denied(
            f"{folder} belongs to another user, or is no folder",
            hint="remove it, or set XDG_RUNTIME_DIR to a folder of yours",
            path=folder,
        )
    return folder


def check_name(name: str) -> None:
    """Raise BadRequest for what can be no name of a rig."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no name of a rig",
            hint="a name has up to 32 letters, digits, _, . and -; an address is host:port or unix:PATH",
        )


def address(folder: Path, instance: str) -> str:
    """Return the address of an instance whose socket is in `folder`. Raises BadRequest for no name."""
    check_name(instance)
    return f"unix:{folder / instance}.sock"


def path_of(address: str) -> Path:
    """Return the path in a unix: address. Raises BadRequest for one that is no socket's."""
    path = address.removeprefix("unix:")
    path = path.removeprefix("//") if path.startswith("///") else path
    if not path or "\0" in path:
        raise BadRequest(f"{address!r} names no file", hint="write unix:PATH", address=address)
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise BadRequest(
            f"the path of {address!r} has {length} bytes, a socket's at most {MAX_PATH_BYTES}",
            hint="choose a shorter one",
            limit=MAX_PATH_BYTES,
        )
    return Path(path)


def check(address: str, *, first_port: int = 1) -> None:
    """Raise BadRequest for what names no place where a rig could answer; 0 as `first_port` leaves the choice
    of a port to the system.
    """
    if address.startswith("unix:"):
        path_of(address)
        return
    host, _, port = address.rpartition(":")
    if not _HOST.fullmatch(host):
        hint = "write host:port, or unix:PATH for a socket"
        raise BadRequest(f"{address!r} names no host", hint=hint, address=address)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and first_port <= int(port) <= _LAST_PORT):
        said = f"{port!r} is no port" if port else "the port is missing"
        raise BadRequest(f"{address!r}: {said}", hint=f"a number from 1 to {_LAST_PORT}", address=address)


def connected(path: Path) -> socket.socket | None:
    """Return a connection to who listens at a socket; None when nobody does, as when a server was killed."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(_ANSWER_S)
    try:
        probe.connect(str(path))
    except OSError:
        probe.close()
        return None
    return probe


def living() -> dict[str, str]:
    """Return the rigs that answer on this machine: addresses by name, the user's own first. One of the system
    with the name of one's own goes by its address.
    """
    found: dict[str, str] = {}
    if not hasattr(socket, "AF_UNIX"):
        return found
    for folder in (own_folder(), SYSTEM):
        for path in sorted(folder.glob("*.sock")):
            if probe := connected(path):
                probe.close()
                where = f"unix:{path}"
                found[where if path.stem in found else path.stem] = where
    return found


def resolve(rig: str = "") -> str:
    """Return the address of a rig by its name, or by its address; "": the one that answers here, or where one
    would. Raises BadRequest where several do.
    """
    if ":" in rig:
        check(rig)
        return rig
    if rig and hasattr(socket, "AF_UNIX"):
        return living().get(rig) or address(own_folder(), rig)
    if not hasattr(socket, "AF_UNIX"):
        raise BadRequest("there is no rig on this machine", hint="name one: host:port")
    found = living()
    if len(found) > 1:
        raise BadRequest(
            f"{len(found)} rigs answer here: {', '.join(found)}",
            hint=f"choose with --rig {next(iter(found))}",
        )
    return next(iter(found.values()), address(own_folder(), RIG))
