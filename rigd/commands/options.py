"""What commands of `rigd` have in common: options, sizes, the way they are stopped."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from rig.errors import BadRequest
from rigd.demo.profile import PROFILES
from rigd.process import stop_signals
from rigd.seat import check_user

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


class Driver(click.ParamType):  # type: ignore[type-arg]
    """A driver's name in the game, and the user they are."""

    name = "driver"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and user. A name may have any sign in it, a user has no =."""
        if isinstance(value, tuple):
            return value
        driver, _, user = value.rpartition("=")
        try:
            check_user(user)
        except BadRequest as error:
            self.fail(str(error), param, ctx)
        return (driver, user) if driver and user else self.fail(f"{value!r} is not NAME=USER", param, ctx)


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

Command = Callable[..., Any]


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return what gives a command some options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


recording = together(
    click.option(
        "--source",
        type=click.Choice(["shm", "pyrf2"]),
        default="shm",
        show_default=True,
        help="Read the memory ourselves, or through pyRfactor2SharedMemory where that is installed.",
    ),
    click.option(
        "--commit-every",
        type=click.FloatRange(0, 10),
        default=0.0,
        metavar="S",
        help="Least seconds "
        "between two commits; 0 commits as soon as the disk allows. More saves the disk and loses more "
        "in a power cut.",
    ),
    click.option(
        "--driver",
        "drivers",
        type=Driver(),
        multiple=True,
        metavar="NAME=USER",
        help="Whoever drives the rig's own car under this name in the game is that user, who is in the seat "
        "then; may be given again.",
    ),
)
"""Of the recorder."""


def recorded_cars(name: str) -> Callable[[Command], Command]:
    """Return the recorder's option of what to record, under this name."""
    return click.option(
        name, type=click.Choice(["all", "player"]), default="all", help="Record all cars, or one."
    )


archiving = together(
    click.option(
        "--keep",
        type=Bytes(),
        default="50G",
        show_default=True,
        help="Most bytes of laps; 50G are 45,000.",
    ),
    click.option(
        "--keep-days",
        type=click.FloatRange(0),
        default=0.0,
        metavar="DAYS",
        help="Oldest laps to keep; 0: all.",
    ),
    click.option(
        "--keep-marks",
        type=Bytes(),
        default="5G",
        show_default=True,
        help="Most bytes of the excerpts around marks; they are no part of --keep.",
    ),
    click.option(
        "--min-free",
        type=Bytes(),
        show_default="5G, or a tenth of the disk",
        help="Room to leave: laps older than an hour go for it.",
    ),
    click.option(
        "--hard-floor",
        type=Bytes(),
        show_default="1G, or a fiftieth of the disk",
        help="With less room than this even young laps go, and those that the warehouse has not got; that is "
        "declared.",
    ),
    click.option("--keep-unsynced", is_flag=True, help="Keep every lap until the warehouse has it."),
)
"""Of the archiver."""

playing = together(
    click.option(
        "--cars", type=click.IntRange(2, 104), default=20, show_default=True, help="Cars of the demo."
    ),
    click.option("--laps", type=click.IntRange(0), default=0, help="Laps of the race; 0: race after race."),
    click.option(
        "--rate", type=click.IntRange(50, 400), default=50, show_default=True, help="Frames a second."
    ),
    click.option(
        "--speed", type=click.FloatRange(0.1, 20), default=1.0, show_default=True, help="Time factor."
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same race."),
    click.option("--short", is_flag=True, help="A circuit of 1.2 km instead of 4.6 km."),
    click.option(
        "--profile",
        type=click.Choice(PROFILES),
        default="full",
        show_default=True,
        help="real: leave at 0 what real recordings hold no values of.",
    ),
)
"""Of the simulated game."""

address = click.option(
    "--address",
    "addresses",
    envvar="RIGD_ADDRESS",
    multiple=True,
    metavar="ADDRESS",
    help="Listen there too: host:port or unix:PATH; may be given again. Loopback is open to every user of "
    "the machine. Any other is served over TLS, to devices paired with `rigd pair`: 0.0.0.0:7341 is all of "
    "IPv4, [::]:7341 of IPv6 too.",
)

access = together(
    click.option(
        "--certificate",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        show_default="the rig's own, which it makes",
        help="Certificate for TLS, PEM.",
    ),
    click.option(
        "--certificate-key",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        show_default="in --certificate",
        help="Its key, PEM, which nobody else may read.",
    ),
    click.option(
        "--close-loopback", is_flag=True, help="Ask for a token on loopback too. Sockets stay the owner's."
    ),
)
"""Of the server: who may come in, and how."""


metrics = click.option(
    "--metrics",
    envvar="RIGD_METRICS",
    default="",
    metavar="ADDRESS",
    help="Give figures to Prometheus at host:port on loopback: /metrics, and /healthz. Port 9464 is usual.",
)

asked = click.option(
    "--instance",
    "--rig",
    "instance",
    envvar="RIGD_INSTANCE",
    metavar="NAME",
    default="",
    show_default="the rig that answers here",
    help="Name of the rig that is asked: on this machine, or paired with the scope admin.",
)


def interruptible() -> None:
    """Have SIGTERM and Ctrl-C end the program at once, also where a shell started it with Ctrl-C ignored."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def instance(default: str) -> Callable[[Command], Command]:
    """Return the option of the name under which `rig` finds it."""
    return click.option(
        "--instance",
        envvar="RIGD_INSTANCE",
        metavar="NAME",
        show_default=default,
        help="Name of the socket at which local tools find this rig: rig --rig NAME.",
    )


def given(names: Callable[[Command], Command]) -> list[str]:
    """Return, of some options, those that stand on the command line, for that of a daemon."""
    ctx = click.get_current_context()
    words: list[str] = []
    for option in _options(names):
        value = ctx.params[str(option.name)]
        if ctx.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT:
            for one in value if option.multiple else (value,):
                words += [option.opts[0], *[_word(one)] * (not option.is_flag)]
    return words


def _word(value: Any) -> str:
    return "=".join(value) if isinstance(value, tuple) else str(value)


def _options(names: Callable[[Command], Command]) -> list[click.Option]:
    """The options that a decorator gives to a command."""
    command = click.command()(names(lambda: None))
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def stopper() -> threading.Event:
    """An event that SIGTERM, Ctrl-C and a closed terminal set."""
    stop = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stop.set())
    return stop
