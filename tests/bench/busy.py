"""Everything at once: half an hour of racing with laps closing all the time, archived, and eight subscribers.

python -m tests.bench.busy [SPEED [SECONDS]]
"""

import json
import sys
import time
from typing import Final

from tests.stage import cpu_s, stage, until

Figures = dict[str, float]

_SIMULATED_S: Final = 1800.0
_SPEED: Final = 3.0
"""Half an hour in ten minutes, at 150 Hz."""
_CARS: Final = 20
_SUBSCRIBERS: Final = 8


def busy(speed: float = _SPEED, simulated_s: float = _SIMULATED_S) -> Figures:
    """Half an hour of 20 cars, laps of 35 s, archived as it goes, with 8 subscribers to 12 channels."""
    seconds = simulated_s / speed
    with stage() as here:
        here.record()
        here.serve()
        archiver = here.archive()
        here.status()
        words = ["--buffers", str(here.buffers), "--cars", str(_CARS), "--short", "--speed", str(speed)]
        game = here.start("rigd", "demo-game", *words, "--for", str(seconds))
        time.sleep(2)
        here.subscribe(_SUBSCRIBERS, "12", "all", seconds)
        game.wait(seconds + 60)
        status = here.status()
        until(here.archived, 120)
        laps = len(list(here.data.glob("laps/*/[!.]*.lap")))
        return {
            "busy_tick_lateness_p99_ms": status.tick_lateness.p99_ms,
            "busy_tick_work_p99_ms": status.tick_work.p99_ms,
            "busy_missed": float(status.missed),
            "busy_frames": float(status.captured),
            "busy_laps": float(laps),
            "busy_archiver_core_pct": 100 * cpu_s(archiver.pid) / seconds,
            "busy_archiver_s_per_lap": cpu_s(archiver.pid) / max(laps, 1),
        }


if __name__ == "__main__":
    print(json.dumps(busy(*map(float, sys.argv[1:])), indent=2))
