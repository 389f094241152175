"""A race whose every frame is written only when the one before outlives a kill, under a recorder and an
archiver that are killed on the way: what they leave can be compared with what undisturbed ones leave.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

from rig.errors import RingMissing
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.demo.plugin import Plugin
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring
from rigd.ring import RingReader
from tests.stage import until
from tests.taken import Taken

_SOON_S = 0.001
_ACKNOWLEDGING = 9
"""Frames after the last: word of a scoring update, which is looked for every 4 ms, comes with a later one."""


class Lockstep:
    """Game, recorder and archiver. `kills` of each happen at random frames, drawn from `seed`."""

    def __init__(self, buffers: Path, data: Path, *, cars: int, frames: int, kills: int, seed: int) -> None:
        self.buffers, self.data, self.frames = buffers, data, frames
        self.race = Race(cars, 3, laps=50, short=True)
        self.scoring = Scoring(self.race)
        self.plugin = Plugin(buffers, ticks=lambda: 1)
        dice = random.Random(seed)
        self.recorder_dies = set(dice.sample(range(100, frames - 100), kills))
        self.archiver_dies = set(dice.sample(range(100, frames), kills))
        self.dice = dice
        self.ring: RingReader | None = None
        self.taken = Taken(buffers, data)
        self.recorders = 0
        self.recorder = self.record()
        self.archiver = self.archive()

    def record(self) -> "subprocess.Popen[bytes]":
        self.recorders += 1
        folder = str(self.buffers)
        return self.start("record", "--buffers", folder, "--tail-folder", folder, "--ring-size", "2G")

    def archive(self) -> "subprocess.Popen[bytes]":
        """An archiver that keeps what it wrote, however little room is left on this machine."""
        return self.start("archive", "--min-free", "16M", "--hard-floor", "16M")

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "rigd", *words, "--data", str(self.data)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    # The race.

    def run(self) -> None:
        """Drive, then wait until every closed lap is archived."""
        until(self.looked)
        self.plugin.start_session(self.race)
        time.sleep(0.2)  # the cleared buffers are looked at: they are frames too
        self.score()
        self.plugin.write_telemetry()
        while self.race.frame < self.frames + _ACKNOWLEDGING:
            self.frame()
        until(self.scored, pause_s=_SOON_S)
        self.plugin.end_session(self.scoring)
        self.plugin.close()
        until(lambda: self.kinds().count("session_ended") == 1)
        laps = self.kinds().count("lap_closed")
        until(lambda: len(list(self.data.glob("laps/*/[!.]*.lap"))) == laps)

    def frame(self) -> None:
        """The next frame. Scoring is acknowledged with a later one, so it is waited for ten frames on."""
        self.race.step()
        if self.race.scoring_due:
            until(self.scored, pause_s=_SOON_S)
            self.score()
        self.plugin.write_telemetry()
        if self.race.frame in self.recorder_dies:
            time.sleep(self.dice.uniform(0.0, 0.004))
            self.replace_recorder()
        time.sleep(_SOON_S)
        until(self.recorded, pause_s=_SOON_S)
        if self.race.frame in self.archiver_dies:
            self.archiver.kill()
            self.archiver.wait()
            self.archiver = self.archive()

    def score(self) -> None:
        self.scoring.update()
        self.plugin.write_scoring(self.scoring, self.race)

    def replace_recorder(self) -> None:
        """Kill it. What it had not taken is taken back and written again for the next one: as it stands, that
        one would take it for old.
        """
        self.recorder.kill()
        self.recorder.wait()
        lost, unscored = not self.recorded(), not self.scored()
        self.plugin._telemetry._words[:] -= lost
        self.plugin._scoring._words[:] -= unscored
        self.recorder = self.record()
        until(self.looked)
        if unscored:
            self.plugin.write_scoring(self.scoring, self.race)
        if lost:
            self.plugin.write_telemetry()

    # What the recorder has.

    def recorded(self) -> bool:
        self.taken.look()
        return self.taken.frame == self.plugin.telemetry_version

    def scored(self) -> bool:
        """Whether the newest update was seen."""
        self.taken.look()
        return self.taken.update == self.plugin._scoring.version

    def kinds(self) -> list[str]:
        """Kinds of all events."""
        try:
            found = self.opened().read(rings.EVENTS, 0, 1 << 20, 1 << 30)
        except RingMissing:
            return []
        return [event_pb2.Event.FromString(data).WhichOneof("kind") or "" for _, data in found]

    def looked(self) -> bool:
        """Whether every recorder has looked at the game; each says so when its first tenth of a second is
        over.
        """
        lives = " ".join(self.kinds()).split("recorder_started")[1:]
        return sum("source_changed" in life for life in lives) == self.recorders

    def opened(self) -> RingReader:
        if self.ring is None:
            self.ring = RingReader(self.data / "ring")
        return self.ring

    def close(self) -> None:
        for process in (self.recorder, self.archiver):
            process.terminate()
        for process in (self.recorder, self.archiver):
            try:
                process.wait(60)
            finally:
                process.kill()
        self.taken.close()
        if self.ring is not None:
            self.ring.close()
