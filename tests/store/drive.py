"""Writes a ring in which four cars have driven for a while, and ends.

python -m tests.store.drive DATA TICKS

It prints the ring's id. Laps last 10 s; scoring is updated for 12 s, five times a second.
"""

import sys
from pathlib import Path
from typing import Any

from rigd import ring as rings
from rigd.ring import Record
from tests.serve.scripted_recorder import STEP_S, ScriptedRecorder


class Driver(ScriptedRecorder):
    """A recorder whose cars have clocks of their own."""

    def tick(self, **head: Any) -> Record:
        self._physics.columns["elapsed_time"][:] = (self.seq[rings.PHYSICS] + 1) * STEP_S
        return super().tick(**head)


if __name__ == "__main__":
    driver = Driver(Path(sys.argv[1]))
    driver.ticks(int(sys.argv[2]))
    for _ in range(59):
        driver.update()
    driver.update(entries=True)
    print(driver.identity())
    driver.close()
