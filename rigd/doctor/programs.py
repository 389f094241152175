"""Which rigd this is, which others there are, and what versions the daemons that run have."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import rigd
from rig import sockets
from rig.errors import RigError
from rig.regular import shown
from rig.v1 import rig_pb2
from rigd.check import Check, in_shell, ok, warning

_MOST: Final = 16
"""Programs that are asked for their version."""
_ANSWER_S: Final = 10.0

Ask = Callable[[str], rig_pb2.GetStatusResponse]


def check_programs(path: str) -> Iterator[Check]:
    """Look for every rigd on a search path, and ask each for its version."""
    found = list(_programs(path))[:_MOST]
    versions = {program: _version(program) for program in found}
    if not found:
        yield warning(
            "program",
            f"this is {rigd.__version__}, and no rigd is on the PATH",
            f"ln -s {in_shell(_own())} ~/.local/bin/, and have ~/.local/bin on the PATH",
        )
    elif set(versions.values()) == {rigd.__version__}:
        yield ok("program", f"{rigd.__version__}, {shown(found[0])}", {"version": rigd.__version__})
    else:
        listed = ", ".join(f"{shown(program)} is {version}" for program, version in versions.items())
        yield warning(
            "program",
            f"this is {rigd.__version__}, and on the PATH {listed}",
            "keep one: `which -a rigd` lists them, `pip uninstall rigd` in its environment removes one",
        )


def check_versions(addresses: Iterable[str], ask: Ask) -> Iterator[Check]:
    """Ask every server that answers for the versions of itself and its recorder."""
    for address in addresses:
        with contextlib.suppress(RigError):
            yield from _check_server(address, ask(address))


def own_servers() -> list[str]:
    """Return the addresses of the servers that answer on this machine."""
    with contextlib.suppress(RigError, OSError):
        return list(sockets.living().values())
    return []


def ask(address: str) -> rig_pb2.GetStatusResponse:
    """Return the status of a server. Raises RigError."""
    import rigclient

    with rigclient.connect(address) as rig:
        return rig.status()


def _check_server(address: str, status: rig_pb2.GetStatusResponse) -> Iterator[Check]:
    running = {"serve": status.version}
    if status.HasField("recorder"):
        running["record"] = status.recorder.version
    others = {daemon: version for daemon, version in running.items() if version != rigd.__version__}
    if others:
        what = ", ".join(f"{daemon} is {version}" for daemon, version in others.items())
        yield warning(
            "versions",
            f"this is {rigd.__version__}; at {shown(address)} {what}",
            "restart the daemons: systemctl --user restart rigd.target, or end `rigd run` and start it again",
        )
    else:
        yield ok("versions", f"the daemons at {shown(address)} are {rigd.__version__} too")


def _own() -> Path:
    """Return the program that belongs to this Python."""
    return Path(sys.executable).with_name("rigd")


def _programs(path: str) -> Iterator[Path]:
    seen = set()
    for folder in filter(None, path.split(os.pathsep)):  # an empty one is where one happens to be
        program = Path(folder) / "rigd"
        with contextlib.suppress(OSError, RuntimeError):
            real = program.resolve(strict=True)
            if real not in seen and real.is_file() and os.access(program, os.X_OK):
                seen.add(real)
                yield program


def _version(program: Path) -> str:
    """Return the version that a program says; why not, when it says none."""
    try:
        done = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return "one that does not answer"
    words = done.stdout.split()
    return words[-1] if done.returncode == 0 and words else "one that does not say its version"
