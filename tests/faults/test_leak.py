"""A reader that is killed while it reads leaves its slot behind."""

import os
import subprocess
import sys
from pathlib import Path

from rigd.ring import PHYSICS, Record, RingWriter, key
from tests.faults.campaign import campaign, tries

LIMIT_BYTES = 16 << 20
AT_ONCE = 10
"""Records of a commit, which waits for the disk."""
READER = """
import os, sys
from pathlib import Path
from rigd.ring import PHYSICS, RingReader
RingReader(Path(sys.argv[1])).visit(PHYSICS, 0, 5, lambda seq, data: os.kill(os.getpid(), 9))
"""


def test_pages_that_dead_readers_hold_are_used_again(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path / "ring", LIMIT_BYTES)
    value, seq = os.urandom(30_000), 0

    def append(count: int) -> None:
        nonlocal seq
        for _ in range(count // AT_ONCE):
            ring.append([Record(PHYSICS, key(seq + one), value) for one in range(1, AT_ONCE + 1)], {})
            seq += AT_ONCE

    append(700)
    size = (tmp_path / "ring/data.mdb").stat().st_size
    with campaign("kill -9 of a reader in the middle of a read", tries(1, 60), "slots") as faults:
        for _ in faults.rounds():
            child = subprocess.run([sys.executable, "-c", READER, str(tmp_path / "ring")], check=False)
            assert child.returncode == -9
            append(50)
            ring.sweep()
            append(1500)
            assert (tmp_path / "ring/data.mdb").stat().st_size < size * 1.5
    ring.close()
