"""The floor of a recorder: 50 times a second read 75 kB of shared memory and commit 36 kB, durably.

python -m tests.bench.floor BUFFERS DATA
"""

import os
import signal
import sys
import time
from pathlib import Path

import lmdb

_READ_BYTES, _COMMIT_BYTES, _PERIOD_S = 75_536, 36_000, 0.02


def main(buffers: Path, data: Path) -> None:
    """Run until SIGTERM."""
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    (buffers / "memory").write_bytes(bytes(_READ_BYTES))
    memory = os.open(buffers / "memory", os.O_RDONLY)
    copy, tick = bytearray(_READ_BYTES), os.urandom(_COMMIT_BYTES)
    ring = lmdb.open(str(data / "floor"), map_size=1 << 30)
    due, number = time.monotonic(), 0
    while running:
        due, number = due + _PERIOD_S, number + 1
        time.sleep(max(due - time.monotonic(), 0))
        os.preadv(memory, [copy], 0)
        with ring.begin(write=True) as txn:
            txn.put(number.to_bytes(8, "big"), tick, append=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
