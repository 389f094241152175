"""The commands of `rig warehouse` that load files and ask questions."""

import click

from rigclient.cli.commands.questions import compare, drivers, laps, load, standings, telemetry, unload


def add_to(group: click.Group) -> None:
    """Make them commands of the group."""
    for command in (
        load.load,
        unload.unload,
        drivers.drivers,
        laps.laps,
        telemetry.telemetry,
        compare.grid,
        compare.compare,
        standings.results,
        standings.statistics,
        standings.lap_chart,
    ):
        group.add_command(command)
