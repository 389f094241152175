"""`rigd run`: all daemons together."""

from pathlib import Path
from typing import Any

import click

from rigd.commands import options


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_DATA",
    help="Folder of the ring; with --demo a folder `demo` beside the real one.",
)
@click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_BUFFERS",
    help="Folder of the game's shared memory; with --demo one of its own.",
)
@options.instance("rig; with --demo: demo")
@options.address
@options.metrics
@options.access
@click.option("--demo", is_flag=True, help="Run the simulated game too.")
@click.option("--watch", is_flag=True, help="Show the live view here.")
@click.option("--watchdog", type=click.FloatRange(3), default=30.0, hidden=True)
@click.option("--for", "seconds", type=click.FloatRange(1), metavar="S", help="Stop after so many seconds.")
@options.ring_size
@options.recorded_cars("--record-cars")
@options.recording
@options.archiving
@options.playing
@click.pass_context
def run(
    ctx: click.Context,
    /,
    data: Path | None,
    buffers: Path | None,
    instance: str | None,
    addresses: tuple[str, ...],
    metrics: str,
    demo: bool,
    watch: bool,
    watchdog: float,
    seconds: float | None,
    ring_size: int,
    record_cars: str,
    **_wishes: Any,
) -> None:
    """Start and supervise recorder, archiver and server, and with --demo the simulated game.

    Options of the daemons are handed on: the last ones, from --cars on, are those of the simulated game.

    \b
    Example:  rigd run --demo --watch --for 20
    """
    from rig import sockets
    from rigclient.cli.terminal.text import Console
    from rigd import log
    from rigd.alldaemons import AllDaemons, run_all
    from rigd.demo.folder import DEFAULT_FOLDER

    log.begin()
    playing = options.given(options.playing)
    if playing and not demo:
        raise click.UsageError(f"{playing[0]} is the simulated game's; give --demo as well")
    daemons = AllDaemons(
        data=data or options.data_home() / ("demo" if demo else ""),
        buffers=buffers or (DEFAULT_FOLDER if demo else options.BUFFERS),
        watchdog_s=watchdog,
        instance=instance or (sockets.DEMO if demo else sockets.RIG),
        addresses=addresses,
        metrics=metrics,
        demo=demo,
        recording=("--ring-size", str(ring_size), "--cars", record_cars, *options.given(options.recording)),
        archiving=tuple(options.given(options.archiving)),
        playing=tuple(playing),
        access=tuple(options.given(options.access)),
    )
    ctx.exit(run_all(daemons, watch, seconds, Console()))
