"""The `rigd` command: the daemons of the machine and the tools around them."""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import click

import rigd
from rig.errors import RigError
from rigd.supervisor import REFUSED

_BUFFERS: Final = Path("/dev/shm")  # noqa: S108  where the plugin puts its buffers
_SIZE_UNITS: Final = {"K": 10, "M": 20, "G": 30, "T": 40}


def _data_home() -> Path:
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


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_DATA",
    default=_data_home,
    show_default="$XDG_DATA_HOME/rigd",
    help="Folder of the ring and all else that is kept.",
)
buffers_option = click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RIGD_BUFFERS",
    default=_BUFFERS,
    show_default=True,
    help="Folder of the game's shared memory.",
)
ring_size_option = click.option(
    "--ring-size",
    type=Bytes(),
    default="4G",
    show_default=True,
    help="Most bytes the ring may hold; 4G are 40 minutes of 40 cars at 50 Hz.",
)
address_option = click.option(
    "--address",
    envvar="RIGD_ADDRESS",
    default="127.0.0.1:7340",
    show_default=True,
    help="Where to listen: host:port on loopback, or unix:PATH.",
)


def _stopper() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class _Commands(click.Group):
    """Errors of the tree end a command with one sentence and the code that the supervisor understands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RigError as error:
            click.secho("rigd: ", fg="red", nl=False, err=True)
            click.echo(str(error), err=True)
            ctx.exit(REFUSED)
        except OSError as error:
            click.secho("rigd: ", fg="red", nl=False, err=True)
            click.echo(f"{error.strerror}: {error.filename}" if error.filename else str(error), err=True)
            ctx.exit(REFUSED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(rigd.__version__, prog_name="rigd")
def main() -> None:
    """The flight recorder of a sim rig.

    \b
    rigd run --demo --watch     everything, on the simulated game, with a live view
    rigd run                    everything, on the real game
    rigd doctor                 why is there no data?
    """


@main.command()
@data_option
@buffers_option
@ring_size_option
@click.option(
    "--source",
    type=click.Choice(["shm", "pyrf2"]),
    default="shm",
    show_default=True,
    help="Read the memory ourselves, or through pyRfactor2SharedMemory where that is installed.",
)
@click.option(
    "--commit-every",
    type=click.FloatRange(0, 10),
    default=0.0,
    metavar="S",
    help="Least seconds "
    "between two commits; 0 commits as soon as the disk allows. More saves the disk and loses more "
    "in a power cut.",
)
@click.option("--cars", type=click.Choice(["all", "player"]), default="all", help="Record all cars, or one.")
@click.option(
    "--origin",
    type=click.Choice(["live", "demo", "replay"]),
    default="live",
    show_default=True,
    help="What the sessions are noted as; a replay that the game shows is found out anyway.",
)
def record(
    data: Path, buffers: Path, ring_size: int, source: str, commit_every: float, cars: str, origin: str
) -> None:
    """Record the game's memory into the ring.

    \b
    Example:  rigd record --data /srv/rigd --ring-size 16G
    """
    from rig.v1 import session_pb2
    from rigd.record.recorder import Settings
    from rigd.record.recorder import record as run

    kind = session_pb2.SessionSource.Value(f"SESSION_SOURCE_{origin.upper()}")
    settings = Settings(data, ring_size, commit_every, cars == "player", kind)
    summary = run(_source(source, buffers), settings, _stopper().is_set)
    click.echo(
        f"captured {summary.captured} ticks, committed {summary.committed}, declared {summary.missed} missing"
    )
    if summary.committed < summary.captured:
        raise click.ClickException(f"{summary.captured - summary.committed} ticks could not be written")


def _source(name: str, buffers: Path) -> Any:
    if name == "pyrf2":
        from rigd.game.pyrf2 import PyRf2

        return PyRf2(buffers)
    from rigd.game.source import SharedMemory

    return SharedMemory(buffers)


@main.command()
@data_option
@click.option(
    "--keep", type=Bytes(), default="50G", show_default=True, help="Most bytes of laps; 50G are 45,000."
)
@click.option(
    "--keep-days", type=click.FloatRange(0), default=0.0, metavar="DAYS", help="Oldest laps to keep; 0: all."
)
@click.option(
    "--min-free", type=Bytes(), default="5G", show_default=True, help="Room to leave: old laps go for it."
)
@click.option(
    "--hard-floor",
    type=Bytes(),
    default="1G",
    show_default=True,
    help="With less room than this even laps go that the warehouse has not got; that is declared.",
)
@click.option("--keep-unsynced", is_flag=True, help="Keep every lap until the warehouse has it.")
def archive(
    data: Path, keep: int, keep_days: float, min_free: int, hard_floor: int, keep_unsynced: bool
) -> None:
    """Turn closed laps into files, keep the index, make room.

    Pinned laps stay whatever the limits say, until the hard floor; the best laps go last.

    \b
    Example:  rigd archive --keep 200G --keep-days 365
    """
    from rigd.archive.archiver import Settings
    from rigd.archive.archiver import archive as run
    from rigd.archive.retention import Limits

    limits = Limits(keep, keep_days * 86_400, min_free, hard_floor, keep_unsynced)
    count = run(Settings(data, limits), _stopper().wait)
    click.echo(f"archived {count} laps")


@main.command()
@data_option
def reindex(data: Path) -> None:
    """Check every lap file to its last byte and build the index anew from what is sound.

    Damaged files are set aside and listed. Ends with code 1 when there are any.

    \b
    Example:  rigd reindex --data /srv/rigd
    """
    from rich.console import Console
    from rich.progress import Progress

    from rigd.archive.reindex import reindex as run

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("checking laps")
        tally = run(data, lambda done, total: progress.update(task, completed=done, total=total))
    click.echo(f"{tally.laps} laps checked, {tally.damaged} damaged in all")
    for path in tally.foreign:
        click.echo(f"no lap: {path}")
    for path in tally.aside:
        click.echo(f"set aside: {path}")
    sys.exit(1 if tally.damaged or tally.foreign or tally.aside else 0)


@main.command()
@data_option
@click.option("--deep", is_flag=True, help="Compare all laps that the ring still holds with it.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def verify(ctx: click.Context, data: Path, deep: bool, as_json: bool) -> None:
    """Check everything that is kept, to the last byte: ring, ledgers, laps, index.

    Nothing is changed, and recorder and archiver may run. Ends with code 1 when something is found.

    \b
    Example:  rigd verify --data /srv/rigd --deep
    """
    from rigclient.commands.verify import show
    from rigd.verify.run import run

    ctx.exit(1 if show(run(data, deep), as_json) else 0)


@main.command()
@data_option
@address_option
def serve(data: Path, address: str) -> None:
    """Serve the ring over gRPC.

    \b
    Example:  rigd serve --address unix:/run/rigd.sock
    """
    from rigd.serve.server import Settings
    from rigd.serve.server import serve as run

    run(Settings(data, address), ready=lambda _: click.echo(f"listening on {address}"))


@main.command()
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
@ring_size_option
@address_option
@click.option("--demo", is_flag=True, help="Run the simulated game too.")
@click.option("--cars", type=click.IntRange(2, 104), default=20, show_default=True, help="Cars of the demo.")
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

    home = data or _data_home() / ("demo" if demo else "")
    household = Household(
        data=home,
        buffers=buffers or (DEFAULT_FOLDER if demo else _BUFFERS),
        ring_size=ring_size,
        address=address,
        demo_cars=cars if demo else 0,
    )
    ctx.exit(run_household(household, watch, seconds, Console()))


@main.command("demo-game")
@click.option(
    "--buffers",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to create the buffers in.  [default: /dev/shm/rigd-demo]",
)
@click.option("--cars", type=click.IntRange(2, 104), default=20, show_default=True)
@click.option("--laps", type=click.IntRange(0), default=0, help="Laps of the race; 0: race after race.")
@click.option("--rate", type=click.IntRange(50, 400), default=50, show_default=True, help="Frames a second.")
@click.option("--speed", type=click.FloatRange(0.1, 20), default=1.0, show_default=True, help="Time factor.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same race.")
@click.option("--for", "seconds", type=click.FloatRange(0), default=0.0, metavar="S", help="Stop after S.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@S]",
    help="torn, stall, crash, truncate or idgap, from second S on; may be given again.",
)
@click.option("--restart", is_flag=True, help="Restart the first race after two laps.")
@click.option("--short", is_flag=True, help="A circuit of 1.2 km instead of 4.6 km.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="Write what happened here.")
def demo_game(buffers: Path | None, seconds: float, **wishes: Any) -> None:
    """Simulate the game: write its shared memory as the plugin does.

    \b
    Example:  rigd demo-game --cars 40 --rate 90 --speed 5
    """
    from rigd.demo.game import DEFAULT_FOLDER, Options
    from rigd.demo.game import run as play

    try:
        options = Options(folder=buffers or DEFAULT_FOLDER, duration_s=seconds, **wishes)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    summary = play(options)
    click.echo(
        f"{summary.frames} frames, {summary.scoring_updates} scoring updates, {summary.laps} laps, "
        f"{summary.sessions} sessions"
    )


@main.command()
@buffers_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def doctor(ctx: click.Context, buffers: Path, as_json: bool) -> None:
    """Look at the game's memory and say what is wrong with it.

    Ends with code 1 when something is.

    \b
    Example:  rigd doctor --buffers /dev/shm/rigd-demo
    """
    from rich.console import Console

    from rigd.game import doctor as doctors

    findings = doctors.diagnose(buffers)
    if as_json:
        click.echo(json.dumps(doctors.as_dicts(findings), indent=2))
    else:
        doctors.render(findings, Console())
    ctx.exit(0 if doctors.healthy(findings) else 1)


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@buffers_option
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="S", help="Stop after so many seconds.")
def capture(file: Path, buffers: Path, seconds: float | None) -> None:
    """Write the raw buffers with their timing to FILE, until Ctrl-C.

    \b
    Example:  rigd capture race.rcap --for 600
    """
    from rich.console import Console

    from rigd.game.capture import CaptureSummary
    from rigd.game.capture import capture as run

    stop = _stopper()
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
        f"{file}: {done.seconds:.1f} s, {done.frames['Telemetry']} telemetry frames, {done.missed} missed, "
        f"{done.file_bytes / 1e6:.1f} MB ({_ratio(done.raw_bytes, done.file_bytes)})"
    )


def _ratio(raw: int, stored: int) -> str:
    return f"1:{raw / stored:.0f}" if stored and raw else "empty"


@main.command()
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
    Example:  rigd replay race.rcap --speed 4
    """
    from rich.console import Console

    from rigd.demo.game import DEFAULT_FOLDER
    from rigd.game.replay import replay as run

    with Console(stderr=True).status(f"playing {file.name} ..."):
        done = run(file, buffers or DEFAULT_FOLDER, speed, lead, _stopper())
    note = "; the capture has no end, it was cut off" if done.truncated else ""
    click.echo(f"played {done.seconds:.1f} s, {done.frames['Telemetry']} telemetry frames{note}")


if __name__ == "__main__":
    sys.exit(main())
