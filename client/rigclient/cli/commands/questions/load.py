"""`rig warehouse load`: recordings of other programs into the warehouse."""

import contextlib
from pathlib import Path

import click

from rigclient.cli.commands import import_report, shell
from rigclient.cli.commands.destination import which_warehouse


@click.command()
@import_report.asks
@which_warehouse
@shell.as_json
def load(
    paths: tuple[Path, ...],
    where: str | None,
    track: str,
    race: int,
    refused_file: Path | None,
    date: str,
    replace: bool,
    as_json: bool,
) -> None:
    """Load lap charts and telemetry of other programs.

    The files that `rig import` takes, straight into the warehouse, each once; lap beacons tell the dates of
    charts of the same race. Folders are searched. A row that is not sound is refused with its line, its
    neighbours are loaded; so is a file among others. A corrected chart is refused until --replace says that
    it is the right one.

    \b
    Example:
      rig warehouse load 'barber/23_AnalysisEnduranceWithSections_Race 1.CSV'
      rig warehouse load Data/ --refused refused.csv
    """
    from rigclient.imports import discovery, import_file, job
    from rigclient.imports.keeping import WarehouseKeeper
    from rigclient.warehouse import connect

    refused_rows = import_report.RefusedRows()
    with contextlib.ExitStack() as stack:
        found = discovery.search(paths)
        tell = stack.enter_context(import_report.written(refused_file, refused_rows))
        progress = stack.enter_context(import_report.progress_bar(found))
        destination = stack.enter_context(connect(where))
        work = job.ImportJob(
            WarehouseKeeper(destination),
            import_file.ImportOptions(track, race or 0, date, replace),
            tell,
            progress,
        )
        reports = list(work.run(found))
    if as_json:
        click.echo(shell.json_text(import_report.plain(reports, found, refused_rows)))
    else:
        import_report.show(reports, found, refused_rows)
    import_report.end(reports)
