"""A writer that tears frames on purpose. Run as a program: torn_writer.py FOLDER CARS.

Every frame stamps every record with its own number, at both ends and in the middle, and that number is
the version word the frame will have. In between it stops half-way, in all the ways a real one can: for a
moment, for longer than a reader's poll, before the close; and it abandons frames, as the plugin does when
it is told to begin while a frame is open. It stops when its parent does.
"""

import os
import random
import sys
import time
from pathlib import Path

import numpy as np

from rigd.sources.rf2.layout import TELEMETRY_HEAD, VEHICLE_TELEMETRY, Telemetry
from rigd.sources.rf2.writer import BufferWriter

REST_S = 30e-6
"""Between two frames. A copy takes 10 us, so most frames are met whole and many are torn."""


class TornWriter:
    """Frames of `cars` records, from number 1 on."""

    def __init__(self, folder: Path, cars: int) -> None:
        self.writer = BufferWriter(folder, Telemetry)
        self.words = self.writer.bytes[:8].view("<u4")
        self.both = self.writer.bytes[:8].view("<u8")
        self.cars = cars
        self.number = 0
        records = self.writer.array["mVehicles"]
        records["mID"][:cars] = np.arange(cars)
        self.numbers = [
            records["mElapsedTime"][:cars],
            records["mLapStartET"][:cars],
            records["mBatteryChargeFraction"][:cars],
            records["mWheels"]["mTireInnerLayerTemperature"][:cars, 3, 2],
        ]
        self.writer.array["mNumVehicles"] = cars
        self.writer.array["mBytesUpdatedHint"] = TELEMETRY_HEAD - 8 + VEHICLE_TELEMETRY.itemsize * cars

    def begin(self) -> None:
        """Open the next frame. One store for both words: the plugin needs a nanosecond between setting
        End equal to Begin and adding one to Begin, this program would need a hundred.
        """
        self.both[0] = (self.number << 32) | (self.number + 1)
        self.number += 1

    def write(self, first: int, last: int) -> None:
        """Stamp some records."""
        for column in self.numbers:
            column[first:last] = self.number

    def end(self) -> None:
        """Close the frame."""
        self.words[1] = self.number

    def frame(self, chance: float) -> None:
        """One frame, torn in one of five ways or not at all."""
        half = self.cars // 2
        self.begin()
        self.write(0, half)
        if chance < 0.01:
            time.sleep(0.0002)
        elif chance < 0.1:
            os.sched_yield()
        elif chance < 0.15:
            return
        self.write(half, self.cars)
        if 0.15 < chance < 0.16:
            time.sleep(0.0002)
        self.end()


def main(folder: str, cars: str) -> None:
    """Write until the parent is gone."""
    writer, chances, parent = TornWriter(Path(folder), int(cars)), random.Random(7), os.getppid()
    print("ready", flush=True)
    while os.getppid() == parent:
        for _ in range(1000):
            writer.frame(chances.random())
            until = time.perf_counter() + REST_S
            while time.perf_counter() < until:
                pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
