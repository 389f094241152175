"""What the recorder costs beside its floor, and which frames of 400 a second it does not take.

    python -m tests.bench.recorder

Flushes and bytes are those that the block device counts, so they have what the file system adds: nothing else
may write to the disk meanwhile. A disk without a cache of its own counts no flush.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from rigd.ring import STREAMS, RingReader
from tests.bench.peers.rounds import Figures, medians, ratio, turns
from tests.stage import Stage, answer, cpu_s, rss_mb, scratch, stage, until

_CARS: Final = 40
_STARTS: Final = 3
_FAST_HZ: Final = 400
_FAST_S: Final = 60.0
_SECTOR: Final = 512


class Plan(NamedTuple):
    """How much is done."""

    rounds: int = 3
    settle_s: float = 4.0
    seconds: float = 10.0


_WHOLE: Final = Plan()


class Counters(NamedTuple):
    """What was used so far, or between two moments."""

    clock_s: float
    cpu_s: float
    written: int
    """Bytes on the disk."""
    flushes: int

    def since(self, earlier: "Counters") -> "Counters":
        """What was used from then to now."""
        clock_s, used_s = self.clock_s - earlier.clock_s, self.cpu_s - earlier.cpu_s
        return Counters(clock_s, used_s, self.written - earlier.written, self.flushes - earlier.flushes)

    @property
    def core(self) -> float:
        """Share of a core."""
        return self.cpu_s / self.clock_s


def counters(pid: int) -> Counters:
    """A process's CPU, and the disk's counters, now."""
    return Counters(time.monotonic(), cpu_s(pid), *_disk())


def _disk() -> tuple[int, int]:
    """Bytes written to the device below our scratch folder, and its flushes; 0 where there is no device."""
    number = os.stat(scratch()).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    whole = device.parent if (device / "partition").exists() else device  # which alone counts flushes
    if not (whole / "stat").exists():
        return 0, 0
    fields = (whole / "stat").read_text().split()
    return int(fields[6]) * _SECTOR, int(fields[15])


def used(process: subprocess.Popen[str], seconds: float) -> Counters:
    """What is used in so long."""
    before = counters(process.pid)
    time.sleep(seconds)
    return counters(process.pid).since(before)


def tick(plan: Plan = _WHOLE) -> Figures:
    """The recorder at 50 Hz with 40 cars, in turn with the floor: CPU, flushes, bytes on the disk."""
    work = {"ours": _recorded, "floor": _floor}
    seen = turns(work, plan.rounds, lambda name: work[name](plan))
    ours, floor = medians(seen["ours"]), medians(seen["floor"])
    return {
        "recorder_core_pct": ours.pop("core_pct"),
        **ours,
        "floor_core_pct": floor["core_pct"],
        "recorder_vs_floor": ratio(seen["ours"], seen["floor"], "core_pct"),
    }


def _recorded(plan: Plan) -> Figures:
    with stage() as here:
        recorder = here.record()
        here.status()
        here.game(_CARS, 50, plan.settle_s + plan.seconds + 30)
        time.sleep(plan.settle_s)
        until(lambda: here.status().durable_seq > 0)
        began = _heads(here)
        spent = used(recorder, plan.seconds)
        payload = _payload(here, began)
        status = here.status()
        return {
            "tick_work_p50_ms": status.tick_work.p50_ms,
            "tick_work_p99_ms": status.tick_work.p99_ms,
            "tick_lateness_p99_ms": status.tick_lateness.p99_ms,
            "commit_p50_ms": status.commit.p50_ms,
            "core_pct": 100 * spent.core,
            "recorder_rss_mb": rss_mb(recorder.pid),
            **_of_disk(spent, payload),
        }


def _of_disk(spent: Counters, payload: int) -> Figures:
    """Nothing for a disk that nobody counts."""
    if not spent.written:
        return {}
    return {
        "flushes_per_s": spent.flushes / spent.clock_s,
        "device_bytes_vs_payload": spent.written / payload,
    }


def _heads(here: Stage) -> dict[bytes, int]:
    """Newest durable numbers."""
    ring = RingReader(here.data / "ring")
    try:
        return ring.heads()
    finally:
        ring.close()


def _payload(here: Stage, began: dict[bytes, int]) -> int:
    """Bytes of the records that came after those numbers."""
    ring = RingReader(here.data / "ring")
    try:
        return sum(
            len(value)
            for stream in STREAMS
            for _, value in ring.read(stream, began[stream], 1 << 20, 1 << 30)
        )
    finally:
        ring.close()


def _floor(plan: Plan) -> Figures:
    """What reading the memory and committing 36 kB 50 times a second takes, and nothing else."""
    with stage() as here:
        floor = here.start("tests.bench.floor", str(here.buffers), str(here.data))
        time.sleep(plan.settle_s)
        return {"core_pct": 100 * used(floor, plan.seconds).core}


def ready() -> Figures:
    """From the start of a recorder to its first word: the ring is open, and it watches the game."""
    return {"recorder_ready_s": float(np.median([_ready_s() for _ in range(_STARTS)]))}


def _ready_s() -> float:
    with stage() as here:
        began = time.monotonic()
        here.record()
        here.status()
        return time.monotonic() - began


def fast() -> Figures:
    """400 Hz with 40 cars for a minute: frames closed and not taken; how late a bare process is woken."""
    with stage() as here:
        recorder = here.record()
        here.status()
        bare = here.start("tests.bench.wakeups", str(_FAST_HZ), str(_FAST_S))
        game = here.game(_CARS, _FAST_HZ, _FAST_S)
        frames = answer(game, _FAST_S + 30)
        time.sleep(1.5)
        status, woken = here.status(), answer(bare, 30)
        return {
            "missed_400hz": frames - status.captured,
            "undeclared_400hz": frames - status.captured - status.missed,
            "frames_400hz": frames,
            "core_pct_400hz": 100 * cpu_s(recorder.pid) / _FAST_S,
            "wakeup_lateness_400hz_p99_ms": woken["p99_ms"],
            "wakeup_missed_400hz": woken["missed"],
        }


if __name__ == "__main__":
    print(json.dumps(tick() | ready() | fast(), indent=2))
