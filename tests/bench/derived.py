"""Derived channels of a stream: what a tick of 40 cars costs the server."""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import read_head
from rigd import ring as rings
from rigd.ring import RingReader
from rigd.serve.derived import Derived
from rigd.serve.derived.references import SessionReferences
from rigd.serve.derived.walk import Walk
from rigd.serve.history import RingHistory
from rigd.serve.recent import Tick
from rigd.store.store import StoreReader, circuits_path
from rigd.store.viewer import EVERYTHING
from riglap.circuits.shelf import Shelf
from riglap.lap import Lap
from tests.riglap.raced import drive

_CARS: Final = 40
_TICKS: Final = 500


def derived() -> dict[str, float]:
    """The mean over ten seconds of a race, all channels, every car with its references."""
    with tempfile.TemporaryDirectory(prefix="rigd-bench-") as folder:
        data = Path(folder)
        drive(data, cars=_CARS, seconds=110, short=True)
        ring = RingReader(data / "ring")
        try:
            return {"live_delta_served_us_per_tick_40_cars": _per_tick(data, ring)}
        finally:
            ring.close()


def _per_tick(data: Path, ring: RingReader) -> float:
    store, shelf = StoreReader(data), Shelf(circuits_path(data))
    service: Any = SimpleNamespace(
        references=lambda viewer, of, session: SessionReferences(store, shelf, viewer, of.hex(), session)
    )
    laps = (Lap.open(path) for path in sorted(data.glob("laps/*/[!.]*.lap")))
    chosen = next(lap.info.name for lap in laps if lap.info.valid)
    history = RingHistory(ring)
    pool = Derived(history, service, EVERYTHING, chosen)
    pool.want(PHYSICS.derived)
    first = ring.heads()[rings.PHYSICS] - _TICKS
    records = ring.read(rings.PHYSICS, first - 1, _TICKS, 1 << 30)
    ticks = [Tick(seq, read_head(record), record) for seq, record in records]
    walk = Walk(history, pool, pool.wants, first)
    walk.begin(ticks[0])
    walk.advance(ticks[:50])
    began = time.perf_counter()
    walk.advance(ticks[50:])
    spent = time.perf_counter() - began
    assert np.isfinite(walk.kept[ticks[-1].seq]["delta_reference"]).mean() > 0.5
    return 1e6 * spent / len(ticks[50:])
