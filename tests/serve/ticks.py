"""Reads ticks as a program on another machine does.

python -m tests.serve.ticks RIG COUNT: prints number and speeds of each, and how many were declared missing.
"""

import json
import sys
from itertools import islice

import rigclient


def main(name: str, count: int) -> None:
    """Print so many."""
    missing = 0
    found: list[tuple[int, list[float]]] = []
    with rigclient.connect(name) as rig:
        for frame in islice(rig.physics(["speed"]), count):
            missing += sum(gap.count for gap in frame.gaps) if found else 0
            found.append((frame.seq, frame.speed.tolist()))
    print(json.dumps({"ticks": found, "missing": missing}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
