"""What commands of `rigd` have in common: options, the configuration in force, the way they are stopped."""

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
from rigd.config import effective as configuration
from rigd.config import file as files
from rigd.config import settings
from rigd.config.effective import Effective, Origin
from rigd.config.kinds import (
    Addresses,
    Kind,
    Location,
    Loopback,
    Name,
    Number,
    OneOf,
    Size,
    Switch,
    Wrong,
)
from rigd.config.settings import SETTINGS, Setting
from rigd.demo.profile import PROFILES
from rigd.process import stop_signals
from rigd.seat import check_user

BUFFERS: Final = settings.BUFFERS.default
_CHOSEN: Final = "rigd.config.chosen"
_LOADED: Final = "rigd.config.loaded"

_NAMES: Final[dict[type, str]] = {Size: "size", Name: "name", Loopback: "address"}


class Driver(click.ParamType):  # type: ignore[type-arg]
    """A driver's name in the game, and the user they are."""

    name = "driver"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return name and user. A name may have any sign in it, a user has no =."""
        if isinstance(value, tuple):
            return value
        driver, _, user = value.rpartition("=")
        try:
            check_user(user)
        except BadRequest as error:
            self.fail(str(error), param, ctx)
        return (driver, user) if driver and user else self.fail(f"{value!r} is not NAME=USER", param, ctx)


Command = Callable[..., Any]


class _Value(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """What a setting takes."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind
        self.name = kind.unit if isinstance(kind, Number) else _NAMES.get(type(kind), "value")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; one that is none already came out of a file."""
        if not isinstance(value, str):
            return value
        try:
            return self._kind.parse(value)
        except Wrong as wrong:
            self.fail(f"{value!r} {wrong.why}; {wrong.hint}", param, ctx)


def parameter(one: Setting[Any]) -> str:
    """Return the name of a setting's option among the parameters of a command; `cars` are the demo's."""
    return "recorded_cars" if one is settings.CARS else one.name


def _type(kind: Kind[Any]) -> Any:
    match kind:
        case OneOf(words):
            return click.Choice(words)
        case Location(folder):
            return click.Path(file_okay=not folder, path_type=Path)
        case Addresses():
            return click.STRING  # one of several; the server checks each
    return _Value(kind)


def _help(one: Setting[Any], default: str) -> str:
    """Return what a setting means, with its default, bounds and variable."""
    described = isinstance(one.kind, OneOf | Switch | Location)
    facts = (default and f"default: {default}", "" if described else one.kind.bounds, one.variable)
    return f"{one.help}  [{'; '.join(fact for fact in facts if fact)}]"


def option(
    one: Setting[Any], flag: str = "", *, default: str = "", **more: Any
) -> Callable[[Command], Command]:
    """Return the option of a setting. `default` is what help says of it where the command has its own."""
    if isinstance(one.kind, Switch):
        more |= {"is_flag": True}
    else:
        more |= {"type": _type(one.kind)}
    return click.option(
        flag or one.flag,
        parameter(one),
        default=one.usual if one.find else one.default,
        help=_help(one, default or one.usual_text),
        **more,
    )


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return what gives a command some options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _load(ctx: click.Context, _param: click.Parameter, chosen: str | None) -> str | None:
    """Read file and environment, before the other options: they are the defaults of those. The file of the
    real rig is none of the simulated game's.
    """
    if ctx.resilient_parsing:
        return chosen
    chosen = "" if chosen is None and ctx.params.get("demo") else chosen
    loaded = _read(chosen)
    ctx.meta[_CHOSEN], ctx.meta[_LOADED] = chosen, loaded
    ctx.default_map = {
        parameter(one): loaded[one]
        for one in SETTINGS
        if one.flag and loaded.origin(one) is not Origin.DEFAULT
    }
    return chosen


def _read(chosen: str | None) -> Effective:
    path = files.find(chosen)
    return configuration.merged(files.read(path) if path else None, os.environ)


config = click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load,
    help="Configuration file; '' for none.  "
    "[default: $XDG_CONFIG_HOME/rigd/rigd.toml, /etc/rigd/rigd.toml for the system's service; RIGD_CONFIG]",
)
"""Of every command that has settings."""


def effective() -> Effective:
    """Return the configuration of the command that runs."""
    ctx = click.get_current_context()
    loaded: Effective = ctx.meta[_LOADED]
    return loaded.under(_flags(ctx))


def chosen_file() -> list[str]:
    """Return the words that have a daemon read the file that this command reads; none: it finds it itself."""
    chosen = click.get_current_context().meta[_CHOSEN]
    return [] if chosen is None else ["--config", chosen]


def rereader() -> Callable[[], Effective]:
    """Return what reads the configuration of the command that runs once more: the file as it is then, also
    one that was not there.
    """
    ctx = click.get_current_context()
    chosen, flags = ctx.meta[_CHOSEN], _flags(ctx)

    return lambda: _read(chosen).under(flags)


def _flags(ctx: click.Context) -> dict[str, Any]:
    """Return the settings that stand on the command line, by key."""
    given = (one for one in SETTINGS if one.flag and on_command_line(ctx, parameter(one)))
    return {one.key: ctx.params[parameter(one)] for one in given}


def on_command_line(ctx: click.Context, name: str) -> bool:
    """Return whether an option was given there."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


data = option(settings.DATA)
buffers = option(settings.BUFFERS)
ring_size = option(settings.RING_SIZE)
log_level = option(settings.LOG_LEVEL)
recorded_cars = option(settings.CARS)
tail_folder = option(settings.TAIL_FOLDER)
recording = together(
    option(settings.SOURCE),
    option(settings.COMMIT_EVERY),
    tail_folder,
    click.option(
        "--driver",
        "drivers",
        type=Driver(),
        multiple=True,
        metavar="NAME=USER",
        help="Whoever drives the rig's own car under this name in the game is that user, who is in the seat "
        "then; may be given again. More of them stand in the configuration, [users.USER].",
    ),
)
"""Of the recorder."""
archiving = together(
    option(settings.KEEP),
    option(settings.KEEP_DAYS),
    option(settings.KEEP_MARKS),
    option(settings.MIN_FREE),
    option(settings.HARD_FLOOR),
    option(settings.KEEP_UNSYNCED),
)
"""Of the archiver."""
instance = option(settings.INSTANCE)
address = option(settings.ADDRESSES, multiple=True, metavar="ADDRESS")
serving = together(
    option(settings.CERTIFICATE),
    option(settings.CERTIFICATE_KEY),
    option(settings.CLOSE_LOOPBACK),
    option(settings.METRICS),
)
"""Of the server, beside where it listens."""
every = together(
    *(data, log_level, buffers, ring_size, recording, recorded_cars, archiving, instance, address, serving)
)
"""All that the daemons have."""

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


asked = together(
    config,
    click.option(
        "--instance",
        "--rig",
        "instance",
        envvar="RIGD_INSTANCE",
        metavar="NAME",
        default="",
        show_default="the rig that answers here",
        help="Name of the rig that is asked: on this machine, or paired with the scope admin.",
    ),
)


def interruptible() -> None:
    """Have SIGTERM and Ctrl-C end the program at once, also where a shell started it with Ctrl-C ignored."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def given(*names: Callable[[Command], Command]) -> list[str]:
    """Return, of some options, those that stand on the command line, for that of a daemon. It reads file and
    environment itself.
    """
    ctx = click.get_current_context()
    words: list[str] = []
    for option in _options(together(*names)):
        value = ctx.params[str(option.name)]
        if on_command_line(ctx, str(option.name)):
            for one in value if option.multiple else (value,):
                words += [option.opts[0], *[_word(one)] * (not option.is_flag)]
    return words


def _word(value: Any) -> str:
    return "=".join(value) if isinstance(value, tuple) else str(value)


def _options(names: Callable[[Command], Command]) -> list[click.Option]:
    """Return the options that a decorator gives to a command."""
    command = click.command()(names(lambda: None))
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def stopper(*, daemon: bool = False) -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set, and a closed terminal."""
    stop = threading.Event()
    for number in stop_signals(daemon=daemon):
        signal.signal(number, lambda *_: stop.set())
    return stop
