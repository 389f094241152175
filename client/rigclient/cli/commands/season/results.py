"""`rig season results`: who won which round, or all of one round."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import click

from rig.errors import NotFound
from rig.v1 import season_pb2
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.commands.season.source import classes, name_text, of_season, print_head
from rigclient.cli.terminal.palette import DIM, GOOD, PURPLE, RED, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Console, Text
from riglap.times import gap, lap_time

_ROUNDS: Final = (
    ("", "right"),
    ("track", "left"),
    ("date", "left"),
    ("class", "left"),
    ("winner", "left"),
    ("laps", "right"),
    ("ahead by", "right"),
    ("fastest lap", "right"),
    ("by", "left"),
    ("cars", "right"),
)
_WIDE: Final = ("date", "cars")
"""Columns that take a wide terminal."""
_WIDE_FROM: Final = 110
_CARS: Final = (
    ("P", "right"),
    ("car", "left"),
    ("class", "left"),
    ("driver", "left"),
    ("laps", "right"),
    ("gap", "right"),
    ("best", "right"),
    ("grid", "right"),
    ("led", "right"),
    ("pits", "right"),
)


@click.command()
@click.option("--round", "number", type=click.IntRange(1), metavar="N", help="All cars of this round.")
@of_season
def results(season: season_pb2.Season, /, number: int | None, as_json: bool) -> None:
    """Show who won which round, or all of one round.

    \b
    Example:
      rig season results
      rig season results --round 3
    """
    rounds = [one for one in season.rounds if number in (None, one.round)]
    if not rounds:
        raise NotFound(f"there is no round {number}", hint=f"the season has {len(season.rounds)}")
    if as_json:
        shell.show_json(rounds)
        return
    console = shell.console()
    if number is None:
        print_head(console, season, "results")
        _print_rounds(console, rounds)
        return
    (one,) = rounds
    console.print(Text.assemble((title(one), TITLE), (f"  {one.session.removeprefix('sessions/')}", DIM)))
    console.print(table(_CARS, list(_cars(one)), console.width))


def _print_rounds(console: Console, rounds: Sequence[season_pb2.SeasonRound]) -> None:
    several = len({car.vehicle_class for one in rounds for car in one.results}) > 1
    left = {*(() if several else ("class",)), *(() if console.width >= _WIDE_FROM else _WIDE)}
    shown = [at for at, (name, _) in enumerate(_ROUNDS) if name not in left]
    rows = [[row[at] for at in shown] for one in rounds for row in _winners(one)]
    console.print(table([_ROUNDS[at] for at in shown], rows, console.width))


def title(one: season_pb2.SeasonRound) -> str:
    """Return Barber 2, Sebring."""
    nth = one.number - 9 if 10 <= one.number <= 13 else 0
    return f"{one.track_name} {nth}" if nth else one.track_name


def date(one: season_pb2.SeasonRound) -> str:
    """Return the local date of a round, empty where nobody knows."""
    if not one.start_time_ns:
        return ""
    return f"{datetime.fromtimestamp(one.start_time_ns / 1e9).astimezone():%d %b %Y}"


def _winners(one: season_pb2.SeasonRound) -> Iterator[Sequence[Text]]:
    for at, name in enumerate(classes(one.results)):
        field = [car for car in one.results if car.vehicle_class == name]
        timed = [car for car in field if car.HasField("best")]
        fastest = min(timed, key=lambda car: car.best, default=None)
        yield (
            Text("" if at else str(one.round), DIM),
            Text("" if at else title(one), TEXT),
            Text("" if at else date(one), DIM),
            Text(name, DIM),
            name_text(field[0].driver, field[0].player),
            Text(str(field[0].laps), TEXT),
            _ahead(field),
            Text(lap_time(fastest.best) if fastest else "-", PURPLE),
            Text(fastest.driver if fastest else "", TEXT),
            Text(str(len(field)), DIM),
        )


def _ahead(field: Sequence[season_pb2.SessionResult]) -> Text:
    """Return by how much the winner is ahead of the second."""
    if len(field) < 2:
        return Text("-", DIM)
    down = field[1].laps_down - field[0].laps_down
    if down:
        return Text(f"{down} lap{'s' * (down != 1)}", TEXT)
    return Text(f"{field[1].gap - field[0].gap:.3f}" if field[1].HasField("gap") else "-", TEXT)


def _cars(one: season_pb2.SeasonRound) -> Iterator[Sequence[Text]]:
    best = min((car.best for car in one.results if car.HasField("best")), default=0.0)
    for car in one.results:
        retired = car.status == season_pb2.RESULT_STATUS_RETIRED
        yield (
            Text(str(car.place), DIM if retired else STRONG),
            Text(car.car_number or str(car.car), TEXT),
            Text(f"{car.vehicle_class} {car.class_place}" if car.class_place else "-", TEXT),
            name_text(car.driver, car.player),
            Text(str(car.laps), TEXT),
            _gap(car, retired),
            Text(lap_time(car.best) or "-", PURPLE if car.best == best else TEXT),
            _gained(car),
            Text(str(car.laps_led or ""), PURPLE),
            Text(str(car.pit_visits or ""), DIM),
        )


def _gap(car: season_pb2.SessionResult, retired: bool) -> Text:
    if retired:
        return Text("retired", RED)
    if not car.HasField("gap"):
        return Text(f"{car.laps_down} lap{'s' * (car.laps_down != 1)}" if car.laps_down else "", TEXT)
    return Text(gap(car.gap) if car.gap else "", TEXT)


def _gained(car: season_pb2.SessionResult) -> Text:
    if not car.grid:
        return Text("", DIM)
    style = GOOD if car.grid > car.place else RED if car.grid < car.place else DIM
    return Text(str(car.grid), style)
