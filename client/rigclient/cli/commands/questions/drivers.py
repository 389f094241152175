"""`rig warehouse drivers`: who drove where, and of whom there is telemetry."""

from typing import Any, Final

import click

from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions.selection import (
    asked,
    blank,
    choice_of,
    chosen,
    nothing,
    table,
    warn_of_unknown_green,
)
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT
from rigclient.cli.terminal.text import Text
from riglap.times import lap_time

_COLUMNS: Final = (
    ("track", "left"),
    ("driver", "left"),
    ("class", "left"),
    ("best", "right"),
    ("laps", "right"),
    ("telemetry", "right"),
    ("samples", "right"),
)


@click.command()
@which_warehouse
@chosen()
@click.option("--all", "everybody", is_flag=True, help="Also those of whom there are times alone.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@shell.as_json
@click.pass_obj
def drivers(
    address: str, /, where: str | None, everybody: bool, limit: int, as_json: bool, **words: Any
) -> None:
    """List drivers with telemetry, by track.

    \b
    Example:
      rig warehouse drivers --track meander
      rig warehouse drivers --all --race 1 --json
    """
    from rigclient.warehouse.questions import drivers as question

    choice = choice_of(words, telemetry=not everybody)
    with asked(where, address) as destination:
        kept, more = shell.first(question.drivers(destination, choice), limit)
        if as_json:
            click.echo(shell.json_text(kept))
        warn_of_unknown_green(destination, choice)
        if not kept:
            raise nothing(destination, choice, "driver")
    if as_json:
        return
    console = shell.console()
    console.print(table(_COLUMNS, map(_row, kept), console.width))
    if more:
        console.print(shell.more(len(kept), "drivers"))


def _row(driver: dict[str, Any]) -> tuple[Text, ...]:
    return (
        Text(driver["track"], DIM),
        Text(driver["driver"], STRONG),
        Text(driver["vehicle_class"] or "", DIM),
        blank(lap_time(driver["best"] or 0.0)),
        Text(str(driver["laps"]), TEXT),
        Text(str(driver["laps_with_telemetry"]), TEXT),
        Text(f"{driver['samples']:,}", DIM),
    )
