"""`rig user`: whose things are, and under which names they drive."""

from collections.abc import Sequence
from typing import Final

import click

from rig.v1 import catalog_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.resources import USERS, cells
from rigclient.cli.terminal.text import Text

_HEADS: Final = (("user", "default"), ("title", "left"), ("drives as", "left"))
_title = click.option("--title", metavar="TEXT", help="As people write the name.")
_drivers = click.option(
    "--driver",
    "drivers",
    metavar="NAME",
    multiple=True,
    help="Name in the game: laps driven under it are theirs; as often as needed.",
)


@click.command("list")
@shell.as_json
@click.pass_obj
def list_(address: str, as_json: bool) -> None:
    """List users and their names in the game.

    \b
    Example:
      rig user list
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("users"))
    resources.show(found, _HEADS, _row, as_json, "no user is there yet; see `rig user add`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    return (resources.identifier(one), *cells(one.user.title, ", ".join(one.user.drivers)))


@click.command()
@click.argument("user")
@_title
@_drivers
@shell.as_json
@click.pass_obj
def add(address: str, user: str, title: str | None, drivers: tuple[str, ...], as_json: bool) -> None:
    """Add a user.

    \b
    Example:
      rig user add birch --title 'M. Birch' --driver 'M. Birch'
    """
    with connect(address) as rig:
        body = catalog_pb2.User(title=title or "", drivers=drivers)
        made = rig.catalog.create("users", body, identifier=user)
    resources.told(made, "added", as_json)


@click.command()
@click.argument("name", metavar="USER")
@_title
@_drivers
@click.option("--no-driver", is_flag=True, help="Nobody drives as them any more.")
@shell.as_json
@click.pass_obj
def edit(
    address: str, name: str, title: str | None, drivers: tuple[str, ...], no_driver: bool, as_json: bool
) -> None:
    """Change a user, or who drives as them.

    The names given with --driver take the place of those that were.

    \b
    Example:
      rig user edit birch --driver 'M. Birch' --driver 'Mo Birch'
    """
    if drivers and no_driver:
        raise click.UsageError("give --driver or --no-driver")
    with connect(address) as rig:
        found = resources.find(rig.catalog, USERS, name)
        fields = {"title": title, "drivers": drivers if drivers or no_driver else None}
        changed = resources.change(rig.catalog, found, resources.given(fields))
    resources.told(changed, "changed", as_json)
