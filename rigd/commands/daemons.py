"""Each daemon alone: recorder, archiver, server."""

from pathlib import Path
from typing import Any

import click

from rigd.commands import options
from rigd.daemon import daemon


@click.command()
@options.data
@options.buffers
@options.ring_size
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
    with daemon("record", data, listens=True) as watchdog:
        summary = run(_source(source, buffers), settings, options.stopper().is_set, watchdog)
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


@click.command()
@options.data
@click.option(
    "--keep",
    type=options.Bytes(),
    default="50G",
    show_default=True,
    help="Most bytes of laps; 50G are 45,000.",
)
@click.option(
    "--keep-days", type=click.FloatRange(0), default=0.0, metavar="DAYS", help="Oldest laps to keep; 0: all."
)
@click.option(
    "--keep-marks",
    type=options.Bytes(),
    default="5G",
    show_default=True,
    help="Most bytes of the excerpts around marks; they are no part of --keep.",
)
@click.option(
    "--min-free",
    type=options.Bytes(),
    show_default="5G, or a tenth of the disk",
    help="Room to leave: laps older than an hour go for it.",
)
@click.option(
    "--hard-floor",
    type=options.Bytes(),
    show_default="1G, or a fiftieth of the disk",
    help="With less room than this even young laps go, and those that the warehouse has not got; that is "
    "declared.",
)
@click.option("--keep-unsynced", is_flag=True, help="Keep every lap until the warehouse has it.")
def archive(
    data: Path,
    keep: int,
    keep_days: float,
    keep_marks: int,
    min_free: int | None,
    hard_floor: int | None,
    keep_unsynced: bool,
) -> None:
    """Turn closed laps into files, keep the index, make room.

    Pinned laps stay whatever the limits say, until the hard floor; the best laps go last.

    \b
    Example:  rigd archive --keep 200G --keep-days 365
    """
    from rigd.archive.archiver import Settings
    from rigd.archive.archiver import archive as run
    from rigd.archive.retention import Limits, default_room, warnings
    from rigd.archive.store import Store

    store = Store(data / "laps")
    room, floor = default_room(store.disk_bytes())
    room, floor = room if min_free is None else min_free, floor if hard_floor is None else hard_floor
    limits = Limits(keep, keep_days * 86_400, room, floor, keep_unsynced, keep_marks)
    for warning in warnings(limits, store.disk_bytes(), store.free_bytes()):
        click.echo(f"warning: {warning}", err=True)
    with daemon("archive", data) as watchdog:
        count = run(Settings(data, limits), options.stopper().wait, watchdog)
    click.echo(f"archived {count} laps")


@click.command()
@options.data
@options.address
def serve(data: Path, address: str) -> None:
    """Serve the ring over gRPC.

    \b
    Example:  rigd serve --address unix:/run/rigd.sock
    """
    from rigd.serve.server import Settings
    from rigd.serve.server import serve as run

    with daemon("serve", data, listens=True) as watchdog:
        run(Settings(data, address), lambda _: click.echo(f"listening on {address}"), watchdog)
