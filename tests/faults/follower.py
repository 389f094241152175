"""A subscriber that may be killed at any moment: its log is its memory.

    python -m tests.faults.follower ADDRESS LOG

Each line is a frame: number, the game's frame counter, a checksum of the columns, the gaps before it and the
cursor after it. A line that was cut off by a kill was not received.
"""

import json
import sys
import time
import zlib
from pathlib import Path

import rigclient


def last_cursor(log: Path) -> bytes | None:
    """The cursor to resume after; the log loses its incomplete last line."""
    if not log.exists():
        return None
    whole = log.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    log.write_bytes(whole)
    lines = whole.splitlines()
    return bytes.fromhex(json.loads(lines[-1])["cursor"]) if lines else None


def line(frame: rigclient.PhysicsFrame) -> str:
    """What the log keeps of a frame."""
    gaps = [[g.first_seq, g.last_seq, g.count if g.HasField("count") else None, g.reason] for g in frame.gaps]
    columns = b"".join(column.tobytes() for column in frame.columns().values())
    return json.dumps(
        {
            "seq": frame.seq,
            "frame": frame.head.frame,
            "crc": zlib.crc32(columns),
            "gaps": gaps,
            "cursor": frame.cursor.hex(),
        }
    )


def follow(address: str, log: Path) -> None:
    """Receive for good."""
    cursor = last_cursor(log)
    with rigclient.connect(address) as rig, log.open("a", buffering=1) as out:
        while True:
            try:
                for frame in rig.physics(start=cursor or "earliest"):
                    out.write(line(frame) + "\n")
                    cursor = frame.cursor
            except rigclient.Unavailable:
                time.sleep(0.02)  # not up yet


if __name__ == "__main__":
    follow(sys.argv[1], Path(sys.argv[2]))
