"""`rig vehicle`: cars that somebody runs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import click
from rich.console import RenderableType

from rig.v1 import catalog_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.configuration import parts_text
from rigclient.cli.commands.garage.longtext import LongText, description
from rigclient.cli.commands.garage.resources import VEHICLES, FieldOption, Sharing, cells
from rigclient.cli.commands.messages import numbers
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, TEXT, TITLE
from rigclient.cli.terminal.text import Text

_HEADS: Final = (
    ("vehicle", "default"),
    ("title", "left"),
    ("class", "left"),
    ("number", "right"),
    ("car", "left"),
)


_fields = resources.fields(
    description,
    vehicle_class=FieldOption("--class", "CLASS", "Class that it enters in."),
    number=FieldOption("--number", "NUMBER", "Start number."),
    car=FieldOption("--car", "CAR", "Its model, as `rig car list` has it."),
)


def _with_car(catalog: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with the whole name of the car."""
    if not fields.get("car"):
        return fields
    return fields | {"car": resources.find(catalog, resources.CARS, fields["car"]).name}


@click.command("list")
@click.option("--text", metavar="PART", default="", help="Only those with this in their title.")
@shell.as_json
@click.pass_obj
def list_(address: str, text: str, as_json: bool) -> None:
    """List vehicles.

    \b
    Example:
      rig vehicle list
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("vehicles", text=text))
    resources.show(found, _HEADS, _row, as_json, "no vehicle is there yet; see `rig vehicle add`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.vehicle
    told = (of.title, of.vehicle_class, of.number, resources.short(of.car))
    return (resources.identifier(one), *cells(*told))


@click.command()
@click.argument("name", metavar="VEHICLE")
@shell.as_json
@click.pass_obj
def show(address: str, name: str, as_json: bool) -> None:
    """Show a vehicle with its configurations and setups.

    \b
    Example:
      rig vehicle show copper
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, VEHICLES, name)
        configurations = list(rig.catalog.list(f"{found.name}/configurations"))
        setups = list(rig.catalog.list(f"{found.name}/setups"))
    if as_json:
        below = {"configurations": configurations, "setups": setups}
        plain = {word: [numbers(one) for one in listed] for word, listed in below.items()}
        click.echo(shell.json_text(numbers(found) | plain))
        return
    console = shell.console()
    for part in _report(found, configurations, setups, console.width):
        console.print(part)


def _report(
    found: catalog_pb2.Resource,
    configurations: Sequence[catalog_pb2.Resource],
    setups: Sequence[catalog_pb2.Resource],
    width: int,
) -> Iterator[RenderableType]:
    of = found.vehicle
    number = f"#{of.number}" if of.number and of.number not in of.title else ""
    told = ", ".join(filter(None, (of.vehicle_class, number, resources.short(of.car))))
    yield Text("  ").join([Text(of.title, TITLE), Text(resources.short(found.name), DIM), Text(told, TEXT)])
    for line in of.description.splitlines():
        yield Text(line, TEXT)
    if configurations:
        heads: Sequence[tuple[str, Any]] = (
            ("configuration", "default"),
            ("title", "left"),
            ("parts", "left"),
        )
        yield table(heads, map(_configuration, configurations), width)
    if setups:
        heads = (("setup", "default"), ("title", "left"), ("parameters", "right"), ("changed", "default"))
        yield table(heads, map(_setup, setups), width)


def _configuration(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.configuration
    return (resources.identifier(one), *cells(of.title, parts_text(of.parts)))


def _setup(one: catalog_pb2.Resource) -> Sequence[Text]:
    told = (one.setup.title, str(len(one.setup.parameters)), resources.when(one.update_time_ns))
    return (resources.identifier(one), *cells(*told))


@click.command()
@click.argument("title")
@_fields
@shell.as_json
@click.pass_obj
def add(
    address: str, title: str, fields: dict[str, Any], description: LongText, sharing: Sharing, as_json: bool
) -> None:
    """Add a vehicle.

    \b
    Example:
      rig vehicle add 'Copper #12' --class GT3 --number 12
    """
    written = description.read() or ""
    with connect(address) as rig:
        fields = _with_car(rig.catalog, fields)
        body = catalog_pb2.Vehicle(title=title, description=written, **fields)
        made = resources.create(rig.catalog, "vehicles", body, sharing)
    resources.told(made, "added", as_json)


@click.command()
@click.argument("name", metavar="VEHICLE")
@click.option("--title", metavar="TEXT", help="What to call it.")
@_fields
@shell.as_json
@click.pass_obj
def edit(
    address: str,
    name: str,
    title: str | None,
    fields: dict[str, Any],
    description: LongText,
    sharing: Sharing,
    as_json: bool,
) -> None:
    """Change a vehicle.

    \b
    Example:
      rig vehicle edit copper --number 21
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, VEHICLES, name)
        fields = _with_car(rig.catalog, fields)
        fields |= resources.given(
            {"title": title, "description": description.read(found.vehicle.description)}
        )
        changed = resources.change(rig.catalog, found, fields, sharing)
    resources.told(changed, "changed", as_json)


@click.command()
@click.argument("name", metavar="VEHICLE")
@click.option("--force", is_flag=True, help="With its configurations and setups.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, name: str, force: bool, yes: bool, as_json: bool) -> None:
    """Delete a vehicle; with --force also its configurations and setups.

    \b
    Example:
      rig vehicle delete copper-12 --force --yes
    """
    resources.delete_named(address, VEHICLES, name, yes=yes, as_json=as_json, force=force)
