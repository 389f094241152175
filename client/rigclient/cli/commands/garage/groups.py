"""The groups of commands on what people enter, and the first line of each command."""

from typing import Final

import click

from rigclient.cli.commands import exits

_HERE: Final = "rigclient.cli.commands.garage"


def _of(module: str, **lines: str) -> dict[str, tuple[str, str]]:
    """Return commands by name, as `Group` takes them; list_ is the function of the command list."""
    return {
        name.strip("_").replace("_", "-"): (f"{_HERE}.{module}:{name}", line) for name, line in lines.items()
    }


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "event",
        list_="List events, the newest first",
        show="Show an event with its sessions and their notes",
        add="Add an event: a race weekend, a test day",
        edit="Change an event",
        delete="Delete an event; its sessions stay",
        add_session="Add recorded sessions to an event",
        remove_session="Remove sessions from an event; they stay",
    ),
)
def event() -> None:
    """Keep race weekends and test days with their sessions.

    \b
    Example:
      rig event add 'Meander 6 h' --from 2026-11-28 --to 2026-11-29
      rig event add-session meander-6-h 5f3a-2
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "vehicle",
        list_="List vehicles",
        show="Show a vehicle with its configurations and setups",
        add="Add a vehicle",
        edit="Change a vehicle",
        delete="Delete a vehicle; with --force also its configurations and setups",
    )
    | {"config": (f"{_HERE}.groups:config", "Keep what a vehicle is built with: parts by name")},
)
def vehicle() -> None:
    """Keep vehicles with their configurations and setups.

    \b
    Example:
      rig vehicle add 'Copper #12' --class GT3 --number 12
      rig vehicle show copper
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "configuration",
        list_="List the configurations of a vehicle",
        show="Show the parts of a configuration",
        add="Add a configuration to a vehicle",
        edit="Change a configuration, or its parts",
        delete="Delete a configuration",
    ),
)
def config() -> None:
    """Keep what a vehicle is built with: parts by name.

    \b
    Example:
      rig vehicle config add copper 'low drag' --part 'rear wing=LM' --part brakes=endurance
    """


@click.group(
    cls=exits.Commands,
    lazy=_of("setup", list_="List setups, of a vehicle or of all")
    | _of("setup", show="Show a setup by its sections and wheels")
    | _of("setup_files", import_="Import setups from files of the game")
    | _of(
        "setup",
        add="Add a setup by hand",
        edit="Change a setup, or its parameters",
        delete="Delete a setup",
        diff_="Show what is different between two setups",
    )
    | _of(
        "setup_use",
        use="Say which setup laps were driven with",
        clear="Forget which setup laps were driven with",
    )
    | _of("setup_files", export="Write a setup as a file of the game, or as a table"),
)
def setup() -> None:
    """Keep setups, compare them, say which laps had them.

    \b
    Example:
      rig setup import sprint.svm --vehicle copper
      rig setup diff sprint endurance
      rig setup use sprint best
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "note",
        add="Add a note to a lap or session",
        list_="List notes, the newest first",
        edit="Change a note",
        delete="Delete notes",
    ),
)
def note() -> None:
    """Keep notes on laps and sessions.

    `rig lap` shows those of a lap.

    \b
    Example:
      rig note add best 'lift before the crest' --at 1840
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "tag",
        add="Add a tag to laps or sessions",
        remove="Remove a tag from laps or sessions",
        list_="List tags, or those of a lap or session",
    ),
)
def tag() -> None:
    """Tag laps and sessions, to find them again.

    \b
    Example:
      rig tag add wet car012-0003 car012-0004
      rig laps - --tag wet
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "layout",
        list_="List saved layouts of plots and of the pit wall",
        show="Print the document of a layout, JSON",
        save="Save a layout from a file",
        default="Say which layout a page begins with",
        delete="Delete a layout",
    ),
)
def layout() -> None:
    """Keep layouts of plots and of the pit wall.

    \b
    Example:
      rig layout show night > night.json
      rig layout save night.json --kind pitwall
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "formula",
        list_="List saved formulas",
        save="Save a formula, or another one under its name",
        delete="Delete saved formulas",
    ),
)
def formula() -> None:
    """Keep formulas, to take them by their names.

    `rig export` and `rig plot` take them in --channels.

    \b
    Example:
      rig formula save 'push = derivative(speed) [G]'
      rig plot best --channels speed,push
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "car",
        list_="List car models with their classes",
        add="Say which model a vehicle of the game is",
        edit="Change a car model",
        delete="Delete a car model",
    ),
)
def car() -> None:
    """Keep car models and their classes.

    \b
    Example:
      rig car add 'Copper Racing #12' --title 'Copper GT3' --class GT3
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "user",
        list_="List users and their names in the game",
        add="Add a user",
        edit="Change a user, or who drives as them",
    ),
)
def user() -> None:
    """Keep users, and under which names they drive.

    Laps, setups and notes are a user's.

    \b
    Example:
      rig user add birch --driver 'M. Birch'
    """


@click.group(
    cls=exits.Commands,
    lazy=_of(
        "catalog",
        check="Check the catalog: damage, references to what is gone",
        export="Export all that was entered as JSON",
        import_="Import what was exported",
        reset="Reset the catalog: empty it, after a backup",
        open_="Open the catalog with sqlite3 to read it, and print where it is",
    ),
)
def catalog() -> None:
    """Look after the catalog: all that people enter.

    It is one file on the rig.

    \b
    Example:
      rig catalog check
      rig catalog export garage.json
    """
