"""`rig plan`: what the assistant has proposed, approved or not item by item."""

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import click

from rig.errors import NotFound
from rig.signs import visible
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import exits, shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Console, Text

Plan = catalog_pb2.Resource
_MARKS: Final = {
    catalog_pb2.PLAN_ITEM_STATE_PROPOSED: ("[ ]", TEXT, "proposed"),
    catalog_pb2.PLAN_ITEM_STATE_APPROVED: ("[~]", YELLOW, "approved, not done"),
    catalog_pb2.PLAN_ITEM_STATE_REJECTED: ("[-]", DIM, "rejected"),
    catalog_pb2.PLAN_ITEM_STATE_DONE: ("[✓]", GOOD, "done"),
    catalog_pb2.PLAN_ITEM_STATE_FAILED: ("[!]", RED, "failed"),
}
_OPEN: Final = (catalog_pb2.PLAN_ITEM_STATE_PROPOSED, catalog_pb2.PLAN_ITEM_STATE_APPROVED)


_HERE: Final = "rigclient.cli.commands.plan"
COMMANDS: Final = {
    "approve": (f"{_HERE}:approve", "Approve items of a plan: each is done at once"),
    "list": (f"{_HERE}:list_plans", "List plans, newest first"),
    "reject": (f"{_HERE}:reject", "Reject items of a plan: nothing of them is done"),
    "show": (f"{_HERE}:show", "Show a plan with its items, and what came of them"),
}
"""Where each command is, and the first line of its docstring."""


@click.group(cls=exits.Commands, lazy=COMMANDS)
def plan() -> None:
    """Approve, item by item, what the assistant has proposed.

    \b
    Example:
      rig plan list
      rig plan approve last
    """


_every: Callable[[shell.Command], shell.Command] = click.option(
    "--all", "every", is_flag=True, help="All that are open."
)


@click.command("list")
@shell.as_json
@click.pass_obj
def list_plans(address: str, as_json: bool) -> None:
    """List plans, newest first.

    \b
    Example:
      rig plan list
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("plans", order_by="create_time desc"))
    if as_json:
        shell.show_json(found)
        return
    console = shell.console()
    if not found:
        console.print(Text('no plans yet: `rig ask --plan "what do I try next?"` makes one', DIM))
        return
    heads = (("plan", "default"), ("made", "left"), ("items", "left"), ("", "left"))
    console.print(table(heads, [_row(one) for one in found], console.width))


@click.command("show")
@click.argument("name", metavar="[PLAN]", default="last")
@shell.as_json
@click.pass_obj
def show(address: str, name: str, as_json: bool) -> None:
    """Show a plan with its items, and what came of them.

    PLAN is a name of `rig plan list`, or last.

    \b
    Example:
      rig plan show last
    """
    with connect(address) as rig:
        found = _found(rig, name)
    if as_json:
        shell.show_json(found)
    else:
        show_plan(shell.console(), found)


@click.command("approve")
@click.argument("name", metavar="PLAN")
@click.argument("items", metavar="[ITEM...]", nargs=-1)
@_every
@shell.as_json
@click.pass_obj
def approve(address: str, name: str, items: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Approve items of a plan: each is done at once.

    Without ITEM each is asked for, in a terminal.

    \b
    Example:
      rig plan approve last
      rig plan approve last 1 3
    """
    with connect(address) as rig:
        found = _found(rig, name)
        if items or every:
            found = _decide(rig, found, items or _open(found), approve=True)
        elif sys.stdin.isatty():
            found = decide_all(rig, shell.console(), found)
        else:
            raise click.UsageError("name items, or give --all")
    _report(found, as_json)


@click.command("reject")
@click.argument("name", metavar="PLAN")
@click.argument("items", metavar="[ITEM...]", nargs=-1)
@_every
@shell.as_json
@click.pass_obj
def reject(address: str, name: str, items: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Reject items of a plan: nothing of them is done.

    \b
    Example:
      rig plan reject last 2
    """
    if not items and not every:
        raise click.UsageError("name items, or give --all")
    with connect(address) as rig:
        found = _found(rig, name)
        found = _decide(rig, found, items or _open(found), approve=False)
    _report(found, as_json)


def show_plan(console: Console, found: Plan) -> None:
    """Print a plan with its items."""
    console.print(Text.assemble((found.plan.title, TITLE), (f"  {_short(found)}", DIM)))
    for item in found.plan.items:
        for line in _item(item):
            console.print(line)


def decide_all(rig: Rig, console: Console, found: Plan) -> Plan:
    """Ask for each item that is open whether it is wanted, and do what is. Returns the plan afterwards."""
    told = "y does it, n rejects it, Enter leaves it for later" if _open(found) else "nothing of it is open"
    console.print(Text(told, DIM))
    for item in list(found.plan.items):
        if item.state not in _OPEN:
            continue
        word = click.prompt(
            f"{item.id}. {visible(item.text)}", default="", show_default=False, prompt_suffix=" [y/n] "
        )
        if word.strip().lower()[:1] in ("y", "n") and word.strip():
            found = _decide(rig, found, [item.id], approve=word.strip().lower().startswith("y"))
            for line in _item(next(one for one in found.plan.items if one.id == item.id)):
                console.print(line)
    return found


def _decide(rig: Rig, found: Plan, items: Sequence[str], *, approve: bool) -> Plan:
    """Say of items whether they are wanted. Raises NotFound before anything is said."""
    known = [item.id for item in found.plan.items]
    for item in items:
        if item not in known:
            raise NotFound(f"{_short(found)} has no item {item!r}", hint=f"it has {', '.join(known)}")
    for item in items:
        found = rig.catalog.decide(found.name, item, approve=approve)
    return found


def _report(found: Plan, as_json: bool) -> None:
    if as_json:
        shell.show_json(found)
    else:
        show_plan(shell.console(), found)


def _found(rig: Rig, name: str) -> Plan:
    """Return a plan by its name, the last part of it, or last. Raises NotFound."""
    if name != "last":
        try:
            return rig.catalog.get(name if "/" in name else f"plans/{name}")
        except NotFound as error:
            raise NotFound(error.message, hint="`rig plan list` lists them") from None
    for found in rig.catalog.list("plans", order_by="create_time desc", page_size=1):
        return found
    raise NotFound("there is no plan yet", hint='`rig ask --plan "what do I try next?"` makes one')


def _open(found: Plan) -> list[str]:
    return [item.id for item in found.plan.items if item.state in _OPEN]


def _item(item: catalog_pb2.PlanItem) -> Iterator[Text]:
    mark, style, word = _MARKS.get(item.state, ("[?]", RED, "unknown"))
    yield Text.assemble((f"{mark} {item.id}. ", style), (item.text, TEXT))
    if item.result:
        yield Text(
            f"    {word}: {item.result}", RED if item.state == catalog_pb2.PLAN_ITEM_STATE_FAILED else DIM
        )


def _row(found: Plan) -> Sequence[Text]:
    made = datetime.fromtimestamp(found.create_time_ns / 1e9).astimezone()
    marks = Text()
    for item in found.plan.items:
        mark, style, _ = _MARKS.get(item.state, ("[?]", RED, ""))
        marks.append(mark, style)
    return Text(_short(found), STRONG), Text(f"{made:%d %b %H:%M}", DIM), marks, Text(found.plan.title, TEXT)


def _short(found: Plan) -> str:
    return found.name.removeprefix("plans/")
