"""`rig season factors`: what drivers are good at, within the field of their class."""

from collections.abc import Iterator, Sequence
from typing import Final

import click

from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import name_text, of_season, print_by_class
from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.palette import DIM, SHARE, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text

NAMES: Final = ("pace", "consistency", "racecraft", "tyre care", "starts")
_BAR: Final = 6
_WIDE_BAR: Final = 14
_WIDE_FROM: Final = 120


@click.command()
@click.option(
    "--driver", metavar="PART", default="", help="Part of the driver's name: what the factors are made of."
)
@of_season
def factors(season: season_pb2.Season, /, driver: str, as_json: bool) -> None:
    """Show five factors from 0 to 100 within the field of the class.

    A factor says how much of the field a driver beats: 80 is better than four of five. With --driver each
    part is shown with its figure, its score, its weight and what it brings. docs/guide/season.md has the
    formulas.

    \b
    Example:
      rig season factors
      rig season factors --driver alder
    """
    print_by_class(season, "factors", driver, _print_parts if driver else print_table, as_json=as_json)


def print_table(rows: Sequence[season_pb2.SeasonDriver]) -> None:
    """Print the factors of the drivers of one class."""
    console = shell.console()
    cells = _WIDE_BAR if console.width >= _WIDE_FROM else _BAR
    heads = [("driver", "left"), *((name, "default") for name in NAMES)]
    console.print(table(heads, [list(_row(row, cells)) for row in rows], console.width))


def _row(row: season_pb2.SeasonDriver, cells: int) -> Iterator[Text]:
    yield name_text(row.driver, row.player)
    for factor in row.factors:
        yield _bar(factor.score if factor.HasField("score") else None, cells)


def _bar(score: float | None, cells: int) -> Text:
    if score is None:
        return Text("-", DIM)
    bar = gauges.bar(score / 100.0, cells, SHARE.style(score / 100.0))
    return Text.assemble((f"{score:3.0f} ", STRONG), *bar)


def _print_parts(rows: Sequence[season_pb2.SeasonDriver]) -> None:
    console = shell.console()
    heads = (
        ("", "left"),
        ("figure", "right"),
        ("", "left"),
        ("score", "default"),
        ("weight", "right"),
        ("brings", "right"),
    )
    for row in rows:
        console.print(name_text(row.driver, row.player))
        console.print(table(heads, [list(cells) for cells in _parts(row)], console.width))


def _parts(row: season_pb2.SeasonDriver) -> Iterator[Sequence[Text]]:
    for factor in row.factors:
        score = factor.score if factor.HasField("score") else None
        yield Text(factor.name, TITLE), Text(), Text(), _bar(score, _WIDE_BAR), Text(), Text()
        for part in factor.parts:
            own = part.score if part.HasField("score") else None
            yield (
                Text(f"  {part.name}", TEXT),
                Text(f"{part.value:.3f}" if part.HasField("value") else "-", TEXT),
                Text(part.unit, DIM),
                _bar(own, _WIDE_BAR),
                Text(f"{part.weight:.2f}", DIM),
                Text(f"{part.brings:.1f}" if own is not None else "-", STRONG),
            )
