"""The plugin's side of the buffers, a few cars wide, for the tests."""

from pathlib import Path
from types import TracebackType

import numpy as np

from rigd.sources.rf2.layout import Extended, Scoring, Telemetry
from rigd.sources.rf2.writer import BufferWriter

MS = 1_000_000
SECOND = 1_000_000_000


class Plugin:
    """The three buffer files of a game that has just started."""

    def __init__(self, folder: Path, *, up: bool = True) -> None:
        self.extended = BufferWriter(folder, Extended)
        self.telemetry = BufferWriter(folder, Telemetry)
        self.scoring = BufferWriter(folder, Scoring)
        if up:
            self.up()

    def up(self, version: bytes = b"3.7.15.1", *, is64bit: bool = True, mask: int = 160) -> None:
        """Say in Extended that the plugin runs."""
        self.extended.begin()
        payload = self.extended.array["mExtended"]
        payload["mVersion"], payload["is64bit"], payload["mUnsubscribedBuffersMask"] = version, is64bit, mask
        self.extended.end()

    def drive(self, clock: float, cars: int = 3) -> None:
        """One whole telemetry frame: every record of it carries the clock."""
        self.telemetry.begin()
        self.fill(clock, range(cars))
        self.close(cars)

    def fill(self, clock: float, cars: range) -> None:
        """Write some records, without opening or closing a frame."""
        records = self.telemetry.array["mVehicles"]
        for car in cars:
            record = records[car]
            record["mID"], record["mElapsedTime"], record["mLapStartET"] = 10 + car, clock, clock
            record["mWheels"]["mWear"] = clock

    def close(self, cars: int) -> None:
        """Write count and hint and close the frame."""
        self.telemetry.array["mNumVehicles"] = cars
        self.telemetry.array["mBytesUpdatedHint"] = 8 + 1888 * cars
        self.telemetry.end()

    def score(self, clock: float, cars: int = 3) -> None:
        """One whole scoring frame."""
        self.scoring.begin()
        array = self.scoring.array
        array["mScoringInfo"]["mCurrentET"], array["mScoringInfo"]["mNumVehicles"] = clock, cars
        array["mVehicles"]["mID"][:cars] = np.arange(10, 10 + cars)
        array["mBytesUpdatedHint"] = 552 + 584 * cars
        self.scoring.end()

    def shut(self) -> None:
        """What the plugin does when the game ends properly."""
        for writer in (self.extended, self.telemetry, self.scoring):
            writer.clear()

    def __enter__(self) -> "Plugin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in (self.extended, self.telemetry, self.scoring):
            writer.close()
