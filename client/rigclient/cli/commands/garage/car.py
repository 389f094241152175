"""`rig car`: which model a vehicle of the game is."""

from collections.abc import Sequence
from typing import Any, Final

import click

from rig.v1 import catalog_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.resources import CARS, FieldOption, Sharing, cells
from rigclient.cli.terminal.text import Text

_HEADS: Final = (("car", "default"), ("title", "left"), ("class", "left"), ("vehicle in the game", "left"))


_fields = resources.fields(
    title=FieldOption("--title", "TEXT", "Its model, as people write it; default: that name."),
    vehicle_class=FieldOption("--class", "CLASS", "Class that it belongs to."),
)


@click.command("list")
@click.option("--text", metavar="PART", default="", help="Only those with this in them.")
@shell.as_json
@click.pass_obj
def list_(address: str, text: str, as_json: bool) -> None:
    """List car models with their classes.

    \b
    Example:
      rig car list
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("cars", text=text))
    resources.show(found, _HEADS, _row, as_json, "no car is there yet; see `rig car add`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.car
    return (resources.identifier(one), *cells(of.title, of.vehicle_class, of.vehicle))


@click.command()
@click.argument("vehicle")
@_fields
@shell.as_json
@click.pass_obj
def add(address: str, vehicle: str, fields: dict[str, Any], sharing: Sharing, as_json: bool) -> None:
    """Say which model a vehicle of the game is.

    VEHICLE is its whole name in the game, as `rig laps` shows it.

    \b
    Example:
      rig car add 'Copper Racing #12' --title 'Copper GT3' --class GT3
    """
    with connect(address) as rig:
        body = catalog_pb2.Car(vehicle=vehicle, **({"title": vehicle} | fields))
        made = resources.create(rig.catalog, "cars", body, sharing)
    resources.told(made, "added", as_json)


@click.command()
@click.argument("name", metavar="CAR")
@_fields
@shell.as_json
@click.pass_obj
def edit(address: str, name: str, fields: dict[str, Any], sharing: Sharing, as_json: bool) -> None:
    """Change a car model.

    \b
    Example:
      rig car edit copper --class GT3
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, CARS, name)
        changed = resources.change(rig.catalog, found, fields, sharing)
    resources.told(changed, "changed", as_json)


@click.command()
@click.argument("name", metavar="CAR")
@click.option("--force", is_flag=True, help="Also where vehicles are of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, name: str, force: bool, yes: bool, as_json: bool) -> None:
    """Delete a car model.

    \b
    Example:
      rig car delete copper-gt3 --yes
    """
    resources.delete_named(address, CARS, name, yes=yes, as_json=as_json, force=force)
