"""`rig coach`: where a lap loses time to another, and what to do about it."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rig.errors import NotFound
from rig.infos import LapInfo
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.compare import compared, head, lost_text, on_circuit
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Text

if TYPE_CHECKING:
    from riglap.compare import Comparison
    from riglap.findings import Finding, Tip

_NEWEST: Final = 200
"""Laps among which the player's is looked for."""


@click.command()
@click.argument("name", metavar="[LAP]", default="")
@click.option("--against", metavar="LAP", default="", help="Default: the best of its class in the session.")
@click.option(
    "--given", metavar="ID,ID", default="", callback=shell.names, help="Tips that were given before."
)
@on_circuit
@shell.as_json
@click.pass_obj
def coach(
    address: str, name: str, against: str, given: tuple[str, ...], circuit_file: Path | None, as_json: bool
) -> None:
    """Tell where a lap loses time, and what to do about it.

    LAP is what `rig lap` takes, or a lap file; without it, the newest complete lap of the local player.

    \b
    Example:
      rig coach
      rig coach car012-0003 --against best
    """
    from riglap.findings import doubtful, findings, tips

    if not (Path(name).is_file() and against):
        with connect(address) as rig:
            name, against = _chosen(rig, name, against)
    found = compared(address, [against, name], circuit_file)
    seen = findings(found)
    told = tips(seen, given)
    notes = [*found.notes, *filter(None, [doubtful(found)])]
    if as_json:
        click.echo(shell.json_text(_plain(found, seen, told, notes)))
        return
    console = shell.console()
    for part in head(found, console.width):
        console.print(part)
    console.print()
    _show(console, seen, told, notes)


def _chosen(rig: Rig, name: str, against: str) -> tuple[str, str]:
    """Return whole names of the lap and of what it is held against."""
    lap = rig.lap_info(name) if name else _newest(rig)
    if against:
        return lap.name, rig.find_lap(against)
    session = lap.name.partition("/laps/")[0]
    rivals = [
        other
        for other in rig.laps(session)
        if other.valid
        and other.complete
        and other.vehicle_class == lap.vehicle_class
        and other.name != lap.name
    ]
    if not rivals:
        raise NotFound(f"no other lap of its class in {session} counts", hint="--against names one")
    return lap.name, min(rivals, key=_rank).name


def _rank(lap: LapInfo) -> tuple[bool, float]:
    """Laps from the grid or to the pits last, then by time."""
    return not lap.number or lap.in_lap or lap.out_lap, lap.lap_time or float("inf")


def _newest(rig: Rig) -> LapInfo:
    for lap in itertools.islice(rig.laps("", order_by="start_time desc"), _NEWEST):
        if lap.player and lap.complete:
            return lap
    raise NotFound("the newest session has no complete lap of the local player", hint="name a lap")


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

    for at, tip in enumerate(told, start=1):
        console.print(Text.assemble((f"{at}. ", STRONG), (tip.text, TEXT)))
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
