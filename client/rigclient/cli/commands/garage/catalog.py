"""`rig catalog`: the file of all that people enter, as a whole."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from rig.errors import BadRequest, NotFound
from rig.regular import read_regular
from rig.v1 import catalog_pb2
from rigclient import catalogdocument
from rigclient.blocking import connect
from rigclient.cli.commands import exits, shell
from rigclient.cli.commands.garage.resources import cells
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import GOOD, RED
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text
from riglap.atomic import atomic_write

_FILE: Final = "catalog.sqlite"
_MOST_BYTES: Final = 256 << 20
_SHELL: Final = "sqlite3"


@click.command()
@shell.as_json
@click.pass_obj
def check(address: str, as_json: bool) -> None:
    """Check the catalog: damage, references to what is gone.

    Ends with 1 where something is wrong.

    \b
    Example:
      rig catalog check
    """
    with connect(address) as rig:
        found = rig.catalog.check()
    if as_json:
        shell.show_json(found)
    else:
        _show(found)
    if found.problems:
        raise SystemExit(exits.OTHER)


def _show(found: catalog_pb2.CheckCatalogResponse) -> None:
    console = shell.console()
    if not found.problems:
        console.print(Text(f"{found.checked} resources, and nothing wrong", GOOD))
        return
    heads = (("resource", "left"), ("what is wrong", "left"), ("what to do", "left"))
    rows = ((Text(one.resource or "the catalog", RED), *cells(one.what, one.hint)) for one in found.problems)
    console.print(table(heads, rows, console.width))
    console.print(Text(f"{len(found.problems)} wrong of {found.checked} resources", RED))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@shell.as_json
@click.pass_obj
def export(address: str, file: Path, as_json: bool) -> None:
    """Export all that was entered as JSON.

    FILE has a line for each resource; - is standard output.

    \b
    Example:
      rig catalog export garage.json
      rig catalog export - | jq '.resources[].name'
    """
    with connect(address) as rig:
        found = rig.catalog.export()
        if str(file) == "-":
            for line in catalogdocument.dump(found):
                click.echo(line, nl=False)
            return
        count = _write(file, found)
    if as_json:
        click.echo(shell.json_text({"file": str(file), "resources": count}))
    else:
        say(f"{count} resources are in {file}")


def _write(path: Path, found: Iterable[catalog_pb2.Resource]) -> int:
    """Write a file. Returns how many resources are in it."""
    written: list[int] = []

    def counted() -> Iterable[catalog_pb2.Resource]:
        for one in found:
            written.append(1)
            yield one

    with atomic_write(path) as target, target.open("w", encoding="utf-8") as file:
        file.writelines(catalogdocument.dump(counted()))
    return len(written)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it over what is there and different.")
@shell.as_json
@click.pass_obj
def import_(address: str, file: Path, replace: bool, as_json: bool) -> None:
    """Import what was exported.

    All of it or nothing.

    \b
    Example:
      rig catalog import garage.json
    """
    try:
        text = read_regular(file, _MOST_BYTES).decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{file} is no text", hint="`rig catalog export` writes it") from None
    found = catalogdocument.load(text)
    with connect(address) as rig:
        done = rig.catalog.import_all(found, replace=replace)
    if as_json:
        shell.show_json(done)
    else:
        say(f"{done.added} added, {done.replaced} replaced, {done.same} were there already")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def reset(address: str, yes: bool, as_json: bool) -> None:
    """Reset the catalog: empty it, after a backup.

    Laps, sessions and circuits stay.

    \b
    Example:
      rig catalog reset --yes
    """
    if not (yes or shell.confirmed("delete all that people have entered?")):
        return
    with connect(address) as rig:
        done = rig.catalog.reset()
    if as_json:
        shell.show_json(done)
        return
    say(f"{done.deleted} resources are deleted")
    say(f"what was there is in {done.backup} on the rig")


@click.command("open")
@shell.as_json
@click.pass_obj
def open_(address: str, as_json: bool) -> None:
    """Open the catalog with sqlite3 to read it, and print where it is.

    It takes the rig's own machine. Without a terminal, or without the program sqlite3, the path is printed
    and that is all.

    \b
    Example:
      rig catalog open
      sqlite3 -readonly "$(rig catalog open | cat)" .tables
    """
    path = _path(address)
    if as_json:
        click.echo(shell.json_text({"path": str(path)}))
        return
    say(path)
    if sys.stdout.isatty() and sys.stdin.isatty():
        if program := shutil.which(_SHELL):
            raise SystemExit(subprocess.run([program, "-readonly", str(path)], check=False).returncode)
        shell.warn(f"there is no program {_SHELL}; it would open it: {_SHELL} -readonly {path}")


def _path(address: str) -> Path:
    """Return where the catalog is. Raises NotFound where it is not on this machine."""
    if not _is_here(address):
        raise NotFound(f"the catalog of {address} lies on another machine", hint="`rig catalog export FILE`")
    with connect(address) as rig:
        ring = rig.status().ring.path
    if not ring:
        raise NotFound(
            "the rig has no ring yet, which its catalog lies beside", hint="`rigd record` makes it"
        )
    path = Path(ring).parent / _FILE
    if not path.is_file():
        raise NotFound(f"there is no catalog at {path}", hint="`rigd serve` makes it when it starts")
    return path


def _is_here(address: str) -> bool:
    """Return whether an address can only be one of this machine."""
    host = address.rpartition(":")[0].strip("[]")
    return address.startswith("unix:") or host in ("127.0.0.1", "::1", "localhost")
