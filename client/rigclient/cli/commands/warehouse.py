"""`rig warehouse`: where laps of all rigs are kept for good, and what can be asked there."""

from typing import Final

import click

from rigclient.cli.commands import exits

_HERE: Final = "rigclient.cli.commands.questions"
COMMANDS: Final = {
    "check": (f"{_HERE}.check:check", "Check that the warehouse can be used and holds what it should"),
    "compare": (f"{_HERE}.compare:compare", "Compare the best laps of two drivers"),
    "drivers": (f"{_HERE}.drivers:drivers", "List drivers with telemetry, by track"),
    "grid": (f"{_HERE}.compare:grid", "Show two laps over the distance"),
    "init": (f"{_HERE}.init:init", "Make the tables, or add the columns that are missing; again is harmless"),
    "lap-chart": (f"{_HERE}.standings:lap_chart", "Show the place of every car after every lap"),
    "laps": (f"{_HERE}.laps:laps", "List laps, in every session by car and lap"),
    "load": (f"{_HERE}.load:load", "Load lap charts and telemetry of other programs"),
    "results": (
        f"{_HERE}.standings:results",
        "Show how a session ended: places, also in class, gaps, best laps, laps led",
    ),
    "statistics": (
        f"{_HERE}.standings:statistics",
        "Show how fast and how evenly everybody drove in a session",
    ),
    "telemetry": (f"{_HERE}.telemetry:telemetry", "Get samples of laps, ordered by car, lap and distance"),
    "unload": (
        f"{_HERE}.unload:unload",
        "Take back what `rig warehouse load` has brought",
    ),
}


@click.group(cls=exits.Commands, lazy=COMMANDS)
def warehouse() -> None:
    """Look after the warehouse, and ask it; `rig sync` fills it.

    \b
    Example:
      rig warehouse check
    """
