"""The shared-memory plugin: frames of telemetry, bursts of scoring, and the Extended buffer.

Telemetry is written one car at a time into an open frame. The frame closes when as many cars were copied as
the last scoring said there are; if that never happens it stays open until the next burst, which is what
readers know as the data freeze.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.race import Phase, Race
from rigd.demo.scoring import Scoring
from rigd.demo.sheet import Records
from rigd.sources.rf2.layout import (
    SCORING_HEAD,
    TELEMETRY_HEAD,
    VEHICLE_SCORING,
    VEHICLE_TELEMETRY,
    VERSION_BYTES,
    Extended,
    Telemetry,
)
from rigd.sources.rf2.layout import Scoring as ScoringBuffer
from rigd.sources.rf2.writer import BufferWriter

VERSION: Final = b"3.7.15.1"
DEFAULT_MASK: Final = 160
"""Graphics and Weather unsubscribed, as the plugin is delivered."""

_LEFTOVERS: Final = 2

Copies = Sequence[tuple[memoryview, memoryview]]
Pen = Callable[[Copies], None]
"""Copies sources to targets, in order."""


def copy_all(copies: Copies) -> None:
    """Copy one car after the other, as the plugin's own pen does."""
    for target, source in copies:
        target[:] = source


def uptime_ms() -> int:
    """Return the plugin's ticks: milliseconds since the machine started."""
    return time.monotonic_ns() // 1_000_000


class Plugin:
    """Creates the buffer files in `folder` and writes them."""

    def __init__(self, folder: Path, *, ticks: Callable[[], int] = uptime_ms, pen: Pen = copy_all) -> None:
        self.frames = 0
        """Telemetry frames closed with cars in them."""
        self.scoring_updates = 0
        self.pen = pen
        self._ticks = ticks
        self._telemetry = BufferWriter(folder, Telemetry)
        self._scoring = BufferWriter(folder, ScoringBuffer)
        self._extended = BufferWriter(folder, Extended)
        self._open_cars = 0
        self._scored_cars = 0
        self._copies: Copies = ()
        self._write_loaded()

    @property
    def telemetry_version(self) -> int:
        """End word of the telemetry buffer."""
        return self._telemetry.version

    def start_session(self, race: Race) -> None:
        """Begin a session (StartSession): telemetry and scoring are zeroed, the ticks of the session
        change.
        """
        self._telemetry.clear()
        self._scoring.clear()
        self._open_cars = self._scored_cars = 0
        self.seat(race.records, race.field.telemetry_order)
        self._leave_behind()
        extended = self._extended.array["mExtended"]
        self._extended.begin()
        extended["mSessionStarted"], extended["mInRealtimeFC"] = True, True
        extended["mTicksSessionStarted"] = self._ticks()
        extended["mTrackedDamages"] = 0
        self._extended.end()

    def seat(self, records: Records, order: npt.NDArray[np.int64]) -> None:
        """Say which rows of `records` get telemetry, and in which order they are written."""
        size, rows = VEHICLE_TELEMETRY.itemsize, records.view(np.uint8).data
        whole = self._telemetry.bytes.data
        self._copies = [
            (
                whole[TELEMETRY_HEAD + size * place : TELEMETRY_HEAD + size * (place + 1)],
                rows[size * car : size * (car + 1)],
            )
            for place, car in enumerate(order.tolist())
        ]

    def write_telemetry(self) -> None:
        """Write one burst of the game: every car once."""
        self._close_frame()
        self._telemetry.begin()
        self._open_cars = len(self._copies)
        self.pen(self._copies)
        if self._open_cars == self._scored_cars:
            self._close_frame()

    def open_frame(self, cars: int) -> None:
        """Begin a frame and copy only the first `cars` of it: what a dying game leaves behind."""
        self._close_frame()
        self._telemetry.begin()
        copy_all(self._copies[:cars])

    def write_scoring(self, scoring: Scoring, race: Race, absent: int | None = None) -> None:
        """Write one burst of scoring, then Extended. A car with slot id `absent` is not listed."""
        size, writer = VEHICLE_SCORING.itemsize, self._scoring
        vehicles = scoring.vehicles.view(np.uint8).reshape(-1, size)
        if absent is not None:
            vehicles = vehicles[scoring.vehicles["mID"] != absent]
        cars = len(vehicles)
        writer.begin()
        writer.array["mScoringInfo"] = scoring.info
        writer.array["mScoringInfo"]["mNumVehicles"] = cars
        writer.bytes[SCORING_HEAD : SCORING_HEAD + size * cars] = vehicles.ravel()
        writer.array["mBytesUpdatedHint"] = SCORING_HEAD - VERSION_BYTES + size * cars
        writer.end()
        self.scoring_updates += 1
        self._scored_cars = cars
        self._write_damages(race)

    def end_session(self, scoring: Scoring | None = None) -> None:
        """End the session (EndSession): an open frame is closed, buffers keep their last contents."""
        self._close_frame()
        extended = self._extended.array["mExtended"]
        self._extended.begin()
        extended["mSessionStarted"] = False
        extended["mTicksSessionEnded"] = self._ticks()
        if scoring is not None:
            self._capture(scoring)
        self._extended.end()

    def close(self) -> None:
        """Clean exit: Extended is zeroed first, then the others. The files stay."""
        self._close_frame()
        self._extended.clear()
        self._telemetry.clear()
        self._scoring.clear()
        self.release()

    def release(self) -> None:
        """Release the files as they are."""
        for target, source in self._copies:
            target.release()
            source.release()
        self._copies = ()
        for writer in (self._telemetry, self._scoring, self._extended):
            writer.close()

    def __enter__(self) -> "Plugin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _leave_behind(self) -> None:
        """Leave stale records after the last car, as of cars that left while the session loaded."""
        for writer, row in ((self._telemetry, VEHICLE_TELEMETRY), (self._scoring, VEHICLE_SCORING)):
            stale = np.zeros(_LEFTOVERS, row)
            stale["mID"] = np.arange(_LEFTOVERS)
            stale["mVehicleName"], stale["mPos"] = b"Gone Racing #0", 1.0
            if row is VEHICLE_SCORING:
                stale["mIsPlayer"], stale["mDriverName"] = True, b"Y. Gone"
            self._put_stale(writer, stale)

    def _put_stale(self, writer: BufferWriter, stale: Records) -> None:
        """Write stale records behind the seats of the race, where no reader may look."""
        writer.array["mVehicles"][len(self._copies) :][:_LEFTOVERS] = stale

    def _close_frame(self) -> None:
        """End of a frame: count and hint are written last."""
        if not self._open_cars:
            return
        head = self._telemetry.array
        head["mNumVehicles"] = self._open_cars
        head["mBytesUpdatedHint"] = (
            TELEMETRY_HEAD - VERSION_BYTES + VEHICLE_TELEMETRY.itemsize * self._open_cars
        )
        self._telemetry.end()
        self.frames += 1
        self._open_cars = 0

    def _write_loaded(self) -> None:
        """Write what the plugin writes when the game has loaded it."""
        extended = self._extended.array["mExtended"]
        self._extended.begin()
        extended["mVersion"], extended["is64bit"] = VERSION, True
        physics = extended["mPhysics"]
        physics["mTractionControl"], physics["mAntiLockBrakes"] = 1, 1
        physics["mFuelMult"], physics["mTireMult"] = 3, 3
        extended["mMultimediaThreadStarted"] = extended["mSimulationThreadStarted"] = True
        extended["mUnsubscribedBuffersMask"] = DEFAULT_MASK
        extended["mPluginControlInputEnabled"] = True
        self._extended.end()

    def _write_damages(self, race: Race) -> None:
        damages = self._extended.array["mExtended"]["mTrackedDamages"]
        slots = race.field.ids % len(damages)
        self._extended.begin()
        damages["mMaxImpactMagnitude"][slots], damages["mAccumulatedImpactMagnitude"][slots] = race.impacts
        self._extended.end()

    def _capture(self, scoring: Scoring) -> None:
        """Keep the results as they stood when the session ended."""
        capture = self._extended.array["mExtended"]["mSessionTransitionCapture"]
        cars = len(scoring.vehicles)
        capture["mGamePhase"], capture["mSession"] = Phase.OVER, scoring.info["mSession"]
        capture["mNumScoringVehicles"] = cars
        for name in ("mID", "mPlace", "mIsPlayer", "mFinishStatus"):
            capture["mScoringVehicles"][name][:cars] = scoring.vehicles[name]
