"""`rigd run`: all daemons together."""

from typing import Any

import click

from rigd.commands import options
from rigd.config import settings
from rigd.config.effective import Origin
from rigd.config.settings import Setting


@click.command()
@options.config
@options.option(settings.DATA, default="$XDG_DATA_HOME/rigd; with --demo a folder `demo` in it")
@options.option(settings.BUFFERS, default=f"{options.BUFFERS}; with --demo a folder of its own")
@options.option(settings.INSTANCE, default="rig; with --demo: demo")
@options.address
@options.serving
@click.option(
    "--demo",
    is_flag=True,
    is_eager=True,
    help="Run the simulated game too. It has no configuration file unless --config names one.",
)
@click.option("--watch", is_flag=True, help="Show the live view here.")
@click.option("--web", is_flag=True, help="Serve pages for browsers too, on this machine; see `rig gateway`.")
@click.option("--web-port", type=click.IntRange(1, 65_535), default=8790, show_default=True, help="Where.")
@click.option("--watchdog", type=click.FloatRange(3), default=30.0, hidden=True)
@click.option("--for", "seconds", type=click.FloatRange(1), metavar="S", help="Stop after so many seconds.")
@options.log_level
@options.ring_size
@options.option(settings.CARS, "--record-cars")
@options.recording
@options.archiving
@options.playing
@click.pass_context
def run(
    ctx: click.Context,
    /,
    demo: bool,
    watch: bool,
    web: bool,
    web_port: int,
    watchdog: float,
    seconds: float | None,
    **_wishes: Any,
) -> None:
    """Start and supervise recorder, archiver and server, and with --demo the simulated game.

    Options of the daemons are handed on: the last ones, from --cars on, are those of the simulated game.

    \b
    Example:
      rigd run --demo --watch --for 20
    """
    from rig import sockets
    from rigclient.cli.terminal.text import Console
    from rigd import log
    from rigd.alldaemons import AllDaemons, run_all
    from rigd.demo.folder import DEFAULT_FOLDER

    effective = options.effective()
    log.begin(effective[settings.LOG_LEVEL])
    playing = options.given(options.playing)
    if playing and not demo:
        raise click.UsageError(f"{playing[0]} is the simulated game's; give --demo as well")
    given = options.on_command_line(ctx, options.parameter(settings.CARS))
    cars = ("--cars", effective[settings.CARS]) if given else ()

    def usual(one: Setting[Any]) -> bool:
        return effective.origin(one) is Origin.DEFAULT

    daemons = AllDaemons(
        data=effective[settings.DATA] / ("demo" if demo and usual(settings.DATA) else ""),
        buffers=DEFAULT_FOLDER if demo and usual(settings.BUFFERS) else effective[settings.BUFFERS],
        watchdog_s=watchdog,
        instance=effective[settings.INSTANCE] or (sockets.DEMO if demo else sockets.RIG),
        addresses=effective[settings.ADDRESSES],
        demo=demo,
        common=(*options.chosen_file(), *options.given(options.log_level)),
        recording=(*options.given(options.ring_size), *cars, *options.given(options.recording)),
        archiving=tuple(options.given(options.archiving)),
        serving=tuple(options.given(options.serving)),
        playing=tuple(playing),
        web_port=web_port if web else 0,
    )
    ctx.exit(run_all(daemons, watch, seconds, Console()))
