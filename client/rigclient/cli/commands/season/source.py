"""Where a season comes from: the rig or the warehouse, and which sessions make it."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click

from rig.v1 import season_pb2, session_pb2
from rigclient import queries
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.moments import FORMS, moment
from rigclient.cli.terminal.palette import CYAN, DIM, STRONG, TITLE, YELLOW
from rigclient.cli.terminal.text import Console, Text

_OPTIONS: Final = (
    click.option("--track", metavar="PART", default="", help="Part of the track's name."),
    click.option("--class", "vehicle_class", metavar="PART", default="", help="Part of the class."),
    click.option(
        "--kind",
        type=click.Choice(list(queries.words(session_pb2.SessionKind))),
        default="race",
        show_default=True,
        help="What sessions are counted.",
    ),
    click.option(
        "--source",
        type=click.Choice(list(queries.words(session_pb2.SessionSource))),
        default=None,
        help="Where the data come from.",
    ),
    click.option("--since", callback=moment, metavar="WHEN", help=f"Began since: {FORMS}."),
    click.option("--until", callback=moment, metavar="WHEN", help="Began before."),
    click.option(
        "--session",
        "sessions",
        multiple=True,
        metavar="PART",
        help="Only this session, by a part of its name; as often as needed.",
    ),
    click.option(
        "--event",
        "events",
        multiple=True,
        metavar="EVENT",
        help="Only sessions of this event of `rig event list`; as often as needed.",
    ),
    click.option(
        "--points",
        metavar="RULE",
        default="default",
        show_default=True,
        help="default, f1, motogp, indycar, or a TOML file: `rig season standings -h` tells what is in it.",
    ),
    click.option(
        "--by-car", is_flag=True, help="Cars by their numbers in place of drivers: for charts without names."
    ),
    click.option(
        "--from-warehouse", is_flag=True, help="Of the warehouse, which has all rigs, instead of the rig."
    ),
    which_warehouse,
    shell.as_json,
    click.pass_obj,
)
_WORDS: Final = ("track", "vehicle_class", "kind", "source", "since", "until", "sessions", "events")


def of_season(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the season: as its first argument what the options make, told is `as_json`."""

    @functools.wraps(command)
    def with_season(address: str, /, **options: Any) -> Any:
        words = {name: options.pop(name) for name in _WORDS}
        words["source"] = words["source"] or ""
        rule = {name: options.pop(name) for name in ("points", "by_car")}
        place = {name: options.pop(name) for name in ("from_warehouse", "where")}
        told = _season(address, words, **rule, **place)
        return command(told, **options)

    made: Callable[..., Any] = with_season
    for option in reversed(_OPTIONS):
        made = option(made)
    return made


def _season(
    address: str,
    words: dict[str, Any],
    *,
    points: str,
    by_car: bool,
    from_warehouse: bool,
    where: str | None,
) -> season_pb2.Season:
    from riglap.season.rule_file import points_rule

    rule = points_rule(points)
    words["sessions"] = [*words["sessions"], *_of_events(address, words.pop("events"))]
    with shell.busy("adding up the season"):
        if from_warehouse:
            return _of_warehouse(where, queries.season_filter(**words), rule, by_car)
        with connect(address) as rig:
            words["sessions"] = [rig.find_session(part) for part in words["sessions"]]
            told: season_pb2.Season = rig.season(rule, by_car=by_car, **words)
            return told


def _of_events(address: str, events: Sequence[str]) -> list[str]:
    """Return the whole names of the sessions of events of the rig's catalog. Raises NotFound, BadRequest."""
    if not events:
        return []
    from rig.errors import NotFound
    from rigclient.cli.commands.garage.resources import EVENTS, find

    with connect(address) as rig:
        parents = [find(rig.catalog, EVENTS, event).name for event in events]
        found = [one for parent in parents for one in rig.catalog.list(f"{parent}/sessions")]
    if not found:
        raise NotFound(f"{', '.join(events)} has no sessions", hint="`rig event add-session` adds some")
    return [one.event_session.session for one in found]


def _of_warehouse(
    where: str | None, wanted: season_pb2.SeasonFilter, rule: season_pb2.PointsRule, by_car: bool
) -> season_pb2.Season:
    from rig.errors import NotFound
    from rigclient.warehouse import connect as opened
    from rigclient.warehouse.questions.season import sessions_of
    from riglap.season import season

    with opened(where, read_only=True) as destination:
        told = season(sessions_of(destination, wanted), rule, wanted.session_kind, by_car=by_car)
    if not told.laps:
        raise NotFound(
            "no lap in the warehouse passes", hint="`rig warehouse laps` lists them; `rig sync` brings more"
        )
    return told


def chosen(found: Iterable[Any], driver: str) -> list[Any]:
    """Return those of a driver by a part of the name, all for "". Raises NotFound."""
    from rig.errors import NotFound

    every = list(found)
    kept = [one for one in every if driver.lower() in one.driver.lower()]
    exact = [one for one in kept if one.driver.lower() == driver.lower()]
    if not kept and every:
        names = ", ".join(one.driver for one in every[:5])
        raise NotFound(f"no driver of the season has {driver!r} in the name", hint=f"there are {names}, ...")
    return exact or kept


def name_text(driver: str, player: bool = False) -> Text:
    """Return a driver's name; that of the local player stands out."""
    return Text(driver or "nobody", CYAN if player else STRONG)


def players(season: season_pb2.Season) -> set[str]:
    """Return the local players."""
    return {one.driver for one in season.drivers if one.player}


def classes(found: Iterable[Any]) -> list[str]:
    """Return the classes in their order."""
    return list(dict.fromkeys(one.vehicle_class for one in found))


def print_head(console: Console, season: season_pb2.Season, what: str) -> None:
    """Print what the season is of."""
    rounds = len(season.rounds)
    tracks = len({one.track_name for one in season.rounds})
    facts = f"{rounds} round{'s' * (rounds != 1)} at {tracks} track{'s' * (tracks != 1)}, {season.laps} laps"
    console.print(Text.assemble((what, TITLE), (f"  {facts}", DIM)))


def print_class(console: Console, name: str, every: Sequence[str]) -> None:
    """Print the title of a class, where there are several."""
    if len(every) > 1:
        console.print()
        console.print(Text(name or "no class", TITLE))


def print_by_class(
    season: season_pb2.Season,
    what: str,
    driver: str,
    show: Callable[[Sequence[season_pb2.SeasonDriver]], None],
    *,
    as_json: bool,
) -> None:
    """Print drivers class by class, each class by `show`, or all as JSON. Raises NotFound as `chosen`."""
    rows = chosen(season.drivers, driver)
    if as_json:
        shell.show_json(rows)
        return
    console = shell.console()
    print_head(console, season, what)
    every = classes(rows)
    for name in every:
        print_class(console, name, every)
        show([row for row in rows if row.vehicle_class == name])
    print_notes(console, season)


def print_notes(console: Console, season: season_pb2.Season) -> None:
    """Print what a reader should know."""
    for note in season.notes:
        console.print(Text(note, YELLOW))
