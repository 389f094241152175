"""`rig backup`: a copy of everything that the rig keeps. `rigd backup` makes the same of a folder."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import click
from rich.filesize import decimal as size

from rig.errors import BadRequest
from rig.regular import shown
from rig.v1 import rig_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.terminal.plain import say
from riglap.atomic import atomic_write


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-ring", is_flag=True, help="Laps and what people entered, no ring.")
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Tokens and the key of the certificate as well: whoever has FILE can answer as this rig.",
)
@shell.as_json
@click.pass_obj
def backup(address: str, /, file: Path, without_ring: bool, with_secrets: bool, as_json: bool) -> None:
    """Copy everything that the rig keeps into one file.

    Ring, laps, index, circuits, marks and the catalog, as they are at one moment, while it records. `rigd
    restore` brings FILE back, which is a tar archive packed by zstd. It takes the scope `admin`, or the rig's
    own machine.

    Paired devices pair again with a rig that was restored, unless FILE was made --with-secrets: by default it
    holds nothing that lets anybody in. The configuration is not in it.

    \b
    Example:
      rig backup rig-2026-11-20.tar.zst
      rig --rig blue backup blue.tar.zst --without-ring
    """
    with connect(address) as rig:
        save(rig.backup(without_ring=without_ring, with_secrets=with_secrets), file, as_json)


def save(responses: Iterable[rig_pb2.BackupResponse], file: Path, as_json: bool) -> None:
    """Write a backup as it comes, with a bar, and say how large it is. Raises BadRequest for a folder that is
    not there.
    """
    if not file.absolute().parent.is_dir():
        raise BadRequest(f"there is no folder {shown(file.parent)}", hint="make it first", path=file)
    began, now = time.monotonic(), rig_pb2.BackupResponse()
    with (
        atomic_write(file) as path,
        shell.progress(file.name) as progress,
        open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
    ):
        for now in responses:
            out.write(now.data)
            progress(now.done_bytes, now.total_bytes)
    told = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "copied_bytes": now.done_bytes,
        "seconds": round(time.monotonic() - began, 1),
    }
    if as_json:
        click.echo(shell.json_text(told))
    else:
        say(f"{file}: {size(now.done_bytes)} in {size(file.stat().st_size)}, {told['seconds']} s")
