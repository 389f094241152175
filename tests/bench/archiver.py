"""What archiving a lap costs: from the ring's records of a full grid to a durable file.

python -m tests.bench.archiver
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from rig.lapfile import LapFile, blocks, pack
from rig.v1 import lap_pb2, session_pb2
from rigd.archive.circuits import Circuits
from rigd.archive.corners import Corners
from rigd.gather.gather import Gathered, gather
from rigd.ring import RingReader
from rigd.store.codings import LearnedCodings
from rigd.store.folder import LapFolder
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape
from tests.stage import scratch

Figures = dict[str, float]

_CARS: Final = 40
_SECONDS: Final = 125.0
"""The grid, and a lap of the long circuit by most cars."""
_LAPS: Final = 9
_TURNS: Final = 3
_RACERS: Final = 20
_RACE_S: Final = 160.0


def archive_lap() -> Figures:
    """CPU seconds of archiving 100 s of a car out of a ring of 40, lap by lap and eight laps together, and
    what codings that were learned from other laps save of it.
    """
    with tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as folder:
        # Frames of its own: the shared ones are all kept, which are 470 MB here.
        tape = Tape(Path(folder), limit_bytes=2 << 30, shown=RaceFrames(_CARS, short=False))
        tape.drive(_SECONDS)
        laps = [lap for lap in tape.closed() if lap.complete][:_LAPS]
        tape.close()
        ring, store = RingReader(Path(folder) / "ring"), LapFolder(Path(folder) / "laps")
        session, learned = session_pb2.Session(), LearnedCodings()
        alone = [100 * _cost_s(ring, store, [lap], session, learned) / lap.lap_time for lap in laps]
        some = laps[:8]
        cost_s = _cost_s(ring, store, some, session, learned)
        found = gather(ring, some, session)
        ring.close()
    return {
        "archive_lap_cpu_s": float(np.median(alone)),
        "archive_lap_together_cpu_s": 100 * cost_s / sum(lap.lap_time for lap in some),
        "archive_lap_s": float(np.median([lap.lap_time for lap in laps])),
        **_codings(found),
    }


def _cost_s(
    ring: RingReader,
    store: LapFolder,
    laps: list[lap_pb2.Lap],
    session: session_pb2.Session,
    learned: LearnedCodings,
) -> float:
    began = time.process_time()
    for number, found in enumerate(gather(ring, laps, session)):
        data = _packed(found, learned)
        store.write(f"sessions/bench/laps/lap-{number}", data)
        learned.learn(LapFile(data).header)
    return time.process_time() - began


def _packed(lap: Gathered, learned: LearnedCodings) -> bytes:
    return pack(*lap, like=learned.like(lap.header.lap.vehicle_class))


def _codings(laps: list[Gathered]) -> Figures:
    """Packing with codings that were learned, against its zstd alone and against the trial, in turn."""
    learned = LearnedCodings()
    shares, gains, sizes = list[float](), list[float](), list[tuple[int, int]]()
    for lap in laps:
        if learned.like(lap.header.lap.vehicle_class):
            ways = partial(_packed, lap, learned), _zstd_of(lap, learned), partial(pack, *lap)
            turns = [[_cpu_s(way) for way in ways] for _ in range(_TURNS)]
            mine, zstd, trial = np.median(turns, axis=0)
            shares.append(mine / zstd)
            gains.append(trial / mine)
            sizes.append((len(_packed(lap, learned)), len(pack(*lap))))
        learned.learn(LapFile(_packed(lap, learned)).header)
    mine_bytes, trial_bytes = np.sum(sizes, axis=0)
    return {
        "archive_lap_vs_zstd": float(np.median(shares)),
        "archive_learned_speedup": float(np.median(gains)),
        "archive_learned_bytes_pct": 100 * float(mine_bytes / trial_bytes - 1),
    }


def _zstd_of(lap: Gathered, learned: LearnedCodings) -> Callable[[], object]:
    """Return the compression of a lap's blocks, and nothing else of packing it."""
    with patch.object(blocks, "packed", wraps=blocks.packed) as spy:
        _packed(lap, learned)
    calls = [call.args[0] for call in spy.call_args_list]
    return lambda: [blocks.packed(planes) for planes in calls]


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
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
