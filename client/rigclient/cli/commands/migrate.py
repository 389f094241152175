"""`rig migrate`: from the old collector to laps, with the proof that all came over."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Group, RenderableType

from rig.errors import Refused
from rigclient.cli.commands import import_report, shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Text

if TYPE_CHECKING:
    from rigclient.imports.migration.report import MigratedSession, MigrationReport
    from rigclient.imports.migration.verification import LapVerification
    from rigclient.imports.sinks.sink import LapSink

_MOST_SHOWN: Final = 20
"""Things that differ, in the terminal; --json and --report have all."""
_COLUMNS: Final = (
    ("lap", "right"),
    ("driver", "left"),
    ("time", "right"),
    ("rows", "right"),
    ("left out", "left"),
    ("samples", "right"),
    ("columns", "right"),
    ("greatest difference", "left"),
    ("", "left"),
)


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write lap files here, not to the rig.",
)
@click.option(
    "--track", metavar="NAME", default="", help="The files name none; default: what their folder is called."
)
@click.option(
    "--date",
    metavar="YYYY-MM-DD",
    default="",
    callback=lambda _context, _option, text: import_report.date_or_year(text),
    help="Of all sessions, at the track.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report here: .md or .html.",
)
@shell.as_json
@click.pass_obj
def migrate(
    address: str, folder: Path, into: Path | None, track: str, date: str, report: Path | None, as_json: bool
) -> None:
    """Bring the laps of the old collector over, and prove that nothing was lost.

    FOLDER holds its CSV files: ten a lap, or physics and scoring. They are imported as laps, and then each is
    read anew and compared with its lap: lap and sector times, samples, and every column with its channel. The
    last line says whether it is safe to switch. Run it as often as you like: what is there is compared again.

    \b
    Example:
      rig migrate ~/collector/spa --track Spa
      rig migrate ~/collector/spa --track Spa --into laps --report migration.html
    """
    from rigclient.imports.import_file import ImportOptions
    from rigclient.imports.migration import migration
    from rigclient.imports.migration import report as reports

    if report is not None:
        reports.check(report)
    found = migration.found_in(folder)
    with closing(_sink(address, into)) as sink, import_report.progress_bar(found) as progress:
        named = ImportOptions(track, 0, date, replace=False)
        made = migration.migrate(folder, found, sink, named, import_report.RefusedRows(), progress)
    if report is not None:
        reports.write(made, report)
    if as_json:
        click.echo(shell.json_text(made.plain()))
    else:
        console = shell.console()
        console.print(_shown(made, console.width), soft_wrap=True)
    if troubles := list(made.troubles()):
        raise Refused(made.verdict(), hint=troubles[0])


def _sink(address: str, into: Path | None) -> "LapSink":
    from rigclient.imports.sinks.folder import FolderSink
    from rigclient.imports.sinks.rig import RigSink

    if into is not None:
        return FolderSink(into)
    from rigclient.blocking import connect

    return RigSink(connect(address))


def _shown(made: "MigrationReport", width: int) -> RenderableType:
    """Return a table per session, then what differs, then the verdict."""
    parts: list[RenderableType] = []
    for session in made.sessions:
        parts += [_title(session), _laps(session, width), Text()]
    parts += [Text(f"{path}: left alone, of another kind", DIM) for path in made.others]
    troubles = list(made.troubles())
    parts += [Text(trouble, YELLOW) for trouble in troubles[:_MOST_SHOWN]]
    if len(troubles) > _MOST_SHOWN:
        parts.append(Text(f"and {len(troubles) - _MOST_SHOWN} more; --report FILE has all", DIM))
    return Group(*parts, Text(made.verdict(), RED if troubles else GOOD))


def _title(session: "MigratedSession") -> Text:
    title = Text(session.name or session.first.name, STRONG)
    return title.append(f"  {session.files} files, {session.outcome}", DIM)


def _laps(session: "MigratedSession", width: int) -> RenderableType:
    return table(_COLUMNS, (_row(lap) for lap in session.laps), width)


def _row(lap: "LapVerification") -> Sequence[Text]:
    from rigclient.imports.migration.report import cells, verdict

    how = verdict(lap)
    texts: Iterator[Text] = (Text(one, DIM if one == "-" else TEXT) for one in cells(lap))
    return *texts, Text(how, GOOD if how == "same" else RED)
