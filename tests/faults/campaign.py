"""What a campaign of faults came to: a bar while it runs, a row of the report when it is over.

Every campaign has a short form, which `make test` runs, and a long one for `make soak`, which sets RIGD_SOAK
to the part of it that is wanted: 1 is all, 0.1 a tenth. Both draw from RIGD_SEED, so that what was found can
be found again.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

SCALE: Final = float(os.environ.get("RIGD_SOAK", "0"))
SOAK: Final = SCALE > 0
SEED: Final = int(os.environ.get("RIGD_SEED", "7"))
REPORT: Final = Path("build/soak.jsonl")
"""A line per campaign of the last long run."""


def tries(short: int, long: int) -> int:
    """How many faults to try: few in `make test`, many in `make soak`."""
    return max(short, round(long * SCALE))


@dataclass
class Campaign:
    """Faults of one kind. Counts of `lost` and `declared` are of `unit`."""

    fault: str
    """What is done to rigd, in a few words: the first column of the report."""
    planned: int
    unit: str = "frames"
    tried: int = 0
    survived: int = 0
    """Tries after which everything that had to hold did hold."""
    lost: int = 0
    """Records that the game wrote and nobody has."""
    declared: int = 0
    """Of these, how many stand in a gap."""
    seconds: float = 0.0
    again_s: float | None = None
    """Longest from the end of a fault until what it had hit worked again."""

    def rounds(self) -> Iterator[int]:
        """The planned tries, with a bar where someone looks. One that ends without an error was survived."""
        shown = SOAK and sys.stderr.isatty()
        with Progress(console=Console(stderr=True), disable=not shown) as bar:
            task = bar.add_task(self.fault, total=self.planned)
            for number in range(self.planned):
                self.tried += 1
                yield number
                self.survived += 1
                bar.advance(task)

    def count(self, tried: int) -> None:
        """Tries that were made elsewhere, and are over; all were survived."""
        self.planned = self.tried = self.survived = tried

    def lose(self, lost: int, declared: int) -> None:
        """Count a loss, and what of it was declared."""
        self.lost += lost
        self.declared += declared


@contextlib.contextmanager
def campaign(fault: str, planned: int, unit: str = "frames") -> Iterator[Campaign]:
    """A campaign that must survive every try and declare every loss. The long form writes its row."""
    running, began = Campaign(fault, planned, unit), time.monotonic()
    yield running
    running.seconds = time.monotonic() - began
    assert running.survived == running.tried == running.planned
    assert running.lost == running.declared, "a loss that nobody declared"
    print(f"{fault}: {running.tried} tried, {running.lost} {unit} lost, {running.declared} declared")
    if SOAK:
        REPORT.parent.mkdir(exist_ok=True)
        with REPORT.open("a") as file:
            file.write(json.dumps(asdict(running)) + "\n")
