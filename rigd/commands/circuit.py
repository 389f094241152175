"""Circuits that people have changed: corners with names, other limits, other thresholds."""

from pathlib import Path

import click

from rigd.commands import options


@click.command()
@options.config
@options.data
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def circuit(data: Path, file: Path) -> None:
    """Keep a circuit with changed corners as its next version.

    FILE is what `rig circuit NAME --out FILE` wrote. Corners are checked and numbered anew in their order.
    Laps count by the newest version from then on; the versions before it stay as they are.

    \b
    Example:
      rig circuit meander --out meander.json
      rigd circuit meander.json --data /srv/rigd
    """
    from rigd.store.store import circuits_path
    from riglap.circuits.circuit import read
    from riglap.circuits.shelf import Shelf

    changed = read(file)
    kept = Shelf(circuits_path(data)).add(changed.with_corners(changed.corners))
    click.echo(f"{kept.name}: {len(kept.corners)} corners")
