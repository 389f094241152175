"""The simulated game: sessions one after the other, at the pace of a real one."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from rigd.demo import faults
from rigd.demo.field import MOST_CARS, Field
from rigd.demo.folder import DEFAULT_FOLDER
from rigd.demo.journal import Event, Journal
from rigd.demo.plugin import Plugin
from rigd.demo.profile import PROFILES
from rigd.demo.race import FIRST_RACE, Race
from rigd.demo.scoring import Scoring
from rigd.process import stop_signals
from rigd.sources.rf2.layout import BUFFERS

ENDLESS_LAPS: Final = 20
"""Length of each race when no number of laps is asked for."""
RESTART_LAPS: Final = 2
_RESTART_AFTER_S: Final = 2.0
"""Session clock from the leader's lap to the restart: nobody presses the key on the line."""
LOADING_S: Final = 0.5
"""Wall seconds between the start of a session and its first frame. The real game takes many."""

_RACES: Final = 4
_LATEST_S: Final = 0.25
"""Lateness beyond which the game stutters instead of catching up."""


@dataclass(frozen=True)
class Options:
    """What to simulate, and where to write it."""

    folder: Path = DEFAULT_FOLDER
    cars: int = 20
    laps: int = 0
    """Length of the race; the game ends after it. 0: race after race until stopped."""
    rate: int = 50
    """Telemetry frames per second of session clock."""
    speed: float = 1.0
    """Seconds of session clock per second of wall clock."""
    seed: int = 1
    faults: tuple[str, ...] = ()
    """Kinds of `faults.KINDS`, each with an optional `@seconds`."""
    duration_s: float = 0.0
    """Wall seconds after which the game ends; 0: none."""
    restart: bool = False
    """Restart the first race when its leader has completed two laps."""
    profile: str = "full"
    """One of `profile.PROFILES`: "real" leaves at 0 what real recordings hold no values of."""
    short: bool = False
    """The circuit of 1.2 km instead of 4.6 km."""
    journal: Path | None = None
    """File for what really happened, JSON lines."""

    def __post_init__(self) -> None:
        limits = (
            ("cars", self.cars, 2, MOST_CARS),
            ("rate", self.rate, 50, 400),
            ("speed", self.speed, 0.1, 20),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}, not within {least} to {most}")
        if self.profile not in PROFILES:
            raise ValueError(f"there is no profile {self.profile!r}, only {' and '.join(PROFILES)}")


@dataclass(frozen=True)
class GameSummary:
    """What was written."""

    frames: int
    """Telemetry frames closed with cars in them."""
    scoring_updates: int
    sessions: int
    laps: int
    """Laps completed by all cars together."""
    first_version: int
    """Telemetry End word after the first frame."""
    last_version: int
    """Telemetry End word after the last frame, before the buffers are cleared."""
    session_s: float
    """Seconds of session clock over all sessions."""
    stutters: int
    """Times the game was too late to catch up."""


class Beat:
    """Absolute pace: sleeping errors do not add up, and a late game does not rush."""

    def __init__(self, period: float) -> None:
        self.period = period
        self.stutters = 0
        self._next = time.monotonic()

    def wait(self) -> None:
        """Sleep until the next frame is due. A late one follows after half a period at the earliest."""
        self._next += self.period
        late = time.monotonic() - self._next
        if late > _LATEST_S:
            self.stutters += 1
            self.reset()
        time.sleep(max(-late, self.period / 2))

    def reset(self) -> None:
        """Begin counting from now."""
        self._next = time.monotonic()


class Game:
    """One life of the game, from start to exit."""

    def __init__(self, options: Options, stop: threading.Event) -> None:
        self._options, self._stop = options, stop
        self._field = Field(options.cars, options.seed)
        self._faults = [faults.fault(text, options.cars) for text in options.faults]
        self._plugin = Plugin(options.folder)
        self._beat = Beat(1.0 / options.rate / options.speed)
        self._end = time.monotonic() + options.duration_s if options.duration_s else float("inf")
        self._sessions = self._laps = self._frames = self._updates = self._first_version = 0
        self._number = FIRST_RACE
        self._clock = 0.0
        self._absent: int | None = None
        self._reloaded = False

    def play(self) -> GameSummary:
        """Run sessions until the race is over, the time is up or `stop` is set; then exit cleanly."""
        with Journal(self._options.journal) as self._journal:
            try:
                while self._session():
                    pass
            finally:
                summary = self._summary()
                self._plugin.close()
        return summary

    def _session(self) -> bool:
        """Play one session; return whether another one follows."""
        options = self._options
        self._race = Race(
            options.cars,
            options.seed,
            rate=options.rate,
            laps=options.laps or ENDLESS_LAPS,
            short=options.short,
            session=self._sessions,
            field=self._field,
            real=options.profile == "real",
        )
        self._scoring = Scoring(self._race, self._number)
        self._plugin.start_session(self._race)
        self._stop.wait(LOADING_S)
        self._publish_scoring()
        event: Event = {
            "kind": "session",
            "number": self._number,
            "track": self._race.circuit.name,
            "clock": 0.0,
        }
        self._journal.write(self._sessions, [event])
        self._sessions += 1
        self._reloaded = False
        self._beat.reset()
        while self._running():
            self._frame()
        return self._close_session()

    def _frame(self) -> None:
        race = self._race
        events = race.step()
        self._clock += race.dt
        if race.scoring_due:
            self._publish_scoring()
        self._plugin.write_telemetry()
        self._first_version = self._first_version or self._plugin.telemetry_version
        if events:
            self._laps += sum(event["kind"] == "lap" for event in events)
            self._journal.write(self._sessions - 1, events)
        for fault in self._faults:
            fault.step(self, self._clock)
        self._beat.wait()

    def _running(self) -> bool:
        return not (self._ended() or self._race.over or self._restarting() or self._reloaded)

    def _ended(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._end

    def _restarting(self) -> bool:
        if not self._options.restart or self._sessions > 1 or self._race.leader_laps < RESTART_LAPS:
            return False
        return self._race.clock > self._race.leader_lap_start + _RESTART_AFTER_S

    def _close_session(self) -> bool:
        """Close the session (EndSession); return the number of the next one, if there is to be one."""
        if self._reloaded:
            return True
        self._plugin.end_session(self._scoring)
        if self._restarting():
            return not self._ended()
        self._number = FIRST_RACE + (self._number - FIRST_RACE + 1) % _RACES
        return not self._ended() and not self._options.laps

    def _publish_scoring(self) -> None:
        self._scoring.update()
        self._plugin.write_scoring(self._scoring, self._race, self._absent)

    def _summary(self) -> GameSummary:
        plugin = self._plugin
        return GameSummary(
            frames=self._frames + plugin.frames,
            scoring_updates=self._updates + plugin.scoring_updates,
            sessions=self._sessions,
            laps=self._laps,
            first_version=self._first_version,
            last_version=plugin.telemetry_version,
            session_s=self._clock,
            stutters=self._beat.stutters,
        )

    def write_slowly(self, pen: faults.Torn) -> None:
        """Write all telemetry with `pen` from now on (`faults.Victim`)."""
        self._plugin.pen = pen

    def freeze(self, seconds: float) -> None:
        """Freeze for some wall-clock seconds (`faults.Victim`)."""
        self._stop.wait(seconds)
        self._beat.reset()

    def die(self) -> None:
        """Write half a frame, then nothing (`faults.Victim`)."""
        self._plugin.open_frame(self._options.cars // 2)
        faults.leave()

    def reload(self) -> None:
        """Release the files, empty them, create them again (`faults.Victim`)."""
        self._frames += self._plugin.frames
        self._updates += self._plugin.scoring_updates
        pen = self._plugin.pen
        self._plugin.release()
        for buffer in BUFFERS:
            os.truncate(self._options.folder / buffer.file_name, 0)
        self._stop.wait(faults.Truncate.EMPTY_S)
        self._plugin = Plugin(self._options.folder, pen=pen)
        self._reloaded = True

    def lose(self, car: int, *, telemetry: bool, scoring: bool) -> None:
        """Leave a car out of telemetry, scoring or both (`faults.Victim`)."""
        order = self._field.telemetry_order
        self._plugin.seat(self._race.records, order[order != car] if telemetry else order)
        self._absent = int(self._field.ids[car]) if scoring else None


def run(options: Options, stop: threading.Event | None = None) -> GameSummary:
    """Play the game. Without a `stop` event signals that ask to stop end it cleanly."""
    if stop is not None:
        return Game(options, stop).play()
    with _signalled() as stop:
        return Game(options, stop).play()


@contextmanager
def _signalled() -> Iterator[threading.Event]:
    """Return an event that signals which ask to stop set, while the context lasts (main thread only)."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in stop_signals()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
