"""`rig vehicle config`: what a vehicle is built with."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.longtext import LongText, description
from rigclient.cli.commands.garage.resources import CONFIGURATIONS, VEHICLES, cells
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text

_HEADS: Final = (("configuration", "default"), ("title", "left"), ("parts", "left"))

Parts = dict[str, str]
"""What each part is, by its name."""


def parts_text(parts: Iterable[catalog_pb2.Part]) -> str:
    """Return parts in a line: rear wing LM, brakes endurance."""
    return ", ".join(f"{part.key} {part.value}" for part in parts)


def _parts(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> Parts:
    """Return an option that takes KEY=VALUE, as often as needed."""
    found: Parts = {}
    for value in values:
        key, is_one, what = value.partition("=")
        if not is_one or not key.strip():
            raise click.BadParameter(f"{value!r} is no part such as 'rear wing=LM'")
        found[key.strip()] = what.strip()
    return found


_part = click.option(
    "--part", "parts", metavar="KEY=VALUE", multiple=True, callback=_parts, help="A part; as often as needed."
)


def _messages(parts: Parts) -> list[catalog_pb2.Part]:
    return [catalog_pb2.Part(key=key, value=value) for key, value in parts.items()]


def _find(rig: Rig, vehicle: str, name: str) -> catalog_pb2.Resource:
    of = resources.find(rig.catalog, VEHICLES, vehicle)
    return resources.find(rig.catalog, CONFIGURATIONS.below(of.name), name)


@click.command("list")
@click.argument("vehicle", metavar="[VEHICLE]", default="")
@shell.as_json
@click.pass_obj
def list_(address: str, vehicle: str, as_json: bool) -> None:
    """List the configurations of a vehicle.

    Without a vehicle those of all.

    \b
    Example:
      rig vehicle config list copper
    """
    with connect(address) as rig:
        of = resources.find(rig.catalog, VEHICLES, vehicle).name if vehicle else "vehicles/-"
        found = list(rig.catalog.list(f"{of}/configurations"))
    resources.show(
        found, _HEADS, _row, as_json, "no configuration is there yet; see `rig vehicle config add`"
    )


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.configuration
    return (resources.identifier(one), *cells(of.title, parts_text(of.parts)))


@click.command()
@click.argument("vehicle")
@click.argument("name", metavar="CONFIG")
@shell.as_json
@click.pass_obj
def show(address: str, vehicle: str, name: str, as_json: bool) -> None:
    """Show the parts of a configuration.

    \b
    Example:
      rig vehicle config show copper low-drag
    """
    with connect(address) as rig:
        found = _find(rig, vehicle, name)
    if as_json:
        shell.show_json(found)
        return
    console, of = shell.console(), found.configuration
    console.print(Text("  ").join([Text(of.title, TITLE), Text(resources.short(found.name), DIM)]))
    for line in of.description.splitlines():
        console.print(Text(line, TEXT))
    rows = [(Text(part.key, STRONG), Text(part.value, TEXT)) for part in of.parts]
    console.print(table((("part", "default"), ("what", "left")), rows, console.width))


@click.command()
@click.argument("vehicle")
@click.argument("title")
@_part
@description
@shell.as_json
@click.pass_obj
def add(address: str, vehicle: str, title: str, parts: Parts, description: LongText, as_json: bool) -> None:
    """Add a configuration to a vehicle.

    \b
    Example:
      rig vehicle config add copper 'low drag' --part 'rear wing=LM' --part brakes=endurance
    """
    written = description.read() or ""
    body = catalog_pb2.Configuration(title=title, description=written, parts=_messages(parts))
    with connect(address) as rig:
        of = resources.find(rig.catalog, VEHICLES, vehicle)
        made = rig.catalog.create(f"{of.name}/configurations", body)
    resources.told(made, "added", as_json)


@click.command()
@click.argument("vehicle")
@click.argument("name", metavar="CONFIG")
@click.option("--title", metavar="TEXT", help="What to call it.")
@_part
@click.option("--without", metavar="KEY", multiple=True, help="A part to take out; as often as needed.")
@description
@shell.as_json
@click.pass_obj
def edit(
    address: str,
    vehicle: str,
    name: str,
    title: str | None,
    parts: Parts,
    without: tuple[str, ...],
    description: LongText,
    as_json: bool,
) -> None:
    """Change a configuration, or its parts.

    \b
    Example:
      rig vehicle config edit copper low-drag --part brakes=sprint --without 'rear wing'
    """
    with connect(address) as rig:
        found = _find(rig, vehicle, name)
        before = description.read(found.configuration.description)
        fields = resources.given({"title": title, "description": before})
        if parts or without:
            fields["parts"] = _messages(_changed(found.configuration, parts, without))
        changed = resources.change(rig.catalog, found, fields)
    resources.told(changed, "changed", as_json)


def _changed(of: catalog_pb2.Configuration, parts: Parts, without: Sequence[str]) -> Parts:
    known: dict[str, Any] = {part.key: part.value for part in of.parts}
    if missing := [key for key in without if key not in known]:
        raise click.BadParameter(f"there is no part {missing[0]!r}; there are {', '.join(known) or 'none'}")
    return {key: value for key, value in (known | parts).items() if key not in without}


@click.command()
@click.argument("vehicle")
@click.argument("name", metavar="CONFIG")
@click.option("--force", is_flag=True, help="Also where setups are for it: they are for any then.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, vehicle: str, name: str, force: bool, yes: bool, as_json: bool) -> None:
    """Delete a configuration.

    \b
    Example:
      rig vehicle config delete copper low-drag --yes
    """
    with connect(address) as rig:
        found = _find(rig, vehicle, name)
        gone = resources.delete(rig.catalog, found, yes, force)
    resources.told_gone(found, gone, as_json)
