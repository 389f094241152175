"""What bad readers cost the good ones, and the server.

Eight healthy readers of all channels, first alone and then beside readers that are stopped, silent, slow, too
many, talking nonsense, or coming and going. How soon a stopped one is noticed, and the memory it holds, are
measured with sixteen of them.
"""

import os
import signal
import time
from pathlib import Path
from typing import Final

import numpy as np

import rigclient
from rigd.serve.selection import SHARED
from tests.faults.hostile import HABITS
from tests.stage import Stage, answer, stage, until

Figures = dict[str, float]

_CARS: Final = 40
_HEALTHY: Final = 8
_STOPPED: Final = 16
_LIVE_S: Final = 15
_RUNS: Final = 3


def hostile() -> Figures:
    """The healthy readers' latency with and without bad ones, and what a stopped one costs."""
    with stage() as here:
        here.record()
        time.sleep(0.5)
        here.game(_CARS, 50, 600)
        server = here.serve()
        time.sleep(2)
        pairs = [(_healthy(here, bad=False), _healthy(here, bad=True)) for _ in range(_RUNS)]
        alone, beside = (float(np.median(p99)) for p99 in zip(*pairs, strict=True))
        rise = float(np.median([bad - good for good, bad in pairs]))
        stopped = _stopped(here, server.pid)
    return {
        "healthy_p99_alone_ms": alone,
        "healthy_p99_beside_ms": beside,
        "healthy_p99_rise_ms": rise,
        **stopped,
    }


def _healthy(here: Stage, *, bad: bool) -> float:
    """99th percentile of the healthy readers' latency, milliseconds."""
    habits, seconds = tuple(HABITS) if bad else (), str(_LIVE_S + 5)
    crowd = [here.start("tests.faults.hostile", here.address, habit, seconds) for habit in habits]
    readers = here.subscribe(_HEALTHY, "all", "all", _LIVE_S)
    p99 = answer(readers, _LIVE_S + 60)["p99_ms"]
    for process in crowd:
        process.kill()
        process.wait(20)
    return float(p99)


def _stopped(here: Stage, server: int) -> Figures:
    """Sixteen readers stop at once: seconds until the last is noticed, and what the server then holds for
    each. Another one reads all the time: what is kept for everyone is there before.
    """
    with rigclient.connect(here.address) as rig:
        until(lambda: not rig.status().followers)
        healthy = here.subscribe(1, "all", "all", 60)
        until(lambda: any(one.messages > SHARED for one in rig.status().followers))
        before = _private_kb(server)
        readers = [here.start("tests.faults.hostile", here.address, "stopped", "60") for _ in range(_STOPPED)]
        for reader in readers:
            assert reader.stdout is not None
            reader.stdout.readline()
        began = time.monotonic()
        until(lambda: sum(one.stalled for one in rig.status().followers) == _STOPPED, pause_s=0.02)
        noticed = time.monotonic() - began
        held = (_private_kb(server) - before) / _STOPPED
        for reader in (*readers, healthy):
            os.kill(reader.pid, signal.SIGKILL)
            reader.wait(20)
    return {"stopped_noticed_s": noticed, "stopped_holds_kb": held}


def _private_kb(pid: int) -> float:
    """Memory that is a process's own: not of files, not of the kernel's buffers."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("RssAnon")))
