"""A game that stamps its frames: every car's last impact time is the monotonic clock at the frame's closing.

    python -m tests.bench.game FOLDER CARS RATE SECONDS

It prints the number of frames it closed. The clock is the machine's, so a subscriber on it can subtract.
"""

import signal
import sys
import time
from pathlib import Path

import numpy as np

from rigd.sources.rf2 import layout
from rigd.sources.rf2.writer import BufferWriter

_SETTLE_S = 1.0


class StampedGame:
    """Writes telemetry of `cars` cars at `rate` Hz and scoring at 5 Hz."""

    def __init__(self, folder: Path, cars: int, rate: int) -> None:
        self.rate = rate
        self.telemetry = BufferWriter(folder, layout.Telemetry)
        self._scoring = BufferWriter(folder, layout.Scoring)
        self.extended = BufferWriter(folder, layout.Extended)
        self._rng = np.random.default_rng(1)
        self.resize(cars)

    def resize(self, cars: int) -> None:
        """So many cars from the next frame on."""
        self.cars = cars
        self._ids = self._rng.permutation(cars + 50)[:cars]
        self._records = self._grid()

    def _grid(self) -> np.ndarray:
        records = np.zeros(self.cars, layout.VEHICLE_TELEMETRY)
        for name in records.dtype.names or ():
            if records.dtype[name].base == np.dtype("<f8"):
                records[name] = self._rng.normal(100, 30, records[name].shape)
        records["mID"], records["mVehicleName"] = self._ids, b"Bench"
        records["mWheels"]["mTerrainName"] = b"ROAD"
        return records

    def open_session(self) -> None:
        """Plugin up, session started, first scoring."""
        extended = self.extended
        extended.begin()
        values = extended.array["mExtended"]
        values["mVersion"], values["is64bit"], values["mSessionStarted"] = b"3.7.15.1", True, True
        values["mTicksSessionStarted"], values["mUnsubscribedBuffersMask"] = 1, 160
        extended.end()
        time.sleep(_SETTLE_S)
        self.score(0.0)

    def score(self, clock_s: float) -> None:
        """One scoring update."""
        scoring, cars = self._scoring, self.cars
        scoring.begin()
        info = scoring.array["mScoringInfo"]
        info["mTrackName"], info["mSession"], info["mCurrentET"] = b"Bench", 10, clock_s
        info["mNumVehicles"], info["mGamePhase"] = cars, 5
        rows = scoring.array["mVehicles"][:cars]
        rows["mID"], rows["mDriverName"] = self._ids, b"Driver"
        rows["mIsPlayer"][0] = True
        scoring.array["mBytesUpdatedHint"] = layout.SCORING_HEAD - 8 + 584 * cars
        scoring.end()

    def frame(self, number: int) -> None:
        """One telemetry frame, stamped as it is closed."""
        records, telemetry = self._records, self.telemetry
        records["mElapsedTime"] = number / self.rate
        records["mLocalVel"] += self._rng.normal(size=(self.cars, 3))
        telemetry.begin()
        rows = telemetry.array["mVehicles"][: self.cars]
        rows[...] = records
        telemetry.array["mNumVehicles"] = self.cars
        telemetry.array["mBytesUpdatedHint"] = 8 + 1888 * self.cars
        rows["mLastImpactET"] = time.monotonic()
        telemetry.end()

    def play(self, seconds: float) -> int:
        """Run; returns the number of frames closed."""
        began, number, running = time.monotonic(), 0, [True]
        signal.signal(signal.SIGTERM, lambda *_: running.clear())
        while running and time.monotonic() - began < seconds:
            number += 1
            # A game that was held up does not write its frames in one burst: half a period lies between.
            time.sleep(max(began + number / self.rate - time.monotonic(), 0.5 / self.rate))
            self.frame(number)
            if number % (self.rate // 5) == 0:
                self.score(number / self.rate)
        return number


if __name__ == "__main__":
    game = StampedGame(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    game.open_session()
    print(game.play(float(sys.argv[4])))
