"""Writes the ring of a race: `python -m tests.faults.powercut.racing DATA SECONDS`.

A second of the race is one commit. It goes as fast as the disk allows, and an archiver beside it archives
what is closed meanwhile.
"""

import sys
from pathlib import Path

from tests.archive.tape import Tape

if __name__ == "__main__":
    tape = Tape(Path(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        tape.drive(1.0)
    tape.finish()
    tape.close()
