"""`rig season drivers`: what the season says of each driver."""

from collections.abc import Sequence
from typing import Final

import click

from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import name_text, of_season, print_by_class
from rigclient.cli.terminal.palette import DIM, GOOD, PURPLE, RED, TEXT
from rigclient.cli.terminal.text import Text
from riglap.season.drivers import honours
from riglap.times import clock

_WIDE_FROM: Final = 110
"""Cells from which all columns are shown."""
_COLUMNS: Final = (
    ("driver", "left", False),
    ("starts", "right", False),
    ("wins", "right", False),
    ("podiums", "right", False),
    ("best", "right", False),
    ("mean", "right", False),
    ("laps", "right", True),
    ("led", "right", True),
    ("pace %", "right", False),
    ("lap %", "right", True),
    ("spread s", "right", False),
    ("places", "right", False),
    ("incidents", "right", True),
    ("out", "right", False),
    ("in pits", "right", True),
)
"""Name, side, and whether it takes a wide terminal."""


@click.command()
@click.option("--driver", metavar="PART", default="", help="Part of the driver's name.")
@of_season
def drivers(season: season_pb2.Season, /, driver: str, as_json: bool) -> None:
    """Show what the season says of each driver.

    The fastest is first; wins and places are those in the class. pace % and lap % are the mean gaps of laps
    at pace and of best laps to the best of the class, spread is the deviation of laps at pace, places are
    those gained from the grid, or from the end of the first lap where no grid is known; out are races that
    were not finished. A terminal of 110 columns shows more.

    \b
    Example:
      rig season drivers --class GT3
      rig season drivers --driver alder --json
    """
    print_by_class(season, "drivers", driver, print_table, as_json=as_json)


def print_table(rows: Sequence[season_pb2.SeasonDriver]) -> None:
    """Print the drivers of one class."""
    console = shell.console()
    wide = console.width >= _WIDE_FROM
    heads = [(name, side) for name, side, needs_room in _COLUMNS if wide or not needs_room]
    cells = [_cells(row) for row in rows]
    kept = [
        [cell for cell, (_, _, needs_room) in zip(row, _COLUMNS, strict=True) if wide or not needs_room]
        for row in cells
    ]
    console.print(table(heads, kept, console.width))


def _cells(row: season_pb2.SeasonDriver) -> Sequence[Text]:
    own = honours(row)
    return (
        name_text(row.driver, row.player),
        Text(str(row.starts), TEXT),
        Text(str(own.wins or ""), PURPLE),
        Text(str(own.podiums or ""), TEXT),
        Text(str(own.best), TEXT),
        Text(f"{own.mean:.1f}", TEXT),
        Text(str(row.laps), DIM),
        Text(str(row.laps_led or ""), PURPLE),
        _number(row, "pace_gap", 2),
        _number(row, "best_gap", 2),
        _number(row, "spread", 3),
        _places(row.places_gained),
        Text(str(row.incidents or ""), TEXT),
        Text(str(row.retirements or ""), RED),
        Text(clock(row.pit_time) if row.pit_time else "", DIM),
    )


def _number(row: season_pb2.SeasonDriver, name: str, digits: int) -> Text:
    if not row.HasField(name):  # type: ignore[arg-type]
        return Text("-", DIM)
    return Text(f"{getattr(row, name):.{digits}f}", TEXT)


def _places(gained: int) -> Text:
    return Text(f"{gained:+d}" if gained else "0", GOOD if gained > 0 else RED if gained < 0 else DIM)
