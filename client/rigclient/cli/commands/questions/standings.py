"""`rig warehouse results`, `statistics` and `lap-chart`: a session as a whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.style import Style

from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions.selection import asked, blank, choice_of, chosen, nothing, table
from rigclient.cli.terminal.palette import CYAN, DIM, GOOD, PURPLE, RED, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text
from riglap.times import gap, lap_time

if TYPE_CHECKING:
    from rigclient.warehouse import Destination
    from rigclient.warehouse.questions.choice import Choice
    from rigclient.warehouse.questions.lookup import SessionSummary

_ORDERS: Final = ("best", "mean", "consistency", "laps_led", "top_speed")
_KMH: Final = 3.6
_CAR_CELLS: Final = 12
_LAP_CELLS: Final = 3
_LIKE: Final = 5
_RESULT_CELLS: Final = 10
_DRIVER: Final = 3
"""Cells of a result, and the position of the driver's."""

Row = dict[str, Any]


@click.command()
@which_warehouse
@chosen("cars", "driver", "vehicle_class", "green", "valid")
@shell.as_json
@click.pass_obj
def results(address: str, /, where: str | None, as_json: bool, **words: Any) -> None:
    """Show how a session ended: places, also in class, gaps, best laps, laps led.

    Retired cars stand by themselves.
    Of several that fit it is the newest.

    \b
    Example:
      rig warehouse results --track barber --race 2
    """
    from rigclient.warehouse.questions import standings

    with asked(where, address) as destination:
        session, others = _session(destination, choice_of(words), "result", as_json)
        rows = list(standings.results(destination, session))
    if as_json:
        click.echo(shell.json_text(rows))
        return
    columns = {
        "P": "right",
        "car": "left",
        "class": "left",
        "driver": "left",
        "laps": "right",
        "time": "right",
        "gap": "right",
    }
    columns |= {"next": "right", "best": "right", "led": "right"}
    best = min((row["best"] for row in rows if row["best"] is not None), default=0.0)
    _print(session, others, columns, list(_parted(rows, best)))


def _parted(rows: Sequence[Row], best: float) -> Iterator[Sequence[Text]]:
    """Yield those that finished, then those that did not below a line that says so."""
    retired = [row for row in rows if row.get("retired")]
    yield from (_result(row, best) for row in rows if not row.get("retired"))
    if retired:
        yield [Text("retired" if at == _DRIVER else "", TITLE) for at in range(_RESULT_CELLS)]
    yield from (_result(row, best) for row in retired)


def _result(row: Row, best: float) -> Sequence[Text]:
    return (
        Text(str(row["place"]), STRONG),
        Text(row["car_number"] or str(row["car"]), TEXT),
        _in_class(row),
        Text(row["driver"], STRONG),
        Text(str(row["laps"]), TEXT),
        Text(_race_time(row["total_time"]), TEXT),
        Text(_gap(row), TEXT),
        Text(gap(row["to_next"]) if row["to_next"] is not None else "", DIM),
        _best(row["best"], best),
        Text(str(row["laps_led"] or ""), PURPLE),
    )


def _in_class(row: Row) -> Text:
    """Return class and place in it: Am 1; a warehouse of release 0.1 does not tell the place."""
    place = row.get("class_place")
    return blank(f"{row['vehicle_class']} {place}" if place else row["vehicle_class"])


def _race_time(seconds: float) -> str:
    """Return a race time: 45:15.035, and with hours 1:02:03.456."""
    hours, rest = divmod(seconds, 3600)
    return f"{int(hours)}:{lap_time(rest):0>9}" if hours else lap_time(rest)


def _gap(row: Row) -> str:
    if row["laps_down"] and row["kind"] == "race":
        return f"{row['laps_down']} lap{'s' * (row['laps_down'] != 1)}"
    return gap(row["gap"]) if row["gap"] else ""


def _best(seconds: float | None, best: float) -> Text:
    return blank(None) if seconds is None else Text(lap_time(seconds), PURPLE if seconds == best else TEXT)


@click.command()
@which_warehouse
@chosen("cars", "driver", "vehicle_class", "green", "valid")
@click.option("--order-by", type=click.Choice(_ORDERS), default="best", show_default=True)
@shell.as_json
@click.pass_obj
def statistics(address: str, /, where: str | None, order_by: Any, as_json: bool, **words: Any) -> None:
    """Show how fast and how evenly everybody drove in a session.

    Of several that fit it is the newest.

    The mean and the spread are of laps at pace: that count, without a yellow or the pits, within 107 % of the
    driver's best.

    \b
    Example:
      rig warehouse statistics --track barber --race 1 --order-by consistency
    """
    from rigclient.warehouse.questions import standings

    with asked(where, address) as destination:
        session, others = _session(destination, choice_of(words), "statistics", as_json)
        rows = list(standings.statistics(destination, session, order_by))
    if as_json:
        click.echo(shell.json_text(rows))
        return
    columns = {"car": "left", "driver": "left", "laps": "right", "best": "right", "at pace": "right"}
    columns |= {"mean": "right", "median": "right", "spread": "right", "led": "right", "top": "right"}
    best = min((row["best"] for row in rows if row["best"] is not None), default=0.0)
    even = min((row["consistency"] for row in rows if row["consistency"] is not None), default=0.0)
    _print(session, others, columns, [_statistic(row, best, even) for row in rows])


def _statistic(row: Row, best: float, even: float) -> Sequence[Text]:
    spread, top = row["consistency"], row["top_speed"]
    return (
        Text(row["car_number"] or str(row["car"]), TEXT),
        Text(row["driver"], STRONG),
        Text(str(row["laps"]), TEXT),
        _best(row["best"], best),
        Text(str(row["pace_laps"]), DIM),
        blank(lap_time(row["mean"] or 0.0)),
        blank(lap_time(row["median"] or 0.0)),
        blank(None) if spread is None else Text(f"{spread:.3f}", GOOD if spread == even else TEXT),
        Text(str(row["laps_led"] or ""), PURPLE),
        blank(None) if top is None else Text(f"{top * _KMH:.1f}", TEXT),
    )


@click.command("lap-chart")
@which_warehouse
@chosen("cars", "driver", "vehicle_class", "green", "valid")
@shell.as_json
@click.pass_obj
def lap_chart(address: str, /, where: str | None, as_json: bool, **words: Any) -> None:
    """Show the place of every car after every lap.

    Of several sessions that fit it is the newest.

    \b
    Example:
      rig warehouse lap-chart --track barber --race 1
    """
    from rigclient.warehouse.questions import standings

    with asked(where, address) as destination:
        session, others = _session(destination, choice_of(words), "lap chart", as_json)
        rows = list(standings.lap_chart(destination, session))
    if as_json:
        click.echo(shell.json_text(rows))
        return
    console = shell.console()
    _print_shown(console, session, others, Group(*_blocks(rows, console.width)))


def _blocks(rows: Iterable[Row], width: int) -> Iterator[RenderableType]:
    """Yield cars in the order they finished, a column per lap; as many blocks of laps as the width needs."""
    places: dict[int, dict[int, Row]] = {}
    for row in rows:
        places.setdefault(row["car"], {})[row["lap_no"]] = row
    cars = sorted(places, key=lambda car: _finish(places[car]))
    laps = max((max(of_car) for of_car in places.values()), default=0)
    each = max((width - _CAR_CELLS) // _LAP_CELLS, 1)
    for begin in range(1, laps + 1, each):
        shown = range(begin, min(begin + each, laps + 1))
        yield Text(" " * _CAR_CELLS + "".join(f"{lap:{_LAP_CELLS}}" for lap in shown), TITLE)
        for car in cars:
            name = places[car][max(places[car])]["driver"]
            yield Text.assemble(_cut(name), *(_place(places[car], lap) for lap in shown))


def _finish(of_car: Mapping[int, Row]) -> tuple[int, int]:
    last = max(of_car)
    return -last, of_car[last]["place"]


def _cut(name: str) -> tuple[str, Style]:
    room = _CAR_CELLS - 1
    return f"{name if len(name) <= room else name[: room - 1] + '…':<{_CAR_CELLS}}", STRONG


def _place(of_car: Mapping[int, Row], lap: int) -> tuple[str, Style]:
    """Return the place after a lap: leading is purple, gained green, lost red, after a lap into the
    pits cyan.
    """
    now, before = of_car.get(lap), of_car.get(lap - 1)
    if now is None:
        return " " * _LAP_CELLS, DIM
    gained = before["place"] - now["place"] if before else 0
    style = (
        PURPLE
        if now["place"] == 1
        else CYAN
        if now["in_lap"]
        else GOOD
        if gained > 0
        else RED
        if gained < 0
        else TEXT
    )
    return f"{now['place']:{_LAP_CELLS}}", style


def _session(
    destination: "Destination", choice: "Choice", what: str, as_json: bool
) -> "tuple[SessionSummary, list[SessionSummary]]":
    """Return the newest session that fits, and the others. Raises NotFound, which tells `what` there is
    not.
    """
    from rigclient.warehouse.questions.lookup import sessions

    found = sessions(destination, choice, _LIKE)
    if not found:
        if as_json:
            click.echo("[]")
        raise nothing(destination, choice, what)
    return found[0], found[1:]


def _print(
    session: "SessionSummary",
    others: "Sequence[SessionSummary]",
    columns: Mapping[str, str],
    rows: list[Sequence[Text]],
) -> None:
    console = shell.console()
    _print_shown(console, session, others, table(columns.items(), rows, console.width))


def _print_shown(
    console: Console, session: "SessionSummary", others: "Sequence[SessionSummary]", shown: RenderableType
) -> None:
    console.print(Text.assemble((session.name, TITLE), (f"  {session.laps} laps", DIM)))
    console.print(shown)
    if others:
        console.print(Text(f"also fit: {', '.join(other.name for other in others)}; --session chooses", DIM))
