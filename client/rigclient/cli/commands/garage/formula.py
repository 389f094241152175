"""`rig formula`: formulas that are kept, and taken by their names."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from rig.channels import LAP, PHYSICS
from rig.errors import BadRequest, Unavailable
from rig.v1 import catalog_pb2, event_pb2, rig_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.about import readable
from rigclient.cli.commands.garage.longtext import LongText, description
from rigclient.cli.commands.garage.resources import FORMULAS, Sharing, cells
from rigclient.cli.terminal.text import Text

_HEADS: Final = (
    ("formula", "default"),
    ("expression", "left"),
    ("unit", "default"),
    ("description", "left"),
)


@click.command("list")
@click.option("--text", metavar="PART", default="", help="Only those with this in them.")
@shell.as_json
@click.pass_obj
def list_(address: str, text: str, as_json: bool) -> None:
    """List saved formulas.

    \b
    Example:
      rig formula list
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("channels", text=text))
    resources.show(found, _HEADS, _row, as_json, "no formula is saved; see `rig formula save`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.channel
    return cells(of.channel, of.expression, of.unit, " ".join(of.description.split()))


@click.command()
@click.argument("formula", metavar="NAME=EXPRESSION")
@click.option("--unit", metavar="UNIT", help="Of its values, where the formula does not say it.")
@description
@resources.sharing
@shell.as_json
@click.pass_obj
def save(
    address: str, formula: str, unit: str | None, description: LongText, sharing: Sharing, as_json: bool
) -> None:
    """Keep a formula, or another one under its name.

    It takes channels, and formulas that are kept.

    \b
    Example:
      rig formula save 'push = derivative(speed) [G]' --description 'along the car'
    """
    from riglap.formulas import check_formula, defined

    name, expression = defined(formula)
    with connect(address) as rig:
        kept = list(rig.catalog.list("channels", page_size=resources.PAGE))
        others = {one.channel.channel: one.channel.expression for one in kept}
        check_formula(name, expression, others, _of_laps(rig.channels()))
        there = [one for one in kept if one.channel.channel == name]
        written = description.read(there[0].channel.description if there else "")
        fields = {"expression": expression} | resources.given({"unit": unit, "description": written})
        if there:
            made = resources.change(rig.catalog, there[0], fields, sharing)
        else:
            body = catalog_pb2.MathChannel(channel=name, **fields)
            made = resources.create(rig.catalog, "channels", body, sharing)
    resources.told(made, "replaced" if there else "saved", as_json)


def _of_laps(channels: Iterable[rig_pb2.ChannelInfo]) -> Iterator[str]:
    """Yield the names of channels that laps have."""
    for one in channels:
        if one.stream == event_pb2.STREAM_PHYSICS and not one.derived:
            yield one.name


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete saved formulas.

    \b
    Example:
      rig formula delete push --yes
    """
    with connect(address) as rig:
        found = [resources.find(rig.catalog, FORMULAS, name) for name in names]
        gone = [one for one in found if resources.delete(rig.catalog, one, yes)]
    if as_json:
        click.echo(shell.json_text([one.name for one in gone]))
        return
    for one in gone:
        resources.told_gone(one, 1, as_json)


def saved_formulas(address: str, names: Iterable[str]) -> dict[str, str]:
    """Return the formulas that are saved on the rig, by name. It is asked where a name is none of a channel
    and no formula itself; where it does not answer there are none.
    """
    if all("=" in name or _is_channel(name) for name in names):
        return {}
    found: dict[str, str] = {}
    with contextlib.suppress(Unavailable, BadRequest), readable(), connect(address) as rig:
        for one in rig.catalog.list("channels", page_size=resources.PAGE):
            found.setdefault(one.channel.channel, one.channel.expression)
    return found


def _is_channel(name: str) -> bool:
    from riglap.formulas.aliases import COMPONENTS
    from riglap.lap import channel_of

    names = {channel.name for channel in (*LAP.channels, *PHYSICS.channels)}
    return name in COMPONENTS or name in names or channel_of(name) in names
