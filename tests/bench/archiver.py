"""What archiving a lap costs: from the ring's records of a full grid to a durable file.

python -m tests.bench.archiver
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from rig.lapfile import pack
from rig.v1 import lap_pb2, session_pb2
from rigd.archive.circuits import Circuits
from rigd.archive.corners import Corners
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
_RACERS: Final = 20
_RACE_S: Final = 160.0


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


def corners_archive() -> Figures:
    """CPU seconds that circuit and corners add to a lap, in a race of 20 cars and as many laps as fit; a lap
    without them in the same sitting.
    """
    spent = {"survey": 0.0, "corners": 0.0}

    def clocked(kind: str, work: Callable[[Any], bool]) -> Callable[[Any], bool]:
        def run(own: Any) -> bool:
            began = time.thread_time()
            try:
                return work(own)
            finally:
                spent[kind] += time.thread_time() - began

        return run

    with tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as folder, ExitStack() as patches:
        tape = Tape(Path(folder), _RACERS, limit_bytes=1 << 30, shown=RaceFrames(_RACERS, short=True))
        tape.drive(_RACE_S)
        tape.finish()
        for kind, of in (("survey", Circuits), ("corners", Corners)):
            patches.enter_context(patch.object(of, "work", clocked(kind, of.work)))
        archiver, began = tape.archiver(), time.process_time()
        while archiver.turn():
            pass
        laps, total = archiver.archived, time.process_time() - began
        archiver.close()
    added = sum(spent.values())
    return {
        "corners_archive_s_per_lap": added / laps,
        "corners_archive_corners_s_per_lap": spent["corners"] / laps,
        "corners_archive_survey_s": spent["survey"],
        "corners_archive_base_s_per_lap": (total - added) / laps,
        "corners_archive_laps": laps,
    }


if __name__ == "__main__":
    print(json.dumps(archive_lap() | corners_archive(), indent=2))
