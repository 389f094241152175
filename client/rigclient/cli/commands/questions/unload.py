"""`rig warehouse unload`: files that were loaded, out of the warehouse again."""

import click
from rich.text import Text

from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse


@click.command()
@click.argument("wanted", metavar="FILE|CHECKSUM|SESSION...", nargs=-1, required=True)
@which_warehouse
@shell.as_json
def unload(wanted: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """Take back what `rig warehouse load` has brought.

    That is a file with its laps, or a session with all its files. A file is known by its content, or by
    the path it had. The ledger keeps that it was there.

    \b
    Example:
      rig warehouse unload 'spa/Race 1/23_Analysis_Race.CSV'
      rig warehouse unload undated-130000-spa-race-5f3a-1
    """
    from rigclient.imports import unloading
    from rigclient.warehouse import connect

    with connect(where) as destination:
        gone = [one for what in wanted for one in unloading.unload(destination, what)]
    if as_json:
        click.echo(shell.json_text([one._asdict() for one in gone]))
        return
    for one in gone:
        shell.console().print(Text(f"{one.name}: {one.path} taken back"), soft_wrap=True)
