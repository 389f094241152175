"""`rig season forecast`: what pace to expect at a circuit, and how sure that is."""

from collections.abc import Sequence
from typing import Final

import click

from rig.errors import NotFound
from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import chosen, name_text, of_season, players, print_notes
from rigclient.cli.terminal.palette import BLUE, DIM, FAINT, TEXT, TITLE
from rigclient.cli.terminal.text import Text
from riglap.season.page import quality
from riglap.times import lap_time

_RANGE: Final = 24
_WIDE_FROM: Final = 105
"""Cells from which intervals are drawn."""
_HEADS: Final = (
    ("driver", "left"),
    ("pace", "right"),
    ("from", "right"),
    ("to", "right"),
    ("to the field %", "right"),
    ("", "default"),
    ("driven", "right"),
    ("here", "right"),
)
_DRAWN: Final = 5
"""Position of the interval among them."""


@click.command()
@click.option("--at", "circuit", metavar="PART", default="", help="Only circuits with this in the name.")
@click.option("--driver", metavar="PART", default="", help="Part of the driver's name.")
@of_season
def forecast(season: season_pb2.Season, /, circuit: str, driver: str, as_json: bool) -> None:
    """Show what pace to expect at a circuit, and how sure that is.

    Pace is the mean of the laps at pace of a session. It lies between `from` and `to` in four of five cases.
    The gap to the field is surer than the time, since weather and rubber are the same for all. What is said
    below the tables is how such forecasts did for every round of this season, made without it.

    \b
    Example:
      rig season forecast --at barber
      rig season forecast --driver alder
    """
    found = [one for one in season.forecasts if circuit.lower() in one.track_name.lower()]
    if not found:
        raise NotFound(
            _nothing(season, circuit),
            hint=_circuits(season) if season.forecasts else "`rig season results` shows what there is",
        )
    shown = {id(one): chosen(one.drivers, driver) for one in found}
    if as_json:
        shell.show_json(found)
        return
    console = shell.console()
    own = players(season)
    for one in found:
        words = f"  {one.vehicle_class}  {one.sessions} session{'s' * (one.sessions != 1)} here"
        console.print(Text.assemble((one.track_name, TITLE), (words, DIM)))
        low = min(each.gap - each.gap_error for each in one.drivers)
        high = max(each.gap + each.gap_error for each in one.drivers)
        rows = [_row(each, (low, high), each.driver in own) for each in shown[id(one)]]
        drawn = console.width >= _WIDE_FROM
        columns = [at for at in range(len(_HEADS)) if drawn or at != _DRAWN]
        kept = [[row[at] for at in columns] for row in rows]
        console.print(table([_HEADS[at] for at in columns], kept, console.width))
    for line in quality(season):
        console.print(Text(line, DIM))
    print_notes(console, season)


def _nothing(season: season_pb2.Season, circuit: str) -> str:
    if not season.forecasts:
        return "a forecast takes three sessions and three drivers of a class with five laps at pace each"
    return f"the season has no circuit with {circuit!r} in its name"


def _circuits(season: season_pb2.Season) -> str:
    return ", ".join(dict.fromkeys(one.track_name for one in season.rounds))


def _row(one: season_pb2.PaceForecast, ends: tuple[float, float], own: bool) -> Sequence[Text]:
    return (
        name_text(one.driver, own),
        Text(lap_time(one.pace), TEXT),
        Text(lap_time(one.low), DIM),
        Text(lap_time(one.high), DIM),
        Text(f"{one.gap:+.2f} ± {one.gap_error:.2f}", TEXT),
        _range(one, ends),
        Text(str(one.sessions), DIM),
        Text(str(one.sessions_here or ""), DIM),
    )


def _range(one: season_pb2.PaceForecast, ends: tuple[float, float]) -> Text:
    """Return the gap's interval along a line, with the gap in it."""
    low, high = ends
    step = (high - low) / (_RANGE - 1) or 1.0
    at = [
        round((value - low) / step) for value in (one.gap - one.gap_error, one.gap, one.gap + one.gap_error)
    ]
    cells = Text("·" * at[0], FAINT).append("━" * (at[1] - at[0]), BLUE).append("●", TEXT)
    return cells.append("━" * (at[2] - at[1]), BLUE).append("·" * (_RANGE - 1 - at[2]), FAINT)
