"""`rig warehouse compare` and `grid`: two laps over the distance, and where one of them wins the time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions import comparison
from rigclient.cli.commands.questions.selection import (
    asked,
    asked_alone,
    choice_of,
    chosen,
    warn_of_unknown_green,
)
from riglap.plot import writer_of

if TYPE_CHECKING:
    from rigclient.warehouse import Destination
    from rigclient.warehouse.questions.compare import LoadedComparison

_WISHES: Final = (
    click.option(
        "--channels",
        metavar="A,B",
        default="speed",
        show_default=True,
        callback=shell.names,
        help="See `rig channels`.",
    ),
    click.option(
        "--step",
        "step_m",
        type=click.FloatRange(0.5, 1000),
        default=10.0,
        show_default=True,
        metavar="METRES",
        help="Cells of the grid; a channel is its mean in each.",
    ),
    click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Draw it: .html to explore in a browser; .png, .svg or .pdf for a picture.",
    ),
)


def _over_distance(command: Any) -> Any:
    for option in reversed(_WISHES):
        command = option(command)
    return shell.formulas(command)


@click.command()
@click.argument("first", metavar="LAP")
@click.argument("second", metavar="LAP")
@which_warehouse
@_over_distance
@shell.as_json
def grid(first: str, second: str, where: str | None, **options: Any) -> None:
    """Show two laps over the distance.

    LAP is part of a session's name and a lap's, 8c3b-1/car013-0008, or 8c3b-1/best for the session's best.

    \b
    Example:
      rig warehouse grid 5f3a-2/car012-0003 5f3a-2/best --channels speed,throttle --step 20
    """
    from rigclient.warehouse.questions.compare import between
    from rigclient.warehouse.questions.lookup import find_lap

    with asked_alone(where) as destination:
        found = between(destination, find_lap(destination, first), find_lap(destination, second))
        _show(destination, found, **options)


@click.command()
@click.argument("first", metavar="DRIVER")
@click.argument("second", metavar="DRIVER")
@which_warehouse
@chosen("driver", "cars")
@_over_distance
@shell.as_json
@click.pass_obj
def compare(
    address: str,
    /,
    first: str,
    second: str,
    where: str | None,
    channels: tuple[str, ...],
    step_m: float,
    plot: Path | None,
    formulas: shell.Formulas,
    as_json: bool,
    **words: Any,
) -> None:
    """Compare the best laps of two drivers.

    Sectors and intermediates, and with telemetry the time between the laps over the distance.

    \b
    Example:
      rig warehouse compare birch clover --track meander --plot duel.png
    """
    from rigclient.warehouse.questions.compare import compare as best_of

    with asked(where, address) as destination:
        choice = choice_of(words)
        found = best_of(destination, choice, first, second)
        warn_of_unknown_green(destination, choice)
        _show(destination, found, channels, step_m, plot, formulas, as_json)


def _show(
    destination: "Destination",
    found: "LoadedComparison",
    channels: tuple[str, ...],
    step_m: float,
    plot: Path | None,
    formulas: shell.Formulas,
    as_json: bool,
) -> None:
    channels = formulas.named(channels)
    columns = comparison.columns(channels)
    writer = writer_of(plot) if plot else None
    cells = list(found.cells(destination, channels, step_m)) if found.has_telemetry else []
    if as_json:
        click.echo(shell.json_text(comparison.plain(found, cells)))
    else:
        console = shell.console()
        for part in comparison.report(found, cells, columns, console.width):
            console.print(part)
    if writer and plot:
        with shell.busy(f"drawing {plot}"):
            writer.write(plot, comparison.figure(found, cells, columns))
        shell.show_files([plot], as_json=False)
