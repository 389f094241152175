"""`rig circuit`: circuits that were surveyed, and their corners."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import RenderableType

from rig.errors import BadRequest, NotFound
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text, stacked

if TYPE_CHECKING:
    from riglap.circuits.circuit import Circuit


@click.command()
@click.argument("name", metavar="[NAME]", default="")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    callback=lambda ctx, param, value: value and shell.file(ctx, param, value),
    help="Write its file, JSON: name corners or move their limits there.",
)
@shell.as_json
@click.pass_obj
def circuit(address: str, name: str, out: Path | None, as_json: bool) -> None:
    """Show the circuits that the rig has surveyed, and their corners.

    NAME is a part of a layout's name; without it all are listed. A file of a circuit, changed or not, serves
    `rig compare` and `rig coach` with --circuit.

    \b
    Example:
      rig circuit
      rig circuit meander --out meander.json
    """
    with connect(address) as rig:
        known = rig.circuits()
    if not name and out is None:
        _list(known, as_json)
        return
    one = _only(name, known)
    if out is not None:
        from riglap.circuits.circuit import write

        write(one, out)
        shell.show_files([out], as_json)
    elif as_json:
        click.echo(shell.json_text(_plain(one)))
    else:
        console = shell.console()
        console.print(_head(one))
        heads = (("", "left"), ("", "left"), ("begin, m", "right"), ("apex, m", "right"), ("end, m", "right"))
        more = (("radius, m", "right"), ("turns, °", "right"))
        console.print(table((*heads, *more), _corners(one), console.width))


def _only(name: str, known: "list[Circuit]") -> "Circuit":
    found = [one for one in known if name.lower() in one.name]
    names = ", ".join(one.layout for one in known) or "none yet: it takes four to nine laps"
    if not found:
        raise NotFound(f"no circuit is named {name!r}", hint=f"there are {names}")
    if len(found) > 1:
        raise BadRequest(f"several circuits are named {name!r}", hint=", ".join(one.layout for one in found))
    return found[0]


def _list(known: "list[Circuit]", as_json: bool) -> None:
    if as_json:
        click.echo(shell.json_text([_plain(one) for one in known]))
        return
    console = shell.console()
    if not known:
        console.print(Text("no track has been surveyed yet: it takes four to nine laps", DIM))
        return
    # The name is what one types: only the track's gives way, as what is justified "left" does.
    heads = (("circuit", "default"), ("track", "left"), ("length, m", "right"), ("corners", "right"))
    more = (("covered", "right"), ("residual, m", "right"))
    console.print(table((*heads, *more), [_row(one) for one in known], console.width))


def _row(one: "Circuit") -> Sequence[Text]:
    residual = f"{one.residual_m:.2f}" if math.isfinite(one.residual_m) else "-"
    numbers = (f"{one.length:.1f}", str(len(one.corners)), f"{100 * one.coverage:.1f} %", residual)
    return (Text(one.name, STRONG), Text(one.track_name, TEXT), *(Text(number, TEXT) for number in numbers))


def _head(one: "Circuit") -> RenderableType:
    told = f"{one.length:.1f} m, {one.updates} scoring updates, {one.residual_m:.2f} m residual"
    splits = ", ".join(f"S{at} ends at {split:.0f} m" for at, split in enumerate(one.splits, start=1))
    return stacked(
        [Text.assemble((one.name, TITLE), (f"  {told}", DIM)), Text(splits, DIM)][: 1 + bool(splits)]
    )


def _corners(one: "Circuit") -> Iterator[Sequence[Text]]:
    for corner in one.corners:
        side = Text(("right" if corner.right else "left") + ", fast sweep" * corner.weak, DIM)
        numbers = (corner.begin, corner.apex, corner.end, corner.radius_m, math.degrees(corner.angle_rad))
        yield Text(corner.title, STRONG), side, *(Text(f"{number:.0f}", TEXT) for number in numbers)


def _plain(one: "Circuit") -> dict[str, Any]:
    return {
        "name": one.name,
        "track_name": one.track_name,
        "track_length": one.track_length,
        "length": one.length,
        "frozen": one.frozen,
        "coverage": one.coverage,
        "residual_m": one.residual_m if math.isfinite(one.residual_m) else None,
        "splits": one.splits,
        "corners": [
            {
                "number": corner.number,
                "name": corner.name,
                "begin": corner.begin,
                "apex": corner.apex,
                "end": corner.end,
                "right": corner.right,
                "radius_m": corner.radius_m,
                "angle_rad": corner.angle_rad,
                "weak": corner.weak,
            }
            for corner in one.corners
        ],
    }
