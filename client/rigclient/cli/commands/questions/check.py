"""`rig warehouse check`: whether all is there."""

import contextlib
from typing import TYPE_CHECKING

import click

from rig.errors import Mismatch, Unavailable
from rigclient.cli.commands import exits, shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.terminal.palette import GOOD, RED, STRONG
from rigclient.cli.terminal.text import Text

if TYPE_CHECKING:
    from rigclient.warehouse.destination import HealthCheck
    from rigclient.warehouse.rig_reader import RigReader


@click.command()
@click.argument("rigs", metavar="[RIG]...", nargs=-1)
@which_warehouse
@shell.as_json
@click.pass_obj
def check(address: str, /, rigs: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """Check that the warehouse can be used and holds what it should.

    The ledger is whole, its rows are there, and what is on the rigs is here, lap by lap. Default: the rig of
    --rig, if it answers.

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
        for finding in checking.checks(destination, sources):
            found.append(finding)
            if not as_json:
                shell.console().print(_line(finding), soft_wrap=True)
    if as_json:
        click.echo(shell.json_text([finding._asdict() for finding in found]))
    if not all(finding.well for finding in found):
        raise click.exceptions.Exit(exits.CODES[Mismatch])


def _source(address: str, stack: contextlib.ExitStack) -> "RigReader":
    from rigclient.warehouse.rig_reader import RigReader

    return stack.enter_context(RigReader(address))


def _default_source(address: str, stack: contextlib.ExitStack) -> "list[RigReader]":
    """Return the default rig, None when it does not answer: a warehouse has a life of its own."""
    with contextlib.suppress(Unavailable):
        return [_source(address, stack)]
    return []


def _line(finding: "HealthCheck") -> Text:
    sign = Text("ok  ", GOOD) if finding.well else Text("BAD ", RED)
    return Text.assemble(sign, (f"{finding.what:<15} ", STRONG), finding.text)
