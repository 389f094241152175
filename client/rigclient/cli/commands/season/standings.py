"""`rig season standings`: the championship."""

from collections.abc import Sequence
from typing import Final

import click

from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import (
    chosen,
    classes,
    name_text,
    of_season,
    players,
    print_class,
    print_head,
    print_notes,
)
from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.palette import BLUE, DIM, PURPLE, STRONG, TEXT
from rigclient.cli.terminal.text import Text

_BAR: Final = 12
_ROUND: Final = 3
"""Cells of the points of a round."""
_REST: Final = 54
"""Cells of all other columns, with a name of twelve."""


@click.command()
@click.option("--driver", metavar="PART", default="", help="Part of the driver's name.")
@of_season
def standings(season: season_pb2.Season, /, driver: str, as_json: bool) -> None:
    """Show the championship, by a rule of points.

    Points of a round that does not count are in brackets; a first place is purple. Where the terminal is too
    narrow for all rounds the last ones are shown.

    A rule of one's own is a TOML file. All but `points` may be left out:

    \b
      points = [25, 18, 15, 12, 10, 8, 6, 4, 2, 1]
      pole = 1                  # where the qualifying is known
      fastest_lap = 1
      fastest_lap_places = 10   # only for one of these places; 0: any
      dropped = 2               # a driver's worst rounds
      by_class = true           # a table for each class
      classified = 0.75         # share of the winner's laps that points take

    \b
    Example:
      rig season standings
      rig season standings --points f1 --track barber
      rig season standings --points club.toml --from-warehouse
    """
    rows = chosen(season.standings, driver)
    if as_json:
        shell.show_json(rows)
        return
    console = shell.console()
    print_head(console, season, f"championship, {season.points.name} points")
    every = classes(rows)
    for name in every:
        print_class(console, name, every)
        print_table(season, [row for row in rows if row.vehicle_class == name])
    print_notes(console, season)


def print_table(season: season_pb2.Season, rows: Sequence[season_pb2.Standing]) -> None:
    """Print one table."""
    console = shell.console()
    most = max((row.points + row.behind for row in rows), default=0.0)
    shown = _rounds(season, console.width)
    heads = (
        ("P", "right"),
        ("driver", "left"),
        ("points", "right"),
        ("", "default"),
        ("behind", "right"),
        ("wins", "right"),
        *((f"{number:>{_ROUND}}", "right") for number in shown),
    )
    own = players(season)
    console.print(table(heads, [_row(row, most, shown, row.driver in own) for row in rows], console.width))


def _rounds(season: season_pb2.Season, width: int) -> list[int]:
    """Return the rounds that there is room for, the last ones."""
    room = max((width - _REST) // (_ROUND + 2), 0)
    return [one.round for one in season.rounds][-room:] if room else []


def _row(row: season_pb2.Standing, most: float, rounds: Sequence[int], own: bool) -> Sequence[Text]:
    bar = gauges.bar(row.points / most if most else 0.0, _BAR, BLUE)
    points = {one.round: one for one in row.rounds}
    return (
        Text(str(row.place), STRONG),
        name_text(row.driver, own),
        Text(f"{row.points:g}", STRONG),
        Text.assemble(*bar),
        Text(f"{-row.behind:g}" if row.behind else "", DIM),
        Text(str(row.wins or ""), PURPLE),
        *(_points(points.get(number)) for number in rounds),
    )


def _points(one: season_pb2.RoundPoints | None) -> Text:
    if one is None:
        return Text("-", DIM)
    if one.dropped:
        return Text(f"({one.points:g})", DIM)
    return Text(f"{one.points:g}", PURPLE if one.place == 1 else TEXT if one.points else DIM)
