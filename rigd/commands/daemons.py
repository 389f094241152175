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
@options.recording
@options.recorded_cars("--cars")
@click.option(
    "--origin",
    type=click.Choice(["live", "demo", "replay"]),
    default="live",
    show_default=True,
    help="What the sessions are noted as; a replay that the game shows is found out anyway.",
)
def record(
    data: Path,
    buffers: Path,
    ring_size: int,
    source: str,
    commit_every: float,
    drivers: tuple[tuple[str, str], ...],
    cars: str,
    origin: str,
) -> None:
    """Record the game's memory into the ring.

    \b
    Example:  rigd record --data /srv/rigd --ring-size 16G
    """
    from rig.v1 import session_pb2
    from rigd.record.recorder import Settings
    from rigd.record.recorder import record as run

    kind = session_pb2.SessionSource.Value(f"SESSION_SOURCE_{origin.upper()}")
    settings = Settings(data, ring_size, commit_every, cars == "player", kind, dict(drivers))
    with daemon("record", data, listens=True) as watchdog:
        summary = run(_source(source, buffers), settings, options.stopper().is_set, watchdog)
    click.echo(
        f"captured {summary.captured} ticks, committed {summary.committed}, declared {summary.missed} missing"
    )
    if summary.committed < summary.captured:
        raise click.ClickException(f"{summary.captured - summary.committed} ticks could not be written")


def _source(name: str, buffers: Path) -> Any:
    if name == "pyrf2":
        from rigd.sources.rf2.pyrf2 import PyRf2

        return PyRf2(buffers)
    from rigd.sources.rf2.source import SharedMemory

    return SharedMemory(buffers)


@click.command()
@options.data
@options.archiving
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
    from rigd.store.folder import LapFolder

    store = LapFolder(data / "laps")
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
@options.instance("rig, unless an --address is given")
@options.address
@options.metrics
@options.access
def serve(
    data: Path,
    instance: str | None,
    addresses: tuple[str, ...],
    metrics: str,
    certificate: Path | None,
    certificate_key: Path | None,
    close_loopback: bool,
) -> None:
    """Serve the ring over gRPC, at a socket of the user's where `rig` finds it.

    With no --address but of this machine it listens only there, unless --instance is given too.

    \b
    Example:  rigd serve --instance rig --address 0.0.0.0:7341
    """
    from rig import sockets
    from rigd.serve.binding import is_local, own_address
    from rigd.serve.server import Settings
    from rigd.serve.server import serve as run

    if certificate_key and not certificate:
        raise click.UsageError("--certificate-key without --certificate")
    if certificate and all(map(is_local, addresses)):
        raise click.UsageError("--certificate is for other machines; give an --address that they can reach")
    only_here = addresses and all(map(is_local, addresses))
    name = instance or ("" if only_here else sockets.RIG)  # where others come in, somebody has to pair them
    first, *more = [*([own_address(name)] if name else []), *addresses]
    given = (certificate, certificate_key or certificate) if certificate else None
    with daemon("serve", data, listens=True) as watchdog:
        run(
            Settings(data, first, tuple(more), metrics, certificate=given, open_loopback=not close_loopback),
            lambda _: _tell(data, [first, *more]),
            watchdog,
        )


def _tell(data: Path, addresses: list[str]) -> None:
    """Say where the server listens, and what is next where nobody could come in from elsewhere."""
    from rigd.auth.tokens import TokenStore
    from rigd.serve.binding import is_local

    click.echo(f"listening on {', '.join(addresses)}")
    if not all(map(is_local, addresses)) and not TokenStore(data).any_good():
        click.echo("no device is paired yet: rigd pair NAME --scope live:all,laps:all")
