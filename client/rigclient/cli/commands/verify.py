"""`rig verify`: whether ring, laps and index are sound. `rigd verify` shows the same of a folder."""

import sys
from collections.abc import Iterable

import click
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table as Grid

from rig.v1 import rig_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.terminal.palette import DIM, GOOD, RED, TEXT, TITLE
from rigclient.cli.terminal.text import Console, Text

deep = click.option("--deep", is_flag=True, help="Compare all laps that the ring still holds with it.")


@click.command("verify")
@deep
@shell.as_json
@click.pass_obj
def verify(address: str, /, deep: bool, as_json: bool) -> None:
    """Check everything that the rig keeps, to the last byte.

    Ring, loss journals, laps, index. Nothing is changed. It runs when nobody else wants the processor. Ends
    with code 1 when something is found.

    \b
    Example:
      rig verify
      rig verify --deep --json | jq '.[].where'
    """
    with connect(address) as rig:
        found = show(rig.verify(deep=deep), as_json)
    sys.exit(1 if found else 0)


def show(responses: Iterable[rig_pb2.VerifyResponse], as_json: bool) -> int:
    """Follow a check with a bar, and print what it found; returns how much that is."""
    findings: list[rig_pb2.Finding] = []
    walks: dict[str, int] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        task = bars.add_task("checking", total=None)
        for response in responses:
            findings += response.findings
            walks[response.walk] = response.total
            bars.update(
                task, description=response.walk, completed=response.done, total=response.total or None
            )
    if as_json:
        shell.show_json(findings)
    else:
        shell.console().print(_report(findings, walks))
    return len(findings)


def _report(findings: list[rig_pb2.Finding], walks: dict[str, int]) -> RenderableType:
    """Return what was looked at, what is wrong with it, and what to do."""
    looked = ", ".join(f"{name} {total:,}" for name, total in walks.items() if total) or "nothing was there"
    parts: list[RenderableType] = [Text.assemble(("checked  ", TITLE), (looked, DIM)), Text()]
    if not findings:
        return Group(*parts, Text("nothing is wrong", GOOD))
    grid = _grid("where", "what is wrong", "kind")
    for found in findings:
        grid.add_row(Text(found.where, TEXT), Text(found.what, TEXT), Text(found.kind, RED))
    ways = _grid("kind", "what to do")
    for kind, mend in {found.kind: found.mend for found in findings}.items():
        ways.add_row(Text(kind, RED), Text(mend, TEXT))
    return Group(*parts, grid, Text(), ways)


def _grid(*names: str) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name in names:
        grid.add_column(name, overflow="fold", no_wrap=name == "kind")
    return grid
