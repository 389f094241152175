"""Records and archives a race without a pause, in a process of its own: python -m tests.backup.racing DATA"""

import sys
import time
from pathlib import Path

from rigd.archive.retention import Limits
from tests.archive.tape import Tape, drained

_KEPT_BYTES = 600_000
"""Some laps: retention deletes all the time."""


def main(data: Path) -> None:
    tape = Tape(data)
    tape.drive(30.0)
    while True:
        tape.drive(2.0)
        archiver = tape.archiver(Limits(min_free_bytes=0, hard_floor_bytes=0, max_bytes=_KEPT_BYTES))
        drained(archiver)
        archiver._retention.enforce()
        archiver.close()
        tape.resume()
        print("round", flush=True)
        time.sleep(0.1)  # a backup comes after all others


if __name__ == "__main__":
    main(Path(sys.argv[1]))
