"""rigd as services: installed, taken back, and what an upgrade would change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rigd.commands import options

_place = options.together(
    click.option(
        "--system/--user",
        default=None,
        help="For the whole machine, with a group of administrators; or for the one who plays: the default.",
    ),
    click.option(
        "--player",
        metavar="NAME",
        default="",
        help="With --system: who plays. [default: whoever called sudo]",
    ),
    click.option(
        "--root",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("/"),
        metavar="DIR",
        help="Another machine's root: files are written there, and nothing is started.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
)


def _installation(system: bool | None, player: str, root: Path, dry_run: bool) -> Any:
    from rigd.install.installation import Installation
    from rigd.install.place import chosen

    return Installation(chosen(system, player, root.resolve()), click.echo, dry=dry_run)


@click.command()
@_place
def install(**place: Any) -> None:
    """Have systemd run the daemons: units, folders, an example of a configuration.

    What is there already stays as it is; a unit that somebody has changed is kept, and named.

    \b
    Example:
      rigd install --dry-run
    """
    _installation(**place).install()


@click.command()
@_place
@click.option("--data", is_flag=True, help="Remove what was recorded as well: every lap. Asks first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(data: bool, yes: bool, **place: Any) -> None:
    """Take back what `rigd install` has done, and nothing else.

    \b
    Example:
      rigd uninstall --dry-run
    """
    installation = _installation(**place)
    if data and not yes and not place["dry_run"]:
        click.confirm(f"Remove {installation.data} with every lap in it?", abort=True)
    installation.uninstall(data=data)


@click.command("upgrade-check")
@options.data
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def upgrade_check(ctx: click.Context, data: Path, as_json: bool) -> None:
    """Say which data this version would write in another format than they have, and what that means.

    Nothing is changed. Ends with code 1 when a format would change, with code 2 when a newer version wrote
    something.

    \b
    Example:
      rigd upgrade-check --data /srv/rigd
    """
    from rig.errors import NotFound
    from rigd.install.formats import State, formats

    if not data.is_dir():
        raise NotFound(f"there is no folder {data}", hint="--data names the data directory of a rig")
    found = formats(data)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found], indent=2))
    else:
        _show(data, found)
    states = {one.state for one in found}
    ctx.exit(2 if State.NEWER in states else 1 if states & {State.OLDER, State.UNKNOWN} else 0)


def _show(data: Path, found: list[Any]) -> None:
    from rich.table import Table

    from rig.regular import shown
    from rigclient.cli.terminal.text import Console

    table = Table(box=None, header_style="bold", pad_edge=False)
    columns: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("data", lambda one: one.name),
        ("on the disk", lambda one: ", ".join(one.found) or "-"),
        ("written by this version", lambda one: one.writes),
        ("", lambda one: one.sentence),
    )
    for title, _ in columns:
        table.add_column(title)
    for one in found:
        table.add_row(*(cell(one) for _, cell in columns))
    click.echo(f"data in {shown(data)}")
    Console().print(table)
