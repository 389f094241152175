"""Redis and mosquitto, when they are installed: started for a measurement, on loopback or our own socket."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

from tests.stage import Stage, free_port, until

INSTALL: Final = "apt-get install redis-server mosquitto"


class Absent(Exception):
    """A peer that is not installed. It is reported, never left out."""


def _program(name: str) -> str:
    """Where it is; Debian puts daemons where a user's PATH does not reach."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise Absent(name)
    return found


def redis(here: Stage, folder: Path, at: Path, *settings: str) -> subprocess.Popen[str]:
    """A Redis that keeps its files in `folder` and listens on the socket `at`, once it does."""
    program = _program("redis-server")
    folder.mkdir(exist_ok=True)
    at.unlink(missing_ok=True)
    quiet = ("--port", "0", "--save", "", "--loglevel", "warning")
    where = ("--dir", str(folder), "--unixsocket", str(at))
    process = here.launch(program, *quiet, *where, *settings)
    until(lambda: _listens(socket.AF_UNIX, str(at)))
    return process


def redis_on(here: Stage, port: int, at: Path) -> subprocess.Popen[str]:
    """A Redis that keeps nothing on the disk, on a loopback port as well."""
    loopback = ("--port", str(port), "--bind", "127.0.0.1")
    return redis(here, here.data / "redis", at, *loopback, "--appendonly", "no")


def mosquitto(here: Stage) -> tuple[subprocess.Popen[str], int]:
    """A broker, and its port."""
    program, port = _program("mosquitto"), free_port()
    settings = here.data / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n"
        "log_type error\n"
    )
    process = here.launch(program, "-c", str(settings))
    until(lambda: _listens(socket.AF_INET, ("127.0.0.1", port)))
    return process, port


def _listens(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0
