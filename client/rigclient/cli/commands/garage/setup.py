"""`rig setup`: how vehicles are set up, and what differs."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from rig.errors import BadRequest, NotFound
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources, setup_table
from rigclient.cli.commands.garage.longtext import LongText, description
from rigclient.cli.commands.garage.resources import CONFIGURATIONS, SETUPS, VEHICLES, cells
from rigclient.cli.commands.garage.settings import SettingType, changed, settings_option
from rigclient.cli.commands.garage.setup_table import messages, parameters_of
from rigclient.cli.commands.messages import numbers
from rigclient.cli.terminal.palette import DIM, TEXT, TITLE
from rigclient.cli.terminal.text import Text
from riglap.setups import Difference, Parameter, diff, read_svm

_HEADS: Final = (
    ("setup", "default"),
    ("title", "left"),
    ("for", "left"),
    ("parameters", "right"),
    ("changed", "default"),
)


@click.command("list")
@click.argument("vehicle", metavar="[VEHICLE]", default="")
@shell.as_json
@click.pass_obj
def list_(address: str, vehicle: str, as_json: bool) -> None:
    """List setups, of a vehicle or of all.

    \b
    Example:
      rig setup list copper
    """
    with connect(address) as rig:
        of = resources.find(rig.catalog, VEHICLES, vehicle).name if vehicle else "vehicles/-"
        found = list(rig.catalog.list(f"{of}/setups"))
    resources.show(found, _HEADS, _row, as_json, "no setup is there yet; see `rig setup import`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.setup
    built = of.configuration.rpartition("/")[2]
    told = (of.title, built, str(len(of.parameters)), resources.when(one.update_time_ns))
    return (resources.identifier(one), *cells(*told))


@click.command()
@click.argument("name", metavar="SETUP")
@click.option("--all", "everything", is_flag=True, help="Also what cannot be adjusted.")
@shell.as_json
@click.pass_obj
def show(address: str, name: str, everything: bool, as_json: bool) -> None:
    """Show a setup by its sections and wheels.

    \b
    Example:
      rig setup show sprint
      rig setup show copper-12/sprint --json
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, SETUPS, name)
        assigned = list(rig.catalog.list("assignments", page_size=resources.PAGE))
    laps = [one.assignment.lap for one in assigned if one.assignment.setup == found.name]
    if as_json:
        click.echo(shell.json_text(numbers(found) | {"laps": laps}))
        return
    console = shell.console()
    for line in _head(found, laps):
        console.print(line)
    for part in setup_table.report(parameters_of(found.setup), console.width, everything):
        console.print(part)


def _head(found: catalog_pb2.Resource, laps: Sequence[str]) -> list[Text]:
    of = found.setup
    facts = [f"for {of.configuration.rpartition('/')[2]}"] * bool(of.configuration)
    facts += [f"from {of.file_name}"] * bool(of.file_name)
    head = [Text(of.title, TITLE), Text(resources.short(found.name), DIM), Text(", ".join(facts), DIM)]
    lines = [Text("  ").join(head), *(Text(line, TEXT) for line in of.description.splitlines())]
    if laps:
        driven = ", ".join(map(resources.target_text, laps))
        lines.append(Text.assemble(("driven in ", DIM), (driven, TEXT)))
    return lines


_config = click.option("--config", metavar="CONFIG", help="Configuration of the vehicle that it is for.")


@click.command()
@click.argument("title")
@click.option("--vehicle", metavar="VEHICLE", help="Whose setup it is; default: the only one there is.")
@_config
@settings_option
@description
@shell.as_json
@click.pass_obj
def add(
    address: str,
    title: str,
    vehicle: str | None,
    config: str | None,
    settings: tuple[Parameter, ...],
    description: LongText,
    as_json: bool,
) -> None:
    """Add a setup by hand.

    \b
    Example:
      rig setup add wet --vehicle copper --set 'front wing/FW=3' --set 'front left/spring=65 N/mm'
    """
    written = description.read() or ""
    with connect(address) as rig:
        of = vehicle_of(rig, vehicle)
        body = catalog_pb2.Setup(
            title=title, description=written, configuration=_built(rig, of, config) or ""
        )
        body.parameters.extend(messages(changed((), (), settings, ())))
        made = rig.catalog.create(f"{of.name}/setups", body)
    resources.told(made, "added", as_json)


def vehicle_of(rig: Rig, wanted: str | None) -> catalog_pb2.Resource:
    """Return the vehicle that is named, else the only one there is. Raises NotFound, BadRequest."""
    if wanted:
        return resources.find(rig.catalog, VEHICLES, wanted)
    known = list(rig.catalog.list("vehicles", page_size=resources.PAGE))
    if len(known) == 1:
        return known[0]
    if not known:
        raise NotFound("there is no vehicle yet", hint="`rig vehicle add 'Copper #12'` adds one")
    raise BadRequest(
        f"there are {len(known)} vehicles", hint=f"--vehicle says which: {', '.join(map(_short, known[:5]))}"
    )


def _short(one: catalog_pb2.Resource) -> str:
    return resources.short(one.name)


def _built(rig: Rig, vehicle: catalog_pb2.Resource, config: str | None) -> str | None:
    """Return the whole name of a configuration; "" for none, None where nothing is given."""
    if not config:
        return config
    return resources.find(rig.catalog, CONFIGURATIONS.below(vehicle.name), config).name


@click.command()
@click.argument("name", metavar="SETUP")
@click.option("--title", metavar="TEXT", help="What to call it.")
@_config
@settings_option
@click.option(
    "--new", "added", type=SettingType(), metavar="SECTION/KEY=VALUE", multiple=True, help="One to add."
)
@click.option(
    "--unset", type=SettingType(valued=False), metavar="SECTION/KEY", multiple=True, help="One to take out."
)
@description
@shell.as_json
@click.pass_obj
def edit(
    address: str,
    name: str,
    title: str | None,
    config: str | None,
    settings: tuple[Parameter, ...],
    added: tuple[Parameter, ...],
    unset: tuple[Parameter, ...],
    description: LongText,
    as_json: bool,
) -> None:
    """Change a setup, or its parameters.

    Sections and keys are those that `rig setup show` prints, or those of the file; front and rear stand for
    both wheels there. A value without a unit keeps the one it had. What came of it is shown.

    \b
    Example:
      rig setup edit sprint --set front/spring=65 --set 'RL/slow bump=4'
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, SETUPS, name)
        before = parameters_of(found.setup)
        written = description.read(found.setup.description)
        fields = resources.given({"title": title, "description": written})
        if config is not None:
            vehicle = rig.catalog.get("/".join(found.name.split("/")[:2]))
            fields["configuration"] = _built(rig, vehicle, config)
        if settings or added or unset:
            fields["parameters"] = messages(changed(before, settings, added, unset))
        now = resources.change(rig.catalog, found, fields)
    resources.told(now, "changed", as_json)
    if "parameters" in fields and not as_json:
        _show_differences(diff(before, parameters_of(now.setup)), "before", "now")


@click.command()
@click.argument("name", metavar="SETUP")
@click.option("--force", is_flag=True, help="Also where laps were driven with it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, name: str, force: bool, yes: bool, as_json: bool) -> None:
    """Delete a setup.

    \b
    Example:
      rig setup delete sprint --yes
    """
    resources.delete_named(address, SETUPS, name, yes=yes, as_json=as_json, force=force)


@click.command("diff")
@click.argument("first", metavar="SETUP|FILE")
@click.argument("second", metavar="SETUP|FILE")
@shell.as_json
@click.pass_obj
def diff_(address: str, first: str, second: str, as_json: bool) -> None:
    """Show what is different between two setups.

    Each is one of the rig's, or a .svm file.

    \b
    Example:
      rig setup diff sprint endurance
      rig setup diff sprint new.svm
    """
    with contextlib.ExitStack() as stack:
        rig = None if _is_file(first) and _is_file(second) else stack.enter_context(connect(address))
        titles, sides = zip(*(_side(rig, one) for one in (first, second)), strict=True)
    found = diff(*sides)
    if as_json:
        click.echo(shell.json_text([_plain(one) for one in found]))
    else:
        _show_differences(found, *titles)


def _is_file(name: str) -> bool:
    """Return whether a file is meant, not a setup of the rig."""
    return name.lower().endswith(".svm")


def _side(rig: Rig | None, name: str) -> tuple[str, Sequence[Parameter]]:
    """Return title and parameters."""
    if _is_file(name):
        return Path(name).name, read_svm(name)[0].parameters
    assert rig is not None
    found = resources.find(rig.catalog, SETUPS, name)
    return found.setup.title, parameters_of(found.setup)


def _show_differences(found: Sequence[Difference], first: str, second: str) -> None:
    console = shell.console()
    if found:
        console.print(setup_table.differences(found, first, second, console.width))
    else:
        console.print(Text("no parameter is different", DIM))


def _plain(one: Difference) -> dict[str, Any]:
    sides = {"a": one.a, "b": one.b}
    told = {word: side and {"value": side.value, "unit": side.unit} for word, side in sides.items()}
    return {"section": one.section, "key": one.key, **told, "change": one.change}
