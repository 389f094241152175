"""What an import asks and tells: options, a bar while files are read, a table of them, the refused rows."""

import contextlib
import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Console, Text
from riglap.times import lap_time

Command = Callable[..., Any]

if TYPE_CHECKING:
    from rigclient.imports.discovery import Search
    from rigclient.imports.import_file import ImportReport
    from rigclient.imports.recording import MappedColumn
    from rigclient.imports.refusals import OnRefused, RefusedRow

_MOST_SHOWN: Final = 10
"""Refused rows that are printed; --refused writes them all."""
_NAME_CELLS: Final = 40
"""Of a file's name beside the bar."""
_MOST_OTHERS: Final = 5
"""Files of other kinds that are named; the folder of a race has five results beside each chart."""
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
_UNDERSTOOD: Final = "understood"
_OUTCOMES: Final = {"loaded": GOOD, _UNDERSTOOD: GOOD, _REFUSED: RED, _EMPTY: RED}
"""How what became of a file is shown; all else is dim."""


def asks(command: Command) -> Command:
    """Give a command files, and what the caller knows of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: Final[tuple[Callable[[Command], Command], ...]] = (
    click.argument(
        "paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=False)
    ),
    click.option(
        "--track", metavar="NAME", default="", help="Of all files; default: what they say, or their folders."
    ),
    click.option("--race", metavar="N", type=click.IntRange(1, 4), help="Default: by the file, or its name."),
    click.option(
        "--refused",
        "refused_file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write every row that was not loaded here, as CSV.",
    ),
    click.option(
        "--date",
        metavar="YYYY-MM-DD",
        default="",
        callback=lambda _context, _option, text: date_or_year(text),
        help="Of all files, at the track; default: of a folder such as 202306101600_Race, or by beacons.",
    ),
    click.option("--replace", is_flag=True, help="A chart takes the place of an earlier one of its race."),
)


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
def written(path: Path | None, refused_rows: RefusedRows) -> "Iterator[OnRefused]":
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


class FilesBar:
    """A bar over the bytes of all files that are read."""

    def __init__(self, bars: Bars, found: "Search") -> None:
        self._bars = bars
        self._task = bars.add_task("", total=sum(file.bytes for file in found.files))
        self._done = Counter[Path]()

    def __call__(self, path: Path, read: int) -> None:
        """Tell how many bytes of a file are read."""
        self._done[path] = max(self._done[path], read)
        self._show(visible(path.name[:_NAME_CELLS]))

    def kept(self, path: Path, laps: int, of: int) -> None:
        """Tell how many laps of a file are kept."""
        self._show(f"{visible(path.name[: _NAME_CELLS // 2])} lap {laps} of {of}")

    def _show(self, text: str) -> None:
        self._bars.update(self._task, completed=self._done.total(), description=text)


@contextlib.contextmanager
def progress_bar(found: "Search") -> "Iterator[FilesBar]":
    """Show a bar on standard error, only where that is a terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
        yield FilesBar(bars, found)


def show(reports: "Sequence[ImportReport]", found: "Search", refused_rows: RefusedRows) -> None:
    """Print what became of the files, for people."""
    console = shell.console()
    console.print(files_table(reports, console.width))
    for line in whys(reports, found):
        console.print(line, soft_wrap=True)
    console.print(_report(reports, found, refused_rows, console.width))


def _report(
    reports: "Sequence[ImportReport]", found: "Search", refused_rows: RefusedRows, width: int
) -> RenderableType:
    parts: list[RenderableType] = []
    if refused_rows.count:
        parts += [Text(), _reasons(reports, refused_rows, width), Text(), *_first(refused_rows)]
    return Group(*parts, Text(), _sum(reports, found))


def whys(reports: "Sequence[ImportReport]", found: "Search") -> Iterator[Text]:
    """Yield a line for every file that is not loaded, with its reason."""
    for report in reports:
        if report.why:
            yield Text(report.why, YELLOW if report.outcome in (_REFUSED, _EMPTY) else DIM)
    others = found.others[:_MOST_OTHERS]
    yield from (Text(f"{path}: left alone, a table of another kind", DIM) for path in others)
    if len(found.others) > len(others):
        more = len(found.others) - len(others)
        yield Text(f"and {more} more left alone; --json names them all", DIM)


def files_table(reports: "Sequence[ImportReport]", width: int) -> RenderableType:
    """Return a row per file that has laps to tell."""
    shown = (report for report in reports if report.kind != _BEACONS or report.why)
    return table(_COLUMNS, map(_row, shown), width)


def _row(report: "ImportReport") -> Sequence[Text]:
    return (
        Text(_title(report), STRONG),
        Text(report.kind or "-", TEXT),
        _count(report.laps, TEXT),
        _count(report.samples, TEXT),
        _count(report.refused.total(), YELLOW),
        Text(report.outcome, _OUTCOMES.get(report.outcome, DIM)),
    )


def _title(report: "ImportReport") -> str:
    """Return the race; of a file that brought none its name, for the folder alone would tell its race."""
    named = report.race is None or report.outcome in (_REFUSED, _EMPTY)
    return visible(report.path.name) if named else str(report.race)


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
    done = "understood" if any(one.outcome == _UNDERSTOOD for one in loaded) else "loaded"
    words = [f"{len(loaded)} file{'s' * (len(loaded) != 1)} {done}, {sum(one.laps for one in loaded)} laps"]
    there = sum(report.outcome == _THERE for report in reports)
    dates = sum(report.kind == _BEACONS for report in reports)
    undated = sum("undated" in report.session for report in loaded)
    words += [f"{there} there already, nothing changed"] if there else []
    words += [f"{dates} of beacons, for the dates"] if dates else []
    words += [f"{undated} without a date: --date tells it, or beacons of the race"] if undated else []
    older = sum(report.outcome == _OLDER for report in reports)
    words += [f"{older} older than what is there"] if older else []
    words += [f"{len(_refused(reports))} refused"] if _refused(reports) else []
    words += [f"{len(found.others)} tables of other kinds left alone"] if found.others else []
    return Text("; ".join(words), DIM)


def plain(reports: "Sequence[ImportReport]", found: "Search", refused_rows: RefusedRows) -> dict[str, Any]:
    """Return the same for machines."""
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
                "dialect": report.dialect,
                "sessions": list(report.sessions),
                **_understood(report),
            }
            for report in reports
        ],
        "others": [str(path) for path in found.others],
        "refused": refused_rows.count,
        "first_refused": [{**row._asdict(), "path": str(row.path)} for row in refused_rows.first],
    }


def _understood(report: "ImportReport") -> dict[str, Any]:
    """Return how a file was understood."""
    return {
        "rate": next((one.rate_hz for one in report.recordings), None),
        "mapped": [column._asdict() for one in report.recordings for column in one.mapped],
        "left": [name for one in report.recordings for name in one.left],
        "times": [{"lap": name, "lap_time": time} for name, time in report.times],
    }


def understood(report: "ImportReport", width: int) -> Iterator[RenderableType]:
    """Yield how a file was understood, for people: session, channels, what is left, laps and times."""
    yield Text(f"{report.path.name}: {report.dialect}", STRONG)
    facts = [("session", session) for session in report.sessions or (report.session,)]
    facts.append(("laps", _laps_told(report)))
    for one in report.recordings:
        facts += _mapped(one.mapped)
        facts += [("left", ", ".join(one.left))] if one.left else []
    yield table((("", "left"), ("", "left")), [(Text(name, DIM), Text(text)) for name, text in facts], width)
    rows = [
        (Text(name.partition("/laps/")[2]), Text(lap_time(time) if time else "-"))
        for name, time in report.times
    ]
    yield table((("lap", "left"), ("time", "right")), rows[:_MOST_SHOWN], width)
    if len(rows) > _MOST_SHOWN:
        yield Text(f"and {len(rows) - _MOST_SHOWN} more; --json tells them all", DIM)


def _laps_told(report: "ImportReport") -> str:
    rate = next((one.rate_hz for one in report.recordings if one.rate_hz), None)
    return f"{report.laps}, {report.samples} samples" + (f" at {rate:g} Hz" if rate else "")


def _mapped(columns: "Sequence[MappedColumn]") -> list[tuple[str, str]]:
    """Return channels with the columns that became them, four wheels and three axes in one row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        unit = f" [{column.unit}]" if column.unit and f"[{column.unit}]" not in column.column else ""
        told = unit + (f": {column.note}" if column.note else "")
        alike.setdefault((column.channel, told), []).append(column.column)
    return [(channel, ", ".join(names) + told) for (channel, told), names in alike.items()]


def end(reports: "Sequence[ImportReport]") -> None:
    """Raise Refused when files were refused whole: that is no success."""
    if refused := _refused(reports):
        raise Refused(
            f"{len(refused)} of {len(reports)} files refused", hint="each is shown above with its reason"
        )


def _refused(reports: "Sequence[ImportReport]") -> "list[ImportReport]":
    return [report for report in reports if report.outcome in (_REFUSED, _EMPTY)]


def date_or_year(text: str) -> str:
    """Return a date or a year. Raises BadParameter."""
    from rigclient.imports.races import date_of

    found = date_of(text)
    if text and not found:
        raise click.BadParameter(f"{text!r} is no date such as 2023-06-10, nor a year")
    return found
