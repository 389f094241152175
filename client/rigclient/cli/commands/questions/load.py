"""`rig warehouse load`: recordings of other programs into the warehouse."""

import contextlib
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Group, RenderableType
from rich.progress import BarColumn, DownloadColumn, TextColumn
from rich.progress import Progress as Bars
from rich.style import Style

from rig.errors import Refused
from rig.signs import visible
from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Console, Text

if TYPE_CHECKING:
    from rigclient.imports.discovery import Search
    from rigclient.imports.import_file import ImportReport, Progress
    from rigclient.imports.refusals import OnRefused, RefusedRow

_MOST_SHOWN: Final = 10
"""Refused rows that are printed; --refused writes them all."""
_FIELDS: Final = ("file", "line", "reason", "detail")
_COLUMNS: Final = (
    ("race", "left"),
    ("what", "left"),
    ("laps", "right"),
    ("samples", "right"),
    ("refused", "right"),
    ("", "left"),
)
_REASONS: Final = (("rows refused", "left"), ("rows", "right"), ("first in", "left"), ("line", "right"))
_BEACONS: Final = "beacons"
_THERE: Final = "there already"
_REFUSED: Final = "refused"
_EMPTY: Final = "no laps"
_OLDER: Final = "older"
_OUTCOMES: Final = {"loaded": GOOD, _REFUSED: RED, _EMPTY: RED}
"""How what became of a file is shown; all else is dim."""


@click.command()
@click.argument(
    "paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=False)
)
@which_warehouse
@click.option(
    "--track", metavar="NAME", default="", help="Of all files; default: what their folders are called."
)
@click.option("--race", metavar="N", type=click.IntRange(1, 4), help="Default: by the file's name.")
@click.option(
    "--refused",
    "refused_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every row that was not loaded here, as CSV.",
)
@click.option(
    "--date",
    metavar="YYYY-MM-DD",
    default="",
    callback=lambda _context, _option, text: _date(text),
    help="Of all files, at the track; default: of a folder such as 202306101600_Race, or by beacons.",
)
@click.option("--replace", is_flag=True, help="A chart takes the place of an earlier one of its race.")
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

    Each file once: endurance lap charts (23_AnalysisEnduranceWithSections), telemetry in long form
    (telemetry_name, telemetry_value), and lap beacons, which tell the dates of charts of the same race.
    Folders are searched. A row that is not sound is refused with its line, its neighbours are loaded; so is a
    file among others. A corrected chart is refused until --replace says that it is the right one.

    \b
    Example:
      rig warehouse load 'barber/23_AnalysisEnduranceWithSections_Race 1.CSV'
      rig warehouse load Data/ --refused refused.csv
    """
    from rigclient.imports import discovery, import_file, job
    from rigclient.imports.keeping import WarehouseKeeper
    from rigclient.warehouse import connect

    refused_rows = RefusedRows()
    with contextlib.ExitStack() as stack:
        found = discovery.search(paths)
        tell = stack.enter_context(_written(refused_file, refused_rows))
        progress = stack.enter_context(_progress(found))
        destination = stack.enter_context(connect(where))
        work = job.ImportJob(
            WarehouseKeeper(destination),
            import_file.ImportOptions(track, race or 0, date, replace),
            tell,
            progress,
        )
        reports = list(work.run(found))
    if as_json:
        click.echo(shell.json_text(_plain(reports, found, refused_rows)))
    else:
        console = shell.console()
        console.print(_files(reports, console.width))
        for line in _whys(reports, found):
            console.print(line, soft_wrap=True)
        console.print(_report(reports, found, refused_rows, console.width))
    _end(reports)


class RefusedRows:
    """The rows that were refused, the first of them in full."""

    def __init__(self) -> None:
        self.first: Final[list[RefusedRow]] = []
        self.where: Final[dict[str, RefusedRow]] = {}
        """The first of each reason."""
        self.count: int = 0

    def __call__(self, refusal: "RefusedRow") -> None:
        """Count one more."""
        self.count += 1
        self.where.setdefault(refusal.reason, refusal)
        if len(self.first) < _MOST_SHOWN:
            self.first.append(refusal)


@contextlib.contextmanager
def _written(path: Path | None, refused_rows: RefusedRows) -> "Iterator[OnRefused]":
    """Open what refused rows are given to; where a file is wanted it writes them there."""
    if path is None:
        yield refused_rows
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_FIELDS)

        def write(refusal: "RefusedRow") -> None:
            refused_rows(refusal)
            writer.writerow(refusal)

        yield write


@contextlib.contextmanager
def _progress(found: "Search") -> "Iterator[Progress]":
    """Show a bar on standard error over the bytes of all files, only where that is a terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("", total=sum(file.bytes for file in found.files))
        done = Counter[Path]()

        def progress(path: Path, read: int) -> None:
            done[path] = max(done[path], read)
            bars.update(task, completed=done.total(), description=visible(path.name[:40]))

        yield progress


def _report(
    reports: "Sequence[ImportReport]", found: "Search", refused_rows: RefusedRows, width: int
) -> RenderableType:
    parts: list[RenderableType] = []
    if refused_rows.count:
        parts += [Text(), _reasons(reports, refused_rows, width), Text(), *_first(refused_rows)]
    return Group(*parts, Text(), _sum(reports, found))


def _whys(reports: "Sequence[ImportReport]", found: "Search") -> Iterator[Text]:
    """Yield a line for every file that is not loaded, with its reason."""
    for report in reports:
        if report.why:
            yield Text(report.why, YELLOW if report.outcome in (_REFUSED, _EMPTY) else DIM)
    yield from (Text(f"{path}: left alone, a table of another kind", DIM) for path in found.others)


def _files(reports: "Sequence[ImportReport]", width: int) -> RenderableType:
    """Return a row per file that has laps to tell."""
    shown = (report for report in reports if report.kind != _BEACONS or report.why)
    return table(_COLUMNS, map(_row, shown), width)


def _row(report: "ImportReport") -> Sequence[Text]:
    return (
        Text(str(report.race) if report.race else report.path.name, STRONG),
        Text(report.kind or "-", TEXT),
        _count(report.laps, TEXT),
        _count(report.samples, TEXT),
        _count(report.refused.total(), YELLOW),
        Text(report.outcome, _OUTCOMES.get(report.outcome, DIM)),
    )


def _count(number: int, style: Style) -> Text:
    return Text(str(number), style) if number else Text("-", DIM)


def _reasons(reports: "Sequence[ImportReport]", refused_rows: RefusedRows, width: int) -> RenderableType:
    """Return rows that were refused, by reason."""
    total = sum((report.refused for report in reports), Counter[str]())
    rows = (_reason(reason, count, refused_rows.where[reason]) for reason, count in total.most_common())
    return table(_REASONS, rows, width)


def _reason(reason: str, count: int, first: "RefusedRow") -> Sequence[Text]:
    where = Text(first.path.name, DIM), Text(str(first.line), DIM)
    return Text(reason, YELLOW), Text(str(count), TEXT), *where


def _place(refusal: "RefusedRow") -> str:
    return f"{refusal.path.name}:{refusal.line}"


def _first(refused_rows: RefusedRows) -> Iterator[Text]:
    for refusal in refused_rows.first:
        yield Text(f"{_place(refusal)}: {refusal.detail}", TEXT)
    if refused_rows.count > len(refused_rows.first):
        yield Text(
            f"and {refused_rows.count - len(refused_rows.first)} more; --refused FILE writes them all", DIM
        )


def _sum(reports: "Sequence[ImportReport]", found: "Search") -> Text:
    """Return the sum in words: 15 files loaded, 7214 laps; ..."""
    loaded = [report for report in reports if report.laps]
    words = [f"{len(loaded)} file{'s' * (len(loaded) != 1)} loaded, {sum(one.laps for one in loaded)} laps"]
    there = sum(report.outcome == _THERE for report in reports)
    dates = sum(report.kind == _BEACONS for report in reports)
    undated = sum("undated" in report.session for report in loaded)
    words += [f"{there} there already, nothing changed"] if there else []
    words += [f"{dates} of beacons, for the dates"] if dates else []
    words += [f"{undated} without a date, which beacons of the race would tell"] if undated else []
    older = sum(report.outcome == _OLDER for report in reports)
    words += [f"{older} older than what is there"] if older else []
    words += [f"{len(_refused(reports))} refused"] if _refused(reports) else []
    words += [f"{len(found.others)} tables of other kinds left alone"] if found.others else []
    return Text("; ".join(words), DIM)


def _plain(reports: "Sequence[ImportReport]", found: "Search", refused_rows: RefusedRows) -> dict[str, Any]:
    return {
        "files": [
            {
                "path": str(report.path),
                "kind": report.kind,
                "outcome": report.outcome,
                "session": report.session,
                "track": report.race.track if report.race else "",
                "session_kind": report.race.kind if report.race else "",
                "race": report.race.number if report.race else None,
                "date": report.race.date if report.race else "",
                "laps": report.laps,
                "samples": report.samples,
                "refused": dict(report.refused),
                "why": report.why,
            }
            for report in reports
        ],
        "others": [str(path) for path in found.others],
        "refused": refused_rows.count,
        "first_refused": [{**row._asdict(), "path": str(row.path)} for row in refused_rows.first],
    }


def _end(reports: "Sequence[ImportReport]") -> None:
    """Raise Refused when files were refused whole: that is no success."""
    if refused := _refused(reports):
        raise Refused(
            f"{len(refused)} of {len(reports)} files refused", hint="each is shown above with its reason"
        )


def _refused(reports: "Sequence[ImportReport]") -> "list[ImportReport]":
    return [report for report in reports if report.outcome in (_REFUSED, _EMPTY)]


def _date(text: str) -> str:
    """Return a date or a year. Raises BadParameter."""
    from rigclient.imports.races import date_of

    found = date_of(text)
    if text and not found:
        raise click.BadParameter(f"{text!r} is no date such as 2023-06-10, nor a year")
    return found
