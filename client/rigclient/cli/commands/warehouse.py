"""`rig warehouse`: where laps of all rigs are kept for good, and what can be asked there."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rig.errors import Mismatch, Unavailable
from rigclient.cli.commands import exits, shell
from rigclient.cli.terminal.palette import GOOD, RED, STRONG
from rigclient.cli.terminal.text import Text, say
from rigclient.warehouse.url import VARIABLE

if TYPE_CHECKING:
    from rigclient.warehouse.destination import HealthCheck
    from rigclient.warehouse.rig_reader import RigReader


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
            click.echo(";\n\n".join(tables.ddl(destination.dialect)) + ";")
            return
        schema.prepare(destination)
        schema.make_views(destination)
        say(f"{destination.name} has all tables, version {tables.VERSION}")


@warehouse.command(epilog=exits.HELP)
@click.argument("rigs", metavar="[RIG]...", nargs=-1)
@at
@shell.as_json
@click.pass_obj
@exits.coded
def check(address: str, rigs: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """Check that the warehouse can be used and holds what it should: the ledger is whole, its rows are there,
    and what is on the rigs is here, lap by lap. Default: the rig of --rig, if it answers.

    \b
    Example:
      rig warehouse check
      rig warehouse check rig --in snowflake --json
    """
    from rigclient.warehouse import check as checking
    from rigclient.warehouse import connect

    found = []
    with contextlib.ExitStack() as stack:
        sources = [_source(one, stack) for one in rigs] or _default_source(address, stack)
        destination = stack.enter_context(connect(where, read_only=True))
        for check in checking.checks(destination, sources):
            found.append(check)
            if not as_json:
                shell.console().print(_line(check), soft_wrap=True)
    if as_json:
        click.echo(shell.json_text([check._asdict() for check in found]))
    if not all(check.well for check in found):
        raise click.exceptions.Exit(exits.CODES[Mismatch])


def _source(address: str, stack: contextlib.ExitStack) -> "RigReader":
    from rigclient.warehouse.rig_reader import RigReader

    return stack.enter_context(RigReader(address))


def _default_source(address: str, stack: contextlib.ExitStack) -> "list[RigReader]":
    """None when it does not answer: a warehouse has a life of its own."""
    with contextlib.suppress(Unavailable):
        return [_source(address, stack)]
    return []


def _line(check: "HealthCheck") -> Text:
    sign = Text("ok  ", GOOD) if check.well else Text("BAD ", RED)
    return Text.assemble(sign, (f"{check.what:<16}", STRONG), check.text)
