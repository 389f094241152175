"""`rig warehouse laps`: laps of a track, a race, a set of cars."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import click
from rich.style import Style

from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.laps import SECTORS
from rigclient.cli.commands.questions.selection import (
    asked,
    choice_of,
    chosen,
    nothing,
    split,
    table,
    warn_of_unknown_green,
)
from rigclient.cli.terminal.palette import BLUE, CYAN, DIM, GOOD, PURPLE, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Text
from riglap.times import lap_time

_COLUMNS: Final = {
    "lap": "left",
    "driver": "left",
    "time": "right",
    "S1": "right",
    "S2": "right",
    "S3": "right",
    "P": "right",
    "flags": "left",
}


@click.command()
@which_warehouse
@chosen()
@click.option("--telemetry", is_flag=True, help="Only laps with samples.")
@click.option("--all", "everything", is_flag=True, help="Pieces of laps as well.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@shell.as_json
@click.pass_obj
def laps(
    address: str,
    /,
    where: str | None,
    telemetry: bool,
    everything: bool,
    limit: int,
    as_json: bool,
    **words: Any,
) -> None:
    """List laps, in every session by car and lap.

    \b
    Example:
      rig warehouse laps --track barber --race 1 --car 021,7 --green
    """
    from rigclient.warehouse.questions import laps as question

    choice = choice_of(words, telemetry=telemetry)
    with asked(where, address) as destination:
        found = question.laps(destination, choice, everything=everything)
        kept, more = shell.first(found, limit)
        if as_json:
            click.echo(shell.json_text(kept))
        warn_of_unknown_green(destination, choice)
        if not kept:
            raise nothing(destination, choice)
    if as_json:
        return
    console = shell.console()
    best = min((lap["lap_time"] for lap in kept if _counts(lap)), default=0.0)
    for session, of_session in groupby(kept, lambda lap: str(lap["session"])):
        console.print(Text(session, TITLE))
        console.print(table(_COLUMNS.items(), (_row(lap, best) for lap in of_session), console.width))
    if more:
        console.print(shell.more(len(kept), "laps"))


def _counts(lap: dict[str, Any]) -> bool:
    return lap["lap_time"] is not None and lap["valid"] is not False


def _row(lap: dict[str, Any], best: float) -> Sequence[Text]:
    style = PURPLE if _counts(lap) and lap["lap_time"] == best else TEXT if _counts(lap) else DIM
    return (
        Text(lap["lap"], STRONG),
        Text(lap["driver"] or "", TEXT),
        _time(lap["lap_time"], style),
        *(Text(split(lap[name]), DIM) for name in SECTORS),
        Text(str(lap["place"] or ""), TEXT),
        Text(" ").join(_flags(lap)),
    )


def _time(seconds: float | None, style: Style) -> Text:
    return Text("-", DIM) if seconds is None else Text(lap_time(seconds), style)


def _flags(lap: dict[str, Any]) -> Iterator[Text]:
    flagged = (
        (lap["green"] is True, "green", GOOD),
        (lap["green"] is False, "yellow", YELLOW),
        (lap["valid"] is False, "invalid", RED),
        (not lap["complete"], "piece", DIM),
        (lap["out_lap"], "out", CYAN),
        (lap["in_lap"], "in", CYAN),
        (lap["samples"], f"{lap['samples']} samples", BLUE),
    )
    return (Text(word, style) for holds, word, style in flagged if holds)
