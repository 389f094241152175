"""A reader that is killed while it reads leaves its slot behind."""

import os
import subprocess
import sys
from pathlib import Path

from rigd.ring import PHYSICS, Record, RingWriter, key

LIMIT_BYTES = 16 << 20
READER = """
import os, sys
from pathlib import Path
from rigd.ring import PHYSICS, RingReader
RingReader(Path(sys.argv[1])).visit(PHYSICS, 0, 5, lambda seq, data: os.kill(os.getpid(), 9))
"""


def test_pages_that_a_dead_reader_holds_are_used_again(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path / "ring", LIMIT_BYTES)
    value = os.urandom(30_000)

    def append(first: int, count: int) -> None:
        for seq in range(first, first + count):
            ring.append([Record(PHYSICS, key(seq), value)], {})

    append(1, 700)
    size = (tmp_path / "ring/data.mdb").stat().st_size
    child = subprocess.run([sys.executable, "-c", READER, str(tmp_path / "ring")], check=False)
    assert child.returncode == -9
    append(701, 50)
    ring.sweep()
    append(751, 1500)
    assert (tmp_path / "ring/data.mdb").stat().st_size < size * 1.5
    ring.close()
