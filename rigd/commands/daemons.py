"""Each daemon alone: recorder, archiver, server."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rigd.commands import options
from rigd.config import settings
from rigd.config.effective import Effective, Origin
from rigd.daemon import daemon
from rigd.reload import Reload

if TYPE_CHECKING:
    from rigd.archive import archiver
    from rigd.serve import chat, server


@click.command()
@options.config
@options.data
@options.log_level
@options.buffers
@options.ring_size
@options.recording
@options.recorded_cars
@click.option(
    "--origin",
    type=click.Choice(["live", "demo", "replay"]),
    default="live",
    show_default=True,
    help="What the sessions are noted as; a replay that the game shows is found out anyway.",
)
def record(origin: str, drivers: tuple[tuple[str, str], ...], **_settings: Any) -> None:
    """Record the game's memory into the ring.

    \b
    Example:
      rigd record --data /srv/rigd --ring-size 16G
    """
    from rig.v1 import session_pb2
    from rigd.record.recorder import record as run
    from rigd.record.settings import Settings

    kind = session_pb2.SessionSource.Value(f"SESSION_SOURCE_{origin.upper()}")

    def made(effective: Effective) -> Settings:
        size, player_only = effective[settings.RING_SIZE], effective[settings.CARS] == "player"
        users = {**effective.drivers, **dict(drivers)}
        data, tail_folder = effective[settings.DATA], effective[settings.TAIL_FOLDER]
        every = effective[settings.COMMIT_EVERY]
        return Settings(data, tail_folder, size, every, player_only, kind, users)

    effective = options.effective()
    reload = Reload("record", effective, options.rereader(), made)
    source = _source(effective[settings.SOURCE], effective[settings.BUFFERS])
    stop = options.stopper(daemon=True).is_set
    with _daemon("record", effective, listens=True) as watchdog, reload.on_hangup():
        summary = run(source, reload.latest(), stop, watchdog, reload.latest)
    click.echo(
        f"captured {summary.captured} ticks, committed {summary.committed}, declared {summary.missed} missing"
    )
    if summary.committed < summary.captured:
        raise click.ClickException(f"{summary.captured - summary.committed} ticks could not be written")


def _daemon(name: str, effective: Effective, *, listens: bool = False) -> Any:
    return daemon(name, effective[settings.DATA], listens=listens, log_level=effective[settings.LOG_LEVEL])


def _source(name: str, buffers: Path) -> Any:
    if name == "pyrf2":
        from rigd.sources.rf2.pyrf2 import PyRf2

        return PyRf2(buffers)
    from rigd.sources.rf2.source import SharedMemory

    return SharedMemory(buffers)


@click.command()
@options.config
@options.data
@options.log_level
@options.archiving
def archive(**_settings: Any) -> None:
    """Turn closed laps into files, keep the index, make room.

    Pinned laps stay whatever the limits say, until the hard floor; the best laps go last.

    \b
    Example:
      rigd archive --keep 200G --keep-days 365
    """
    from rigd.archive.archiver import archive as run
    from rigd.archive.retention import warnings
    from rigd.store.folder import LapFolder

    effective = options.effective()
    reload = Reload("archive", effective, options.rereader(), _archiving)
    first, store = reload.latest(), LapFolder(effective[settings.DATA] / "laps")
    for warning in warnings(first.limits, store.disk_bytes(), store.free_bytes()):
        click.echo(f"warning: {warning}", err=True)
    stop = options.stopper(daemon=True).wait
    with _daemon("archive", effective) as watchdog, reload.on_hangup():
        count = run(first, stop, watchdog, reload.latest)
    click.echo(f"archived {count} laps")


def _archiving(effective: Effective) -> "archiver.Settings":
    """Return what the archiver gets of the configuration."""
    from rigd.archive.archiver import Settings
    from rigd.archive.retention import Limits, default_room
    from rigd.store.folder import LapFolder

    room, floor = default_room(LapFolder(effective[settings.DATA] / "laps").disk_bytes())
    min_free, hard_floor = effective[settings.MIN_FREE], effective[settings.HARD_FLOOR]
    limits = Limits(
        max_bytes=effective[settings.KEEP],
        max_age_s=effective[settings.KEEP_DAYS] * 86_400,
        min_free_bytes=room if min_free is None else min_free,
        hard_floor_bytes=floor if hard_floor is None else hard_floor,
        keep_unsynced=effective[settings.KEEP_UNSYNCED],
        mark_bytes=effective[settings.KEEP_MARKS],
    )
    return Settings(effective[settings.DATA], limits)


@click.command()
@options.config
@options.data
@options.log_level
@options.instance
@options.address
@options.serving
def serve(**_settings: Any) -> None:
    """Serve the ring over gRPC, at a socket of the user's where `rig` finds it.

    With no --address but of this machine it listens only there, unless --instance is given too.

    \b
    Example:
      rigd serve --instance rig --address 0.0.0.0:7341
    """
    from rigd.serve.server import serve as run

    effective = options.effective()
    reload = Reload("serve", effective, options.rereader(), _serving)
    first = reload.latest()
    with _daemon("serve", effective, listens=True) as watchdog, reload.on_hangup():
        run(
            first,
            lambda _: _report(first),
            watchdog,
            reload.latest,
        )


def _serving(effective: Effective) -> "server.Settings":
    """Return what the server gets of the configuration. An address of the file's is one more; with one of
    this machine on the command line, or in the environment, it listens only there.
    """
    from rig import sockets
    from rig.errors import BadRequest
    from rigd.serve.binding import is_local, own_address
    from rigd.serve.limits import Quotas
    from rigd.serve.server import Settings

    addresses = effective[settings.ADDRESSES]
    certificate, key = effective[settings.CERTIFICATE], effective[settings.CERTIFICATE_KEY]
    if key and not certificate:
        raise BadRequest("--certificate-key without --certificate", hint="name both, or neither")
    only_here = bool(addresses) and all(map(is_local, addresses))
    if certificate and (only_here or not addresses):
        raise BadRequest(
            "--certificate is for other machines", hint="give an --address that they can reach as well"
        )
    alone = only_here and effective.origin(settings.ADDRESSES) is not Origin.FILE
    # Where others come in, somebody pairs.
    name = effective[settings.INSTANCE] or ("" if alone else sockets.RIG)
    first, *more = [*([own_address(name)] if name else []), *addresses]
    limits = {one.name: effective[one] for one in settings.SETTINGS if one.section == "limits"}
    return Settings(
        data=effective[settings.DATA],
        address=first,
        also=tuple(more),
        certificate=(certificate, key or certificate) if certificate else None,
        open_loopback=not effective[settings.CLOSE_LOOPBACK],
        name=effective[settings.NAME] or "",
        metrics=effective[settings.METRICS],
        limits=Quotas(**limits),
        assistant=_assistant(effective),
        drivers=effective.drivers,
    )


def _assistant(effective: Effective) -> "chat.Assistant":
    """Return what the assistant gets of the configuration. Raises BadRequest for two keys, Denied for one in
    a file that others can read.
    """
    from rig.errors import BadRequest
    from rigd.auth.private import check_private
    from rigd.serve.chat import Assistant

    section = {one.name: effective[one] for one in settings.SETTINGS if one.section == "assistant"}
    found = Assistant(**section)
    if found.key and found.key_file:
        raise BadRequest("assistant.key and assistant.key_file both say the key", hint="give one of them")
    if found.key and effective.origin(settings.ASSISTANT_KEY) is Origin.FILE and effective.path:
        check_private(effective.path)
    return found


def _report(serving: "server.Settings") -> None:
    """Say where the server listens, and what is next where nobody could come in from elsewhere."""
    from rigd.auth.tokens import TokenStore

    click.echo(f"listening on {', '.join((serving.address, *serving.also))}")
    if serving.beyond and not TokenStore(serving.data).any_good():
        click.echo("no device is paired yet: rigd pair NAME --scope live:all,laps:all")
