"""`rig season trend`: how each driver's pace went from round to round."""

from collections.abc import Sequence
from typing import Final

import click

from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import name_text, of_season, print_by_class
from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.palette import BLUE, DIM, GOOD, PURPLE, RED, TEXT
from rigclient.cli.terminal.text import Text

_FLAT: Final = 0.02
"""Percent a round, below which a trend is none."""
_HEADS: Final = (
    ("driver", "left"),
    ("pace score", "default"),
    ("place", "default"),
    ("pace %", "right"),
    ("last", "right"),
    ("a round", "right"),
)


@click.command()
@click.option("--driver", metavar="PART", default="", help="Part of the driver's name.")
@of_season
def trend(season: season_pb2.Season, /, driver: str, as_json: bool) -> None:
    """Show how each driver's pace went from round to round.

    The first column has a bar for each round: how much of the class was slower; the second the place in the
    class, where the winner has the tallest bar. pace % is the mean gap to the best of the class, last that of
    the last round driven, and the last column how much it grows or shrinks from round to round: below zero is
    faster.

    \b
    Example:
      rig season trend
      rig season trend --driver alder
    """

    def show(field: Sequence[season_pb2.SeasonDriver]) -> None:
        console = shell.console()
        console.print(table(_HEADS, [_row(season, row) for row in field], console.width))

    print_by_class(season, "pace from round to round", driver, show, as_json=as_json)


def _row(season: season_pb2.Season, row: season_pb2.SeasonDriver) -> Sequence[Text]:
    driven = {one.round: one for one in row.rounds}
    rounds = [driven.get(one.round) for one in season.rounds]
    scores = [one.pace_score / 100 if one and one.HasField("pace_score") else None for one in rounds]
    gaps = [one.pace_gap for one in row.rounds if one.HasField("pace_gap")]
    return (
        name_text(row.driver, row.player),
        Text.assemble(*gauges.spark(scores, BLUE)),
        Text.assemble(*gauges.spark([_height(season, row, one) for one in rounds], PURPLE)),
        Text(f"{row.pace_gap:.2f}" if row.HasField("pace_gap") else "-", TEXT),
        Text(f"{gaps[-1]:.2f}" if gaps else "-", TEXT),
        _change(row),
    )


def _height(
    season: season_pb2.Season, row: season_pb2.SeasonDriver, one: season_pb2.DriverRound | None
) -> float | None:
    """Return the share of the class that finished behind."""
    if one is None:
        return None
    cars = season.rounds[one.round - 1].results
    field = sum(car.vehicle_class == row.vehicle_class for car in cars)
    return 1.0 - ((one.class_place or one.place) - 1) / max(field - 1, 1)


def _change(row: season_pb2.SeasonDriver) -> Text:
    if not row.HasField("trend"):
        return Text("-", DIM)
    style = DIM if abs(row.trend) < _FLAT else GOOD if row.trend < 0 else RED
    return Text(f"{row.trend:+.2f}", style)
