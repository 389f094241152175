"""Real ticks: the demo's race under way, encoded as the recorder encodes it."""

from pathlib import Path
from typing import Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Head
from rigd.demo.race import Race
from rigd.record.encoder import Encoder

_SETTLED_S: Final = 20.0
"""By then the field is off the grid and at speed."""


def race_ticks(count: int, cars: int = 40) -> list[bytes]:
    """Ticks of one moment of a race after another, all of the same size."""
    race, encoder, out = Race(cars), Encoder(PHYSICS), []
    while race.clock < _SETTLED_S:
        race.step()
    with np.errstate(all="ignore"):  # doubles beyond float32, which become NaN
        for _ in range(count):
            race.step()
            head = Head(race.frame, 0, 1, race.clock, race.frame, PHYSICS.schema, cars, -1, False, True)
            out.append(encoder.encode(race.records[:], head))
    return out


def keep(ticks: list[bytes], path: Path) -> None:
    """Put ticks into a file for other processes."""
    path.write_bytes(len(ticks).to_bytes(4, "little") + b"".join(ticks))


def kept(path: Path) -> list[bytes]:
    """The ticks of such a file."""
    data = path.read_bytes()
    size = (len(data) - 4) // int.from_bytes(data[:4], "little")
    return [data[at : at + size] for at in range(4, len(data), size)]
