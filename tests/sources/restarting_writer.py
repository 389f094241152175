"""A game that starts over and over. Run as a program: restarting_writer.py FOLDER STARTS.

Each start truncates the buffer file and grows it again, as the plugin does, then writes a few frames.
"""

import sys
import time
from pathlib import Path

from tests.sources.plugin import Plugin

FRAMES = 8


def main(folder: str, starts: str) -> None:
    """Start the game so many times."""
    print("ready", flush=True)
    for _ in range(int(starts)):
        with Plugin(Path(folder)) as plugin:
            for step in range(FRAMES):
                plugin.drive(1.0 + step, cars=100)
                time.sleep(0.0001)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
