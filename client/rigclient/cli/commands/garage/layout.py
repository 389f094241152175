"""`rig layout`: how plots and the pit wall are laid out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from rig.errors import BadRequest
from rig.regular import read_regular
from rig.v1 import catalog_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.resources import LAYOUTS, Sharing, cells
from rigclient.cli.terminal.text import Text

_MOST_BYTES: Final = 1 << 20
_HEADS: Final = (
    ("layout", "default"),
    ("title", "left"),
    ("kind", "default"),
    ("default", "default"),
    ("changed", "default"),
)


@click.command("list")
@click.option("--kind", metavar="KIND", default="", help="Only those of one page: compare, pitwall.")
@shell.as_json
@click.pass_obj
def list_(address: str, kind: str, as_json: bool) -> None:
    """List saved layouts of plots and of the pit wall.

    \b
    Example:
      rig layout list --kind pitwall
    """
    with connect(address) as rig:
        found = [one for one in rig.catalog.list("layouts") if kind in ("", one.layout.kind)]
    resources.show(found, _HEADS, _row, as_json, "no layout is saved; see `rig layout save`")


def _row(one: catalog_pb2.Resource) -> Sequence[Text]:
    of = one.layout
    told = (of.title, of.kind, "yes" if of.is_default else "", resources.when(one.update_time_ns))
    return (resources.identifier(one), *cells(*told))


@click.command()
@click.argument("name", metavar="LAYOUT")
@shell.as_json
@click.pass_obj
def show(address: str, name: str, as_json: bool) -> None:
    """Print the document of a layout, JSON.

    \b
    Example:
      rig layout show night > night.json
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, LAYOUTS, name)
    if as_json:
        shell.show_json(found)
    else:
        click.echo(shell.json_text(json.loads(found.layout.document)))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--kind", metavar="KIND", required=True, help="Page that it is for: compare, pitwall.")
@click.option("--title", metavar="TEXT", help="What to call it; default: the file's name.")
@click.option("--default", "is_default", is_flag=True, default=None, help="Have the page begin with it.")
@resources.sharing
@shell.as_json
@click.pass_obj
def save(
    address: str,
    file: Path,
    kind: str,
    title: str | None,
    is_default: bool | None,
    sharing: Sharing,
    as_json: bool,
) -> None:
    """Keep a layout from a file.

    One of the same kind and title is replaced.

    \b
    Example:
      rig layout save night.json --kind pitwall --default
    """
    fields = resources.given({"document": _document(file), "is_default": is_default})
    title = title or file.stem
    with connect(address) as rig:
        there = [one for one in rig.catalog.list("layouts", text=title) if _is(one, kind, title)]
        if there:
            made = resources.change(rig.catalog, there[0], fields, sharing)
        else:
            body = catalog_pb2.SavedLayout(title=title, kind=kind, **fields)
            made = resources.create(rig.catalog, "layouts", body, sharing)
    resources.told(made, "replaced" if there else "saved", as_json)


def _is(one: catalog_pb2.Resource, kind: str, title: str) -> bool:
    return (one.layout.kind, one.layout.title) == (kind, title)


def _document(path: Path) -> str:
    """Return the JSON in a file on one line. Raises BadRequest, Corrupt, OSError."""
    try:
        return json.dumps(json.loads(read_regular(path, _MOST_BYTES)), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path} is no JSON: {error}", hint="`rig layout show` prints one") from None


@click.command()
@click.argument("name", metavar="LAYOUT")
@shell.as_json
@click.pass_obj
def default(address: str, name: str, as_json: bool) -> None:
    """Say which layout a page begins with.

    \b
    Example:
      rig layout default night
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, LAYOUTS, name)
        changed = resources.change(rig.catalog, found, {"is_default": True})
    resources.told(changed, f"what {changed.layout.kind} begins with", as_json)


@click.command()
@click.argument("name", metavar="LAYOUT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, name: str, yes: bool, as_json: bool) -> None:
    """Delete a layout.

    \b
    Example:
      rig layout delete night --yes
    """
    resources.delete_named(address, LAYOUTS, name, yes=yes, as_json=as_json)
