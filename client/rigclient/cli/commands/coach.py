"""`rig coach`: where a lap loses time to another, and what to do about it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rig.errors import BadRequest
from rigclient.cli.commands import shell
from rigclient.cli.commands.compare import compared, on_circuit
from rigclient.cli.commands.compare_report import head, lost_text
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Text
from rigclient.queries import LAST

if TYPE_CHECKING:
    from riglap.compare import Comparison
    from riglap.findings import Finding, Tip


@click.command()
@click.argument("name", metavar="[LAP]", default=LAST)
@click.option("--against", metavar="LAP", default="", help="A lap, or a word as for `rig compare`.")
@click.option(
    "--given", metavar="ID,ID", default="", callback=shell.names, help="Tips that were given before."
)
@on_circuit
@which_warehouse
@shell.as_json
@click.pass_obj
def coach(
    address: str,
    /,
    name: str,
    against: str,
    given: tuple[str, ...],
    circuit_file: Path | None,
    where: str | None,
    as_json: bool,
) -> None:
    """Tell where a lap loses time, and what to do about it.

    LAP is what `rig compare` takes; without it, the newest complete lap of the local player.

    Without --against it is compared with the driver's best clean lap of the class on this circuit; where
    that is no faster with the best of the class, and the best of all with its driver's ideal lap.

    \b
    Example:
      rig coach
      rig coach car012-0003 --against best
      rig coach last --against class --given brakes_early:4
    """
    from riglap.findings import doubtful, findings, tips

    _check(given)
    found, about = compared(address, [name], circuit_file, against=against, where=where)
    seen = findings(found)
    told = tips(seen, given)
    notes = [*found.notes, *filter(None, [doubtful(found)])]
    if as_json:
        click.echo(shell.json_text(_plain(found, seen, told, notes) | {"about": about or None}))
        return
    console = shell.console()
    for part in head(found, console.width, about):
        console.print(part)
    console.print()
    _show(console, seen, told, notes)


def _check(given: tuple[str, ...]) -> None:
    """Raise BadRequest for an id that no tip can have."""
    from riglap.findings.tips import RULES

    for one in given:
        if one.partition(":")[0] not in RULES:
            hint = "ids are like brakes_early:4; `rig coach --json` shows them"
            raise BadRequest(f"no tip is called {one!r}", hint=hint)


def _plain(found: "Comparison", seen: "list[Finding]", told: "list[Tip]", notes: list[str]) -> dict[str, Any]:
    return {
        "lap": found.others[0].title,
        "against": found.reference.title,
        "lost": found.lost(),
        "findings": [
            {
                "id": one.id,
                "rule": one.rule,
                "corner": one.corner,
                "place": one.place,
                "lost": one.lost_s,
                "confidence": one.confidence,
                "evidence": dict(one.evidence),
                "begin": one.begin,
                "end": one.end,
            }
            for one in seen
        ],
        "tips": [{"id": tip.id, "text": tip.text} for tip in told],
        "notes": notes,
    }


def _show(console: Any, seen: "list[Finding]", told: "list[Tip]", notes: list[str]) -> None:
    from riglap.findings.tips import sentence

    show_tips(console, [tip.text for tip in told])
    if not told:
        console.print(Text("nothing that is sure enough to tell", DIM))
    others = [one for one in seen if one.id not in {tip.id for tip in told}]
    for one in others:
        if one.rule == "incident":
            console.print(Text(f"   {sentence(one)}", DIM))
            continue
        sure = f"  {100 * one.confidence:.0f} % sure"
        console.print(Text.assemble((f"   {one.place} {one.rule} ", DIM), lost_text(one.lost_s), (sure, DIM)))
    for note in notes:
        console.print(Text(note, YELLOW))


def show_tips(console: Any, texts: Sequence[str]) -> None:
    """Print sentences as a list with numbers."""
    for at, text in enumerate(texts, start=1):
        for row, line in enumerate(textwrap.wrap(text, max(console.width - 3, 20))):
            console.print(Text.assemble(("   " if row else f"{at}. ", STRONG), (line, TEXT)))
