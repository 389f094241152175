"""A game of two cars that a real recorder records, step by step and without a clock of its own."""

from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np

from rigd.sources.rf2.layout import EXTENDED_PAYLOAD, SCORING_INFO, VEHICLE_SCORING, VEHICLE_TELEMETRY
from rigd.sources.rf2.source import SourceState

IDS = (3, 7)
STEP_S = 0.5
"""Of the session clock, from frame to frame."""
SCORING_S = 1.0
"""From update to update: each of them is stored."""


class Game:
    """What `Source` promises. Frames wait in a queue until the recorder looks."""

    epoch = 0

    def __init__(self) -> None:
        self.ticks, self.clock = 1, 10.0
        self.life = 1
        self.version = self.scored = 0
        self.here = True
        self.telemetry_reader = SimpleNamespace(
            given_up=0,
            torn_retries=0,
            duplicates=0,
            rejected=0,
            fallbacks=0,
            file=SimpleNamespace(birth=(1, 0)),
        )
        self.scoring_reader = SimpleNamespace(given_up=0)
        self._frames: deque[Any] = deque()
        self._updates: deque[Any] = deque()
        self._records = np.zeros(len(IDS), VEHICLE_TELEMETRY)
        self._records["mID"] = IDS

    # What the game does.

    def frame(self, missed: int = 0, *, torn: bool = False, jumped: bool = False) -> None:
        """A frame, after some that nobody got; or its counter is nonsense."""
        self.version += missed + 1
        self.clock += (missed + 1) * STEP_S
        self.telemetry_reader.given_up += torn
        self._frames.append((self.version, missed, self.clock, jumped))

    def score(self, missed: int = 0, *, torn: bool = False) -> None:
        """A scoring update, after some that nobody got."""
        self.scored += missed + 1
        self.clock += (missed + 1) * SCORING_S
        self.scoring_reader.given_up += torn
        info, rows = np.zeros(1, SCORING_INFO), np.zeros(len(IDS), VEHICLE_SCORING)
        info["mTrackName"], info["mSession"], info["mCurrentET"] = b"Ring", 10, self.clock
        info["mGamePhase"], info["mLapDist"], info["mNumVehicles"] = 5, 1000.0, len(IDS)
        rows["mID"], rows["mDriverName"], rows["mPlace"] = IDS, [b"A. Alder", b"B. Birch"], [1, 2]
        rows["mCountLapFlag"], rows["mSector"], rows["mLastLapTime"] = 2, 1, -1.0
        update = SimpleNamespace(
            version=self.scored,
            missed=missed,
            jumped=False,
            info=info[0],
            records=rows,
            count=len(IDS),
            whole=True,
        )
        self._updates.append(update)

    def begin(self) -> None:
        """Another session."""
        self.ticks += 1
        self.clock = 0.0

    def restart(self) -> None:
        """Another life of the game: its counters begin again."""
        self.life += 1
        self.telemetry_reader.file.birth = (self.life, 0)
        self.epoch += 1
        self.version = self.scored = 0
        self.begin()

    # What the recorder sees.

    def telemetry(self, now_ns: int) -> Any:
        if not self._frames:
            return None
        version, missed, clock, jumped = self._frames.popleft()
        self._records["mElapsedTime"], self._records["mLocalVel"] = clock, version
        return SimpleNamespace(
            version=version,
            missed=missed,
            jumped=jumped,
            records=self._records[:],
            count=len(IDS),
            whole=True,
        )

    def scoring(self, now_ns: int) -> Any:
        return self._updates.popleft() if self._updates else None

    def extended(self) -> Any:
        extended = np.zeros(1, EXTENDED_PAYLOAD)[0]
        extended["mTicksSessionStarted"], extended["mVersion"] = self.ticks, b"3.7.15.1"
        return extended

    def state(self, now_ns: int) -> SourceState:
        return SourceState.LIVE if self.here else SourceState.GONE

    def explain(self, now_ns: int) -> str:
        return "as the script says"
