"""What commands of `rigd` have in common: options, sizes, the way they are stopped."""

import os
import signal
import threading
from pathlib import Path
from typing import Any, Final

import click

from rigd.demo.profile import PROFILES

BUFFERS: Final = Path("/dev/shm")  # noqa: S108  where the plugin puts its buffers
_SIZE_UNITS: Final = {"K": 10, "M": 20, "G": 30, "T": 40}


def data_home() -> Path:
    """/var/lib/rigd under systemd (StateDirectory), else the XDG data directory."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "rigd"


class Bytes(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A number of bytes, with K, M, G or T behind it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes, 16 MiB at least: less does not hold one second of a full grid."""
        if isinstance(value, int):
            return value
        number, unit = (value[:-1], value[-1].upper()) if value[-1:].upper() in _SIZE_UNITS else (value, "")
        if not number.isdigit():
            self.fail(f"{value!r} is no size; write 512M or 4G", param, ctx)
        size = int(number) << _SIZE_UNITS.get(unit, 0)
        return size if size >= 16 << 20 else self.fail(f"{value} is too small, 16M is the least", param, ctx)


data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_DATA",
    default=data_home,
    show_default="$XDG_DATA_HOME/rigd",
    help="Folder of the ring and all else that is kept.",
)
buffers = click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_BUFFERS",
    default=BUFFERS,
    show_default=True,
    help="Folder of the game's shared memory.",
)
ring_size = click.option(
    "--ring-size",
    type=Bytes(),
    default="4G",
    show_default=True,
    help="Most bytes the ring may hold; 4G are 40 minutes of 40 cars at 50 Hz.",
)
address = click.option(
    "--address",
    envvar="RIGD_ADDRESS",
    default="127.0.0.1:7340",
    show_default=True,
    help="Where to listen: host:port on loopback, or unix:PATH.",
)

profile = click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="full",
    show_default=True,
    help="real: leave at 0 what real recordings hold no values of.",
)


def stopper() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
