"""Opens a ring that may be damaged, writes to it until everything old is evicted, and reads it back.

A process of its own: what is wrong with a ring must not end the tests. Arguments: the ring's folder and its
limit in bytes. Prints what open_ring had to say.
"""

import sys
import threading
import time
from pathlib import Path

from rigd.record.committer import Committer, Pending
from rigd.ring import EVENTS, PHYSICS, SCORING, STREAMS, Record, RingReader, key, open_ring
from rigd.wake import Bell

RECORDS = 40


def main() -> None:
    path, limit = Path(sys.argv[1]), int(sys.argv[2])
    ring, trouble = open_ring(path, limit)
    first = {stream: span.last + 1 for stream, span in ring.spans().items()}
    size = limit // 20
    committer = Committer(ring, Bell(path.parent / "wake"))
    for i in range(RECORDS):
        records = tuple(
            Record(stream, key(first[stream] + i), bytes([i]) * length)
            for stream, length in ((PHYSICS, size), (SCORING, size // 10), (EVENTS, size // 50))
        )
        committer.put(
            Pending(records, {b"session": b"%d" % i}, size, first[PHYSICS] + i, time.monotonic_ns())
        )
    watchdog = threading.Timer(20.0, lambda: committer.error and print("still refuses:", committer.error))
    watchdog.start()
    while committer.pending:
        time.sleep(0.001)
    watchdog.cancel()
    committer.close()
    ring.close()

    reader = RingReader(path)
    for stream in STREAMS:
        last, value = reader.read(stream, 0, 1_000_000, 1 << 40)[-1]
        assert last == first[stream] + RECORDS - 1
        assert set(value) == {RECORDS - 1}
    assert reader.used_bytes() <= limit
    reader.close()
    print(trouble)


if __name__ == "__main__":
    main()
