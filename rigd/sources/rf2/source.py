"""Where frames come from, and what state the source is in: from no file at all to a game that is gone."""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from rigd.sources.rf2.bufferfile import FileState
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.layout import EXTENDED, Buffer, Extended, Scoring, Telemetry
from rigd.sources.rf2.reader import BufferReader, Snapshot

STILL_NS: Final = 2_000_000_000
"""Counters that stand for this long are more than a stutter: ten scoring updates are missing."""

GONE_NS: Final = 10_000_000_000
"""Counters that stand for this long without a game process belong to a game that crashed."""

GAME_CHECK_NS: Final = 5_000_000_000
"""The process list is read at most this often, and only while nothing moves."""

SUPPORTED: Final = re.compile(rb"3\.7\.\d+(\.\d+)*")
"""The first two parts of the plugin's version change when its layout changes."""


class SourceState(enum.Enum):
    """What the source is doing. Exactly one holds, the first one that applies."""

    DENIED = "denied"
    ABSENT = "absent"
    TRUNCATED = "truncated"
    SHORT = "short"
    PLUGIN_DOWN = "plugin down"
    WRONG_VERSION = "wrong version"
    UNSUBSCRIBED = "unsubscribed"
    LIVE = "live"
    MONITOR = "monitor"
    REPLACED = "replaced"
    WAITING = "waiting"
    STALE = "stale"
    PAUSED = "paused"
    GONE = "gone"


SETTINGS: Final = "UserData/player/CustomPluginVariables.JSON"

SENTENCES: Final = {
    SourceState.DENIED: "{files} in {folder} may not be read by this user: run rigd as the user who runs the "
    "game, or give the file to a group both are in.",
    SourceState.ABSENT: "{files} not found in {folder}: the shared memory plugin has not run since this "
    f'machine started. Start the game; if it runs, set " Enabled" to 1 in {SETTINGS}, restart it, '
    "and check that the plugin is the build for Wine, which writes to {folder}.",
    SourceState.TRUNCATED: "{files} was emptied while being read: the game is starting. "
    "The reader goes on by itself once it has its size again.",
    SourceState.SHORT: "{files} in {folder} is {size} bytes where {expected} are needed: the game is "
    "starting, or a bridge made it too small, or DedicatedServerMapGlobally is 1, which leaves it empty.",
    SourceState.PLUGIN_DOWN: "The buffers are there but the plugin is not up: the game was closed, or has "
    "not loaded the plugin yet. Start the game.",
    SourceState.WRONG_VERSION: "The plugin calls itself {version} ({bits} bit); rigd reads the layout of "
    "3.7, 64 bit, and records nothing else. Install rFactor2SharedMemoryMapPlugin64 3.7.",
    SourceState.UNSUBSCRIBED: "{buffers} is switched off in the plugin (UnsubscribedBuffersMask is {mask}): "
    f"set UnsubscribedBuffersMask to {{wanted}} in {SETTINGS} and restart the game.",
    SourceState.LIVE: "Telemetry is arriving.",
    SourceState.MONITOR: "Scoring moves and telemetry does not: the driver is in the monitor or the garage.",
    SourceState.REPLACED: "{files} was deleted and made again, by a bridge that restarted. "
    "The new one is open; waiting for it to move.",
    SourceState.WAITING: "The game's memory is there and nothing in it has moved yet: a menu, or loading. "
    "Frames count from the first change on.",
    SourceState.STALE: "The memory is left over from an earlier run and no rFactor2.exe is running. "
    "Start the game.",
    SourceState.PAUSED: "Nothing has moved for {seconds} s: the game is paused, loading or in a menu.",
    SourceState.GONE: "Nothing has moved for {seconds} s and no rFactor2.exe is running: the game crashed or "
    "was killed. What it left in memory is not recorded again.",
}
"""Each state's likely cause and way out."""


class Source(Protocol):
    """What the recorder needs: the buffers through a reader of any kind, with one life cycle."""

    @property
    def telemetry_reader(self) -> BufferReader:
        """Counters and versions of telemetry."""

    @property
    def scoring_reader(self) -> BufferReader:
        """Counters and versions of scoring."""

    @property
    def epoch(self) -> int:
        """Grows when version words start anew; only words of one epoch can be compared."""

    def telemetry(self, now_ns: int) -> Snapshot | None:
        """Return the next telemetry frame."""

    def scoring(self, now_ns: int) -> Snapshot | None:
        """Return the next scoring frame."""

    def extended(self) -> np.void | None:
        """Return the newest EXTENDED_PAYLOAD."""

    def peek(self) -> bool:
        """Return whether telemetry may have a new frame."""

    def state(self, now_ns: int) -> SourceState:
        """Return what the source is doing."""

    def explain(self, now_ns: int) -> str:
        """Return the state's sentence."""

    def close(self) -> None:
        """Release the files."""


@dataclass
class _Refused:
    """Frames not given since the last that was, because the plugin was not one that rigd reads."""

    epoch: int = -1
    """Lives of the counters and of the plugin when the last one was given."""
    frames: int = 0
    jumped: bool = False


class SharedMemory:
    """The game's buffers in a folder, normally /dev/shm.

    Telemetry and scoring are given only while the plugin says that it is up and speaks version 3.7, so
    nothing of an unknown layout gets past here. Times are `time.monotonic_ns`, passed in.
    """

    def __init__(self, folder: Path, *, game: Callable[[], object | None] = find_game) -> None:
        self.folder = folder
        self.telemetry_reader = self._reader(Telemetry)
        self.scoring_reader = self._reader(Scoring)
        self.extended_reader = self._reader(Extended, first=True)
        self._game = game
        self._game_seen = False
        self._game_check_at = 0
        self._now_ns = 0
        self._extended: np.void | None = None
        self._starts = 0
        self._trusted = False
        self._trusted_life = -1
        self._refused = {Telemetry.name: _Refused(), Scoring.name: _Refused()}

    def _reader(self, buffer: Buffer, *, first: bool = False) -> BufferReader:
        return BufferReader(self.folder, buffer, first=first)

    @property
    def epoch(self) -> int:
        """Lives of the telemetry counters that ended, and starts of the plugin seen."""
        return self.telemetry_reader.epoch + self._starts

    @property
    def trusted(self) -> bool:
        """Whether the plugin was up and of a version that rigd reads when last looked at."""
        return self._trusted

    def telemetry(self, now_ns: int) -> Snapshot | None:
        """Return the next whole telemetry frame with at least one car, or None."""
        self._now_ns = now_ns
        return self._trusted_only(self.telemetry_reader, now_ns)

    def scoring(self, now_ns: int) -> Snapshot | None:
        """Return the next scoring frame with at least one car, or None."""
        self._now_ns = now_ns
        return self._trusted_only(self.scoring_reader, now_ns)

    def _trusted_only(self, reader: BufferReader, now_ns: int) -> Snapshot | None:
        """Return a frame of a plugin that rigd reads, with the count of those before it that were not
        given.
        """
        found, refused = reader.snapshot(now_ns), self._refused[reader.buffer.name]
        if found is None:
            return None
        if not self._trust():
            refused.frames += found.missed + 1
            refused.jumped |= found.jumped
            return None
        epoch = reader.epoch + self._starts
        if refused.epoch == epoch:
            found.missed += refused.frames
            found.jumped |= refused.jumped
        self._refused[reader.buffer.name] = _Refused(epoch)
        return found

    def extended(self) -> np.void | None:
        """Return the newest EXTENDED_PAYLOAD, a copy of its own; None before the first and without a file."""
        found = self.extended_reader.snapshot(self._now_ns)
        if found is not None:
            self._learn(np.frombuffer(bytes(found.raw), EXTENDED)["mExtended"][0])
        elif self.extended_reader.file.state is not FileState.READY:
            self._extended, self._trusted = None, False
        return self._extended

    def peek(self) -> bool:
        """Return whether a telemetry version word moved: one read of 16 bytes, which opens nothing."""
        return self.telemetry_reader.peek()

    def state(self, now_ns: int) -> SourceState:
        """Return what the source is doing. 7 us while the game runs; made to be asked once a second."""
        self._now_ns = now_ns
        for reader in (self.telemetry_reader, self.scoring_reader):
            reader.look(now_ns)
        self.extended()
        return self._file_state() or self._plugin_state() or self._motion(now_ns)

    def explain(self, now_ns: int) -> str:
        """Return the state's sentence: likely cause and way out."""
        state = self.state(now_ns)
        return SENTENCES[state].format_map(self._facts(state, now_ns))

    def close(self) -> None:
        """Release the files."""
        for reader in self._readers():
            reader.close()

    def _readers(self) -> tuple[BufferReader, BufferReader, BufferReader]:
        return self.telemetry_reader, self.scoring_reader, self.extended_reader

    def _trust(self) -> bool:
        """Return whether the plugin is up and readable; asked again in every life of the telemetry file."""
        if not self._trusted or self._trusted_life != self.telemetry_reader.epoch:
            self.extended()
            self._trusted_life = self.telemetry_reader.epoch
        return self._trusted

    def _learn(self, extended: np.void) -> None:
        """Take in a new Extended: the plugin's version decides whether the rest is believed."""
        before = self._extended
        self._extended = extended
        self._starts += before is not None and not before["mVersion"] and bool(extended["mVersion"])
        self._trusted = bool(SUPPORTED.fullmatch(extended["mVersion"])) and bool(extended["is64bit"])

    def _file_state(self) -> SourceState | None:
        return next((state for file, state in _FILE_STATES.items() if self._files_in(file)), None)

    def _files_in(self, state: FileState) -> list[BufferReader]:
        return [reader for reader in self._readers() if reader.file.state is state]

    def _plugin_state(self) -> SourceState | None:
        if self._extended is None or not self._extended["mVersion"]:
            return SourceState.PLUGIN_DOWN
        if not self._trusted:
            return SourceState.WRONG_VERSION
        return SourceState.UNSUBSCRIBED if self._switched_off() else None

    def _switched_off(self) -> list[Buffer]:
        assert self._extended is not None
        mask = int(self._extended["mUnsubscribedBuffersMask"])
        return [buffer for buffer in (Telemetry, Scoring) if mask & buffer.unsubscribe_bit]

    def _motion(self, now_ns: int) -> SourceState:
        telemetry, scoring = self.telemetry_reader.moved_ns, self.scoring_reader.moved_ns
        if telemetry is not None and now_ns - telemetry < STILL_NS:
            return SourceState.LIVE
        if scoring is not None and now_ns - scoring < STILL_NS:
            return SourceState.MONITOR
        if telemetry is None and scoring is None:
            return self._unmoved(now_ns)
        if self._still_ns(now_ns) < GONE_NS or self._game_runs(now_ns):
            return SourceState.PAUSED
        return SourceState.GONE

    def _unmoved(self, now_ns: int) -> SourceState:
        """Return the state when nothing moved since the files were opened: a menu, a new file, or
        yesterday's memory.
        """
        if now_ns - self.telemetry_reader.attached_ns < STILL_NS:
            return SourceState.REPLACED if self.telemetry_reader.reopens else SourceState.WAITING
        return SourceState.WAITING if self._game_runs(now_ns) else SourceState.STALE

    def _still_ns(self, now_ns: int) -> int:
        readers = (self.telemetry_reader, self.scoring_reader)
        return now_ns - max(reader.moved_ns or reader.attached_ns for reader in readers)

    def _game_runs(self, now_ns: int) -> bool:
        if now_ns >= self._game_check_at:
            self._game_seen = self._game() is not None
            self._game_check_at = now_ns + GAME_CHECK_NS
        return self._game_seen

    def _facts(self, state: SourceState, now_ns: int) -> dict[str, object]:
        """Return what the sentences mention."""
        named = self._named(state)
        facts: dict[str, object] = {
            "folder": self.folder,
            "files": ", ".join(reader.buffer.file_name for reader in named),
            "size": named[0].file.size,
            "expected": named[0].file.expected,
            "seconds": self._still_ns(now_ns) // 1_000_000_000,
        }
        return facts | (self._plugin_facts() if self._extended is not None else {})

    def _named(self, state: SourceState) -> list[BufferReader]:
        """Return the readers a sentence is about."""
        for file, named in _FILE_STATES.items():
            if named is state:
                return self._files_in(file)
        return [reader for reader in self._readers() if reader.reopens] or list(self._readers())

    def _plugin_facts(self) -> dict[str, object]:
        assert self._extended is not None
        off = self._switched_off()
        mask = int(self._extended["mUnsubscribedBuffersMask"])
        return {
            "version": self._extended["mVersion"].decode("latin-1") or "nothing",
            "bits": 64 if self._extended["is64bit"] else 32,
            "buffers": " and ".join(buffer.name for buffer in off),
            "mask": mask,
            "wanted": mask & ~sum(buffer.unsubscribe_bit for buffer in off),
        }


_FILE_STATES: Final = {
    FileState.DENIED: SourceState.DENIED,
    FileState.ABSENT: SourceState.ABSENT,
    FileState.CUT: SourceState.TRUNCATED,
    FileState.SHORT: SourceState.SHORT,
}
"""What a file's state makes of the source, worst first."""
