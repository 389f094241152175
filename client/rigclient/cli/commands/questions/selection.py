"""What the questions have in common: which laps, which warehouse, and what is said when there is nothing."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table as Grid

from rig.errors import NotFound
from rigclient.cli.commands import shell
from rigclient.cli.terminal.palette import DIM, TITLE
from rigclient.cli.terminal.text import Text
from riglap.times import lap_time

if TYPE_CHECKING:
    from rigclient.warehouse import Destination
    from rigclient.warehouse.questions.choice import Choice

_BETWEEN: Final = 2
_LEAST: Final = 6
"""Cells: of columns, and that a text keeps."""
_SOURCES: Final = ("live", "demo", "replay", "import")

_CHOICE: Final = (
    click.option("--track", metavar="PART", default="", help="Part of the track's name."),
    click.option("--race", type=click.IntRange(1, 4), metavar="N", help="Race of the weekend."),
    click.option("--session", metavar="PART", default="", help="Part of the session's name."),
    click.option(
        "--car",
        "cars",
        metavar="NO,NO",
        default="",
        callback=shell.names,
        help="Numbers on the cars, as 021; without numbers slot ids.",
    ),
    click.option("--driver", metavar="PART", default="", help="Part of the driver's name."),
    click.option("--class", "vehicle_class", metavar="PART", default="", help="Part of the class."),
    click.option("--source", type=click.Choice(_SOURCES), default=None, help="Where the data come from."),
    click.option("--green", is_flag=True, help="Only laps of which it is known that they were green."),
    click.option("--valid", is_flag=True, help="Only laps that count."),
)
_WORDS: Final = ("track", "race", "session", "cars", "driver", "vehicle_class", "source", "green", "valid")


def chosen(*without: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that choose laps; the command gets them as `words`, for `choice_of`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option, word in reversed(list(zip(_CHOICE, _WORDS, strict=True))):
            if word not in without:
                command = option(command)
        return command

    return decorate


def choice_of(words: Mapping[str, Any], **more: Any) -> "Choice":
    """Return the choice that the options make."""
    from rigclient.warehouse.questions.choice import Choice

    return Choice(**{name: value for name, value in words.items() if value is not None}, **more)


@contextlib.contextmanager
def asked(where: str | None, address: str) -> "Iterator[Destination]":
    """Open the warehouse; where that cannot be reached, what the rig at `address` knows, with a warning."""
    from rigclient.warehouse import offline

    with offline.opened(where, address, shell.warn) as destination:
        yield destination


@contextlib.contextmanager
def asked_alone(where: str | None) -> "Iterator[Destination]":
    """Open the warehouse, for questions about samples: no index of a rig tells them."""
    from rigclient.warehouse import connect

    with connect(where, read_only=True) as destination:
        yield destination


def warn_of_unknown_green(destination: "Destination", choice: "Choice") -> None:
    """Say how many laps --green leaves out that may have been green: charts without flags tell of none."""
    from rigclient.warehouse.questions.laps import unknown_green

    if choice.green and (count := unknown_green(destination, choice)):
        laps = "1 lap" if count == 1 else f"{count} laps"
        shell.warn(f"--green leaves out {laps} of which nobody knows whether there was a yellow")


def nothing(destination: "Destination", choice: "Choice", what: str = "lap") -> NotFound:
    """Return the error that says what there is instead."""
    from rigclient.warehouse.questions.suggestions import suggestion

    return NotFound(suggestion(destination, choice, what))


def table(columns: Iterable[tuple[str, Any]], rows: Iterable[Sequence[Text]], width: int) -> Grid:
    """Return a grid of these columns, names with their justification, in `width` cells: where there is no
    room the longest text gives way, then the longest name, for a cut number is another number.
    """
    columns = tuple(columns)
    kept = [tuple(row) for row in rows]
    grid = Grid(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0), header_style=TITLE)
    widths = _widths(columns, kept, width - _BETWEEN * (len(columns) - 1))
    for (name, justify), cells in zip(columns, widths, strict=True):
        grid.add_column(Text(name), justify=justify, no_wrap=True, overflow="ellipsis", width=cells)
    for row in kept:
        grid.add_row(*row)
    return grid


def _widths(columns: Sequence[tuple[str, Any]], rows: Sequence[Sequence[Text]], room: int) -> list[int]:
    widths = [max([len(name), *(row[at].cell_len for row in rows)]) for at, (name, _) in enumerate(columns)]
    for giving in ("left", "default"):  # names after texts: a part of one is enough for a command
        _cut(widths, [at for at, (_, justify) in enumerate(columns) if justify == giving], room)
    return widths


def _cut(widths: list[int], giving: Sequence[int], room: int) -> None:
    """Take from the longest of those that give way until there is room, or they are at their least."""
    while sum(widths) > room and giving:
        longest = max(giving, key=lambda at: widths[at])
        if widths[longest] <= _LEAST:
            break
        widths[longest] -= 1


def split(seconds: float | None) -> str:
    """Return a split time in s as text: 28.499, and from a minute on 1:08.499."""
    if seconds is None:
        return "-"
    return f"{seconds:.3f}" if seconds < 60 else lap_time(seconds)


def blank(text: str | None) -> Text:
    """Return a value as text, or a dash for nothing."""
    return Text(text) if text else Text("-", DIM)
