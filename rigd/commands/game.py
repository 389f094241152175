"""The game's memory: simulated, captured and replayed."""

import threading
from pathlib import Path
from typing import Any

import click

from rigd.commands import options


@click.command("demo-game")
@click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to create the buffers in.  [default: /dev/shm/rigd-demo]",
)
@options.playing
@click.option("--for", "seconds", type=click.FloatRange(0), default=0.0, metavar="S", help="Stop after S.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@S]",
    help="torn, stall, crash, truncate or idgap, from second S on; may be given again.",
)
@click.option("--restart", is_flag=True, help="Restart the first race after two laps.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="Write what happened here.")
def demo_game(buffers: Path | None, seconds: float, **settings: Any) -> None:
    """Simulate the game: write its shared memory as the plugin does, and remove it at the end.

    \b
    Example:
      rigd demo-game --cars 40 --rate 90 --speed 5
    """
    from rigd.demo.folder import DEFAULT_FOLDER, BuffersFolder
    from rigd.demo.game import Options
    from rigd.demo.game import run as play

    try:
        wanted = Options(folder=buffers or DEFAULT_FOLDER, duration_s=seconds, **settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with BuffersFolder(wanted.folder) as folder:
        summary = play(wanted)
        folder.clear()
    click.echo(
        f"{summary.frames} frames, {summary.scoring_updates} scoring updates, {summary.laps} laps, "
        f"{summary.sessions} sessions"
    )


@click.command()
@options.config
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options.buffers
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="S", help="Stop after so many seconds.")
def capture(file: Path, buffers: Path, seconds: float | None) -> None:
    """Write the raw buffers with their timing to FILE, until Ctrl-C.

    \b
    Example:
      rigd capture race.rcap --for 600
    """
    from rich.filesize import decimal

    from rig.regular import shown
    from rigclient.cli.terminal.text import Console
    from rigd.sources.rf2.capture import CaptureSummary
    from rigd.sources.rf2.capture import capture as run

    stop = options.stopper()
    if seconds:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
    with Console(stderr=True).status("waiting for the game ...") as status:

        def progress(so_far: CaptureSummary) -> None:
            frames = ", ".join(f"{count} {name.lower()}" for name, count in so_far.frames.items())
            status.update(f"{so_far.seconds:.0f} s: {frames}; missed {so_far.missed}")

        done = run(buffers, file, stop, progress)
    click.echo(
        f"{shown(file)}: {done.seconds:.1f} s, {done.frames['Telemetry']} telemetry frames, "
        f"{done.missed} missed, {decimal(done.file_bytes)} ({_ratio(done.raw_bytes, done.file_bytes)})"
    )


def _ratio(raw: int, stored: int) -> str:
    return f"1:{raw / stored:.0f}" if stored and raw else "empty"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to create the buffers in.  [default: /dev/shm/rigd-demo]",
)
@click.option(
    "--speed", type=float, default=1.0, show_default=True, help="Time factor; 0: as fast as can be."
)
@click.option(
    "--lead",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Seconds between creating the buffers and the first frame.",
)
def replay(file: Path, buffers: Path | None, speed: float, lead: float) -> None:
    """Play a capture back through buffers, as the game wrote them.

    \b
    Example:
      rigd replay race.rcap --speed 4
    """
    from rig.regular import shown
    from rigclient.cli.terminal.text import Console, Text
    from rigd.demo.folder import DEFAULT_FOLDER, BuffersFolder
    from rigd.sources.rf2.replay import replay as run

    folder, stop = buffers or DEFAULT_FOLDER, options.stopper()
    with BuffersFolder(folder), Console(stderr=True).status(Text(f"playing {shown(file.name)} ...")):
        done = run(file, folder, speed, lead, stop)
    note = "; the capture has no end, it was cut off" if done.truncated else ""
    click.echo(f"played {done.seconds:.1f} s, {done.frames['Telemetry']} telemetry frames{note}")
