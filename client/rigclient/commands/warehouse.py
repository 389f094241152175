"""`rig warehouse`: where laps of all rigs are kept for good, and what can be asked there."""

from collections.abc import Callable
from typing import Any

import click

from rigclient.commands import exits, shell
from rigclient.warehouse.place import VARIABLE


def at(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says which warehouse; the command gets it as `where`."""
    return click.option(
        "--to",
        "--in",
        "where",
        metavar="PLACE",
        envvar=VARIABLE,
        show_envvar=True,
        help="duckdb:PATH, snowflake, or snowflake:NAME of connections.toml; default: your own DuckDB file.",
    )(command)


@click.group(cls=shell.Commands)
def warehouse() -> None:
    """Look after the warehouse, and ask it. `rig sync` fills it.

    \b
    Example:
      rig warehouse check
    """


@warehouse.command(epilog=exits.HELP)
@at
@click.option("--print", "show", is_flag=True, help="Print the statements instead of running them.")
@exits.coded
def init(where: str | None, show: bool) -> None:
    """Make the tables, or add the columns that are missing; again is harmless.

    \b
    Example:
      rig warehouse init --print --in snowflake
      rig warehouse init --in duckdb:laps.duckdb
    """
    from rigclient.warehouse import connect, schema, tables

    with connect(where) as destination:
        if show:
            click.echo(
                "".join(f"{statement};\n\n" for statement in tables.ddl(destination.dialect)), nl=False
            )
            return
        schema.prepare(destination)
        schema.make_views(destination)
        click.echo(f"{destination.name} has all tables, version {tables.VERSION}")
