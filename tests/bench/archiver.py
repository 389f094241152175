"""What archiving a lap costs: from the ring's records of a full grid to a durable file.

python -m tests.bench.archiver
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from rig.lapfile import pack
from rig.v1 import lap_pb2, session_pb2
from rigd.gather.gather import gather
from rigd.ring import RingReader
from rigd.store.folder import LapFolder
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape
from tests.stage import scratch

Figures = dict[str, float]

_CARS: Final = 40
_SECONDS: Final = 125.0
"""The grid, and a lap of the long circuit by most cars."""
_LAPS: Final = 9


def archive_lap() -> Figures:
    """CPU seconds of archiving 100 s of a car out of a ring of 40, lap by lap and eight laps together."""
    with tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as folder:
        # Frames of its own: the shared ones are all kept, which are 470 MB here.
        tape = Tape(Path(folder), limit_bytes=2 << 30, shown=RaceFrames(_CARS, short=False))
        tape.drive(_SECONDS)
        laps = [lap for lap in tape.closed() if lap.complete][:_LAPS]
        tape.close()
        ring, store = RingReader(Path(folder) / "ring"), LapFolder(Path(folder) / "laps")
        session = session_pb2.Session()
        alone = [100 * _cost_s(ring, store, [lap], session) / lap.lap_time for lap in laps]
        some = laps[:8]
        together = 100 * _cost_s(ring, store, some, session) / sum(lap.lap_time for lap in some)
        ring.close()
    return {
        "archive_lap_cpu_s": float(np.median(alone)),
        "archive_lap_together_cpu_s": together,
        "archive_lap_s": float(np.median([lap.lap_time for lap in laps])),
    }


def _cost_s(
    ring: RingReader, store: LapFolder, laps: list[lap_pb2.Lap], session: session_pb2.Session
) -> float:
    began = time.process_time()
    for number, found in enumerate(gather(ring, laps, session)):
        store.write(f"sessions/bench/laps/lap-{number}", pack(found.header, found.samples, found.scoring))
    return time.process_time() - began


if __name__ == "__main__":
    print(json.dumps(archive_lap(), indent=2))
