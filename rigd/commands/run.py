"""`rigd run`: all daemons together."""

from pathlib import Path

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
@options.ring_size
@options.address
@click.option("--demo", is_flag=True, help="Run the simulated game too.")
@click.option("--cars", type=click.IntRange(2, 104), default=20, show_default=True, help="Cars of the demo.")
@options.profile
@click.option("--watch", is_flag=True, help="Show the live view here.")
@click.option("--for", "seconds", type=click.FloatRange(1), metavar="S", help="Stop after so many seconds.")
@click.pass_context
def run(
    ctx: click.Context,
    data: Path | None,
    buffers: Path | None,
    ring_size: int,
    address: str,
    demo: bool,
    cars: int,
    profile: str,
    watch: bool,
    seconds: float | None,
) -> None:
    """Start and supervise recorder, archiver and server, and with --demo the simulated game.

    \b
    Example:  rigd run --demo --watch --for 20
    """
    from rich.console import Console

    from rigd.demo.game import DEFAULT_FOLDER
    from rigd.household import Household, run_household

    home = data or options.data_home() / ("demo" if demo else "")
    household = Household(
        data=home,
        buffers=buffers or (DEFAULT_FOLDER if demo else options.BUFFERS),
        ring_size=ring_size,
        address=address,
        demo_cars=cars if demo else 0,
        demo_profile=profile,
    )
    ctx.exit(run_household(household, watch, seconds, Console()))
