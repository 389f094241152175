"""`rig season` and its commands."""

from typing import Final

import click

from rigclient.cli.commands import exits

_HERE: Final = "rigclient.cli.commands.season"
COMMANDS: Final = {
    "drivers": (f"{_HERE}.drivers:drivers", "Show what the season says of each driver"),
    "factors": (f"{_HERE}.factors:factors", "Show five factors from 0 to 100 within the field of the class"),
    "forecast": (f"{_HERE}.forecast:forecast", "Show what pace to expect at a circuit, and how sure that is"),
    "report": (f"{_HERE}.report:report", "Show the season on one page, or write it as one for browsers"),
    "results": (f"{_HERE}.results:results", "Show who won which round, or all of one round"),
    "standings": (f"{_HERE}.standings:standings", "Show the championship, by a rule of points"),
    "trend": (f"{_HERE}.trend:trend", "Show how each driver's pace went from round to round"),
}


@click.group(cls=exits.Commands, lazy=COMMANDS)
def season() -> None:
    """Add up a season: results, points, drivers, factors, forecasts.

    It is made of the races of the rig, or with --from-warehouse of those in the warehouse.

    \b
    Example:
      rig season standings --points f1
      rig season report --html season.html
    """
