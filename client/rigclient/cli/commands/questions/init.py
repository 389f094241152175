"""`rig warehouse init`: the tables."""

import click

from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.terminal.plain import say


@click.command()
@which_warehouse
@click.option("--print", "show", is_flag=True, help="Print the statements instead of running them.")
def init(where: str | None, show: bool) -> None:
    """Make the tables, or add the columns that are missing; again is harmless.

    \b
    Example:
      rig warehouse init --print --in snowflake
      rig warehouse init --in duckdb:laps.duckdb
    """
    from rigclient.warehouse import connect, ddl, schema, tables

    with connect(where) as destination:
        if show:
            click.echo(";\n\n".join(ddl.statements(destination.dialect)) + ";")
            return
        schema.prepare(destination)
        schema.make_views(destination)
        say(f"{destination.name} has all tables, version {tables.VERSION}")
