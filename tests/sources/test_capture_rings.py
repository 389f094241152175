"""A capture of the simulated game, replayed through the buffers, gives the same ring each time."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Final

from rig.channels import PHYSICS
from rig.columns import Layout, read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.demo.plugin import Plugin
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring
from rigd.ring import RingReader
from rigd.sources.rf2.capture import CaptureReader, capture
from rigd.sources.rf2.layout import Buffer, Telemetry
from rigd.sources.rf2.layout import Scoring as ScoringBuffer
from rigd.sources.rf2.replay import replay
from rigd.sources.rf2.source import SourceState
from tests.stage import Stage, stage, until
from tests.taken import Taken

FRAMES: Final = 209
"""Four seconds of the race. Nine frames follow on the last scoring update, which comes with every tenth."""
GAP_S: Final = 0.001
ACKNOWLEDGED: Final = 8
"""Frames until one says that scoring was looked at: the recorder does that every 4 ms."""

STILL: Final = (SourceState.WAITING.name, SourceState.STALE.name)


class Game(threading.Event):
    """A stop signal that moves the simulated game while the capture waits on it, and is set at the end."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.race = Race(8, 3, laps=50)
        self.scoring = Scoring(self.race)
        self.plugin = Plugin(folder)
        self.plugin.start_session(self.race)
        self.score()

    def wait(self, timeout: float | None = None) -> bool:
        if self.race.frame == FRAMES:
            self.set()
            return True
        self.race.step()
        if self.race.scoring_due:
            self.score()
        self.plugin.write_telemetry()
        return False

    def score(self) -> None:
        self.scoring.update()
        self.plugin.write_scoring(self.scoring, self.race)


class Acknowledged(threading.Event):
    """A stop signal on which a replay waits: at first until a recorder has attached to buffers in which
    nothing moves yet, then until it has taken what was played.
    """

    def __init__(self, here: Stage) -> None:
        super().__init__()
        self._here, self._taken = here, Taken(here.buffers, here.data)
        self._frame = self._update = self._since = 0

    def wait(self, timeout: float | None = None) -> bool:
        if not self._here.running:
            self._here.record()
            until(lambda: self._here.status().source_state in STILL)
        time.sleep(GAP_S)
        frame, update = self._version(Telemetry), self._version(ScoringBuffer)
        self._since = 0 if update != self._update else self._since + (frame != self._frame)
        self._frame, self._update = frame, update
        until(self._known, pause_s=GAP_S)
        return self.is_set()

    def _known(self) -> bool:
        self._taken.look()
        scored = self._since < ACKNOWLEDGED or self._taken.update == self._update
        return scored and self._taken.frame == (self._frame or -1)

    def _version(self, buffer: Buffer) -> int:
        with (self._here.buffers / buffer.file_name).open("rb") as file:
            return int.from_bytes(file.read(8)[4:], "little")

    def close(self) -> None:
        self._taken.close()


def ended(here: Stage, *words: str) -> str:
    """What a command says that ends by itself."""
    process = here.start("rigd", *words, "--buffers", str(here.buffers))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return said


def captured(file: Path, folder: Path) -> None:
    game = Game(folder)
    assert capture(folder, file, game).missed == 0
    game.plugin.close()


def replayed(file: Path) -> dict[bytes, list[bytes]]:
    """The ring that a recorder makes of a replay."""
    with stage() as here, contextlib.closing(Acknowledged(here)) as acknowledged:
        replay(file, here.buffers, 0.0, stop=acknowledged)
        (recorder,) = here.running
        here.stop(recorder)
        assert recorder.returncode == 0
        ring = RingReader(here.data / "ring")
        try:
            found = {stream: ring.read(stream, 0, 10_000, 1 << 30) for stream in rings.STREAMS}
        finally:
            ring.close()
    return {stream: [value for _, value in rows] for stream, rows in found.items()}


def timeless(stream: bytes, record: bytes) -> bytes:
    """A record without its capture clock, nine bytes after the sequence number, and without what that moment
    decides: which tick is the first to know a new scoring update.
    """
    assert read_head(record).seq
    plain = bytearray(record)
    if stream == rings.PHYSICS:
        view = Layout(PHYSICS, record, 0, len(record)).view(plain, 0)
        view["update_time"][:] = view["update_distance"][:] = 0
    return bytes(plain[:9] + plain[18:])


OF_THE_RECORDER = (
    *("source_changed", "recorder_started", "recorder_stopped"),
    *("session_started", "session_ended", "stint_ended"),
)
"""When the source was seen to come and go, and with it the session, depends on the wall clock."""


def game_events(values: list[bytes]) -> list[bytes]:
    """What the game did."""
    found = []
    for value in values:
        event = event_pb2.Event.FromString(value)
        if event.WhichOneof("kind") not in OF_THE_RECORDER:
            event.seq = event.capture_time_ns = 0
            found.append(event.SerializeToString(deterministic=True))
    return found


def test_two_replays_give_the_same_ring_but_for_the_capture_clock(tmp_path: Path, buffers: Path) -> None:
    file = tmp_path / "race.rcap"
    captured(file, buffers)
    first, second = replayed(file), replayed(file)
    assert len(first[rings.PHYSICS]) == FRAMES - 1  # the first one stood there before
    assert len(first[rings.SCORING]) >= 3  # one a second, and when something changes
    for stream in (rings.PHYSICS, rings.SCORING):
        one, other = ([timeless(stream, value) for value in tables[stream]] for tables in (first, second))
        assert one == other
    events = game_events(first[rings.EVENTS])
    assert events == game_events(second[rings.EVENTS])
    assert events
    assert not any(event_pb2.Event.FromString(event).HasField("gap") for event in events)


def test_what_is_captured_at_the_command_line_is_replayed_there(tmp_path: Path) -> None:
    file = tmp_path / "race.rcap"
    with stage() as here:
        game = here.start("rigd", "demo-game", "--buffers", str(here.buffers), "--cars", "3")
        until(lambda: (here.buffers / Telemetry.file_name).exists())
        said = ended(here, "capture", str(file), "--for", "0.5")
        here.stop(game)
        taken = sum(record.buffer == Telemetry.name for record in CaptureReader(file))
        assert f" {taken} telemetry frames" in said
        assert taken
        assert f" {taken} telemetry frames" in ended(here, "replay", str(file), "--lead", "0", "--speed", "0")
