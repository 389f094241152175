"""`rig setup import`, `rig setup export`: setups out of files of the game, and into files again."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from rig.errors import BadRequest, Taken
from rig.regular import shown
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.resources import SETUPS
from rigclient.cli.commands.garage.setup import vehicle_of
from rigclient.cli.commands.garage.setup_table import messages, parameters_of
from rigclient.cli.terminal.plain import say
from riglap.atomic import atomic_write
from riglap.setups import Parameter, Setup, read_svm, setup_of

_FORMATS: Final = (".svm", ".csv")
_OF_THE_FILE: Final = ("description", "parameters", "file_name", "source")
"""Fields that an import replaces."""


class _File(NamedTuple):
    """A file that was read."""

    path: Path
    setup: Setup
    text: str

    def message(self, title: str) -> catalog_pb2.Setup:
        made = catalog_pb2.Setup(title=title, file_name=shown(self.path.name), source=self.text)
        made.description = self.setup.notes
        made.parameters.extend(messages(self.setup.parameters))
        return made


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option("--vehicle", metavar="VEHICLE", help="Whose setups they are; default: the only one there is.")
@click.option("--title", metavar="TEXT", help="What to call it, of one file; default: the file's name.")
@click.option("--replace", is_flag=True, help="Put what is in a file in place of the setup of its title.")
@shell.as_json
@click.pass_obj
def import_(
    address: str,
    files: tuple[Path, ...],
    vehicle: str | None,
    title: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Import setups from files of the game.

    FILE is a .svm file, as rFactor 2 and Le Mans Ultimate keep them below UserData/player/Settings. What
    counts is what the garage shows. Lines that are no settings are told with their numbers.

    \b
    Example:
      rig setup import sprint.svm --vehicle copper
      rig setup import Settings/Meander/*.svm --vehicle copper
    """
    if title is not None and len(files) > 1:
        raise click.UsageError("--title is for one file")
    read = [_File(path, *read_svm(path)) for path in files]
    for one in read:
        for line in one.setup.left:
            shell.warn(f"{one.path}, {line}")
    with connect(address) as rig:
        made = _import(rig, vehicle_of(rig, vehicle), read, title, replace)
    if as_json:
        shell.show_json([one for one, _ in made])
        return
    for setup, what in made:
        told = f"{len(setup.setup.parameters)} parameters"
        say(f"{resources.short(setup.name)}: {setup.setup.title} is {what}, {told}")


def _import(
    rig: Rig, vehicle: catalog_pb2.Resource, read: Sequence[_File], title: str | None, replace: bool
) -> list[tuple[catalog_pb2.Resource, str]]:
    """Return setups and what became of each. Raises Taken, BadRequest before anything is done."""
    known = list(rig.catalog.list(f"{vehicle.name}/setups"))
    bodies = [one.message(title or shown(one.path.stem)) for one in read]
    _check(known, bodies, replace)
    return [_put(rig, vehicle, known, body) for body in bodies]


def _check(known: Sequence[catalog_pb2.Resource], bodies: Sequence[catalog_pb2.Setup], replace: bool) -> None:
    """Raise Taken for a title that another setup has, BadRequest for one that two files have."""
    sources: dict[str, str] = {}
    for body in bodies:
        if sources.setdefault(body.title, body.source) != body.source:
            raise BadRequest(f"two files are called {body.title}", hint="import one of them with --title")
        if not replace and _called(known, body.title) and not _same(known, body):
            raise Taken(f"there is a setup {body.title} already", hint="--replace, or another --title")


def _put(
    rig: Rig, vehicle: catalog_pb2.Resource, known: list[catalog_pb2.Resource], body: catalog_pb2.Setup
) -> tuple[catalog_pb2.Resource, str]:
    """Put a setup among those that are `known`. Returns it, and what became of it."""
    if there := _same(known, body):
        return there, "there already"
    if there := _called(known, body.title):
        return rig.catalog.update(there.name, body, _OF_THE_FILE), "replaced"
    known.append(rig.catalog.create(f"{vehicle.name}/setups", body))
    return known[-1], "imported"


def _same(known: Sequence[catalog_pb2.Resource], body: catalog_pb2.Setup) -> catalog_pb2.Resource | None:
    return next((one for one in known if one.setup.source == body.source), None)


def _called(known: Sequence[catalog_pb2.Resource], title: str) -> catalog_pb2.Resource | None:
    return next((one for one in known if one.setup.title == title), None)


@click.command()
@click.argument("name", metavar="SETUP")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=".svm as it was imported, .csv a table; default: here, under the setup's name.",
)
@shell.as_json
@click.pass_obj
def export(address: str, name: str, out: Path | None, as_json: bool) -> None:
    """Write a setup as a file of the game, or as a table.

    A .svm file holds the steps of the garage's sliders, which nobody knows of a setup that was entered or
    changed here: that is written as a table alone.

    \b
    Example:
      rig setup export sprint
      rig setup export sprint --out sprint.csv
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, SETUPS, name)
    own = found.name.rpartition("/")[2]
    path = out or Path(f"{own}{'.svm' if _unchanged(found.setup) else '.csv'}")
    data = _text(found.setup, path).encode()
    if not out and path.exists() and path.read_bytes() != data:
        raise Taken(f"{path} is there already, with something else in it", hint=f"--out {path} replaces it")
    with atomic_write(path) as target:
        target.write_bytes(data)
    shell.show_files([path], as_json)


def _text(setup: catalog_pb2.Setup, path: Path) -> str:
    """Return what is in the file. Raises BadRequest for an ending that says nothing, and where there is no
    such file.
    """
    if path.suffix.lower() not in _FORMATS:
        raise BadRequest(f"{path} has no known ending", hint=f"there are {' and '.join(_FORMATS)}")
    if path.suffix.lower() == ".csv":
        return _table(parameters_of(setup))
    if not _unchanged(setup):
        why = "was changed since it was imported" if setup.source else "was entered here"
        raise BadRequest(f"{setup.title} {why}: there is no .svm file of it", hint="--out FILE.csv")
    return setup.source


def _unchanged(setup: catalog_pb2.Setup) -> bool:
    """Return whether the file that a setup came from still says what it holds."""
    return bool(setup.source) and setup_of(setup.source).parameters == parameters_of(setup)


def _table(parameters: Sequence[Parameter]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(Parameter._fields)
    writer.writerows(parameters)
    return written.getvalue()
