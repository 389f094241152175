"""`rig season report`: the season on one page."""

from pathlib import Path
from typing import Final

import click

from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.season import drivers, factors, standings
from rigclient.cli.commands.season.source import classes, of_season, print_head, print_notes
from rigclient.cli.terminal.palette import DIM, TITLE
from rigclient.cli.terminal.text import Console, Text
from riglap.season.page import quality, write

_SHOWN: Final = 10
"""Drivers of each table; the page and the other commands have all."""


@click.command()
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=lambda ctx, param, value: shell.file(ctx, param, value) if value else None,
    metavar="FILE",
    help="Write a page for browsers: results, championship, drivers, factors, trends, forecasts. It needs no "
    "network.",
)
@of_season
def report(season: season_pb2.Season, /, page: Path | None, as_json: bool) -> None:
    """Show the season on one page, or write it as one for browsers.

    \b
    Example:
      rig season report
      rig season report --html season.html --points f1
    """
    if page:
        write(page, season)
        shell.show_files([page], as_json)
        return
    if as_json:
        shell.show_json(season)
        return
    console = shell.console()
    print_head(console, season, f"season, {season.points.name} points")
    for name in classes(season.drivers):
        _print_class(console, season, name)
    console.print()
    for line in quality(season):
        console.print(Text(line, DIM))
    print_notes(console, season)


def _print_class(console: Console, season: season_pb2.Season, name: str) -> None:
    """Print the first of a class in each table."""
    points = [one for one in season.standings if one.vehicle_class in ("", name)][:_SHOWN]
    field = [one for one in season.drivers if one.vehicle_class == name][:_SHOWN]
    if points:
        _print_title(console, name, "championship")
        standings.print_table(season, points)
    _print_title(console, name, "drivers")
    drivers.print_table(field)
    _print_title(console, name, "factors")
    factors.print_table(field)


def _print_title(console: Console, *words: str) -> None:
    console.print()
    console.print(Text(" ".join(filter(None, words)), TITLE))
