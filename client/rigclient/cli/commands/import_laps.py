"""`rig import`: recordings of other programs become laps like any other."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rig.errors import NotFound
from rigclient.cli.commands import import_report, shell
from rigclient.cli.terminal.text import Text

if TYPE_CHECKING:
    from rigclient.imports.sinks.sink import LapSink


@click.command("import")
@import_report.asks
@click.option(
    "--into",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write lap files there, as a data directory has them; default: the rig takes them.",
)
@click.option("--dry-run", is_flag=True, help="Show what is understood of the files, and keep nothing.")
@click.option("--undo", is_flag=True, help="Delete the laps that these files have brought.")
@shell.as_json
@click.pass_obj
def import_laps(
    address: str,
    /,
    paths: tuple[Path, ...],
    track: str,
    race: int,
    refused_file: Path | None,
    date: str,
    replace: bool,
    folder: Path | None,
    dry_run: bool,
    undo: bool,
    as_json: bool,
) -> None:
    """Import laps of other programs.

    They become laps like any other: listed, compared, plotted, exported, synced. A file is known by its
    content, whatever its name; folders are searched. All laps of a file are kept or none; imported again it
    changes nothing. --dry-run asks no rig.

    \b
    Example:
      rig import --dry-run lap.csv
      rig import Data/ --refused refused.csv
      rig import stint.ld --into laps && rig compare laps/laps/*/*.lap
    """
    from rigclient.imports import discovery, import_file, job
    from rigclient.imports.keeping import SinkKeeper

    if undo:
        _undo(address, folder, paths, as_json)
        return
    refused_rows = import_report.RefusedRows()
    with contextlib.ExitStack() as stack:
        found = discovery.search(paths)
        tell = stack.enter_context(import_report.written(refused_file, refused_rows))
        progress = stack.enter_context(import_report.progress_bar(found))
        sink = stack.enter_context(_sink(address, folder, dry_run))
        named = import_file.ImportOptions(track, race or 0, date, replace)
        keeper = SinkKeeper(sink, progress.kept)
        reports = list(job.ImportJob(keeper, named, tell, progress, dry=dry_run).run(found))
    if as_json:
        click.echo(shell.json_text(import_report.plain(reports, found, refused_rows)))
    else:
        for report in reports if dry_run else ():
            if report.recordings:
                _print(*import_report.understood(report, shell.console().width), Text())
        import_report.show(reports, found, refused_rows)
    import_report.end(reports)


def _print(*parts: object) -> None:
    for part in parts:
        shell.console().print(part)


@contextlib.contextmanager
def _sink(address: str, folder: Path | None, dry: bool) -> "Iterator[LapSink]":
    """Open where the laps go; a dry run has a place that nobody sees."""
    from rigclient.blocking import connect
    from rigclient.imports.sinks.dry import DrySink
    from rigclient.imports.sinks.folder import FolderSink
    from rigclient.imports.sinks.rig import RigSink

    with contextlib.ExitStack() as stack:
        if folder is None and dry:
            nothing = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rig-dry-")))
            yield DrySink(FolderSink(nothing), "this run")
        elif folder is None:
            yield RigSink(stack.enter_context(connect(address)), _user(address))
        else:
            yield DrySink(FolderSink(folder)) if dry else FolderSink(folder)


def _user(address: str) -> str:
    """Return whose imported laps are: the user of the token; nobody's, where this machine is the rig."""
    from rigclient import paired
    from rigclient.connection import Connection

    with Connection(paired.resolve(address)) as connection:
        return str(connection.caller().user)


def _undo(address: str, folder: Path | None, paths: tuple[Path, ...], as_json: bool) -> None:
    """Delete the laps of files, each named by itself or by its checksum."""
    from rigclient.imports.sinks.files import laps_of_file

    with _sink(address, folder, dry=False) as sink:
        found = {path: laps_of_file(sink, path) for path in paths}
        if strange := [path for path, laps in found.items() if not laps]:
            raise NotFound(f"no lap in {sink.place} came from {strange[0]}", hint="a file, or its checksum")
        for laps in found.values():
            with shell.busy(f"deleting {len(laps)} laps"):
                sink.delete_all(laps)
    gone = [{"file": str(path), "laps": laps} for path, laps in found.items()]
    if as_json:
        click.echo(shell.json_text(gone))
        return
    for one in gone:
        shell.console().print(Text(f"{one['file']}: {len(one['laps'])} laps deleted"), soft_wrap=True)
